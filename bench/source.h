/* source: sends a workload's operations over some connections, its lanes, and waits for replies.
 *
 * Closed loop (--rate 0): a lane sends --pipeline operations at once, awaits all replies and sends
 * the next, as the pipelines of client libraries and redis-benchmark do. Where there are readers,
 * no more than --window operations are ahead of the slowest arrival.
 * Open loop: operations are due at a steady rate, take turns on the lanes and are sent when they
 * are due, whatever is still under way.
 *
 * A workload embeds a source and gives it its verbs. */
#ifndef WEIR_BENCH_SOURCE_H
#define WEIR_BENCH_SOURCE_H

#include "bench/link.h"
#include "bench/load.h"
#include "bench/nats.h"
#include "bench/payload.h"
#include "bench/resp.h"

struct lane {
    struct link link;
    struct source *source;
    unsigned index;
    uint64_t sent;
    uint64_t done;
    uint64_t replies; /* that came for operation `done` so far */
    uint64_t *starts; /* when operation N began, at N modulo `cap`; 0 once it has ended */
    size_t cap;
    struct resp resp; /* one of these reads what comes */
    struct nats nats;
};

struct source_verbs {
    /* Adds the next operation's bytes to lane->link.out; it is operation lane->sent of the lane
     * and item.number of the source. */
    void (*add)(struct source *source, struct lane *lane, struct payload item);
    /* Looks at what comes of a reply, or NULL. An error reply has killed the run before, unless
     * it begins with `allowed`. */
    void (*on_value)(struct source *source, struct lane *lane, const struct resp_value *value);
    const char *allowed;
    /* How a lane of another protocol than RESP begins, and what it does before it sends. */
    void (*on_open)(struct lane *lane);
    void (*on_bytes)(struct link *link, struct bytes bytes);
    void (*before_flush)(struct lane *lane);
    /* Replies that an operation has; 0 is 1. */
    uint64_t replies;
    /* Operations do not count when their reply is in: readers count them, or nobody does. */
    bool uncounted;
};

struct source {
    struct load *load;
    const struct options *options; /* the load's, or those of a source beside the one it counts */
    const struct source_verbs *verbs;
    uint64_t sent;
    struct lane *lanes;
    unsigned lane_count;
    bool started;
    uint64_t due_from_us; /* open loop: operation `sent` is due at this + sent / rate */
    uv_poll_t alarm;
    int alarm_fd;
};

/* Opens the connections. Sending begins with source_start. */
void source_open(struct source *source, struct load *load, const struct source_verbs *verbs);
/* The same with options of its own, which stay the caller's: a load may have several sources. */
void source_open_beside(struct source *source, struct load *load, const struct options *options,
                        const struct source_verbs *verbs);
void source_start(struct source *source);
/* A payload of --payload bytes as a word of a RESP command. */
void source_add_payload(struct source *source, struct buf *out, struct payload item);
/* Readers have caught up somewhat. */
void source_resume(struct source *source);
/* Operation `number` of the lane has ended; source_resume_lane when there may be more to send. */
void source_done(struct lane *lane, uint64_t number);
void source_resume_lane(struct lane *lane);

#endif
