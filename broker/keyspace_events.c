#include "broker/keyspace_events.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/options.h"
#include "broker/session.h"

struct waiting_event {
    struct list link;
    uint64_t lsn;
    const char *event;
    unsigned db;
    size_t key_len;
    char key[];
};

void keyspace_events_init(struct keyspace_events *events, const char *letters)
{
    list_init(&events->waiting);
    keyspace_events_choose(events, letters);
}

static struct waiting_event *first(const struct keyspace_events *events)
{
    return container_of(events->waiting.next, struct waiting_event, link);
}

static void drop(struct waiting_event *event)
{
    list_remove(&event->link);
    mem_free(event);
}

void keyspace_events_deinit(struct keyspace_events *events)
{
    while (!list_empty(&events->waiting))
        drop(first(events));
}

void keyspace_events_choose(struct keyspace_events *events, const char *letters)
{
    memset(events->chosen, 0, sizeof(events->chosen));
    if (strpbrk(letters, "KE") == NULL)
        return;
    if (strchr(letters, 'A') != NULL) {
        for (const char *at = OPTION_EVENTS_ALL; *at != '\0'; at++)
            events->chosen[(unsigned char)*at] = true;
    }
    for (; *letters != '\0'; letters++)
        events->chosen[(unsigned char)*letters] = true;
}

void keyspace_event(struct session *session, enum event_class class, const char *event, unsigned db,
                    struct bytes key)
{
    keyspace_event_of(session->broker, class, event, db, key);
}

void keyspace_event_of(struct broker *broker, enum event_class class, const char *event,
                       unsigned db, struct bytes key)
{
    struct keyspace_events *events = &broker->events;
    if (!events->chosen[class])
        return;
    bool durable = keyspace_moving(&broker->keyspace) || /* then it may be in either */
                   keyspace_range(&broker->keyspace, db, key)->store == STORE_DURABLE;
    uint64_t lsn = durable ? store_last(broker->store) : 0;
    struct waiting_event *waiting = mem_alloc(sizeof(*waiting) + key.len);
    *waiting = (struct waiting_event){.lsn = lsn, .event = event, .db = db, .key_len = key.len};
    if (key.len > 0)
        memcpy(waiting->key, key.data, key.len);
    list_push_back(&events->waiting, &waiting->link);
    if (lsn <= broker_durable(broker)) /* a miss or in memory, and nothing is being written */
        keyspace_events_publish(events, broker_durable(broker), &broker->fanout);
}

static void publish(const struct keyspace_events *events, const struct waiting_event *waiting,
                    struct fanout *fanout)
{
    struct bytes key = bytes_of(waiting->key, waiting->key_len);
    struct bytes event = bytes_of_string(waiting->event);
    struct buf channel;
    buf_init(&channel);
    if (events->chosen['K']) {
        buf_addf(&channel, "__keyspace@%u__:", waiting->db);
        buf_add_bytes(&channel, key);
        fanout_publish(fanout, ROOM_CHANNEL, buf_bytes(&channel), event);
    }
    if (events->chosen['E']) {
        buf_reset(&channel, SIZE_MAX);
        buf_addf(&channel, "__keyevent@%u__:%s", waiting->db, waiting->event);
        fanout_publish(fanout, ROOM_CHANNEL, buf_bytes(&channel), key);
    }
    buf_deinit(&channel);
}

void keyspace_events_publish(struct keyspace_events *events, uint64_t durable,
                             struct fanout *fanout)
{
    while (!list_empty(&events->waiting) && first(events)->lsn <= durable) {
        struct waiting_event *event = first(events);
        publish(events, event, fanout);
        drop(event);
    }
}
