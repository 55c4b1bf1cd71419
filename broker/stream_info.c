/* XINFO STREAM: https://redis.io/docs/latest/commands/xinfo-stream/ */
#include "broker/stream_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/group_info.h"
#include "broker/stream_args.h"
#include "broker/stream_reading.h"

/* Entries that FULL shows when it is not told how many. */
#define FULL_COUNT 10

struct info_work {
    struct work work;
    struct session *session;
    bool full;
    int64_t count;
    unsigned open; /* readings begun */
    unsigned done; /* readings that have everything */
    bool groups_open;
    struct group_info groups; /* with FULL */
    struct reading parts[2];  /* the first entry and the last one; with FULL the entries */
};

static void info_work_destroy(struct work *work)
{
    struct info_work *info = container_of(work, struct info_work, work);
    for (unsigned i = 0; i < info->open; i++)
        reading_end(&info->parts[i], info->session);
    if (info->groups_open)
        group_info_end(&info->groups);
    mem_free(info);
}

static bool parse_info(struct session *session, struct info_work *info)
{
    size_t options = session->argc - 3;
    info->count = FULL_COUNT;
    info->full = options > 0;
    if (options == 0)
        return true;
    bool valid = (options == 1 || options == 3) && stream_word(session, 3, "full") &&
                 (options == 1 || stream_word(session, 4, "count"));
    if (!valid) {
        reply_error(
            &session->reply,
            "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XINFO HELP.",
            (int)session->argv[1].len, session->argv[1].data);
        return false;
    }
    if (options == 3 && !stream_integer(session, 5, &info->count))
        return false;
    if (info->count < 0)
        info->count = FULL_COUNT;
    return true;
}

static void begin_part(struct session *session, struct info_work *info, struct feed *feed)
{
    unsigned part = info->open++;
    uint64_t limit = info->full ? (uint64_t)info->count : 1;
    reading_begin(&info->parts[part], session, feed, ID_MIN, ID_MAX, part == 1, limit);
}

/* Reads what the reply shows of the entries. */
static enum access read_parts(struct session *session, struct info_work *info, struct feed *feed)
{
    unsigned parts = info->full ? 1 : 2;
    while (info->done < parts) {
        if (info->open == info->done)
            begin_part(session, info, feed);
        enum err err = reading_step(&info->parts[info->done], session);
        if (err == ERR_COLD) {
            reading_wait(&info->parts[info->done], session);
            return ACCESS_WAIT;
        }
        if (err != ERR_OK) {
            access_error(session, err);
            return ACCESS_FAILED;
        }
        info->done++;
    }
    return ACCESS_READY;
}

/* Reads what FULL shows of the groups. */
static enum access read_groups(struct session *session, struct info_work *info,
                               struct object *object)
{
    if (!info->full)
        return ACCESS_READY;
    if (!info->groups_open)
        group_info_begin(&info->groups, feed_groups(object), (uint64_t)info->count);
    info->groups_open = true;
    enum err err = group_info_step(&info->groups, session, feed_row(object_feed(object)));
    if (err == ERR_COLD)
        return ACCESS_WAIT;
    if (err == ERR_OK)
        return ACCESS_READY;
    access_error(session, err);
    return ACCESS_FAILED;
}

static void reply_id_text(struct reply *reply, struct id id)
{
    char text[ID_TEXT_MAX];
    reply_bulk(reply, bytes_of(text, id_to_text(id, text)));
}

static void field_integer(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_string(reply, name);
    reply_integer(reply, (int64_t)value);
}

static void field_id(struct reply *reply, const char *name, struct id id)
{
    reply_bulk_string(reply, name);
    reply_id_text(reply, id);
}

static void field_entry(struct reply *reply, const char *name, const struct reading *reading)
{
    reply_bulk_string(reply, name);
    if (reading->count == 0)
        reply_null(reply);
    else
        buf_add_bytes(reply->out, buf_bytes(&reading->entries));
}

/* Redis keeps a radix tree with a key for each node; the like here are chunks, which nobody counts.
 */
static void reply_info(struct session *session, const struct info_work *info,
                       const struct feed_row *row, const struct groups *groups)
{
    struct reply *reply = &session->reply;
    reply_map(reply, info->full ? 9 : 10);
    field_integer(reply, "length", row->length);
    field_integer(reply, "radix-tree-keys", row->length > 0);
    field_integer(reply, "radix-tree-nodes", row->length > 0 ? 2 : 1);
    field_id(reply, "last-generated-id", row->last_id);
    field_id(reply, "max-deleted-entry-id", row->max_deleted_id);
    field_integer(reply, "entries-added", row->entries_added);
    field_id(reply, "recorded-first-entry-id", row->first_id);
    if (info->full) {
        reply_bulk_string(reply, "entries");
        reading_reply(&info->parts[0], reply);
        reply_bulk_string(reply, "groups");
        group_info_reply(&info->groups, reply);
    } else {
        field_integer(reply, "groups", groups != NULL ? groups->roster.count : 0);
        field_entry(reply, "first-entry", &info->parts[0]);
        field_entry(reply, "last-entry", &info->parts[1]);
    }
}

static struct info_work *info_work_of(struct session *session)
{
    if (session->work != NULL)
        return container_of(session->work, struct info_work, work);
    struct info_work *info = mem_zalloc(sizeof(*info));
    info->work.destroy = info_work_destroy;
    info->session = session;
    session->work = &info->work;
    return parse_info(session, info) ? info : NULL;
}

enum flow xinfo_stream_command(struct session *session)
{
    struct object *object;
    enum access access = group_info_feed(session, session->argv[2], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed *feed = object_feed(object);
    if (session->work != NULL &&
        container_of(session->work, struct info_work, work)->parts[0].cursor.feed != feed)
        session_drop_work(session); /* another feed under the same key since */
    struct info_work *info = info_work_of(session);
    if (info == NULL)
        return FLOW_DONE;
    access = read_parts(session, info, feed);
    if (access == ACCESS_READY)
        access = read_groups(session, info, object);
    if (access == ACCESS_READY)
        reply_info(session, info, feed_row(feed), feed_groups(object));
    return access_flow(access);
}

enum flow xinfo_help_command(struct session *session)
{
    static const char *const lines[] = {
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about a stream.",
        "HELP",
        "    Print this help.",
    };
    size_t count = sizeof(lines) / sizeof(lines[0]);
    reply_array(&session->reply, count);
    for (size_t i = 0; i < count; i++)
        reply_status(&session->reply, lines[i]);
    return FLOW_DONE;
}
