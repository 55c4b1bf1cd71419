/* dirty: what has changed since a fold, one set for each of two sides.
 *
 * At any time one side is writable. Sealing makes the other one writable and the full one
 * immutable: two numbers move, nothing is copied. The sides take turns, so a seal waits until the
 * side before it was folded and released.
 *
 *            writable            sealed                  released
 *   side 0   |-- loop writes --|-- folder reads --|- loop lets go, piece by piece -|
 *   side 1                     |-- loop writes -------------------------------------|--
 *
 * Threads: the loop's. A sealed set may be read by the folder. */
#ifndef WEIR_STORAGE_DIRTY_H
#define WEIR_STORAGE_DIRTY_H

#include "storage/catalog.h"
#include "storage/group.h"
#include "storage/object.h"

struct dropped_group {
    struct chunk_home home;
    uint64_t number; /* 0: all groups of the home */
};

struct dirty {
    struct list objects; /* object.links[side] */
    struct list groups;  /* group.links[side]: their objects are in `objects` */
    size_t count;        /* of objects */
    size_t group_count;
    size_t bytes; /* about what the fold has to write */
    struct buf
        dropped_feeds; /* struct chunk_home each: chunks that may be on disk and belong to nobody */
    struct buf dropped_delayed;    /* struct chunk_home each: the same for delayed entries */
    struct buf dropped_groups;     /* struct dropped_group each: rows that may be on disk */
    struct buf dropped_spaces;     /* uint32_t each: namespaces that were flushed */
    struct catalog catalog;        /* as of the seal */
    const struct schedule *alarms; /* the store's; its sides turn with the sets */
};

/* What a dirty object adds to `bytes` beside its entries: its row, its key and what they take in
 * memory. */
#define DIRTY_OBJECT_BYTES 256u

void dirty_init(struct dirty *dirty);
/* The list must be empty. */
void dirty_deinit(struct dirty *dirty);

static inline bool dirty_is_empty(const struct dirty *dirty)
{
    return dirty->count == 0 && dirty->group_count == 0 && dirty->dropped_feeds.len == 0 &&
           dirty->dropped_groups.len == 0 && dirty->dropped_spaces.len == 0 && dirty->bytes == 0;
}

/* Makes `object` writable on `side`, whose set is `dirty`: its newest state moves there and it
 * joins the set. It must have left the list of clean objects (cache/table.h). */
void dirty_touch(struct dirty *dirty, struct object *object, uint8_t side);
/* The same for the object's feed, too. */
struct feed *dirty_touch_feed(struct dirty *dirty, struct object *object, uint8_t side);

/* Makes a group of a touched feed writable on `side`. */
void dirty_touch_group(struct dirty *dirty, struct group *group, uint8_t side);
/* A group is gone. */
void dirty_drop_group(struct dirty *dirty, struct groups *groups, struct group *group,
                      uint8_t side);
/* The fold need not write these groups: their feed is gone, and its rows are seen to elsewhere. */
void dirty_forget_groups(struct dirty *dirty, struct groups *groups, uint8_t side);

/* The newest state of `object` (touched) becomes nothing; what its feed may have on disk is noted.
 */
void dirty_drop(struct dirty *dirty, struct object *object, uint8_t side);

/* Lets go of one object of a set that was folded. True: the object is as it is on disk now (clean).
 * False: it was written again since, and is in the other set. */
bool dirty_release(struct dirty *dirty, struct object *object, uint8_t side);
/* The same for a group. */
void dirty_release_group(struct dirty *dirty, struct group *group, uint8_t side);

#endif
