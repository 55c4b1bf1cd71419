/* range_change: a change of the range rules, and whether keys stand in its way.
 *
 * A key must not be of a memory range while it lies on disk, nor the other way round: a change of
 * the rules that would give an existing key another store is refused, or takes the key along
 * (range_move.h). To find such a key what is in
 * memory is looked through on the loop, and where durable keys may be among them the names on disk,
 * slice by slice. Looking takes time, so it counts only if nothing has become visible on disk and
 * no rule has changed meanwhile (range_change_current): then what is new is still in memory.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_RANGE_CHANGE_H
#define WEIR_BROKER_RANGE_CHANGE_H

#include "broker/keyspace.h"

struct options;

struct range_change {
    struct keyspace *keyspace; /* borrowed */
    struct key_ranges after;
    struct key_range rule; /* that is set or deleted; its prefix is borrowed */
    bool deletes;
    uint64_t view;
    uint64_t changes;
    unsigned db;    /* whose names on disk are looked through, */
    uint64_t place; /* from here on */
};

/* The rule is set, or deleted. On an error nothing is initialized. ERR_FULL: too many rules.
 * ERR_NOT_FOUND: there is none to delete. ERR_RANGE: the one that cannot be deleted. */
MUST_CHECK enum err range_change_init(struct range_change *change, struct keyspace *keyspace,
                                      const struct key_range *rule, bool deletes);
void range_change_deinit(struct range_change *change);

/* True: a key of this name changes its store. */
bool range_change_moves(const struct range_change *change, unsigned db, struct bytes name);
typedef enum err (*range_change_visit_fn)(void *context, unsigned db, struct object *object);
/* Calls `visit` for every key in memory, of either store, that changes its store, until it answers
 * something else than ERR_OK; answers the same. It must not write. */
MUST_CHECK enum err range_change_each(const struct range_change *change,
                                      range_change_visit_fn visit, void *context);

/* True: a key in memory stands in the way. */
bool range_change_hits_memory(const struct range_change *change);
/* True: there are names on disk to look through, of change->db from change->place on. */
bool range_change_reads(struct range_change *change);
/* True: one of the rows (key_scan.h) that were read there stands in the way. */
bool range_change_hits_rows(const struct range_change *change, struct bytes rows);
/* False: what was found counts no more, begin again. */
bool range_change_current(const struct range_change *change);

/* Makes the change; returns what gates the reply. */
uint64_t range_change_write(struct range_change *change);

/* At the start: sets the rules of the option `range`. May block. `reason` gets what stands in the
 * way. ERR_INVALID: keys do. ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err range_change_start(struct keyspace *keyspace, const struct options *options,
                                       struct buf *reason);

#endif
