/* feed: an append-only log of entries, in memory as far as no fold has written it.
 *
 * A feed has a row (its counters), a tail (entries not yet folded), and chunks on disk for
 * everything older. The row and the tail exist twice, a side for each of two generations
 * (storage/dirty.h): the first write after a seal copies the row to the other side and starts an
 * empty tail there, so that the folder reads the sealed side while the loop writes on.
 *
 *   ids:   first_id ......................... last_id
 *          [ chunks on disk ][ sealed tail ][ tail ]
 *                           ^ feed_disk_last
 *
 * Invariants
 *   1. Every live entry is in exactly one of the three, in id order: disk < sealed < writable.
 *   2. No entry below first_id is live, whatever chunks still hold.
 *   3. An entry on disk or in the sealed tail is deleted when either side's `deleted` has it.
 *
 * Threads: the loop's; the folder reads rows[] and tails[] of the sealed side only. */
#ifndef WEIR_STORAGE_FEED_H
#define WEIR_STORAGE_FEED_H

#include "storage/chunk_cache.h"
#include "storage/key.h"

struct upkeep;

struct feed_row {
    struct id last_id;
    struct id first_id; /* first live entry; 0-0 when there is none */
    struct id max_deleted_id;
    struct id stored_id; /* greatest that a chunk may hold, deleted or not */
    uint64_t length;
    uint64_t entries_added;
    struct id chunk_base;  /* of the last chunk, and its bytes, tail included; */
    uint32_t chunk_bytes;  /* 0: the next entry starts a new chunk */
    uint64_t groups;       /* the id under which its groups are kept (storage/group.h); 0: none */
    uint16_t groups_slot;  /* and the slot */
    struct upkeep *upkeep; /* storage/upkeep.h; NULL: nothing is done for the feed by itself */
};

/* The ids of the first chunk's live entries, so that trimming an entry at a time does not read it
 * again and again. */
struct feed_head {
    struct id *ids;
    uint32_t at; /* ids[at] is first_id while the head is valid */
    uint32_t count;
    uint32_t cap;
};

struct groups;

struct feed {
    struct chunk_home home;
    uint32_t refs;  /* object states and cursors that point here */
    uint8_t side;   /* of the newest row and tail */
    bool on_disk;   /* a fold may have written chunks of it */
    bool dropped;   /* deleted or replaced: its key is gone */
    uint64_t edits; /* trims and deletions so far: plans made of an older state are void */
    struct feed_row rows[2];
    struct tail tails[2];
    struct feed_head head;
    struct groups *groups;    /* one reference; NULL: none, or not loaded; the loop's */
    struct chunk_shelf shelf; /* some of what is on disk; whoever makes the feed gives it a cache */
};

/* An empty feed with one reference. */
struct feed *feed_create(struct chunk_home home, uint8_t side);
void feed_ref(struct feed *feed);
/* The last one frees it. */
void feed_unref(struct feed *feed);

static inline struct feed_row *feed_row(struct feed *feed)
{
    return &feed->rows[feed->side];
}

static inline struct upkeep *feed_upkeep(const struct feed *feed)
{
    return feed->rows[feed->side].upkeep;
}

/* Where its groups are kept. */
static inline struct chunk_home feed_groups_home(const struct feed *feed)
{
    const struct feed_row *row = &feed->rows[feed->side];
    return (struct chunk_home){feed->home.space, row->groups_slot, row->groups};
}

/* Makes `side` the newest: copies the row and starts an empty tail. */
void feed_turn(struct feed *feed, uint8_t side);

/* No entry above this id is on disk only, and none up to it is in a tail. */
struct id feed_disk_last(const struct feed *feed);

/* True when `id`, found on disk or in the sealed tail, was deleted. */
static inline bool feed_deleted(const struct feed *feed, struct id id)
{
    return (feed->tails[0].deleted.count > 0 && id_set_has(&feed->tails[0].deleted, id)) ||
           (feed->tails[1].deleted.count > 0 && id_set_has(&feed->tails[1].deleted, id));
}

/* The four changes; `feed` is on the writable side. Each returns the bytes that it adds to what the
 * next fold must write. */

/* `entry->id` > last_id. */
size_t feed_append(struct feed *feed, const struct entry *entry);
/* Entries below `first` go, `removed` of them; `first` is ID_MAX when all do. */
size_t feed_trim(struct feed *feed, struct id first, uint64_t removed);
/* `ids` are live entries. `first` is the first live one afterwards, 0-0 when there is none. */
size_t feed_erase(struct feed *feed, const struct id *ids, size_t count, struct id first);
size_t feed_set(struct feed *feed, struct id last_id, uint64_t entries_added,
                struct id max_deleted_id);

/* The fold of `side` is on disk: lets go of its tail. */
void feed_folded(struct feed *feed, uint8_t side);

/* Forgets what is known of the first chunk. */
void feed_head_reset(struct feed_head *head);
void feed_head_add(struct feed_head *head, struct id id);

/* Bytes of memory that the feed takes, tails and shelf aside. */
size_t feed_bytes(const struct feed *feed);
/* Bytes of its tails. */
size_t feed_tail_bytes(const struct feed *feed);

#endif
