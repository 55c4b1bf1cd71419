/* XINFO GROUPS, XINFO CONSUMERS, and the groups of XINFO STREAM FULL:
 * https://redis.io/docs/latest/commands/xinfo-stream/ */
#include "broker/group_info.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "storage/upkeep.h"

static void put_id(struct reply *reply, struct id id)
{
    char text[ID_TEXT_MAX];
    reply_bulk(reply, bytes_of(text, id_to_text(id, text)));
}

static void field_integer(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_string(reply, name);
    reply_integer(reply, (int64_t)value);
}

static void field_or_null(struct reply *reply, const char *name, bool known, uint64_t value)
{
    reply_bulk_string(reply, name);
    if (known)
        reply_integer(reply, (int64_t)value);
    else
        reply_null(reply);
}

static void field_id(struct reply *reply, const char *name, struct id id)
{
    reply_bulk_string(reply, name);
    put_id(reply, id);
}

static void field_name(struct reply *reply, struct bytes name)
{
    reply_bulk_string(reply, "name");
    reply_bulk(reply, name);
}

/* Last id, entries read and lag. */
static void put_position(struct reply *reply, const struct feed_row *row,
                         const struct group_state *state)
{
    uint64_t lag = 0;
    bool known = group_lag(row, state, &lag);
    field_id(reply, "last-delivered-id", state->last_id);
    field_or_null(reply, "entries-read", state->entries_read != ENTRIES_READ_UNKNOWN,
                  state->entries_read);
    field_or_null(reply, "lag", known, lag);
}

enum access group_info_feed(struct session *session, struct bytes key, struct object **out)
{
    enum access access = access_groups(session, key, out);
    if (access != ACCESS_READY || object_feed(*out) != NULL)
        return access;
    reply_error(&session->reply, "ERR no such key");
    return ACCESS_FAILED;
}

/* Only then is there one field more than Redis has. */
static bool parks_groups(const struct feed *feed)
{
    const struct policy *policy = upkeep_policy(feed_upkeep(feed));
    return policy != NULL && policy->maxlag_ms > 0;
}

enum flow xinfo_groups_command(struct session *session)
{
    struct object *object;
    struct reply *reply = &session->reply;
    enum access access = group_info_feed(session, session->argv[2], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct groups *groups = feed_groups(object);
    uint32_t count = groups != NULL ? groups->roster.count : 0;
    bool may_park = count > 0 && parks_groups(object_feed(object));
    reply_array(reply, count);
    for (uint32_t i = 0; i < count; i++) {
        struct group *group = groups_nth(groups, i);
        const struct group_state *state = group_state(group);
        reply_map(reply, may_park ? 7 : 6);
        field_name(reply, group_name(group));
        field_integer(reply, "consumers", state->consumers.count);
        field_integer(reply, "pending", state->pending);
        put_position(reply, feed_row(object_feed(object)), state);
        if (may_park)
            field_integer(reply, "parked", group->parked);
    }
    return FLOW_DONE;
}

/* Milliseconds since `then_ms`. */
static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
    return then_ms < now_ms ? now_ms - then_ms : 0;
}

static void put_consumer(struct reply *reply, const struct consumer *consumer, uint64_t now_ms)
{
    reply_map(reply, 4);
    field_name(reply, consumer->entry.name);
    field_integer(reply, "pending", consumer->pending);
    field_integer(reply, "idle", since(now_ms, consumer_seen_ms(consumer)));
    reply_bulk_string(reply, "inactive");
    reply_integer(reply,
                  consumer->active_ms == 0 ? -1 : (int64_t)since(now_ms, consumer->active_ms));
}

enum flow xinfo_consumers_command(struct session *session)
{
    struct object *object;
    struct group_place place;
    struct bytes key = session->argv[2];
    struct bytes name = session->argv[3];
    enum access access = group_info_feed(session, session->argv[2], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    group_place_find(&place, session->db, key, object, name);
    if (place.group == NULL) {
        reply_error(&session->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                    (int)name.len, name.data, (int)key.len, key.data);
        return FLOW_DONE;
    }
    const struct group_state *state = group_state(place.group);
    uint64_t now_ms = broker_now_ms(session->broker);
    reply_array(&session->reply, state->consumers.count);
    for (uint32_t i = 0; i < state->consumers.count; i++)
        put_consumer(&session->reply, group_nth_consumer(state, i), now_ms);
    return FLOW_DONE;
}

/* ---- FULL ---- */

void group_info_begin(struct group_info *info, struct groups *groups, uint64_t limit)
{
    *info = (struct group_info){.limit = limit > 0 ? limit : UINT64_MAX, .groups = groups};
    if (groups != NULL)
        groups_ref(groups);
}

static void close_group(struct group_info *info)
{
    if (!info->open)
        return;
    pending_walk_end(&info->walk);
    for (uint32_t i = 0; i < info->count; i++)
        buf_deinit(&info->consumers[i].pending);
    mem_free(info->consumers);
    buf_deinit(&info->pending);
    info->open = false;
}

void group_info_end(struct group_info *info)
{
    close_group(info);
    buf_deinit(&info->body);
    if (info->groups != NULL)
        groups_unref(info->groups);
}

static void open_group(struct group_info *info, struct session *session)
{
    struct group *group = groups_nth(info->groups, info->at);
    const struct roster *consumers = &group_state(group)->consumers;
    info->open = true;
    info->group = group;
    info->shown = 0;
    info->count = consumers->count;
    info->unfilled = 0;
    info->consumers = mem_zalloc((consumers->count + 1) * sizeof(*info->consumers));
    buf_init(&info->pending);
    for (uint32_t i = 0; i < consumers->count; i++) {
        const struct consumer *consumer =
            (const struct consumer *)(const void *)consumers->by_number[i];
        info->consumers[i].number = consumer->entry.number;
        info->unfilled += consumer->pending > 0;
    }
    pending_walk_begin(&info->walk, session, group, ID_MIN, ID_MAX, false);
}

static struct consumer_info *info_at(const struct group_info *info, uint64_t number)
{
    uint32_t from = 0;
    uint32_t to = info->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (info->consumers[middle].number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from < info->count && info->consumers[from].number == number ? &info->consumers[from]
                                                                        : NULL;
}

static void add_item(struct group_info *info, const struct pending *item, int version)
{
    const struct group_state *state = group_state(info->group);
    const struct consumer *consumer = group_state_consumer(state, item->consumer);
    struct consumer_info *own = info_at(info, item->consumer);
    if (info->shown < info->limit) {
        struct reply reply = {&info->pending, version};
        reply_array(&reply, 4);
        put_id(&reply, item->id);
        reply_bulk(&reply, consumer->entry.name);
        reply_integer(&reply, (int64_t)item->delivered_ms);
        reply_integer(&reply, (int64_t)item->deliveries);
        info->shown++;
    }
    if (own == NULL || own->shown == info->limit)
        return;
    struct reply reply = {&own->pending, version};
    reply_array(&reply, 3);
    put_id(&reply, item->id);
    reply_integer(&reply, (int64_t)item->delivered_ms);
    reply_integer(&reply, (int64_t)item->deliveries);
    if (++own->shown == info->limit || own->shown == consumer->pending)
        info->unfilled -= info->unfilled > 0;
}

static enum err walk_group(struct group_info *info, struct session *session)
{
    enum err err = pending_walk_resume(&info->walk, session);
    while (err == ERR_OK && (info->unfilled > 0 || info->shown < info->limit)) {
        struct pending item;
        err = pending_cursor_next(&info->walk.cursor, &item);
        if (err == ERR_OK)
            add_item(info, &item, session->reply.version);
        if (err == ERR_OK && info->pending.len + info->body.len > session_reply_max(session))
            err = ERR_FULL;
    }
    if (err == ERR_COLD)
        pending_walk_wait(&info->walk, session);
    return err == ERR_END ? ERR_OK : err;
}

static void put_full_consumer(const struct group_info *info, struct reply *reply,
                              const struct consumer *consumer)
{
    const struct consumer_info *own = info_at(info, consumer->entry.number);
    reply_map(reply, 5);
    field_name(reply, consumer->entry.name);
    field_integer(reply, "seen-time", consumer_seen_ms(consumer));
    reply_bulk_string(reply, "active-time");
    reply_integer(reply, consumer->active_ms == 0 ? -1 : (int64_t)consumer->active_ms);
    field_integer(reply, "pel-count", consumer->pending);
    reply_bulk_string(reply, "pending");
    reply_array(reply, own != NULL ? own->shown : 0);
    if (own != NULL)
        buf_add_bytes(reply->out, buf_bytes(&own->pending));
}

static void put_group(struct group_info *info, struct session *session, const struct feed_row *row)
{
    struct reply reply = {&info->body, session->reply.version};
    const struct group_state *state = group_state(info->group);
    reply_map(&reply, 7);
    field_name(&reply, group_name(info->group));
    put_position(&reply, row, state);
    field_integer(&reply, "pel-count", state->pending);
    reply_bulk_string(&reply, "pending");
    reply_array(&reply, info->shown);
    buf_add_bytes(reply.out, buf_bytes(&info->pending));
    reply_bulk_string(&reply, "consumers");
    reply_array(&reply, state->consumers.count);
    for (uint32_t i = 0; i < state->consumers.count; i++)
        put_full_consumer(info, &reply, group_nth_consumer(state, i));
}

/* The groups have changed while the walk waited: what was collected of them is void. */
static bool is_outdated(const struct group_info *info)
{
    return info->open && (info->at >= info->groups->roster.count ||
                          groups_nth(info->groups, info->at) != info->group);
}

enum err group_info_step(struct group_info *info, struct session *session,
                         const struct feed_row *row)
{
    if (is_outdated(info)) {
        close_group(info);
        info->at = 0;
        info->body.len = 0;
    }
    while (info->groups != NULL && info->at < info->groups->roster.count) {
        if (!info->open)
            open_group(info, session);
        enum err err = walk_group(info, session);
        if (err != ERR_OK)
            return err;
        put_group(info, session, row);
        close_group(info);
        info->at++;
    }
    return ERR_OK;
}

void group_info_reply(const struct group_info *info, struct reply *reply)
{
    reply_array(reply, info->at);
    buf_add_bytes(reply->out, buf_bytes(&info->body));
}
