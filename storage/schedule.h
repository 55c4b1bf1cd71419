/* schedule: rows ordered by when they are due, of which memory holds those that no fold has written
 * and the next few of the others.
 *
 * A row's id is its time in Unix milliseconds and a number that tells equal times apart; its value
 * is bytes. Rows come and go between two folds without reaching the disk. As everything dirty they
 * are on one of two sides (storage/dirty.h):
 *
 *   memory:  [ loaded: on disk too ][ sealed side ][ writable side ]
 *   disk:    [ rows ........................................................ ]
 *                     ^ horizon: of the rows on disk, all below it that live are loaded
 *
 * Invariants
 *   1. A row that lives is in exactly one of the three sets, or on disk at or above the horizon.
 *   2. A row on disk that lives no more is in one side's `removed`, until a fold has deleted it.
 *   3. A loaded row is below the horizon, so at most one load's rows are loaded.
 *
 * Threads: the loop's; the folder reads the items and the `removed` of the sealed side only. */
#ifndef WEIR_STORAGE_SCHEDULE_H
#define WEIR_STORAGE_SCHEDULE_H

#include "base/heap.h"
#include "base/hmap.h"
#include "base/list.h"
#include "storage/fetch.h"
#include "storage/id_set.h"
#include "storage/key.h"

struct scheduled {
    struct hmap_node node;
    struct heap_node due;
    struct list link;
    struct id id;
    uint32_t len;
    char data[];
};

struct schedule_set {
    struct hmap map;
    struct heap heap;
    struct list items; /* of a sealed side: also those that were removed since */
};

struct schedule {
    enum key_kind kind;
    struct chunk_home home;
    struct schedule_set loaded;
    struct schedule_set sides[2];
    struct id_set removed[2]; /* by side */
    struct list garbage;      /* folded, to be freed */
    struct id horizon;
};

/* `on_disk`: there may be rows of it on disk; else all there is will be in memory. */
void schedule_init(struct schedule *schedule, enum key_kind kind, struct chunk_home home,
                   bool on_disk);
void schedule_deinit(struct schedule *schedule);

/* The changes; `side` is the writable one. Each returns the bytes that it adds to what the next
 * fold must write. */

/* `id`, which does not live, is not 0-0. Copies `data`. */
size_t schedule_add(struct schedule *schedule, uint8_t side, struct id id, struct bytes data);
/* `id` lives. */
size_t schedule_remove(struct schedule *schedule, uint8_t side, struct id id);

/* ERR_OK: *out, valid until it is removed or folded, is the row. ERR_NOT_FOUND: it does not live.
 * ERR_COLD: it may be on disk, where no removal of it is waiting: ask for its row. */
MUST_CHECK enum err schedule_find(const struct schedule *schedule, struct id id,
                                  const struct scheduled **out);
/* The row that is due first. ERR_END: there is none. ERR_COLD: it may be on disk: load. */
MUST_CHECK enum err schedule_first(const struct schedule *schedule, const struct scheduled **out);

/* Loading: what to read, and what was read, under the same view of the store (store_view). Its
 * error, if it had one; ERR_CORRUPT. */
void schedule_plan(const struct schedule *schedule, struct ranges *ranges, struct fetch *fetch);
MUST_CHECK enum err schedule_take(struct schedule *schedule, const struct fetch *fetch);

/* The folder's: adds the side's changes to a batch, in key order. `key` is scratch. */
void schedule_write(const struct schedule *schedule, uint8_t side, struct ranges_batch *batch,
                    struct buf *key);
/* The fold of `side` is on disk. What it takes to free is left for schedule_sweep. */
void schedule_folded(struct schedule *schedule, uint8_t side);
/* Frees `count` folded rows at most. True when none is left. */
bool schedule_sweep(struct schedule *schedule, size_t count);

/* Bytes of the loaded rows: a look at each of them, which are no more than one load has. */
size_t schedule_bytes(const struct schedule *schedule);

static inline struct bytes scheduled_data(const struct scheduled *row)
{
    return bytes_of(row->data, row->len);
}

#endif
