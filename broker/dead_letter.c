#include "broker/dead_letter.h"

#include "base/check.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/group_log.h"
#include "storage/upkeep.h"

/* What one command collects: with it, and an entry more, a record that is full stays below what a
 * record can hold. */
#define DEAD_BYTES_MAX ((size_t)64 << 20)

void dead_letters_deinit(struct dead_letters *dead)
{
    pending_set_deinit(&dead->items);
    buf_deinit(&dead->entries);
    buf_init(&dead->entries);
}

bool dead_letter_due(const struct feed *feed, uint64_t deliveries)
{
    const struct policy *policy = upkeep_policy(feed_upkeep(feed));
    return policy != NULL && policy->maxdeliveries > 0 && deliveries > policy->maxdeliveries;
}

bool dead_letters_own(struct session *session, const struct policy *policy, struct bytes key)
{
    if (policy == NULL || policy->deadletter.len == 0 || !bytes_equal(policy->deadletter, key))
        return false;
    reply_error(&session->reply, "ERR a feed cannot be its own dead-letter feed");
    return true;
}

enum access dead_letters_access(struct session *session, const struct feed *feed)
{
    const struct policy *policy = upkeep_policy(feed_upkeep(feed));
    struct object *target;
    if (policy == NULL || policy->deadletter.len == 0)
        return ACCESS_READY;
    return access_key(session, policy->deadletter, &target);
}

/* Past a RESP line: "*2\r\n". */
static struct bytes skip_line(struct bytes text)
{
    const char *end = memchr(text.data, '\n', text.len);
    CHECK(end != NULL);
    size_t line = (size_t)(end + 1 - text.data);
    return bytes_of(end + 1, text.len - line);
}

void dead_letters_add(struct dead_letters *dead, const struct pending *item, struct bytes entry)
{
    bool added;
    if (dead->entries.len >= DEAD_BYTES_MAX)
        return;
    *pending_set_put(&dead->items, item->id, &added) = *item;
    if (!added)
        return;
    struct bytes fields = skip_line(skip_line(skip_line(entry))); /* "*2", "$3", "1-0" */
    buf_put_u64(&dead->entries, item->id.ms);
    buf_put_u64(&dead->entries, item->id.seq);
    buf_put_bytes(&dead->entries, fields);
}

/* The fields of the dead letter: what it was, then `fields`, an array in wire form. */
static void compose(const struct group_place *place, const struct pending *item,
                    struct bytes fields, struct buf *out)
{
    struct reply reply = {out, 2};
    char id[ID_TEXT_MAX];
    const struct consumer *consumer =
        group_state_consumer(group_state(place->group), item->consumer);
    int64_t count = 0;
    struct bytes own = skip_line(fields);
    size_t digits = fields.len - own.len - 3; /* between "*" and "\r\n" */
    CHECK(bytes_to_i64(bytes_of(fields.data + 1, digits), &count));
    reply_array(&reply, (size_t)count + 10);
    reply_bulk_string(&reply, "origin");
    reply_bulk(&reply, place->key);
    reply_bulk_string(&reply, "id");
    reply_bulk(&reply, bytes_of(id, id_to_text(item->id, id)));
    reply_bulk_string(&reply, "group");
    reply_bulk(&reply, group_name(place->group));
    reply_bulk_string(&reply, "consumer");
    reply_bulk(&reply, consumer->entry.name);
    reply_bulk_string(&reply, "deliveries");
    reply_bulk_u64(&reply, item->deliveries);
    buf_add_bytes(out, own);
}

/* Whether the key is a feed, or can become one. */
static bool takes_letters(const struct object *target)
{
    enum object_type type = object_type(target);
    return type == OBJECT_FEED || (type == OBJECT_NONE && !target->in_memory);
}

/* The next id of the dead-letter feed. False: it has none left. */
static bool next_id(struct session *session, const struct feed *feed, struct id *out)
{
    struct id id = {broker_now_ms(session->broker), 0};
    struct id last = feed != NULL ? feed->rows[feed->side].last_id : ID_MIN;
    if (id.ms <= last.ms) {
        id = last;
        if (!id_next(&id))
            return false;
    }
    *out = id;
    return true;
}

/* False: the key holds something else, or has no id left. */
static bool append(struct session *session, struct bytes key, struct object *target,
                   struct bytes fields)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct op op = {
        .kind = OP_APPEND, .db = session->db, .key = key, .object = target, .data = fields};
    if (!takes_letters(target) || !next_id(session, object_feed(target), &op.id))
        return false;
    if (object_type(target) == OBJECT_NONE)
        op.number = keyspace_next_feed(keyspace);
    session_gate(session, keyspace_write(keyspace, &op));
    if (op.number != 0)
        keyspace_event(session, EVENT_NEW, "new", session->db, key);
    keyspace_event(session, EVENT_STREAM, "xadd", session->db, key);
    blocking_signal(session->broker, session->db, key);
    return true;
}

/* False: some found no place, and stay pending. */
static bool append_all(struct session *session, const struct group_place *place,
                       struct dead_letters *dead, struct bytes key)
{
    bool all = true;
    struct object *target;
    struct decoder decoder = decoder_of(buf_bytes(&dead->entries));
    struct buf fields;
    buf_init(&fields);
    CHECK(keyspace_find(&session->broker->keyspace, session->db, key, &target) == ERR_OK);
    while (decoder_left(&decoder) > 0) {
        struct id id = {.ms = decoder_u64(&decoder)};
        id.seq = decoder_u64(&decoder);
        struct bytes own = decoder_bytes(&decoder);
        fields.len = 0;
        compose(place, pending_set_find(&dead->items, id), own, &fields);
        if (!append(session, key, target, buf_bytes(&fields))) {
            pending_set_remove(&dead->items, id);
            all = false;
        }
    }
    buf_deinit(&fields);
    return all;
}

void dead_letters_write(struct session *session, const struct group_place *place,
                        struct dead_letters *dead)
{
    const struct policy *policy = upkeep_policy(feed_upkeep(object_feed(place->object)));
    if (pending_set_empty(&dead->items))
        return;
    bool all = policy == NULL || policy->deadletter.len == 0 ||
               append_all(session, place, dead, policy->deadletter);
    if (!all && !place->group->stuck)
        group_log("dead letters stay pending", place->db, place->key, place->group);
    place->group->stuck = !all;
    group_write_acks(session, place, &dead->items);
}
