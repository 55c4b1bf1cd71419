/* policy: what a feed keeps, and for how long: set with FEED.POLICY.
 *
 * A policy does not change: another one takes its place. So the folder may read one that is
 * sealed while the loop sets the next.
 *
 *   in a row or an op = for each limit that is set: its number in POLICY_LIMITS u8, varint; then,
 *                       where there is one: POLICY_DEADLETTER u8, key as text */
#ifndef WEIR_STORAGE_POLICY_H
#define WEIR_STORAGE_POLICY_H

#include "base/codec.h"
#include "base/err.h"

/* The greatest age or delay: a hundred years. Above it is a time in another unit. */
#define UPKEEP_MS_MAX (UINT64_C(36525) * 24 * 3600 * 1000)

/*  field, number, word, greatest value; 0 is no limit */
#define POLICY_LIMITS(X)                                                                           \
    X(maxage_ms, 1, "maxage", UPKEEP_MS_MAX)                                                       \
    X(maxbytes, 2, "maxbytes", (uint64_t)INT64_MAX / 2)                                            \
    X(maxlen, 3, "maxlen", (uint64_t)INT64_MAX)                                                    \
    /* 1: what a group has not acknowledged stays */                                               \
    X(acked, 4, "acked", 1)                                                                        \
    /* but for groups that are further behind */                                                   \
    X(maxlag_ms, 5, "maxlag", UPKEEP_MS_MAX)                                                       \
    /* what was delivered so often leaves a group's pending entries */                             \
    X(maxdeliveries, 6, "maxdeliveries", (uint64_t)INT64_MAX)

#define POLICY_DEADLETTER 32

struct policy {
    uint32_t refs;
#define X(field, number, word, max) uint64_t field;
    POLICY_LIMITS(X)
#undef X
    struct bytes deadletter; /* key of the feed for those; empty: none */
};

/* A copy of `values`, key and all, with one reference; NULL when no limit is set. */
struct policy *policy_create(const struct policy *values);
struct policy *policy_ref(struct policy *policy); /* may be NULL */
void policy_unref(struct policy *policy);         /* may be NULL */

void policy_encode(struct buf *out, const struct policy *policy); /* NULL: nothing */
/* Its dead-letter key points into `bytes`. ERR_CORRUPT. */
MUST_CHECK enum err policy_decode(struct bytes bytes, struct policy *out);

#endif
