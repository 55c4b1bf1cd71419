/* group_op: what the ops of consumer groups have in their data.
 *
 *   GROUP_CREATE, GROUP_SETID   entries read + 1 (0: unknown)
 *   CONSUMER_CREATE             number | now ms
 *   CONSUMER_DELETE             number
 *   DELIVER, CLAIM              consumer | now ms | flags | entries read + 1 | change...
 *   ACK                         change...
 *
 * All of it varints. Changes lie in runs, so that an entry takes two or three bytes where it is one
 * of many alike: `owner | count`, owner being the consumer at which the entries were pending before
 * (0: at none), then each entry's id, relative to the one before it (0-0 for the op's first) as in
 * a block of pending entries. In a CLAIM an id is followed by the delivery time, as zigzag distance
 * to now, and the deliveries. Ids ascend within an op. */
#ifndef WEIR_STORAGE_GROUP_OP_H
#define WEIR_STORAGE_GROUP_OP_H

#include "storage/pending.h"

enum group_op_flag {
    GROUP_OP_NOACK = 1 << 0,  /* DELIVER: nothing becomes pending */
    GROUP_OP_ACTIVE = 1 << 1, /* the consumer got something */
};

struct group_op {
    uint32_t consumer;
    uint64_t now_ms;
    unsigned flags;
    uint64_t entries_read; /* of the group, afterwards */
};

/* Adds the head of a DELIVER or CLAIM. */
void group_op_put(struct buf *out, const struct group_op *op);
/* Adds one run: ids that were pending nowhere. */
void group_op_put_ids(struct buf *out, const struct id *ids, size_t count);
/* Adds the changes in `set`, whose items' consumers are the owners. */
void group_op_put_acks(struct buf *out, const struct pending_set *set);
void group_op_put_claims(struct buf *out, const struct pending_set *set, uint64_t now_ms);

MUST_CHECK enum err group_op_take(struct decoder *data, struct group_op *out);

/* Walks the changes of an op. */
struct group_changes {
    struct decoder data;
    bool claims;
    uint64_t now_ms;
    uint64_t left; /* of the run */
    struct pending item;
};

/* `claims`: each has a delivery time and a count. */
void group_changes_init(struct group_changes *changes, struct decoder data, bool claims,
                        uint64_t now_ms);
/* The next one: `consumer` is the owner. ERR_END, ERR_CORRUPT. */
MUST_CHECK enum err group_changes_next(struct group_changes *changes, struct pending *out);

#endif
