/* doubles: what weir-micro has instead of time and threads (doubles.c). */
#ifndef WEIR_BENCH_MICRO_DOUBLES_H
#define WEIR_BENCH_MICRO_DOUBLES_H

#include <stdint.h>

/* Unix time at which all clocks begin. */
#define DOUBLES_FIRST_MS UINT64_C(1700000000000)

void doubles_clock_reset(void);
void doubles_clock_pass(uint64_t us);

#endif
