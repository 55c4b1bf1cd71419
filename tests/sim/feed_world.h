/* feed_world: some keys with feeds over sim_ranges, and a plain array beside each feed, for the
 * tests of feeds, folds, cursors and plans.
 *
 * What store.c and apply.c do with objects, done by hand: a change touches the object and both the
 * feed and its model; a fold goes through its states one call of feed_world_fold at a time, so that
 * changes, cursors and plans meet every one of them. Threads: one. */
#ifndef WEIR_TESTS_SIM_FEED_WORLD_H
#define WEIR_TESTS_SIM_FEED_WORLD_H

#include "base/random.h"
#include "storage/dirty.h"
#include "storage/feed_plan.h"
#include "tests/sim/sim_ranges.h"

#define FEED_WORLD_KEYS 3

struct model_entry {
    struct id id;
    uint32_t seed; /* tells the fields, with their length */
    uint32_t len;
};

/* The truth about one feed. */
struct feed_model {
    bool exists;
    struct model_entry *entries; /* live, ascending */
    size_t count;
    size_t cap;
    struct id last_id;
    struct id max_deleted_id;
    uint64_t entries_added;
};

/* Where a fold is: see storage/store.h. WRITTEN: on disk, but the loop has not noticed. */
enum feed_world_fold { WORLD_IDLE, WORLD_SEALED, WORLD_WRITTEN, WORLD_RELEASING };

struct feed_key {
    struct object *object;
    struct feed_model now;
    struct feed_model sealed; /* at the last seal */
};

struct feed_world {
    struct random random;
    struct sim_ranges_disk *disk;
    struct ranges *ranges;
    struct chunk_cache cache;
    struct dirty sides[2];
    uint8_t side;
    enum feed_world_fold fold;
    uint64_t view;       /* as store_view */
    uint64_t fold_steps; /* so far */
    uint64_t next_feed;
    struct feed_key keys[FEED_WORLD_KEYS];
    struct buf fields; /* of one entry */
    uint32_t fields_max;
};

void feed_world_init(struct feed_world *world, uint64_t seed);
void feed_world_deinit(struct feed_world *world);
/* Gives the shelves of feeds a budget, of a random size; there is none before. */
void feed_world_keep_chunks(struct feed_world *world);

static inline struct feed *feed_of(const struct feed_key *key)
{
    return object_feed(key->object);
}

/* Changes. Each does to a key's feed what it does to its model. */
void feed_world_create(struct feed_world *world, struct feed_key *key);
void feed_world_append(struct feed_world *world, struct feed_key *key, struct id id, uint32_t len);
/* Ids close together or far apart, fields short or long; creates the feed when there is none. */
void feed_world_append_random(struct feed_world *world, struct feed_key *key);
/* The first `count` entries go. */
void feed_world_trim(struct feed_world *world, struct feed_key *key, size_t count);
/* Entries that are there, without a repetition. */
void feed_world_erase(struct feed_world *world, struct feed_key *key, const struct id *ids,
                      size_t count);
void feed_world_raise_last_id(struct feed_world *world, struct feed_key *key);
void feed_world_drop(struct feed_world *world, struct feed_key *key);
/* `to` has no feed. */
void feed_world_rename(struct feed_world *world, struct feed_key *from, struct feed_key *to);
/* One of all these. */
void feed_world_change(struct feed_world *world);

/* One step of a fold; the first one seals. */
void feed_world_fold(struct feed_world *world);
/* Steps until everything is folded and released. */
void feed_world_fold_all(struct feed_world *world);
/* Loads clean objects anew from their rows, as after an eviction. */
void feed_world_reload(struct feed_world *world);

/* The feed and its row are as the model says; reads all of it, in both directions. */
void feed_world_check(struct feed_world *world, struct feed_key *key);
/* The entry is the model's. */
void feed_world_check_entry(struct feed_world *world, const struct model_entry *expected,
                            const struct entry *entry);

/* The index of the first entry >= id; `count` when there is none. */
size_t feed_model_find(const struct feed_model *model, struct id id);

/* Where a live entry lies: 0 on disk, 1 sealed, 2 writable; and the base of its chunk or piece. */
struct chunk_place {
    int where;
    struct id base;
};
struct chunk_place feed_world_place(struct feed_world *world, struct feed_key *key, struct id id);

#endif
