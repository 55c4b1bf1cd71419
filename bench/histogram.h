/* histogram: how often values occurred, in bounded memory.
 *
 * Log-linear, as HdrHistogram does it (its C library is not in Debian): each power of two is cut
 * into 128 equal buckets, so that a bucket's values differ by less than 1 %, and values below 256
 * have a bucket each. Values above HISTOGRAM_MAX count as that. Not thread safe. */
#ifndef WEIR_BENCH_HISTOGRAM_H
#define WEIR_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_BITS     40 /* of microseconds: twelve days */
#define HISTOGRAM_MAX      ((UINT64_C(1) << HISTOGRAM_BITS) - 1)
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* All zero is an empty one. */
struct histogram {
    uint64_t total;
    uint64_t max;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* The least value that at least `fraction` (0 to 1) of all values do not exceed, up to its
 * bucket's width; never more than the greatest value. 0 when there are no values. */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);

#endif
