/* deliveries: which numbers a group's consumers got, so that none comes twice. */
#ifndef WEIR_BENCH_DELIVERIES_H
#define WEIR_BENCH_DELIVERIES_H

#include "base/buf.h"
#include "bench/payload.h"

/* All zero: none came. */
struct deliveries {
    struct buf seen; /* a bit a number */
};

/* The payload in `text`, `len` bytes long; dies when it is not one of ours or came before. */
struct payload deliveries_take(struct deliveries *deliveries, struct bytes text, size_t len);

#endif
