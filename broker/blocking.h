/* blocking: commands that wait until something happens to a key.
 *
 * A blocking command embeds `struct blocking` first in its work. blocking_start makes it wait for
 * keys and, maybe, for a deadline; then the command returns FLOW_WAIT. When one of the keys is
 * signalled, the time is up, or CLIENT UNBLOCK names it, the command runs again and finds the
 * reason in `end`. Those who wait for a key are woken in the order in which they came, right after
 * the command that signalled it.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_BLOCKING_H
#define WEIR_BROKER_BLOCKING_H

#include "base/heap.h"
#include "broker/session.h"
#include "pubsub/waiters.h"

enum blocking_end {
    BLOCKING_NOT,
    BLOCKING_WAITS,
    BLOCKING_SIGNALLED,
    BLOCKING_TIMED_OUT,
    BLOCKING_UNBLOCKED
};

/* One key that a blocking command waits for. */
struct blocking_key {
    struct waiter waiter;
    struct blocking *blocking;
};

struct blocking {
    struct work work;
    struct session *session;
    struct list link;       /* in broker->blocked */
    struct list ready_link; /* in broker->ready */
    struct heap_node deadline;
    struct blocking_key *waiters; /* owned */
    size_t waiter_count;
    enum blocking_end end;
    const struct bytes *line; /* of each key to stand in: a signal wakes the first only; NULL: none.
                                 Borrowed. */
};

void blocking_init(struct blocking *blocking, struct session *session,
                   void (*destroy)(struct work *work));
/* Waits for any of `keys` in the selected database, until `deadline_us` (clock_mono_us; 0: no end).
 * May be called again after a wake-up: it keeps its place in the queues. */
void blocking_start(struct blocking *blocking, const struct bytes *keys, size_t count,
                    uint64_t deadline_us);
/* Waits for nothing any more. */
void blocking_stop(struct blocking *blocking);

/* Something a blocked reader may wait for has happened to `key`. */
void blocking_signal(struct broker *broker, unsigned db, struct bytes key);
/* The same for the first one in a line of the key only. */
void blocking_signal_line(struct broker *broker, unsigned db, struct bytes key, struct bytes line);
/* The same for everybody in a line: not all of them may want what has happened. */
void blocking_signal_whole_line(struct broker *broker, unsigned db, struct bytes key,
                                struct bytes line);
/* The same for all keys of a database: it was swapped with another. */
void blocking_signal_all(struct broker *broker, unsigned db);
/* Resumes those who were signalled. */
void blocking_serve(struct broker *broker);
/* The session's blocking command has just begun to wait: its time is up already. Its next run finds
 * that. */
void blocking_time_out(struct session *session);
/* Wakes those whose time is up. */
void blocking_expire(struct broker *broker, uint64_t now_us);

#endif
