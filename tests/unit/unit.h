/* unit: what every unit test includes: cmocka with the headers it wants before it, and the
 * seed of random tests. */
#ifndef WEIR_TESTS_UNIT_UNIT_H
#define WEIR_TESTS_UNIT_UNIT_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

/* WEIR_SEED, or a new one; printed, so that a failure can be had again. */
static inline uint64_t unit_seed(void)
{
    const char *given = getenv("WEIR_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : random_seed();
    print_message("WEIR_SEED=%" PRIu64 "\n", seed);
    return seed;
}

#endif
