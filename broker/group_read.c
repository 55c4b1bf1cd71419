/* XREADGROUP: https://redis.io/docs/latest/commands/xreadgroup/
 *
 * What the reply shows is collected first, maybe in several turns of the loop; then, in one turn,
 * all of it is delivered: one op a group. Where a group has moved on meanwhile, collecting starts
 * over. So an entry is never taken by a reader that went away before it had its reply. */
#include "broker/group_read.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "broker/broker_internal.h"
#include "broker/stream_args.h"

static struct group_read *group_read_of(struct work *work)
{
    return container_of(container_of(work, struct blocking, work), struct group_read, blocking);
}

/* What was collected behind the group's last id. */
static void forget_new(struct group_stream *stream)
{
    if (stream->rewound)
        pending_lookup_end(&stream->lookup);
    stream->count = 0;
    stream->ids.len = 0;
    stream->rewound = false;
    stream->looked_up = false;
}

static void forget_pending(struct group_stream *stream)
{
    pending_set_deinit(&stream->touched);
    pending_set_deinit(&stream->gone);
    dead_letters_deinit(&stream->dead);
    stream->claimed_all = false;
    stream->claimed = 0;
    stream->claims.len = 0;
    stream->gone_count = 0;
    stream->begun = false;
}

static void forget_stream(struct group_stream *stream)
{
    forget_new(stream);
    forget_pending(stream);
    if (stream->group != NULL)
        group_unref(stream->group);
    stream->group = NULL;
    stream->walked = false;
    stream->walk_from = ID_MIN;
}

/* Behind what was delivered. */
static void begin_collecting(struct group_read *read)
{
    group_read_close(read);
    read->body.len = read->done_body;
    read->at = read->done;
    read->served = read->done_served;
    read->view = store_view(read->blocking.session->broker->store);
}

/* Begins a round: nothing is collected but what was delivered. */
static void begin_round(struct group_read *read)
{
    for (size_t i = read->done; i < read->args.streams; i++)
        forget_stream(&read->streams[i]);
    begin_collecting(read);
    read->went_cold = false;
    read->now_ms = broker_now_ms(read->blocking.session->broker);
}

/* Whoever is next in a line has to look when the first one went without taking what woke it, or
 * left something. */
static void pass_on(struct group_read *read)
{
    struct session *session = read->blocking.session;
    bool woken = read->blocking.end != BLOCKING_NOT && read->blocking.end != BLOCKING_WAITS;
    for (size_t i = 0; i < read->args.streams; i++) {
        if (read->streams[i].pass_on || (woken && read->served == 0))
            blocking_signal_line(session->broker, session->db, group_read_key(read, i),
                                 read->args.group);
    }
}

static void group_read_destroy(struct work *work)
{
    struct group_read *read = group_read_of(work);
    group_read_close(read);
    blocking_stop(&read->blocking);
    pass_on(read);
    for (size_t i = 0; i < read->args.streams; i++) {
        forget_stream(&read->streams[i]);
        buf_deinit(&read->streams[i].ids);
        buf_deinit(&read->streams[i].claims);
    }
    buf_deinit(&read->body);
    mem_free(read->streams);
    mem_free(read);
}

/* ---- arguments ---- */

static bool parse_id(struct session *session, size_t index, struct group_stream *stream)
{
    struct bytes text = session->argv[index];
    stream->fresh = bytes_equal(text, BYTES(">"));
    stream->parsed = true;
    if (stream->fresh)
        return true;
    if (bytes_equal(text, BYTES("$")) || bytes_equal(text, BYTES("+"))) {
        reply_error(&session->reply,
                    "ERR The %c ID is meaningless in the context of XREADGROUP: you want to read "
                    "the history of this consumer by specifying a proper ID, or use the > ID to "
                    "get new messages. The %c ID would just return an empty result set.",
                    text.data[0], text.data[0]);
        return false;
    }
    if (!stream_id(session, index, 0, &stream->after))
        return false;
    stream->fresh = id_equal(stream->after, ID_MAX); /* as Redis has it */
    return true;
}

/* With as many the answer is not worth the comparing. */
#define COMPARED_MAX 64

static bool names_twice(const struct group_read *read)
{
    if (read->args.streams > COMPARED_MAX)
        return true;
    for (size_t i = 1; i < read->args.streams; i++) {
        for (size_t j = 0; j < i; j++) {
            if (bytes_equal(group_read_key(read, i), group_read_key(read, j)))
                return true;
        }
    }
    return false;
}

static struct group_read *begin_read(struct session *session)
{
    struct group_read *read = mem_zalloc(sizeof(*read));
    blocking_init(&read->blocking, session, group_read_destroy);
    buf_init(&read->body);
    session->work = &read->blocking.work;
    if (!stream_parse_read(session, true, &read->args))
        return NULL;
    read->blocking.line = &read->args.group;
    read->eager = names_twice(read);
    read->streams = mem_zalloc(read->args.streams * sizeof(*read->streams));
    begin_round(read);
    return read;
}

/* ---- a round ---- */

/* Finds the groups, as they are in this turn. */
static enum access place_streams(struct session *session, struct group_read *read)
{
    enum access access = access_keys(session, read->args.first, read->args.streams, 1);
    for (size_t i = 0; i < read->args.streams && access == ACCESS_READY; i++) {
        struct group_stream *stream = &read->streams[i];
        struct bytes key = group_read_key(read, i);
        struct object *object;
        access = access_groups(session, key, &object);
        if (access != ACCESS_READY)
            break;
        group_place_find(&stream->place, session->db, key, object, read->args.group);
        if (stream->place.group == NULL) {
            reply_error(&session->reply,
                        "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with "
                        "GROUP option",
                        (int)key.len, key.data, (int)read->args.group.len, read->args.group.data);
            return ACCESS_FAILED;
        }
        if (!stream->parsed &&
            !parse_id(session, read->args.first + read->args.streams + i, stream))
            return ACCESS_FAILED;
        if (!stream->fresh || read->args.claims)
            access = dead_letters_access(session, object_feed(object));
    }
    return access;
}

static bool set_changed(const struct group_stream *stream, const struct pending_set *set)
{
    struct pending_place place;
    const struct pending *item = pending_set_seek(set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(set, &place)) {
        struct pending now = *item;
        if (!pending_recheck(stream->group, &now) || now.consumer != item->consumer ||
            (now.deliveries != item->deliveries && now.deliveries + 1 != item->deliveries))
            return true;
    }
    return false;
}

/* What is pending is not as it was collected, or nobody can tell. */
static bool pending_outdated(const struct group_read *read, const struct group_stream *stream)
{
    return read->view != store_view(read->blocking.session->broker->store) ||
           set_changed(stream, &stream->touched) || set_changed(stream, &stream->gone) ||
           set_changed(stream, &stream->dead.items);
}

static bool item_changed(const struct group_read *read)
{
    return read->has_item && pending_changed(read->streams[read->at].group, &read->item);
}

/* What was collected in earlier turns is not as it would be now. */
static bool is_outdated(const struct group_read *read)
{
    if (read->view != store_view(read->blocking.session->broker->store))
        return true;
    if (item_changed(read))
        return true;
    for (size_t i = read->done; i < read->args.streams; i++) {
        struct group_stream *stream = &read->streams[i];
        if (stream->group == NULL)
            continue;
        if (stream->group != stream->place.group || pending_outdated(read, stream))
            return true;
        if (stream->fresh && !id_equal(stream->last_id, group_state(stream->group)->last_id))
            return true;
    }
    return false;
}

static void not_behind(struct id *from, const struct pending_set *set)
{
    struct pending_place place;
    const struct pending *first = pending_set_seek(set, ID_MIN, &place);
    if (first != NULL)
        *from = id_min(*from, first->id);
}

/* The walk goes on with the first entry that it collected. What it passed by was too young, or is
 * for others to see to. */
static void rewind_walk(struct group_stream *stream)
{
    bool over = stream->claimed_all;
    struct id from = over ? ID_MAX : stream->walk_from;
    not_behind(&from, &stream->touched);
    not_behind(&from, &stream->gone);
    not_behind(&from, &stream->dead.items);
    forget_pending(stream);
    stream->walk_from = from;
}

/* The open walk is for claims of the first stream, and all that it has collected is as it was. */
static bool walk_stays(const struct group_read *read)
{
    const struct group_stream *at = &read->streams[read->at];
    return read->walk_open && read->at == read->done && at->fresh && at->group == at->place.group &&
           !pending_outdated(read, at) && !item_changed(read);
}

/* Begins again with all streams. Walks for claims, which may be long, go on where they are, since
 * in a busy group they would never come to an end. */
static void begin_again(struct group_read *read)
{
    bool stays = walk_stays(read);
    struct group_stream *at = &read->streams[read->at];
    if (read->walk_open && at->fresh)
        at->walk_from = read->has_item ? read->item.id : read->walk.cursor.from;
    for (size_t i = read->done; i < read->args.streams; i++) {
        struct group_stream *stream = &read->streams[i];
        if (stream->group == NULL)
            continue;
        if (!stream->fresh || stream->group != stream->place.group) {
            forget_stream(stream);
            continue;
        }
        forget_new(stream);
        if (pending_outdated(read, stream))
            rewind_walk(stream);
        stream->last_id = group_state(stream->group)->last_id;
    }
    if (!stays)
        begin_collecting(read);
    if (!read->args.claims)
        read->now_ms = broker_now_ms(read->blocking.session->broker);
}

static enum err read_stream(struct group_read *read)
{
    struct session *session = read->blocking.session;
    struct group_stream *stream = &read->streams[read->at];
    struct group *group = stream->place.group;
    struct feed *feed = object_feed(stream->place.object);
    if (stream->group == NULL) {
        stream->group = group;
        group_ref(group);
        stream->last_id = group_state(group)->last_id;
    }
    if (group_write_consumer(session, &stream->place, read->args.consumer, read->now_ms) == NULL)
        return ERR_INVALID;
    return stream->fresh ? group_read_fresh(read, feed, group)
                         : group_read_history(read, feed, group);
}

/* What was met on the way and is not to be delivered leaves the group. */
static void remove_met(struct session *session, struct group_stream *stream)
{
    group_write_acks(session, &stream->place, &stream->gone);
    dead_letters_write(session, &stream->place, &stream->dead);
}

static void deliver_stream(struct session *session, struct group_read *read,
                           struct group_stream *stream)
{
    struct feed *feed = object_feed(stream->place.object);
    struct group *group = stream->place.group;
    const struct consumer *consumer = group_consumer(group, read->args.consumer);
    remove_met(session, stream);
    if (!pending_set_empty(&stream->touched))
        group_write_claims(session, &stream->place, consumer, &stream->touched,
                           group_state(group)->last_id, stream->fresh, read->now_ms);
    if (!stream->fresh)
        return;
    const struct id *ids = (const struct id *)(const void *)stream->ids.data;
    if (stream->rewound)
        pending_lookup_refresh(&stream->lookup, ids, stream->count);
    if (stream->count > 0)
        group_write_delivery(session, &stream->place, consumer, ids, stream->count,
                             stream->rewound ? &stream->lookup.found : NULL, read->args.no_ack,
                             read->now_ms);
    stream->pass_on = id_less(group_state(group)->last_id, feed_row(feed)->last_id);
}

/* Delivers what was collected and is not delivered yet. */
static void deliver(struct session *session, struct group_read *read)
{
    for (; read->done < read->at; read->done++)
        deliver_stream(session, read, &read->streams[read->done]);
    read->done_served = read->served;
    read->done_body = read->body.len;
}

static enum access collect(struct session *session, struct group_read *read)
{
    while (read->at < read->args.streams) {
        enum err err = read_stream(read);
        if (err == ERR_COLD) {
            read->went_cold = true;
            read->blocking.end = BLOCKING_NOT; /* nobody may resume it but the reader */
            return ACCESS_WAIT;
        }
        if (err == ERR_INVALID) /* told already */
            return ACCESS_FAILED;
        if (err != ERR_OK) {
            access_error(session, err);
            return ACCESS_FAILED;
        }
        group_read_close(read);
        read->at++;
        if (read->eager)
            deliver(session, read);
    }
    return ACCESS_READY;
}

/* A blocked reader looks for claims again after this time where it does not know better: what was
 * due could not be claimed, or may have come since. */
#define CLAIMS_RETRY_MS 100

/* In how many milliseconds something may be old enough to be claimed. */
static uint64_t claims_wait_ms(const struct group_read *read, struct group *group)
{
    uint64_t due_ms = group->oldest_ms + read->args.min_idle;
    if (group_state(group)->pending == 0) /* whatever will be was not delivered before now */
        return read->args.min_idle > CLAIMS_RETRY_MS ? read->args.min_idle : CLAIMS_RETRY_MS;
    return due_ms > read->now_ms ? due_ms - read->now_ms : CLAIMS_RETRY_MS;
}

/* When a blocked reader looks for claims again. */
static void set_alarm(struct group_read *read)
{
    uint64_t wait_ms = UINT64_MAX;
    read->alarm_us = 0;
    for (size_t i = 0; read->args.claims && i < read->args.streams; i++) {
        uint64_t left_ms = claims_wait_ms(read, read->streams[i].place.group);
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    if (wait_ms < UINT64_MAX / 2000)
        read->alarm_us = clock_mono_us() + wait_ms * 1000;
}

/* Nothing is there: waits, or says so. */
static enum flow block(struct session *session, struct group_read *read)
{
    uint64_t now_us = clock_mono_us();
    bool over = read->args.deadline_us > 0 && now_us >= read->args.deadline_us;
    bool alarmed = read->alarm_us > 0 && now_us >= read->alarm_us;
    if (read->blocking.end == BLOCKING_UNBLOCKED) {
        reply_error(&session->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        return FLOW_DONE;
    }
    if (read->args.timeout_ms < 0 || over ||
        (read->blocking.end == BLOCKING_TIMED_OUT && !alarmed)) {
        reply_null_array(&session->reply);
        return FLOW_DONE;
    }
    read->done = 0;
    begin_round(read);
    set_alarm(read);
    uint64_t until_us = read->args.deadline_us;
    if (read->alarm_us > 0 && (until_us == 0 || read->alarm_us < until_us))
        until_us = read->alarm_us;
    blocking_start(&read->blocking, session->argv + read->args.first, read->args.streams, until_us);
    return FLOW_WAIT;
}

enum flow xreadgroup_command(struct session *session)
{
    struct group_read *read =
        session->work != NULL ? group_read_of(session->work) : begin_read(session);
    if (read == NULL)
        return FLOW_DONE;
    enum access access = place_streams(session, read);
    if (access == ACCESS_WAIT)
        read->blocking.end = BLOCKING_NOT;
    if (access != ACCESS_READY)
        return access_flow(access);
    if (is_outdated(read))
        begin_again(read);
    access = collect(session, read);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (read->went_cold)
        session_gate(session, store_last(session->broker->store));
    if (read->served == 0) {
        for (size_t i = read->done; i < read->at; i++)
            remove_met(session, &read->streams[i]);
        return block(session, read);
    }
    deliver(session, read);
    if (session->reply.version == 2)
        reply_array(&session->reply, read->served);
    else
        reply_map(&session->reply, read->served);
    buf_add_bytes(session->reply.out, buf_bytes(&read->body));
    return FLOW_DONE;
}
