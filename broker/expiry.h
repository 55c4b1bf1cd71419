/* expiry: keys whose time has come go.
 *
 * A key that is asked for goes then (access.h). The others are looked for in cycles: a walk through
 * the memory ranges and the resident durable keys, a slice of some milliseconds at a time, and
 * through the rows on disk, which a reader reads, a slice of names a cycle. A walk goes only where
 * there are keys with a time of expiry. There is no index by time: a durable key that is not in
 * memory goes when it is asked for, or when the walk comes to it.
 *
 * In a durable range a deletion is logged like any other. While nothing may be written (the store
 * has failed, the fold is behind, CLIENT PAUSE) keys whose time has come stay and are not shown.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_EXPIRY_H
#define WEIR_BROKER_EXPIRY_H

#include "broker/broker.h"
#include "storage/fetch.h"
#include "storage/object.h"

/* A cycle comes every so often, and is not longer than its share; where it does not come to an end
 * the next one comes soon: then it takes a tenth of the loop's time. */
#define EXPIRY_PERIOD_US UINT64_C(100000)
#define EXPIRY_SOON_US   UINT64_C(20000)
#define EXPIRY_SHARE_US  UINT64_C(2000)

struct expiry {
    uint64_t next_us; /* of the next cycle, clock_mono_us */
    uint16_t range;   /* where the walk goes on: memory ranges by id, */
    uint64_t hash;    /* residents by hash, */
    unsigned db;      /* rows by database and place */
    uint64_t place;
    struct fetch fetch; /* of rows */
    bool fetching;
    uint64_t expired_keys; /* so far */
};

void expiry_init(struct expiry *expiry);
/* No fetch is under way. */
void expiry_deinit(struct expiry *expiry);

/* What the session's command finds: `object`, or one of type OBJECT_NONE when the key's time has
 * come. It is deleted then, unless nothing may be written now, and the command only reads. */
struct object *expiry_see(struct session *session, unsigned db, struct bytes key,
                          struct object *object);
/* The key's time has come: deletes it, and tells who waits for it. What is there now: an object of
 * type OBJECT_NONE. */
struct object *expiry_drop(struct broker *broker, unsigned db, struct bytes key,
                           struct object *object);

/* Once a turn: does a cycle if it is time. */
void expiry_run(struct broker *broker);
/* When the next cycle is due, in clock_mono_us; 0: there is nothing that could go now. */
uint64_t expiry_deadline(const struct broker *broker);

#endif
