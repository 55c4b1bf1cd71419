/* random: xoshiro256** (https://prng.di.unimi.it), for sampling and for seeded tests;
 * nothing secret may come from it. */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/* Uniform in [0, bound); bound > 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* A seed from the operating system. */
uint64_t random_seed(void);

#endif
