/* Publish and subscribe: https://redis.io/docs/latest/commands/?group=pubsub */
#include "broker/pubsub_commands.h"

#include "base/glob.h"
#include "broker/broker_internal.h"
#include "broker/options.h"
#include "broker/transaction.h"

/* Longest name of a room, and longest pattern: what a key's longest name needs for its keyspace
 * channel. */
#define ROOM_NAME_MAX (KEY_NAME_MAX + 64)

/* ---- joining and leaving ---- */

/* The rooms that a confirmation tells: channels and patterns together, the other kinds alone. */
static uint32_t rooms_told(const struct session *session, enum room_kind kind)
{
    const struct number_set *rooms = session->subscriber.rooms;
    if (kind == ROOM_CHANNEL || kind == ROOM_PATTERN)
        return rooms[ROOM_CHANNEL].count + rooms[ROOM_PATTERN].count;
    return rooms[kind].count;
}

static void confirm(struct session *session, const char *word, const struct bytes *name,
                    uint32_t rooms)
{
    reply_push(&session->reply, 3);
    reply_bulk_string(&session->reply, word);
    if (name != NULL)
        reply_bulk(&session->reply, *name);
    else
        reply_null(&session->reply);
    reply_integer(&session->reply, rooms);
}

/* A refused command was not run: its error is a reply, not a push. */
static bool refuse(struct session *session)
{
    session->command = NULL;
    return false;
}

static bool may_join(struct session *session, enum room_kind kind)
{
    const struct membership *membership = &session->broker->fanout.membership;
    int64_t max = broker_options(session->broker)->rooms_per_connection;
    int64_t rooms = session->subscriber.count;
    for (size_t i = 1; i < session->argc; i++) {
        if (session->argv[i].len > ROOM_NAME_MAX) {
            reply_error(&session->reply, "ERR the name is longer than %zu bytes", ROOM_NAME_MAX);
            return refuse(session);
        }
        rooms += !membership_has(membership, &session->subscriber, kind, session->argv[i]);
        if (rooms > max) {
            reply_error(&session->reply,
                        "ERR more than %lld subscriptions of one connection: see the option "
                        "rooms-per-connection",
                        (long long)max);
            return refuse(session);
        }
    }
    return true;
}

enum flow pubsub_join(struct session *session, enum room_kind kind, const char *word)
{
    if (!may_join(session, kind))
        return FLOW_DONE;
    for (size_t i = 1; i < session->argc; i++) {
        fanout_join(&session->broker->fanout, session, kind, session->argv[i]);
        confirm(session, word, &session->argv[i], rooms_told(session, kind));
    }
    return FLOW_DONE;
}

static void leave_all(struct session *session, enum room_kind kind, const char *word)
{
    struct fanout *fanout = &session->broker->fanout;
    uint32_t left = session->subscriber.rooms[kind].count;
    struct buf copy;
    buf_init(&copy);
    const uint32_t *numbers = number_set_copy(&session->subscriber.rooms[kind], &copy);
    while (left-- > 0) {
        struct bytes name = room_name(membership_room(&fanout->membership, kind, numbers[left]));
        confirm(session, word, &name, rooms_told(session, kind) - 1);
        fanout_leave(fanout, session, kind, name);
    }
    buf_deinit(&copy);
}

enum flow pubsub_leave(struct session *session, enum room_kind kind, const char *word)
{
    if (session->argc == 1 && session->subscriber.rooms[kind].count == 0)
        confirm(session, word, NULL, rooms_told(session, kind));
    else if (session->argc == 1)
        leave_all(session, kind, word);
    for (size_t i = 1; i < session->argc; i++) {
        fanout_leave(&session->broker->fanout, session, kind, session->argv[i]);
        confirm(session, word, &session->argv[i], rooms_told(session, kind));
    }
    return FLOW_DONE;
}

static enum flow subscribe_command(struct session *session)
{
    return pubsub_join(session, ROOM_CHANNEL, "subscribe");
}

static enum flow unsubscribe_command(struct session *session)
{
    return pubsub_leave(session, ROOM_CHANNEL, "unsubscribe");
}

static enum flow psubscribe_command(struct session *session)
{
    return pubsub_join(session, ROOM_PATTERN, "psubscribe");
}

static enum flow punsubscribe_command(struct session *session)
{
    return pubsub_leave(session, ROOM_PATTERN, "punsubscribe");
}

static enum flow ssubscribe_command(struct session *session)
{
    if (transaction_runs(session)) {
        reply_error(&session->reply, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
        return FLOW_DONE;
    }
    return pubsub_join(session, ROOM_SHARD, "ssubscribe");
}

static enum flow sunsubscribe_command(struct session *session)
{
    return pubsub_leave(session, ROOM_SHARD, "sunsubscribe");
}

/* ---- publishing ---- */

static enum flow publish(struct session *session, enum room_kind kind)
{
    struct fanout *fanout = &session->broker->fanout;
    uint64_t sent = fanout_publish(fanout, kind, session->argv[1], session->argv[2]);
    reply_integer(&session->reply, (int64_t)sent);
    return FLOW_DONE;
}

static enum flow publish_command(struct session *session)
{
    return publish(session, ROOM_CHANNEL);
}

static enum flow spublish_command(struct session *session)
{
    return publish(session, ROOM_SHARD);
}

/* ---- PUBSUB ---- */

static enum flow list_rooms(struct session *session, enum room_kind kind)
{
    const struct rooms *rooms = &session->broker->fanout.membership.rooms[kind];
    size_t count = 0;
    if (session->argc > 3) {
        reply_error(&session->reply,
                    "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try PUBSUB "
                    "HELP.",
                    (int)session->argv[1].len, session->argv[1].data);
        return FLOW_DONE;
    }
    struct reply_deferred deferred = reply_deferred_begin(&session->reply);
    const struct room *room = rooms_from(rooms, 0);
    for (; room != NULL; room = rooms_from(rooms, room->number + 1)) {
        if (session->argc == 3 && !glob_match(session->argv[2], room_name(room), false))
            continue;
        reply_bulk(&session->reply, room_name(room));
        count++;
    }
    reply_deferred_end_array(&session->reply, deferred, count);
    return FLOW_DONE;
}

static enum flow count_members(struct session *session, enum room_kind kind)
{
    reply_array(&session->reply, 2 * (session->argc - 2));
    for (size_t i = 2; i < session->argc; i++) {
        const struct room *room =
            membership_find(&session->broker->fanout.membership, kind, session->argv[i]);
        reply_bulk(&session->reply, session->argv[i]);
        reply_integer(&session->reply, room != NULL ? room->members.count : 0);
    }
    return FLOW_DONE;
}

static enum flow channels_command(struct session *session)
{
    return list_rooms(session, ROOM_CHANNEL);
}

static enum flow shardchannels_command(struct session *session)
{
    return list_rooms(session, ROOM_SHARD);
}

static enum flow numsub_command(struct session *session)
{
    return count_members(session, ROOM_CHANNEL);
}

static enum flow shardnumsub_command(struct session *session)
{
    return count_members(session, ROOM_SHARD);
}

static enum flow numpat_command(struct session *session)
{
    const struct membership *membership = &session->broker->fanout.membership;
    reply_integer(&session->reply, (int64_t)rooms_count(&membership->rooms[ROOM_PATTERN]));
    return FLOW_DONE;
}

/* ---- rows ---- */

#define TELLS      (COMMAND_PUBSUB | COMMAND_LOADING | COMMAND_STALE)
#define SUBSCRIBES (TELLS | COMMAND_NOSCRIPT | COMMAND_SUBSCRIBED | COMMAND_PUSHES)
#define ROW(name, run, arity, flags, first, last, since, complexity, summary)                      \
    {                                                                                              \
        name, run, arity, flags, first, last, first, "pubsub", since, complexity, summary, NULL    \
    }

static const struct command_row pubsub_subcommands[] = {
    ROW("channels", channels_command, -2, TELLS, 0, 0, "2.8.0", "O(N), N channels",
        "Channels with subscribers, those that match a pattern"),
    ROW("help", command_help, 2, COMMAND_LOADING | COMMAND_STALE, 0, 0, "6.2.0", "O(1)",
        "Prints this help."),
    ROW("numpat", numpat_command, 2, TELLS, 0, 0, "2.8.0", "O(1)",
        "Number of patterns that are subscribed to"),
    ROW("numsub", numsub_command, -2, TELLS, 0, 0, "2.8.0", "O(N), N channels asked for",
        "Numbers of subscribers of channels"),
    ROW("shardchannels", shardchannels_command, -2, TELLS, 0, 0, "7.0.0", "O(N), N channels",
        "Sharded channels with subscribers, those that match a pattern"),
    ROW("shardnumsub", shardnumsub_command, -2, TELLS, 0, 0, "7.0.0", "O(N), N channels asked for",
        "Numbers of subscribers of sharded channels"),
    {.name = NULL},
};

const struct command_row pubsub_commands[] = {
    ROW("psubscribe", psubscribe_command, -2, SUBSCRIBES, 0, 0, "2.0.0", "O(N), N patterns",
        "Listens to all channels that match patterns"),
    ROW("publish", publish_command, 3, TELLS | COMMAND_FAST, 0, 0, "2.0.0",
        "O(N+M), N subscribers, M patterns with a prefix of the channel's name",
        "Sends a message to a channel"),
    {"pubsub", NULL, -2, 0, 0, 0, 0, "pubsub", "2.8.0", "Depends on subcommand.",
     "Who listens to what", pubsub_subcommands},
    ROW("punsubscribe", punsubscribe_command, -1, SUBSCRIBES, 0, 0, "2.0.0", "O(N), N patterns",
        "Listens to patterns no more"),
    ROW("spublish", spublish_command, 3, TELLS | COMMAND_FAST, 1, 1, "7.0.0", "O(N), N subscribers",
        "Sends a message to a sharded channel"),
    ROW("ssubscribe", ssubscribe_command, -2, SUBSCRIBES, 1, -1, "7.0.0", "O(N), N channels",
        "Listens to sharded channels"),
    ROW("subscribe", subscribe_command, -2, SUBSCRIBES, 0, 0, "2.0.0", "O(N), N channels",
        "Listens to channels"),
    ROW("sunsubscribe", sunsubscribe_command, -1, SUBSCRIBES, 1, -1, "7.0.0", "O(N), N channels",
        "Listens to sharded channels no more"),
    ROW("unsubscribe", unsubscribe_command, -1, SUBSCRIBES, 0, 0, "2.0.0", "O(N), N channels",
        "Listens to channels no more"),
    {.name = NULL},
};
