#include "broker/group_writes.h"

#include "broker/broker_internal.h"
#include "broker/group_commands.h"
#include "storage/group.h"

void group_place_find(struct group_place *place, unsigned db, struct bytes key,
                      struct object *object, struct bytes name)
{
    struct groups *groups = feed_groups(object);
    *place = (struct group_place){
        .db = db,
        .key = key,
        .object = object,
        .group = groups != NULL ? groups_find(groups, name) : NULL,
    };
}

bool group_name_fits(struct session *session, struct bytes name)
{
    if (name.len <= GROUP_NAME_MAX)
        return true;
    reply_error(&session->reply, "ERR name is longer than %zu bytes", GROUP_NAME_MAX);
    return false;
}

/* An op on the group, without data. */
static struct op op_of(const struct group_place *place, enum op_kind kind)
{
    return (struct op){.kind = kind,
                       .db = place->db,
                       .key = place->key,
                       .object = place->object,
                       .number = place->group->entry.number};
}

struct consumer *group_write_new_consumer(struct session *session, const struct group_place *place,
                                          struct bytes name, uint64_t now_ms)
{
    struct group *group = place->group;
    struct buf *data = &session->broker->scratch;
    data->len = 0;
    buf_put_varint(data, group_state(group)->next_consumer);
    buf_put_varint(data, now_ms);
    struct op op = op_of(place, OP_CONSUMER_CREATE);
    op.key2 = name;
    op.data = buf_bytes(data);
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    return group_consumer(group, name);
}

static struct consumer *create(struct session *session, const struct group_place *place,
                               struct bytes name, uint64_t now_ms)
{
    const struct group_state *state = group_state(place->group);
    if (!group_name_fits(session, name))
        return NULL;
    if (state->consumers.count >= CONSUMERS_MAX || state->next_consumer >= UINT32_MAX - 1) {
        reply_error(&session->reply, "ERR the group has too many consumers");
        return NULL;
    }
    struct consumer *consumer = group_write_new_consumer(session, place, name, now_ms);
    keyspace_event(session, EVENT_STREAM, "xgroup-createconsumer", place->db, place->key);
    return consumer;
}

struct consumer *group_write_consumer(struct session *session, const struct group_place *place,
                                      struct bytes name, uint64_t now_ms)
{
    struct consumer *consumer = group_consumer(place->group, name);
    if (consumer == NULL)
        return create(session, place, name, now_ms);
    consumer->noticed_ms = now_ms;
    return consumer;
}

void group_write_acks(struct session *session, const struct group_place *place,
                      const struct pending_set *set)
{
    if (pending_set_empty(set))
        return;
    struct buf *data = &session->broker->scratch;
    data->len = 0;
    group_op_put_acks(data, set);
    struct op op = op_of(place, OP_ACK);
    op.data = buf_bytes(data);
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
}

void group_write_claims(struct session *session, const struct group_place *place,
                        const struct consumer *consumer, const struct pending_set *set,
                        struct id last_id, bool active, uint64_t now_ms)
{
    const struct group_state *state = group_state(place->group);
    if (pending_set_empty(set) && id_equal(last_id, state->last_id))
        return;
    struct buf *data = &session->broker->scratch;
    struct group_op head = {
        .consumer = (uint32_t)consumer->entry.number,
        .now_ms = now_ms,
        .flags = active ? GROUP_OP_ACTIVE : 0,
        .entries_read = state->entries_read,
    };
    data->len = 0;
    group_op_put(data, &head);
    group_op_put_claims(data, set, now_ms);
    struct op op = op_of(place, OP_CLAIM);
    op.id = last_id;
    op.data = buf_bytes(data);
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
}

/* All ids, with where they are pending. */
static void put_owned(struct buf *data, const struct id *ids, size_t count,
                      const struct pending_set *owned)
{
    struct pending_set all = {0};
    for (size_t i = 0; i < count; i++) {
        bool added;
        const struct pending *item = pending_set_find(owned, ids[i]);
        pending_set_put(&all, ids[i], &added)->consumer = item != NULL ? item->consumer : 0;
    }
    group_op_put_acks(data, &all);
    pending_set_deinit(&all);
}

void group_write_delivery(struct session *session, const struct group_place *place,
                          const struct consumer *consumer, const struct id *ids, size_t count,
                          const struct pending_set *owned, bool no_ack, uint64_t now_ms)
{
    const struct feed_row *row = feed_row(object_feed(place->object));
    const struct group_state *state = group_state(place->group);
    struct id last_id = state->last_id;
    struct group_op head = {
        .consumer = (uint32_t)consumer->entry.number,
        .now_ms = now_ms,
        .flags = GROUP_OP_ACTIVE | (no_ack ? GROUP_OP_NOACK : 0),
        .entries_read = state->entries_read,
    };
    for (size_t i = 0; i < count; i++)
        group_advance(row, ids[i], &last_id, &head.entries_read);
    struct buf *data = &session->broker->scratch;
    data->len = 0;
    group_op_put(data, &head);
    if (!no_ack && owned == NULL)
        group_op_put_ids(data, ids, count);
    else if (!no_ack)
        put_owned(data, ids, count, owned);
    struct op op = op_of(place, OP_DELIVER);
    op.id = last_id;
    op.data = buf_bytes(data);
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
}
