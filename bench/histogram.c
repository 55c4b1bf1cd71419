#include "bench/histogram.h"

#include <stddef.h>

#define SUB_COUNT (UINT64_C(1) << HISTOGRAM_SUB_BITS)

/* A value keeps its first HISTOGRAM_SUB_BITS + 1 bits; `shift` others are cut off. */
static size_t bucket_of(uint64_t value)
{
    unsigned bits = value < 2 * SUB_COUNT ? 0 : 64 - (unsigned)__builtin_clzll(value);
    unsigned shift = bits == 0 ? 0 : bits - (HISTOGRAM_SUB_BITS + 1);
    return (size_t)((uint64_t)shift * SUB_COUNT + (value >> shift));
}

/* The greatest value of a bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < 2 * SUB_COUNT)
        return bucket;
    uint64_t shift = bucket / SUB_COUNT - 1;
    uint64_t kept = bucket % SUB_COUNT + SUB_COUNT;
    return ((kept + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    if (value > HISTOGRAM_MAX)
        value = HISTOGRAM_MAX;
    histogram->total++;
    histogram->counts[bucket_of(value)]++;
    if (value > histogram->max)
        histogram->max = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
    double rank = fraction * (double)histogram->total;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= rank)
            return bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
    }
    return histogram->max;
}
