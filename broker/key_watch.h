/* key_watch: WATCH: sessions that want to know whether certain keys change before their EXEC.
 *
 * A watched key has a waiter for each session that watches it (pubsub/waiters.h); a key nobody
 * watches costs nothing. Whatever changes a key, by whomever, marks the transactions of those who
 * watch it; EXEC then runs nothing. What a watch knows beside the key is whether the key existed
 * and when it expires, which stays true until the watch is touched: so a database that is flushed
 * touches the keys that it had, and no others, and EXEC knows which have expired, without a look
 * at the disk.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_KEY_WATCH_H
#define WEIR_BROKER_KEY_WATCH_H

#include "base/list.h"
#include "pubsub/waiters.h"

struct broker;
struct object;
struct op;
struct session;

struct key_watches {
    struct waiters keys; /* by database and name */
    struct list all;
    uint64_t sessions; /* that watch any */
};

void key_watches_init(struct key_watches *watches);
/* Nobody may watch any more. */
void key_watches_deinit(struct key_watches *watches);

static inline bool key_watches_empty(const struct key_watches *watches)
{
    return waiters_empty(&watches->keys);
}

/* Different keys that are watched. */
static inline uint64_t key_watches_count(const struct key_watches *watches)
{
    return watches->keys.keys.count;
}

/* The session, which has a transaction, watches `key` of its database, which is `object` now; once
 * is enough. Replies and answers false when that is more than it may keep. */
bool key_watch_add(struct session *session, struct bytes key, const struct object *object);
/* What it watches and has expired counts as changed, whether or not anybody has deleted it. */
void key_watch_expire(struct session *session);
/* It watches nothing, and no change counts any more. */
void key_watch_end(struct session *session);

/* `op` has been applied; record `lsn` has it. */
void key_watch_changed(struct broker *broker, const struct op *op, uint64_t lsn);

#endif
