/* XGROUP: https://redis.io/docs/latest/commands/xgroup/ */
#include "broker/group_commands.h"

#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/stream_args.h"

enum access group_access(struct session *session, struct bytes key, struct bytes name,
                         struct group_place *out)
{
    struct object *object;
    enum access access = access_groups(session, key, &object);
    if (access != ACCESS_READY)
        return access;
    group_place_find(out, session->db, key, object, name);
    if (out->group != NULL)
        return ACCESS_READY;
    reply_error(&session->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
                (int)key.len, key.data, (int)name.len, name.data);
    return ACCESS_FAILED;
}

/* The feed of argument 2, with its groups. `required`: it must exist. */
static enum access manage_feed(struct session *session, bool required, struct group_place *out)
{
    struct object *object;
    enum access access = access_groups(session, session->argv[2], &object);
    if (access != ACCESS_READY)
        return access;
    group_place_find(out, session->db, session->argv[2], object, session->argv[3]);
    if (object_feed(object) != NULL || !required)
        return ACCESS_READY;
    reply_error(&session->reply,
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you "
                "may want to use the MKSTREAM option to create an empty stream automatically.");
    return ACCESS_FAILED;
}

/* The same, and the group of argument 3. */
static enum access manage_group(struct session *session, struct group_place *out)
{
    enum access access = manage_feed(session, true, out);
    if (access != ACCESS_READY || out->group != NULL)
        return access;
    struct bytes key = session->argv[2];
    struct bytes name = session->argv[3];
    reply_error(&session->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                (int)name.len, name.data, (int)key.len, key.data);
    return ACCESS_FAILED;
}

static uint64_t write(struct session *session, const struct group_place *place, struct op *op)
{
    op->db = session->db;
    op->key = place->key;
    op->object = place->object;
    uint64_t lsn = keyspace_write(&session->broker->keyspace, op);
    session_gate(session, lsn);
    return lsn;
}

struct group_args {
    bool create_feed;
    uint64_t entries_read;
};

static bool syntax_error(struct session *session)
{
    reply_error(&session->reply,
                "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XGROUP HELP.",
                (int)session->argv[1].len, session->argv[1].data);
    return false;
}

static bool parse_args(struct session *session, bool create, struct group_args *out)
{
    *out = (struct group_args){.entries_read = ENTRIES_READ_UNKNOWN};
    for (size_t i = 5; i < session->argc; i++) {
        if (create && stream_word(session, i, "mkstream")) {
            out->create_feed = true;
        } else if (stream_word(session, i, "entriesread") && i + 1 < session->argc) {
            int64_t entries_read;
            if (!stream_integer(session, ++i, &entries_read))
                return false;
            if (entries_read < -1) {
                reply_error(&session->reply, "ERR value for ENTRIESREAD must be positive or -1");
                return false;
            }
            out->entries_read = (uint64_t)entries_read;
        } else {
            return syntax_error(session);
        }
    }
    return true;
}

/* Redis tells of an option that is repeated only where the key is there. */
static bool options_fit(struct session *session, size_t arguments_max)
{
    return session->argc <= arguments_max || syntax_error(session);
}

/* Argument 4: an id, or "$". */
static bool parse_last_id(struct session *session, const struct object *object, struct id *out)
{
    struct feed *feed = object_feed(object);
    if (!bytes_equal(session->argv[4], BYTES("$")))
        return stream_id(session, 4, 0, out);
    *out = feed != NULL ? feed_row(feed)->last_id : ID_MIN;
    return true;
}

/* As Redis, whose XGROUP SETID takes the ends of a range, too, and whose CREATE does not. */
static bool parse_new_last_id(struct session *session, const struct object *object, struct id *out)
{
    bool is_least = bytes_equal(session->argv[4], BYTES("-"));
    if (!is_least && !bytes_equal(session->argv[4], BYTES("+")))
        return parse_last_id(session, object, out);
    *out = is_least ? ID_MIN : ID_MAX;
    return true;
}

/* The data of an op about where the group stands. */
static struct bytes place_data(struct session *session, uint64_t entries_read)
{
    struct buf *data = &session->broker->scratch;
    data->len = 0;
    buf_put_varint(data, entries_read + 1);
    return buf_bytes(data);
}

static void create_group(struct session *session, struct group_place *place,
                         const struct group_args *args, struct id last_id)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    if (object_feed(place->object) == NULL) {
        write(session, place,
              &(struct op){.kind = OP_CREATE, .number = keyspace_next_feed(keyspace)});
        keyspace_event(session, EVENT_NEW, "new", session->db, place->key);
    }
    write(session, place,
          &(struct op){.kind = OP_GROUP_CREATE,
                       .key2 = session->argv[3],
                       .number = keyspace_next_feed(keyspace),
                       .id = last_id,
                       .data = place_data(session, args->entries_read)});
    keyspace_event(session, EVENT_STREAM, "xgroup-create", session->db, place->key);
    reply_status(&session->reply, "OK");
}

static enum flow create_command(struct session *session)
{
    struct group_args args;
    struct group_place place;
    struct id last_id;
    if (!parse_args(session, true, &args))
        return FLOW_DONE;
    enum access access = manage_feed(session, !args.create_feed, &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (!options_fit(session, 8) || !group_name_fits(session, session->argv[3]) ||
        !parse_last_id(session, place.object, &last_id))
        return FLOW_DONE;
    const struct groups *groups = feed_groups(place.object);
    if (place.group != NULL)
        reply_error(&session->reply, "BUSYGROUP Consumer Group name already exists");
    else if (groups != NULL && groups->roster.count >= GROUPS_MAX)
        reply_error(&session->reply, "ERR the feed has too many groups");
    else
        create_group(session, &place, &args, last_id);
    return FLOW_DONE;
}

static enum flow setid_command(struct session *session)
{
    struct group_args args;
    struct group_place place;
    struct id last_id;
    if (!parse_args(session, false, &args))
        return FLOW_DONE;
    enum access access = manage_group(session, &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (!options_fit(session, 7) || !parse_new_last_id(session, place.object, &last_id))
        return FLOW_DONE;
    write(session, &place,
          &(struct op){.kind = OP_GROUP_SETID,
                       .number = place.group->entry.number,
                       .id = last_id,
                       .data = place_data(session, args.entries_read)});
    keyspace_event(session, EVENT_STREAM, "xgroup-setid", session->db, place.key);
    blocking_signal(session->broker, session->db, place.key);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

static enum flow destroy_command(struct session *session)
{
    struct group_place place;
    enum access access = manage_feed(session, true, &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (place.group != NULL) {
        write(session, &place,
              &(struct op){.kind = OP_GROUP_DESTROY, .number = place.group->entry.number});
        keyspace_event(session, EVENT_STREAM, "xgroup-destroy", session->db, place.key);
        blocking_signal(session->broker, session->db, place.key);
    }
    reply_integer(&session->reply, place.group != NULL);
    return FLOW_DONE;
}

static enum flow createconsumer_command(struct session *session)
{
    struct group_place place;
    enum access access = manage_group(session, &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool missing = group_consumer(place.group, session->argv[4]) == NULL;
    if (!missing || group_write_consumer(session, &place, session->argv[4],
                                         broker_now_ms(session->broker)) != NULL)
        reply_integer(&session->reply, missing);
    return FLOW_DONE;
}

static enum flow delconsumer_command(struct session *session)
{
    struct group_place place;
    enum access access = manage_group(session, &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    const struct consumer *consumer = group_consumer(place.group, session->argv[4]);
    uint64_t pending = 0;
    if (consumer != NULL) {
        struct buf *data = &session->broker->scratch;
        pending = consumer->pending;
        data->len = 0;
        buf_put_varint(data, consumer->entry.number);
        write(session, &place,
              &(struct op){.kind = OP_CONSUMER_DELETE,
                           .number = place.group->entry.number,
                           .data = buf_bytes(data)});
        keyspace_event(session, EVENT_STREAM, "xgroup-delconsumer", session->db, place.key);
    }
    reply_integer(&session->reply, (int64_t)pending);
    return FLOW_DONE;
}

static enum flow help_command(struct session *session)
{
    static const char *const lines[] = {
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
        "HELP",
        "    Prints this help.",
    };
    size_t count = sizeof(lines) / sizeof(lines[0]);
    reply_array(&session->reply, count);
    for (size_t i = 0; i < count; i++)
        reply_status(&session->reply, lines[i]);
    return FLOW_DONE;
}

#define GROUP_ROW(name, run, arity, since, complexity, summary)                                    \
    {                                                                                              \
        name, run, arity, COMMAND_WRITE, 2, 2, 1, "stream", since, complexity, summary, NULL       \
    }

const struct command_row xgroup_subcommands[] = {
    GROUP_ROW("create", create_command, -5, "5.0.0", "O(1)", "Creates a group"),
    GROUP_ROW("createconsumer", createconsumer_command, 5, "6.2.0", "O(1)",
              "Creates a consumer in a group"),
    GROUP_ROW("delconsumer", delconsumer_command, 5, "5.0.0", "O(1)",
              "Deletes a consumer and what is pending at it"),
    GROUP_ROW("destroy", destroy_command, 4, "5.0.0", "O(1)", "Destroys a group"),
    {"help", help_command, 2, COMMAND_LOADING | COMMAND_STALE, 0, 0, 0, "stream", "5.0.0", "O(1)",
     "Tells the subcommands", NULL},
    GROUP_ROW("setid", setid_command, -5, "5.0.0", "O(1)", "Sets where a group stands"),
    {.name = NULL},
};
