/* keyspace_events: what happens to keys, published as messages.
 *
 * https://redis.io/docs/latest/develop/use/keyspace-notifications/
 * The option notify-keyspace-events chooses classes of events by Redis's letters, and with K and E
 * whether they are published to __keyspace@DB__:KEY (the message is the event) or to
 * __keyevent@DB__:EVENT (the message is the key).
 *
 * An event of a durable key is published when its write is durable: nobody hears of what a crash
 * could take back. Until then it waits here, with the LSN of its record, in the order of the
 * writes. Other messages do not wait for it; events of memory ranges wait only for events before
 * them. When the store has failed, what waits is never published. What waits is about as large as
 * the ops it tells of, which are bounded with the open record.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_KEYSPACE_EVENTS_H
#define WEIR_BROKER_KEYSPACE_EVENTS_H

#include "base/bytes.h"
#include "base/list.h"

struct broker;
struct fanout;
struct session;

/* The classes that there are events of, with their letters. */
enum event_class {
    EVENT_GENERIC = 'g',
    EVENT_STREAM = 't',
    EVENT_NEW = 'n',
    EVENT_MISS = 'm',
    EVENT_STRING = '$',
    EVENT_HASH = 'h',
    EVENT_EXPIRED = 'x',
    EVENT_EVICTED = 'e',
};

struct keyspace_events {
    bool chosen[128]; /* by letter; all false when neither K nor E is chosen */
    struct list waiting;
};

/* `letters`: the option's value. */
void keyspace_events_init(struct keyspace_events *events, const char *letters);
void keyspace_events_deinit(struct keyspace_events *events);
void keyspace_events_choose(struct keyspace_events *events, const char *letters);

/* `event` has happened to `key` by the session's command, which has just written it to the log.
 * Copies the key, borrows `event` for ever. */
void keyspace_event(struct session *session, enum event_class class, const char *event, unsigned db,
                    struct bytes key);

/* The same where no session is at work. */
void keyspace_event_of(struct broker *broker, enum event_class class, const char *event,
                       unsigned db, struct bytes key);

/* Publishes what waits for records up to `durable`. */
void keyspace_events_publish(struct keyspace_events *events, uint64_t durable,
                             struct fanout *fanout);

#endif
