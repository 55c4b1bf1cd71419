/* What XREADGROUP collects of one feed: new entries, or what is pending at the consumer. Nothing is
 * changed here. */
#include "broker/group_read.h"

#include "broker/broker_internal.h"

/* So many entries that are pending, but gone, leave with one command, whose record must be no
 * larger; others stay for the next one. */
#define GONE_MAX 10000

void group_read_close(struct group_read *read)
{
    if (read->reading_open)
        reading_end(&read->reading, read->blocking.session);
    if (read->walk_open)
        pending_walk_end(&read->walk);
    read->reading_open = false;
    read->walk_open = false;
    read->has_item = false;
}

/* The key, before its entries. */
static void begin_stream(struct group_read *read, struct reply *reply)
{
    if (reply->version == 2)
        reply_array(reply, 2);
    reply_bulk(reply, group_read_key(read, read->at));
    read->served++;
}

/* The ids that are pending already are looked up, where there may be some: the group was set to a
 * lower id. */
static enum err look_up(struct group_read *read, struct group_stream *stream)
{
    struct session *session = read->blocking.session;
    const struct id *ids = (const struct id *)(const void *)stream->ids.data;
    struct id last = group_state_stored_last(group_state(stream->group));
    if (read->args.no_ack || stream->count == 0 || id_less(last, ids[0]))
        return ERR_OK;
    if (!stream->rewound)
        pending_lookup_begin(&stream->lookup, session, stream->group);
    stream->rewound = true;
    enum err err = pending_lookup_step(&stream->lookup, session, ids, stream->count);
    if (err == ERR_COLD)
        pending_lookup_wait(&stream->lookup, session, ids);
    return err;
}

/* How many entries the stream still wants; 0 is no limit elsewhere, so ask before. */
static bool has_enough(const struct group_read *read, const struct group_stream *stream)
{
    return read->args.count > 0 && stream->claimed >= (uint64_t)read->args.count;
}

static enum err read_entries(struct group_read *read, struct group_stream *stream,
                             struct feed *feed, struct group *group)
{
    struct session *session = read->blocking.session;
    if (!read->reading_open) {
        struct id from = group_state(group)->last_id;
        uint64_t limit = read->args.count > 0 ? (uint64_t)read->args.count - stream->claimed : 0;
        if (!id_less(from, feed_row(feed)->last_id) || !id_next(&from))
            return ERR_END;
        reading_begin(&read->reading, session, feed, from, ID_MAX, false, limit);
        read->reading.ids = &stream->ids;
        read->reading.tells_deliveries = read->args.claims;
        read->reading_open = true;
    }
    enum err err = reading_step(&read->reading, session);
    if (err == ERR_COLD)
        reading_wait(&read->reading, session);
    stream->count = read->reading.count;
    return err;
}

/* Reads the entry of the item that a walk has come to. */
static enum err read_item(struct group_read *read, struct feed *feed)
{
    struct session *session = read->blocking.session;
    struct id id = read->item.id;
    if (!read->reading_open)
        reading_begin(&read->reading, session, feed, id, id, false, 1);
    read->reading_open = true;
    enum err err = reading_step(&read->reading, session);
    if (err == ERR_COLD) {
        pending_cursor_pause(&read->walk.cursor);
        reading_wait(&read->reading, session);
    }
    return err;
}

/* The item that was read is seen to; what is collected must not be too much for a reply. */
static enum err end_item(struct group_read *read, const struct buf *collected)
{
    struct session *session = read->blocking.session;
    reading_end(&read->reading, session);
    read->reading_open = false;
    read->has_item = false;
    return collected->len > session_reply_max(session) ? ERR_FULL : ERR_OK;
}

/* It is delivered once more, unless that is once too often. */
static bool deliver_item(struct group_read *read, struct group_stream *stream,
                         const struct feed *feed)
{
    const struct pending *item = &read->item;
    if (dead_letter_due(feed, item->deliveries + 1)) {
        dead_letters_add(&stream->dead, item, buf_bytes(&read->reading.entries));
        return false;
    }
    bool added;
    struct pending *touched = pending_set_put(&stream->touched, item->id, &added);
    *touched = *item;
    touched->delivered_ms = read->now_ms;
    touched->deliveries++;
    return true;
}

static enum err claim_entry(struct group_read *read, struct group_stream *stream, struct feed *feed)
{
    const struct pending *item = &read->item;
    enum err err = read_item(read, feed);
    if (err != ERR_OK)
        return err;
    if (read->reading.count == 0 && stream->gone_count < GONE_MAX) {
        bool added;
        *pending_set_put(&stream->gone, item->id, &added) = *item;
        stream->gone_count++;
    } else if (read->reading.count > 0 && deliver_item(read, stream, feed)) {
        size_t start = stream->claims.len;
        buf_add_bytes(&stream->claims, buf_bytes(&read->reading.entries));
        reading_tell_deliveries(&stream->claims, start, read->now_ms - item->delivered_ms,
                                item->deliveries);
        stream->claimed++;
    }
    return end_item(read, &stream->claims);
}

/* Walks on to the next entry that has been pending for long enough. */
static enum err next_idle(struct group_read *read, struct group_stream *stream)
{
    struct session *session = read->blocking.session;
    if (!stream->walked) {
        stream->oldest_ms = UINT64_MAX;
        stream->backdated = stream->group->backdated;
    }
    stream->walked = true;
    if (!read->walk_open)
        pending_walk_begin(&read->walk, session, stream->group, stream->walk_from, ID_MAX, false);
    read->walk_open = true;
    enum err err = pending_walk_resume(&read->walk, session);
    while (err == ERR_OK && !read->has_item) {
        err = pending_cursor_next(&read->walk.cursor, &read->item);
        if (err != ERR_OK)
            break;
        uint64_t delivered_ms = read->item.delivered_ms;
        read->has_item =
            delivered_ms <= read->now_ms && read->now_ms - delivered_ms >= read->args.min_idle;
        if (delivered_ms < stream->oldest_ms)
            stream->oldest_ms = delivered_ms;
    }
    if (err == ERR_COLD)
        pending_walk_wait(&read->walk, session);
    return err;
}

/* Collects what is to be claimed. A walk that came to the end knows how old what is pending is, so
 * that the next one need not begin before: what was delivered while it waited is younger, but for
 * what was said to be older. */
static enum err read_claims(struct group_read *read, struct group_stream *stream, struct feed *feed)
{
    struct group *group = stream->group;
    bool too_young = group->oldest_ms > 0 && group->oldest_ms + read->args.min_idle > read->now_ms;
    if (!read->walk_open && too_young)
        return ERR_OK;
    while (!has_enough(read, stream)) {
        enum err err = read->has_item ? ERR_OK : next_idle(read, stream);
        if (err == ERR_END && group->backdated == stream->backdated)
            group->oldest_ms = stream->oldest_ms < read->now_ms ? stream->oldest_ms : read->now_ms;
        if (err == ERR_END)
            break;
        if (err == ERR_OK)
            err = claim_entry(read, stream, feed);
        if (err != ERR_OK)
            return err;
    }
    group_read_close(read);
    return ERR_OK;
}

static void add_stream(struct group_read *read, struct group_stream *stream)
{
    struct reply reply = {&read->body, read->blocking.session->reply.version};
    if (stream->claimed + stream->count == 0)
        return;
    begin_stream(read, &reply);
    reply_array(&reply, stream->claimed + stream->count);
    buf_add_bytes(reply.out, buf_bytes(&stream->claims));
    if (stream->count > 0)
        buf_add_bytes(reply.out, buf_bytes(&read->reading.entries));
}

enum err group_read_fresh(struct group_read *read, struct feed *feed, struct group *group)
{
    struct group_stream *stream = &read->streams[read->at];
    enum err err = ERR_OK;
    if (read->args.claims && !stream->claimed_all) {
        err = read_claims(read, stream, feed);
        if (err != ERR_OK)
            return err;
        stream->claimed_all = true;
    }
    if (!stream->looked_up && !has_enough(read, stream)) {
        err = read_entries(read, stream, feed, group);
        if (err != ERR_OK && err != ERR_END)
            return err;
        stream->looked_up = true;
    }
    err = look_up(read, stream);
    if (err == ERR_OK)
        add_stream(read, stream);
    return err;
}

/* Adds the entry that is pending as `item`: [id, fields], or [id, null] when it was deleted. */
static enum err add_pending(struct group_read *read, struct group_stream *stream, struct feed *feed)
{
    enum err err = read_item(read, feed);
    if (err != ERR_OK)
        return err;
    if (read->reading.count == 0) {
        struct reply reply = {&read->body, read->blocking.session->reply.version};
        char text[ID_TEXT_MAX];
        reply_array(&reply, 2);
        reply_bulk(&reply, bytes_of(text, id_to_text(read->item.id, text)));
        reply_null_array(&reply);
        stream->count++;
    } else if (deliver_item(read, stream, feed)) {
        buf_add_bytes(&read->body, buf_bytes(&read->reading.entries));
        stream->count++;
    }
    return end_item(read, &read->body);
}

static enum err next_item(struct group_read *read, struct group_stream *stream, uint64_t consumer)
{
    struct session *session = read->blocking.session;
    enum err err = ERR_OK;
    if (!read->walk_open) {
        struct id from = stream->after;
        if (!id_next(&from))
            return ERR_END;
        pending_walk_begin(&read->walk, session, stream->group, from, ID_MAX, false);
        read->walk_open = true;
    }
    err = pending_walk_resume(&read->walk, session);
    while (err == ERR_OK && !read->has_item) {
        err = pending_cursor_next(&read->walk.cursor, &read->item);
        read->has_item = err == ERR_OK && read->item.consumer == consumer &&
                         read->item.delivered_ms <= read->now_ms; /* as XNACK may ask for */
    }
    if (err == ERR_COLD)
        pending_walk_wait(&read->walk, session);
    return err;
}

enum err group_read_history(struct group_read *read, struct feed *feed, struct group *group)
{
    struct session *session = read->blocking.session;
    struct group_stream *stream = &read->streams[read->at];
    const struct consumer *consumer = group_consumer(group, read->args.consumer);
    uint64_t limit = consumer->pending; /* there are no more, wherever it begins */
    if (read->args.count > 0 && (uint64_t)read->args.count < limit)
        limit = (uint64_t)read->args.count;
    struct reply reply = {&read->body, session->reply.version};
    if (!stream->begun) {
        begin_stream(read, &reply);
        stream->entries = reply_deferred_begin(&reply);
        stream->begun = true;
    }
    while (stream->count < limit) {
        enum err err = read->has_item ? ERR_OK : next_item(read, stream, consumer->entry.number);
        if (err == ERR_END)
            break;
        if (err == ERR_OK)
            err = add_pending(read, stream, feed);
        if (err != ERR_OK)
            return err;
    }
    reply_deferred_end_array(&reply, stream->entries, stream->count);
    return ERR_OK;
}
