/* clock: the only place that reads time. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

/* Unix time in milliseconds / microseconds. May jump. */
uint64_t clock_wall_ms(void);
uint64_t clock_wall_us(void);
/* Microseconds of a clock that never goes back, from an arbitrary start. */
uint64_t clock_mono_us(void);

#endif
