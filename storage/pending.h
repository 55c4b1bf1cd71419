/* pending: entries that a group has delivered and nobody has acknowledged; what has changed of them
 * since a fold; and their rows on disk.
 *
 * A pending set is what one side (storage/dirty.h) has changed: an item for each entry that was
 * delivered, claimed or taken away, in id order. An item whose consumer is 0 says that the entry is
 * pending no more, whatever lies below. Items lie in leaves of a limited size, so that adding at
 * the end and removing from the front, which is what deliveries and acknowledgements do, move
 * nothing much.
 *
 *   on disk:  [block base=1-0 ......][block base=70-0 ....]     thousands of items, in ranges
 *   sealed:        [12-0 removed]        [80-0 claimed]         a set that is being folded
 *   writable:                                       [90-0 new]  the set that the loop changes
 *
 *   block = item...
 *   item  = delta ms varint | seq varint | consumer varint | delivery time zigzag varint |
 *           deliveries varint
 *
 * In a block an id is relative to the item before it, the first one's to the base in the row's key:
 * seq counts from the former one where delta ms is 0, and from 0 elsewhere. The delivery time is
 * relative to that of the item before it, too, and to 0 for the first.
 *
 * Threads: the loop's; a sealed set is read by the folder, too. */
#ifndef WEIR_STORAGE_PENDING_H
#define WEIR_STORAGE_PENDING_H

#include "base/codec.h"
#include "base/err.h"
#include "storage/id.h"

/* A block takes items until it has this many bytes. */
#define PENDING_BLOCK_BYTES 4096u

struct pending {
    struct id id;
    uint64_t delivered_ms; /* when it was delivered last */
    uint64_t deliveries;
    uint32_t consumer; /* its number; 0: not pending any more */
    bool fresh;        /* in a set: nothing below may have this id */
};

struct pending_leaf;

struct pending_set {
    struct pending_leaf **leaves;
    uint32_t from; /* leaves before this one are gone */
    uint32_t count;
    uint32_t cap;
    size_t peak; /* most bytes it took so far */
};

/* Where an item is; valid until the set changes. */
struct pending_place {
    uint32_t leaf;
    uint32_t item;
};

void pending_set_deinit(struct pending_set *set); /* leaves an empty one */

static inline bool pending_set_empty(const struct pending_set *set)
{
    return set->from == set->count;
}

/* How many items it has: a look at every leaf. */
size_t pending_set_count(const struct pending_set *set);

/* Valid until the set changes. NULL: no such item. */
struct pending *pending_set_find(const struct pending_set *set, struct id id);
/* The item of `id`, a new one if there is none (*added). All but the new one's id is 0. */
struct pending *pending_set_put(struct pending_set *set, struct id id, bool *added);
/* Nothing when it is not there. */
void pending_set_remove(struct pending_set *set, struct id id);

/* The first item at or after `id`; the last one at or before it. NULL: there is none. */
const struct pending *pending_set_seek(const struct pending_set *set, struct id id,
                                       struct pending_place *place);
const struct pending *pending_set_seek_prev(const struct pending_set *set, struct id id,
                                            struct pending_place *place);
/* The item after that one. */
const struct pending *pending_set_next(const struct pending_set *set, struct pending_place *place);

/* By how much its memory has grown beyond what it ever took: what comes and goes counts once. */
size_t pending_set_grown(struct pending_set *set);

/* Adds an item to a block; `last` is the one before it, at first {.id = base}. */
void pending_write(struct buf *out, struct pending *last, const struct pending *item);
/* The next item of a block, told by the one before it in *item, at first {.id = base}. ERR_END,
 * ERR_CORRUPT: *item is untouched. */
MUST_CHECK enum err pending_read(struct decoder *block, struct pending *item);

#endif
