/* COPY: https://redis.io/docs/latest/commands/copy/
 *
 * The copy is one commit record, so its size is bounded by copy-bytes-max. The source is read
 * first, maybe in many steps; if it loses entries meanwhile, reading starts over, so that the copy
 * is the source as it was at one moment. */
#include "broker/keys_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/copy_groups.h"
#include "broker/families.h"
#include "broker/options.h"
#include "storage/feed_cursor.h"

/* An op's own bytes beside its key and data: kind, database, id and lengths. */
#define OP_BYTES 48

struct copy_work {
    struct work work;
    bool open;
    struct feed_cursor cursor;
    struct fetch fetch;
    bool fetching;
    struct copy_groups groups;
    uint64_t edits;
    struct feed_row row;   /* of the source when reading began */
    uint64_t record_bytes; /* of the ops that `entries` become */
    struct buf entries;    /* id, then fields as buf_put_bytes */
};

static void copy_close(struct copy_work *copy)
{
    if (copy->open)
        feed_cursor_deinit(&copy->cursor);
    copy->open = false;
    copy->entries.len = 0;
    copy->record_bytes = 0;
}

static void copy_work_destroy(struct work *work)
{
    struct copy_work *copy = container_of(work, struct copy_work, work);
    copy_close(copy);
    copy_groups_end(&copy->groups);
    fetch_deinit(&copy->fetch);
    buf_deinit(&copy->entries);
    mem_free(copy);
}

static struct copy_work *copy_work_of(struct session *session)
{
    if (session->work == NULL) {
        struct copy_work *copy = mem_zalloc(sizeof(*copy));
        copy->work.destroy = copy_work_destroy;
        fetch_init(&copy->fetch);
        buf_init(&copy->entries);
        session->work = &copy->work;
    }
    return container_of(session->work, struct copy_work, work);
}

static void copy_open(struct session *session, struct copy_work *copy, struct feed *feed)
{
    copy_close(copy);
    copy->row = *feed_row(feed);
    copy->edits = feed->edits;
    copy->open = true;
    feed_cursor_init(&copy->cursor, feed, store_ranges(session->broker->store), ID_MIN,
                     copy->row.last_id, false);
}

static enum err take_fetched(struct session *session, struct copy_work *copy)
{
    if (!copy->fetching)
        return ERR_OK;
    copy->fetching = false;
    if (copy->fetch.view != store_view(session->broker->store))
        return ERR_OK;
    return feed_cursor_take(&copy->cursor, &copy->fetch);
}

static void add_entry(struct buf *out, const struct entry *entry)
{
    buf_put_u64(out, entry->id.ms);
    buf_put_u64(out, entry->id.seq);
    buf_put_bytes(out, entry->fields);
}

/* Reads the source on. ERR_OK: all of it is in `entries`. ERR_FULL: it is too large. */
static enum err copy_read(struct session *session, struct copy_work *copy, struct feed *feed)
{
    enum err err = ERR_OK;
    if (!copy->open || copy->cursor.feed != feed || copy->edits != feed->edits) {
        copy->fetching = false;
        copy_open(session, copy, feed);
    } else {
        err = take_fetched(session, copy);
    }
    struct entry entry;
    while (err == ERR_OK && (err = feed_cursor_next(&copy->cursor, &entry)) == ERR_OK) {
        add_entry(&copy->entries, &entry);
        copy->record_bytes += entry.fields.len + session->argv[2].len + OP_BYTES;
        if (copy->record_bytes > broker_options(session->broker)->copy_bytes_max)
            return ERR_FULL;
    }
    feed_cursor_pause(&copy->cursor);
    return err == ERR_END ? ERR_OK : err;
}

static void copy_write(struct session *session, const struct copy_work *copy, unsigned db,
                       struct object *target)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct op op = {.kind = OP_CREATE,
                    .db = db,
                    .key = session->argv[2],
                    .object = target,
                    .number = keyspace_next_feed(keyspace)};
    keyspace_write(keyspace, &op);
    struct decoder decoder = decoder_of(buf_bytes(&copy->entries));
    op.kind = OP_APPEND;
    op.number = 0;
    while (decoder_left(&decoder) > 0) {
        op.id.ms = decoder_u64(&decoder);
        op.id.seq = decoder_u64(&decoder);
        op.data = decoder_bytes(&decoder);
        keyspace_write(keyspace, &op);
    }
    op = (struct op){.kind = OP_SETID,
                     .db = db,
                     .key = session->argv[2],
                     .object = target,
                     .id = copy->row.last_id,
                     .number = copy->row.entries_added,
                     .id2 = copy->row.max_deleted_id};
    session_gate(session, keyspace_write(keyspace, &op));
    copy_groups_write(&copy->groups, session, db, session->argv[2], target);
    keyspace_event(session, EVENT_NEW, "new", db, session->argv[2]);
    keyspace_event(session, EVENT_GENERIC, "copy_to", db, session->argv[2]);
    blocking_signal(session->broker, db, session->argv[2]);
}

struct copy_args {
    unsigned db;
    bool replace;
};

static bool parse_copy(struct session *session, struct copy_args *out)
{
    struct copy_args args = {.db = session->db};
    for (size_t i = 3; i < session->argc; i++) {
        int64_t db;
        if (argument_is(session, i, "replace")) {
            args.replace = true;
            continue;
        }
        if (!argument_is(session, i, "db") || i + 1 == session->argc) {
            session_syntax_error(session);
            return false;
        }
        if (!argument_int(session, ++i, &db))
            return false;
        if (db < 0 || db >= broker_options(session->broker)->databases) {
            reply_error(&session->reply, "ERR DB index is out of range");
            return false;
        }
        args.db = (unsigned)db;
    }
    if (args.db == session->db && bytes_equal(session->argv[1], session->argv[2])) {
        reply_error(&session->reply, "ERR source and destination objects are the same");
        return false;
    }
    *out = args;
    return true;
}

/* Both keys; *source is NULL, and 0 was replied, where nothing is to be copied. */
static enum access find_keys(struct session *session, const struct copy_args *args,
                             struct object **source, struct object **target)
{
    enum access access = access_key_in(session, args->db, session->argv[2], target);
    if (access == ACCESS_READY)
        access = access_key_read(session, session->argv[1], source);
    if (access == ACCESS_READY && object_feed(*source) != NULL)
        access = access_groups(session, session->argv[1], source);
    if (access != ACCESS_READY)
        return access;
    if (object_type(*source) == OBJECT_NONE ||
        (object_type(*target) != OBJECT_NONE && !args->replace)) {
        reply_integer(&session->reply, 0);
        *source = NULL;
        return ACCESS_READY;
    }
    const struct key_range *range =
        keyspace_range(&session->broker->keyspace, args->db, session->argv[2]);
    if (object_feed(*source) == NULL || range->store == STORE_DURABLE)
        return ACCESS_READY;
    access_no_feed(session);
    return ACCESS_FAILED;
}

static void copy_expiry(struct session *session, unsigned db, const struct object *source)
{
    struct op op = {
        .kind = OP_EXPIRE, .db = db, .key = session->argv[2], .number = object_expiry(source)};
    if (op.number > 0)
        session_gate(session, keyspace_write(&session->broker->keyspace, &op));
}

/* Anything but a feed: what is there is in memory, whole. */
static void copy_value(struct session *session, const struct copy_args *args, struct object *source,
                       struct object *target)
{
    if (object_type(target) != OBJECT_NONE)
        keys_drop(session, args->db, session->argv[2], target);
    keys_put(session, args->db, session->argv[2], object_state(source));
    keyspace_event(session, EVENT_NEW, "new", args->db, session->argv[2]);
    keyspace_event(session, EVENT_GENERIC, "copy_to", args->db, session->argv[2]);
    reply_integer(&session->reply, 1);
}

enum flow copy_command(struct session *session)
{
    struct copy_args args;
    struct object *source;
    struct object *target;
    if (!parse_copy(session, &args))
        return FLOW_DONE;
    enum access access = find_keys(session, &args, &source, &target);
    if (access != ACCESS_READY || source == NULL)
        return access_flow(access);
    if (object_feed(source) == NULL) {
        copy_value(session, &args, source, target);
        return FLOW_DONE;
    }
    struct copy_work *copy = copy_work_of(session);
    enum err err = copy_read(session, copy, object_feed(source));
    if (err == ERR_COLD) {
        feed_cursor_plan(&copy->cursor, &copy->fetch, UINT64_MAX);
        copy->fetching = true;
        access_read(session, &copy->fetch);
        return FLOW_WAIT;
    }
    if (err == ERR_OK)
        err =
            copy_groups_read(&copy->groups, session, object_feed(source),
                             broker_options(session->broker)->copy_bytes_max - copy->record_bytes);
    if (err == ERR_COLD)
        return FLOW_WAIT;
    if (err == ERR_FULL) {
        reply_error(&session->reply, "ERR the value is larger than copy-bytes-max");
        return FLOW_DONE;
    }
    if (err != ERR_OK) {
        access_error(session, err);
        return FLOW_DONE;
    }
    if (object_type(target) != OBJECT_NONE)
        keys_drop(session, args.db, session->argv[2], target);
    copy_write(session, copy, args.db, target);
    copy_expiry(session, args.db, source);
    reply_integer(&session->reply, 1);
    return FLOW_DONE;
}
