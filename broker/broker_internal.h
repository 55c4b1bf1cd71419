/* broker_internal: the broker's struct, for the files that make it up: broker.c, access.c,
 * blocking.c, broker_info.c and the runtimes. */
#ifndef WEIR_BROKER_BROKER_INTERNAL_H
#define WEIR_BROKER_BROKER_INTERNAL_H

#include "base/heap.h"
#include "broker/broker.h"
#include "broker/caretaker.h"
#include "broker/expiry.h"
#include "broker/fanout.h"
#include "broker/info.h"
#include "broker/key_watch.h"
#include "broker/keyspace.h"
#include "broker/keyspace_events.h"
#include "broker/range_count.h"
#include "broker/range_move.h"
#include "broker/tracking.h"
#include "pubsub/waiters.h"

struct read_job;

/* What the broker needs of the world it runs in: the event loop (runtime.c), or a test's. */
struct broker_hooks {
    void *context;
    /* Any thread: have broker_poll called on the loop. */
    void (*wake)(void *context);
    /* Run read_job_run on another thread, then read_job_done on the loop. */
    void (*read)(void *context, struct read_job *job);
    /* The durable LSN has moved: outputs behind gates may go. */
    void (*durable_moved)(void *context);
    /* broker_stopping has become true. */
    void (*stop)(void *context);
};

struct broker {
    struct options *options; /* borrowed */
    struct broker_hooks hooks;
    struct server *server; /* borrowed; NULL in tests without sockets */
    struct store *store;
    struct keyspace keyspace;

    struct fanout fanout; /* who is in which room */
    struct keyspace_events events;
    struct expiry expiry;
    struct range_move move;
    struct range_count count;
    struct caretaker caretaker;

    struct key_watches watches;
    struct tracking tracking;

    uint64_t now_ms;          /* Unix time of this turn; 0: not asked for yet */
    bool removing;            /* inside of broker_remove */
    struct waiters waiters;   /* blocked readers by key */
    struct list blocked;      /* all of them: blocking.link */
    struct list ready;        /* those that may go on: blocking.ready_link */
    struct buf scratch;       /* for one op at a time */
    struct buf entries;       /* for one reading at a time; others make their own */
    bool serving;             /* the ready ones are being resumed */
    struct heap deadlines;    /* of blocked readers, in clock_mono_us */
    struct list room_waiters; /* session.wait_link: stalled or paused */
    struct list fold_waiters; /* session.wait_link: SAVE, RANGE.SET ... MOVE */
    uint64_t pause_until_ms;
    bool pause_writes_only;
    size_t monitors;
    bool stopping;
    bool stop_with_fold;

    uint64_t started_s;
    struct broker_info counters; /* the fields that the broker counts itself */
    uint64_t ops_mark_us;        /* ops_per_second */
    uint64_t ops_mark;
};

/* A key goes by itself, not by the command that may be running. */
void broker_remove(struct broker *broker, unsigned db, struct bytes key, struct object *object);

#endif
