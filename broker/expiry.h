/* expiry: keys whose time has come go.
 *
 * A key that is asked for goes then (access.h). The others are looked for in cycles, a slice of
 * some milliseconds at a time:
 *
 *   memory ranges                     a walk through those that have keys with a time of expiry
 *   durable, the time on disk         the index by time (storage/expiry_index.h): a reader reads
 *                                     what is due with its rows; what memory knows of a key counts
 *   durable, the time not folded yet  a walk through the resident keys
 *
 * The last two have a bound each in the catalog, before which nothing is due; while that lies ahead
 * they cost nothing. Ops and folds lower it. Who begins to look sets it to never; what he meets and
 * leaves lowers it again.
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
 * the next one comes after so many times its own time: then it takes a tenth of the loop's. */
#define EXPIRY_PERIOD_US   UINT64_C(100000)
#define EXPIRY_SHARE_US    UINT64_C(2000)
#define EXPIRY_REST        9
#define EXPIRY_REST_US_MIN UINT64_C(1000)

struct expiry {
    uint64_t next_us;   /* of the next cycle, clock_mono_us; */
    uint64_t rested_us; /* it may come then */
    uint16_t range;     /* where the walk through memory ranges goes on, by id */
    bool walking;       /* through the residents, and */
    uint64_t hash;      /* where that goes on */
    uint32_t space;     /* whose index is being read; 0: none's */
    uint64_t from_ms;   /* nothing before this time, */
    struct buf from;    /* and now from this row on */
    enum { ROWS_NONE, ROWS_COMING, ROWS_READ } reading;
    struct fetch fetch;    /* the rows */
    size_t taken;          /* bytes of them that were looked at */
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
