/* group: the consumer groups of a feed, and what each has delivered.
 *
 * A group has a name, a number, a place in its feed (the last id it delivered), consumers, and
 * pending entries (storage/pending.h). Its state exists twice, a side for each of two generations
 * (storage/dirty.h): the first change after a seal copies what a row holds to the other side and
 * starts an empty set of changed pending entries there.
 *
 * The groups of a feed are found under an id of their own, the groups id in the feed's row. They
 * are loaded together, with the first command that asks for them. Their pending entries are not:
 * blocks are read where they are needed (storage/pending_cursor.h).
 *
 *   group row = name text | last id | entries read + 1 (0: unknown) | pending | stored last id |
 *               next consumer | number of consumers | consumer...
 *   consumer  = number | name text | seen ms | active ms | pending
 *
 * All of it varints; an id is two.
 *
 * Invariants
 *   1. A pending entry that names a consumer which is not there is not pending. So a consumer is
 *      deleted without a look at its entries: its number is never used again.
 *   2. `pending` of a state and of its consumers count what is pending by (1).
 *   3. No block and no sealed set has an id above stored_last.
 *
 * Threads: the loop's; the folder reads the sealed side of dirty groups only. */
#ifndef WEIR_STORAGE_GROUP_H
#define WEIR_STORAGE_GROUP_H

#include "base/list.h"
#include "storage/chunk_cache.h"
#include "storage/key.h"
#include "storage/pending.h"
#include "storage/roster.h"

#define ENTRIES_READ_UNKNOWN UINT64_MAX

/* A group's row is written whole: so its consumers are bounded. Redis has no such limit. */
#define CONSUMERS_MAX 65536u
/* The groups of a feed are loaded together. */
#define GROUPS_MAX 65536u
/* Of a group or consumer. */
#define GROUP_NAME_MAX ((size_t)64 << 10)

struct consumer {
    struct roster_entry entry;
    uint64_t seen_ms;    /* last attempt to read or claim that is in the log */
    uint64_t noticed_ms; /* the same, of attempts that are not; the loop's */
    uint64_t active_ms;  /* last time it got something; 0: never */
    uint64_t pending;
    char name[];
};

struct group_state {
    struct id last_id;
    uint64_t entries_read;
    uint64_t pending;
    struct id stored_last;
    uint32_t next_consumer;
    struct roster consumers;
    struct pending_set changes;
};

struct group {
    struct roster_entry entry; /* in its groups */
    struct chunk_home home;    /* of the groups */
    uint32_t refs;             /* of the groups, dirty lists and cursors */
    uint8_t side;
    bool dropped;
    bool parked; /* too far behind to hold what its feed's policy would remove; the loop's */
    bool stuck;  /* its last dead letters found no place; the loop's */
    struct list links[2]; /* in a side's dirty list; empty when not */
    struct group_state states[2];
    struct chunk_shelf shelf; /* some of the blocks on disk */
    uint64_t edits;           /* changes so far */
    uint64_t oldest_ms;       /* nothing pending was delivered before; 0: not known */
    uint64_t backdated;       /* deliveries so far that are told to lie before their op */
    uint32_t name_len;
    char name[];
};

struct groups {
    struct chunk_home home;
    uint32_t refs;
    struct chunk_cache *cache; /* borrowed; for the shelves */
    struct roster roster;      /* of struct group */
    struct id set_back;        /* see groups_set_back; the loop's */
};

/* ---- the groups of a feed ---- */

/* None, with one reference. */
struct groups *groups_create(struct chunk_home home, struct chunk_cache *cache);
void groups_ref(struct groups *groups);
void groups_unref(struct groups *groups);
/* Adds the group of a row. ERR_CORRUPT. */
MUST_CHECK enum err groups_load(struct groups *groups, struct bytes key, struct bytes row,
                                uint8_t side);
struct group *groups_find(const struct groups *groups, struct bytes name);
struct group *groups_at(const struct groups *groups, uint64_t number);
/* The first one with a greater number. */
struct group *groups_after(const struct groups *groups, uint64_t number);
static inline struct group *groups_nth(const struct groups *groups, uint32_t index)
{
    return (struct group *)(void *)groups->roster.by_name[index];
}
/* One of them may hold `id` again, having let go of it: set_back is the lowest such id since
 * whoever asks them what they hold has set it to ID_MAX. */
static inline void groups_set_back(struct groups *groups, struct id id)
{
    groups->set_back = id_min(groups->set_back, id);
}
/* Adds a new group. */
struct group *groups_add(struct groups *groups, uint64_t number, struct bytes name, uint8_t side);
/* Takes the group out and marks it as dropped. It must be in no dirty list of the writable side. */
void groups_remove(struct groups *groups, struct group *group);
size_t groups_bytes(const struct groups *groups);

/* ---- one group ---- */

void group_ref(struct group *group);
void group_unref(struct group *group);

static inline struct bytes group_name(const struct group *group)
{
    return bytes_of(group->name, group->name_len);
}

static inline struct group_state *group_state(struct group *group)
{
    return &group->states[group->side];
}

/* Makes `side` the newest. */
void group_turn(struct group *group, uint8_t side);
/* The fold of `side` is on disk: lets go of it. */
void group_folded(struct group *group, uint8_t side);

struct consumer *group_consumer(struct group *group, struct bytes name);
/* NULL: it was deleted, or never there. */
struct consumer *group_state_consumer(const struct group_state *state, uint32_t number);
static inline struct consumer *group_nth_consumer(const struct group_state *state, uint32_t index)
{
    return (struct consumer *)(void *)state->consumers.by_name[index];
}

/* The greatest id that a block may have once `state` is folded. */
struct id group_state_stored_last(const struct group_state *state);

/* The changes; `group` is on the writable side. */

struct consumer *group_add_consumer(struct group *group, uint32_t number, struct bytes name,
                                    uint64_t now_ms);
/* Its pending entries go with it. */
void group_remove_consumer(struct group *group, struct consumer *consumer);
/* The entry is pending as `item` says; `owner`: at which consumer it was before, 0: at none. */
void group_assign(struct group *group, const struct pending *item, uint32_t owner);
/* The entry, pending at `owner`, is no more. */
void group_release(struct group *group, struct id id, uint32_t owner);

void group_row_encode(struct buf *out, const struct group *group, uint8_t side);

#endif
