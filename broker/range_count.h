/* range_count: how many durable keys are under each range rule (storage/tally.h).
 *
 * Ops keep what is counted up to date. A round of counting begins when keys come under another rule
 * without being written, and where a store was written by a version that did not count: it walks
 * over the rows of each database, some at a time and read by a reader, and then over what is in
 * memory only. Until it is complete nobody knows how many keys a durable rule has.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_RANGE_COUNT_H
#define WEIR_BROKER_RANGE_COUNT_H

#include "broker/keyspace.h"

struct broker;

/* The durable object is counted, if it is one that should be by now. True: it is, and whoever
 * changes it says so (range_count_changed). */
bool range_count_has(struct keyspace *keyspace, struct object *object);
/* An object that is counted was, before a change, what `before` says. */
void range_count_changed(struct keyspace *keyspace, unsigned db, const struct object *object,
                         const struct tally *before);
/* The object was made of its row, or of nothing. */
void range_count_loaded(struct keyspace *keyspace, struct object *object);
/* Rules have changed: a round begins. */
void range_count_anew(struct keyspace *keyspace);

/* What durable keys of a rule take. False: they are not counted yet. */
struct range_size {
    uint64_t keys;
    uint64_t bytes; /* names, values, and entries, each of these as large as all are on average */
};
bool range_count_of(struct keyspace *keyspace, uint16_t rule, struct range_size *out);

/* The walk of a round. */
struct range_count {
    struct broker *broker; /* borrowed */
    bool fetching;
    bool fetched;
    unsigned db; /* whose rows were asked for */
    struct fetch fetch;
    uint64_t round;    /* as in keyspace->count_round; of the walk in memory */
    uint64_t hash;     /* where it goes on */
    uint64_t retry_us; /* after a read that failed; else 0 */
};

void range_count_init(struct range_count *count, struct broker *broker);
void range_count_deinit(struct range_count *count);
/* Once a turn: a piece of work. True: there is more to do at once. */
bool range_count_work(struct range_count *count);
/* When it has to be called again, on the monotonic clock; 0: at no time. */
uint64_t range_count_deadline(const struct range_count *count);

#endif
