/* tracking: tells clients that cache keys when these change: CLIENT TRACKING.
 *
 * https://redis.io/docs/latest/develop/reference/client-side-caching/
 * By default the keys that a tracking client reads are remembered for it, and the first change of
 * one is pushed to it, once: to hear of another it reads again. With BCAST nothing is remembered;
 * every change of a key with one of its prefixes is pushed. Names are compared without their
 * databases, as in Redis.
 *
 * What is remembered is kept as subscriptions are (pubsub/membership.h), in a membership of its
 * own: a channel is a key that its members have read, a pattern a prefix. So both a change and the
 * end of a client find what they need at once, and a key that nobody has read costs nothing. The
 * keys are bounded by the option tracking-table-max-keys: one more has another one forgotten, and
 * its readers told as if it had changed.
 *
 * A change is told at once, whether it is durable or not. What a crash takes back may so be told;
 * that costs a client one look, and what it then sees is gated like any reply.
 *
 * A read that waited for the disk may show what has changed meanwhile. tracking_waits remembers
 * the record at which it began to wait; keys with younger changes are told right after the reply.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_TRACKING_H
#define WEIR_BROKER_TRACKING_H

#include "base/list.h"
#include "pubsub/membership.h"

struct broker;
struct op;
struct session;

struct tracking {
    struct membership membership;
    struct list clients;
    uint64_t client_count;
    uint32_t hand;         /* where a key to be forgotten is looked for */
    struct buf pushed;     /* the message under way; empty: not encoded yet */
    struct buf redirected; /* the same for a subscriber of __redis__:invalidate */
    struct buf numbers;    /* of rooms or members */
    struct buf scratch;
};

/* How a client wants to be told. */
struct tracking_mode {
    bool broadcast;
    bool opt_in;       /* only what is read right after CLIENT CACHING YES */
    bool opt_out;      /* not what is read right after CLIENT CACHING NO */
    bool no_loop;      /* not its own changes */
    uint64_t redirect; /* id of the client that is told; 0: itself */
};

/* A client that tracks. */
struct tracking_client {
    struct subscriber subscriber;
    struct list link;
    struct session *session;
    struct tracking_mode mode;
    bool caching;         /* CLIENT CACHING was said */
    bool redirect_broken; /* there was nobody to redirect to */
    bool waited;          /* its command has */
    uint64_t waited_lsn;  /* the last record when it began to */
};

void tracking_init(struct tracking *tracking);
/* Nobody may track any more. */
void tracking_deinit(struct tracking *tracking);

/* The session tracks from now on, with these prefixes besides those it has (none at all is the
 * prefix "", if it broadcasts); or in another mode. */
void tracking_start(struct session *session, const struct tracking_mode *mode,
                    const struct bytes *prefixes, size_t count);
/* Nothing when it does not track. */
void tracking_stop(struct session *session);

/* Adds the client's prefixes to `out`, in their order, each as buf_put_bytes; returns how many. */
size_t tracking_prefixes(struct session *session, struct buf *out);

/* The session's command waits. */
void tracking_waits(struct session *session);
/* The session's command was run to its end: remembers what it has read. */
void tracking_after_command(struct session *session);
/* `op` has been applied. */
void tracking_changed(struct broker *broker, const struct op *op);

struct tracking_stats {
    uint64_t keys;     /* remembered */
    uint64_t items;    /* pairs of a key and a client */
    uint64_t prefixes; /* different ones */
};
struct tracking_stats tracking_stats(const struct tracking *tracking);

#endif
