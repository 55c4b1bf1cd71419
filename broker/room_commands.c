/* ROOM.*: messages to several rooms at once, and who is in which. A room is a channel, by its
 * members: those who are subscribed to it, not those with a pattern that matches its name. */
#include "broker/pubsub_commands.h"

#include "base/alloc.h"
#include "broker/broker_internal.h"
#include "broker/families.h"
#include "broker/server.h"

/* ---- ROOM.PUBLISH ---- */

/* Where the arguments of ROOM.PUBLISH lie; 0: not given. */
struct publish_args {
    size_t to, to_count;
    size_t except, except_count;
    size_t not_to, not_to_count;
};

/* message TO room [room ...] [EXCEPT room [room ...]] [NOT id [id ...]]. What follows a keyword at
 * once is never a keyword. */
static bool parse_publish(struct session *session, struct publish_args *args)
{
    *args = (struct publish_args){.to = 3};
    size_t *count = &args->to_count;
    bool ok = argument_is(session, 2, "to");
    for (size_t i = 3; ok && i < session->argc; i++) {
        bool except = *count > 0 && args->except == 0 && argument_is(session, i, "except");
        bool not_to = *count > 0 && args->not_to == 0 && argument_is(session, i, "not");
        if (except) {
            args->except = i + 1;
            count = &args->except_count;
        } else if (not_to) {
            args->not_to = i + 1;
            count = &args->not_to_count;
        } else {
            ++*count;
        }
    }
    ok = ok && *count > 0;
    if (!ok)
        session_syntax_error(session);
    return ok;
}

/* The sessions that NOT names and that are there. */
static bool find_excluded(struct session *session, const struct publish_args *args,
                          struct session **out, size_t *found)
{
    struct server *server = broker_server(session->broker);
    *found = 0;
    for (size_t i = args->not_to; i < args->not_to + args->not_to_count; i++) {
        int64_t id;
        if (!bytes_to_i64(session->argv[i], &id)) {
            session_not_integer(session);
            return false;
        }
        struct session *excluded = id > 0 ? server_find_session(server, (uint64_t)id) : NULL;
        if (excluded != NULL)
            out[(*found)++] = excluded;
    }
    return true;
}

static enum flow room_publish_command(struct session *session)
{
    struct publish_args args;
    size_t found;
    if (!parse_publish(session, &args))
        return FLOW_DONE;
    struct session **excluded = mem_alloc(args.not_to_count * sizeof(*excluded));
    if (find_excluded(session, &args, excluded, &found)) {
        struct fanout_choice choice = {
            .to = session->argv + args.to,
            .to_count = args.to_count,
            .except = session->argv + args.except,
            .except_count = args.except_count,
            .not_to = excluded,
            .not_to_count = found,
        };
        uint64_t sent = fanout_publish_chosen(&session->broker->fanout, &choice, session->argv[1]);
        reply_integer(&session->reply, (int64_t)sent);
    }
    mem_free(excluded);
    return FLOW_DONE;
}

/* ---- who is where ---- */

/* The members that the rooms among the arguments have by the rule that is the last one. */
static void combine(struct session *session, struct number_set *out)
{
    static const struct number_set nobody;
    enum number_rule rule = NUMBER_UNION;
    size_t count = session->argc - 1;
    bool inter = count > 1 && argument_is(session, count, "inter");
    bool diff = count > 1 && argument_is(session, count, "diff");
    if (inter || diff)
        rule = inter ? NUMBER_INTER : NUMBER_DIFF;
    if (inter || diff || (count > 1 && argument_is(session, count, "union")))
        count--;
    const struct number_set **sets = mem_alloc(count * sizeof(*sets));
    for (size_t i = 0; i < count; i++) {
        const struct room *room = membership_find(&session->broker->fanout.membership, ROOM_CHANNEL,
                                                  session->argv[i + 1]);
        sets[i] = room != NULL ? &room->members : &nobody;
    }
    number_set_combine(out, rule, sets, count);
    mem_free(sets);
}

static enum flow room_members_command(struct session *session)
{
    struct fanout *fanout = &session->broker->fanout;
    struct number_set members = {0};
    struct buf scratch;
    buf_init(&scratch);
    combine(session, &members);
    const uint32_t *slots = number_set_read(&members, &scratch);
    reply_array(&session->reply, members.count);
    for (uint32_t i = 0; i < members.count; i++)
        reply_integer(&session->reply, (int64_t)fanout_session(fanout, slots[i])->id);
    buf_deinit(&scratch);
    number_set_deinit(&members);
    return FLOW_DONE;
}

static enum flow room_count_command(struct session *session)
{
    struct number_set members = {0};
    combine(session, &members);
    reply_integer(&session->reply, members.count);
    number_set_deinit(&members);
    return FLOW_DONE;
}

static enum flow room_of_command(struct session *session)
{
    struct fanout *fanout = &session->broker->fanout;
    int64_t id;
    if (!bytes_to_i64(session->argv[1], &id)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    const struct session *member =
        id > 0 ? server_find_session(broker_server(session->broker), (uint64_t)id) : NULL;
    if (member == NULL) {
        reply_null_array(&session->reply);
        return FLOW_DONE;
    }
    const struct number_set *rooms = &member->subscriber.rooms[ROOM_CHANNEL];
    const uint32_t *numbers = number_set_read(rooms, &fanout->scratch);
    reply_array(&session->reply, rooms->count);
    for (uint32_t i = 0; i < rooms->count; i++)
        reply_bulk(&session->reply,
                   room_name(membership_room(&fanout->membership, ROOM_CHANNEL, numbers[i])));
    return FLOW_DONE;
}

/* ---- presence ---- */

static enum flow room_watch_command(struct session *session)
{
    return pubsub_join(session, ROOM_WATCH, "room.watch");
}

static enum flow room_unwatch_command(struct session *session)
{
    return pubsub_leave(session, ROOM_WATCH, "room.unwatch");
}

/* ---- rows ---- */

#define TELLS   (COMMAND_PUBSUB | COMMAND_LOADING | COMMAND_STALE)
#define WATCHES (TELLS | COMMAND_NOSCRIPT | COMMAND_SUBSCRIBED | COMMAND_PUSHES)
#define ROW(name, run, arity, flags, complexity, summary)                                          \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "pubsub", WEIR_SINCE, complexity, summary, NULL          \
    }
/* These are Weir's own: no version of Redis has them. */
#define WEIR_SINCE "7.4.0"

const struct command_row room_commands[] = {
    ROW("room.count", room_count_command, -2, TELLS, "O(N), N members of the rooms",
        "Number of connections in any, all, or only the first of several rooms"),
    ROW("room.members", room_members_command, -2, TELLS, "O(N), N members of the rooms",
        "Ids of the connections in any, all, or only the first of several rooms"),
    ROW("room.of", room_of_command, 2, TELLS, "O(N), N rooms", "Rooms that a connection is in"),
    ROW("room.publish", room_publish_command, -4, TELLS, "O(N), N members of the rooms",
        "Sends a message to every member of several rooms once, but for those of others"),
    ROW("room.unwatch", room_unwatch_command, -1, WATCHES, "O(N), N rooms",
        "Hears no more who joins and leaves rooms"),
    ROW("room.watch", room_watch_command, -2, WATCHES, "O(N), N rooms",
        "Hears who joins and leaves rooms"),
    {.name = NULL},
};
