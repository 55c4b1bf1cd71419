#include "broker/families.h"

#include "base/check.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/session.h"
#include "broker/session_io.h"
#include "broker/tracking.h"
#include "broker/transaction.h"

#include <inttypes.h>

/* Room for "container|subcommand". */
#define FULL_NAME_MAX 64

/* Which sessions CLIENT LIST and CLIENT KILL mean. A session must match all that is set. */
struct filter {
    const struct bytes *address;       /* NULL: any */
    const struct bytes *local_address; /* NULL: any */
    int output_class;                  /* -1: any */
    uint64_t id;                       /* 0: any */
    uint64_t age_s;                    /* at least */
    bool skip_me;
    bool no_one; /* a type of clients that there are none of */
};

static bool filter_matches(const struct filter *filter, const struct session *session,
                           const struct session *me)
{
    if (filter->no_one || session->conn == NULL)
        return false;
    if (filter->id != 0 && session->id != filter->id)
        return false;
    if (filter->skip_me && session == me)
        return false;
    if (filter->output_class >= 0 && session->output_class != (unsigned)filter->output_class)
        return false;
    if (filter->age_s > 0 && (clock_mono_us() - session->created_us) / 1000000 < filter->age_s)
        return false;
    if (filter->address != NULL &&
        !bytes_equal(*filter->address, bytes_of_string(conn_peer_address(session->conn))))
        return false;
    return filter->local_address == NULL ||
           bytes_equal(*filter->local_address, bytes_of_string(conn_local_address(session->conn)));
}

/* Reads a type of clients into the filter; false, and an error reply, when there is no such one. */
static bool filter_read_type(struct session *session, struct bytes type, struct filter *filter)
{
    filter->no_one = bytes_equal_nocase(type, BYTES("master"));
    if (bytes_equal_nocase(type, BYTES("normal"))) {
        filter->output_class = OUTPUT_NORMAL;
    } else if (bytes_equal_nocase(type, BYTES("replica")) ||
               bytes_equal_nocase(type, BYTES("slave"))) {
        filter->output_class = OUTPUT_REPLICA;
    } else if (bytes_equal_nocase(type, BYTES("pubsub"))) {
        filter->output_class = OUTPUT_PUBSUB;
    } else if (!filter->no_one) {
        reply_error(&session->reply, "ERR Unknown client type '%.*s'", (int)type.len, type.data);
        return false;
    }
    return true;
}

static void add_flags(const struct session *session, struct buf *out)
{
    size_t before = out->len;
    if (session->monitor)
        buf_addf(out, "O");
    if (session->output_class == OUTPUT_PUBSUB)
        buf_addf(out, "P");
    if (transaction_is_open(session))
        buf_addf(out, "x");
    if (session_waiting(session) && (session->command->flags & COMMAND_BLOCKING))
        buf_addf(out, "b");
    if (session->tracking != NULL)
        buf_addf(out, "t%s%s", session->tracking->redirect_broken ? "R" : "",
                 session->tracking->mode.broadcast ? "B" : "");
    if (session->transaction != NULL && session->transaction->touched)
        buf_addf(out, "d");
    if (session_ending(session) == SESSION_FINISHING)
        buf_addf(out, "c");
    if (session->no_evict)
        buf_addf(out, "e");
    if (session->no_touch)
        buf_addf(out, "T");
    if (out->len == before)
        buf_addf(out, "N");
}

static void add_command_name(const struct session *session, struct buf *out)
{
    const struct command_row *command = session->command;
    const struct command_row *container = session->container;
    char name[FULL_NAME_MAX] = "NULL";

    if (command == NULL) {
        command = session->last_command;
        container = session->last_container;
    }
    if (command != NULL)
        command_full_name(container, command, name, sizeof name);
    buf_addf(out, "%s", name);
}

static void add_text(struct buf *out, const char *label, const struct buf *text)
{
    buf_addf(out, "%s", label);
    buf_add_bytes(out, buf_bytes(text));
}

static void add_transaction(const struct session *session, struct buf *out)
{
    const struct transaction *transaction = session->transaction;
    long long queued = transaction_is_open(session) ? (long long)transaction->count : -1;

    buf_addf(out, " multi=%lld watch=%zu", queued,
             transaction != NULL ? transaction->watch_count : 0);
}

/* One line of CLIENT LIST: the fields of Redis 7.4 in its order, then Weir's own. */
static void add_client(const struct session *session, struct buf *out)
{
    struct session_memory memory = session_memory(session);
    const struct number_set *rooms = session->subscriber.rooms;
    uint64_t now = clock_mono_us();

    buf_addf(out, "id=%" PRIu64 " addr=%s laddr=%s fd=%d", session->id,
             conn_peer_address(session->conn), conn_local_address(session->conn),
             conn_fd(session->conn));
    add_text(out, " name=", &session->name);
    buf_addf(out, " age=%" PRIu64 " idle=%" PRIu64 " flags=", (now - session->created_us) / 1000000,
             (now - session->active_us) / 1000000);
    add_flags(session, out);
    buf_addf(out, " db=%u sub=%u psub=%u ssub=%u", session->db, rooms[ROOM_CHANNEL].count,
             rooms[ROOM_PATTERN].count, rooms[ROOM_SHARD].count);
    add_transaction(session, out);
    buf_addf(out, " qbuf=%zu qbuf-free=0 argv-mem=%zu multi-mem=%zu", memory.input,
             memory.arguments, memory.queued);
    buf_addf(out,
             " rbs=0 rbp=0 obl=0 oll=%d omem=%zu tot-mem=%zu events=%s cmd=", memory.output > 0,
             memory.output, memory.total, memory.output > 0 ? "rw" : "r");
    add_command_name(session, out);
    buf_addf(out, " user=default redir=%" PRId64 " resp=%d",
             session->tracking != NULL ? (int64_t)session->tracking->mode.redirect : -1,
             session->reply.version);
    add_text(out, " lib-name=", &session->lib_name);
    add_text(out, " lib-ver=", &session->lib_version);
    buf_addf(out, " deliveries=%" PRIu64 "\n", session->deliveries);
}

static enum flow client_id_command(struct session *session)
{
    reply_integer(&session->reply, (int64_t)session->id);
    return FLOW_DONE;
}

static enum flow client_info_command(struct session *session)
{
    struct buf text;
    buf_init(&text);
    add_client(session, &text);
    reply_verbatim(&session->reply, buf_bytes(&text));
    buf_deinit(&text);
    return FLOW_DONE;
}

static void list_matching(struct session *session, const struct filter *filter, struct buf *out)
{
    struct server *server = broker_server(session->broker);
    for (struct session *at = server_next_session(server, NULL); at != NULL;
         at = server_next_session(server, at)) {
        if (filter_matches(filter, at, session))
            add_client(at, out);
    }
}

/* Lists the clients whose ids are the arguments from `first` on; false when one is no id. */
static bool list_ids(struct session *session, size_t first, struct buf *out)
{
    struct server *server = broker_server(session->broker);
    for (size_t i = first; i < session->argc; i++) {
        int64_t id;
        if (!bytes_to_i64(session->argv[i], &id)) {
            reply_error(&session->reply, "ERR Invalid client ID");
            return false;
        }
        struct session *found = id > 0 ? server_find_session(server, (uint64_t)id) : NULL;
        if (found != NULL && found->conn != NULL)
            add_client(found, out);
    }
    return true;
}

static enum flow client_list_command(struct session *session)
{
    struct filter filter = {.output_class = -1};
    struct buf text;
    bool ok = true;

    buf_init(&text);
    if (session->argc == 2) {
        list_matching(session, &filter, &text);
    } else if (session->argc == 4 && argument_is(session, 2, "type")) {
        ok = filter_read_type(session, session->argv[3], &filter);
        list_matching(session, &filter, &text);
    } else if (session->argc > 3 && argument_is(session, 2, "id")) {
        ok = list_ids(session, 3, &text);
    } else {
        session_syntax_error(session);
        ok = false;
    }
    if (ok)
        reply_verbatim(&session->reply, buf_bytes(&text));
    buf_deinit(&text);
    return FLOW_DONE;
}

/* Ends all matching clients and returns how many. The caller's own goes when it has the reply. */
static int64_t kill_matching(struct session *session, const struct filter *filter)
{
    struct server *server = broker_server(session->broker);
    int64_t killed = 0;
    for (struct session *at = server_next_session(server, NULL); at != NULL;
         at = server_next_session(server, at)) {
        if (!filter_matches(filter, at, session) || session_ending(at) == SESSION_ABORTED)
            continue;
        if (at == session)
            session_finish(at);
        else
            session_abort(at);
        killed++;
    }
    return killed;
}

/* Reads one pair of CLIENT KILL, "OPTION value" at `index`. */
static bool kill_read_pair(struct session *session, size_t index, struct filter *filter)
{
    const struct bytes *value = &session->argv[index + 1];
    int64_t number;

    if (argument_is(session, index, "id")) {
        if (!bytes_to_i64(*value, &number) || number < 1) {
            reply_error(&session->reply, "ERR client-id should be greater than 0");
            return false;
        }
        filter->id = (uint64_t)number;
    } else if (argument_is(session, index, "maxage")) {
        if (!bytes_to_i64(*value, &number)) {
            reply_error(&session->reply, "ERR maxage is not an integer or out of range");
            return false;
        }
        if (number < 1) {
            reply_error(&session->reply, "ERR maxage should be greater than 0");
            return false;
        }
        filter->age_s = (uint64_t)number;
    } else if (argument_is(session, index, "type")) {
        return filter_read_type(session, *value, filter);
    } else if (argument_is(session, index, "addr")) {
        filter->address = value;
    } else if (argument_is(session, index, "laddr")) {
        filter->local_address = value;
    } else if (argument_is(session, index, "user")) {
        if (!bytes_equal(*value, BYTES("default"))) {
            reply_error(&session->reply, "ERR No such user '%.*s'", (int)value->len, value->data);
            return false;
        }
    } else if (argument_is(session, index, "skipme")) {
        filter->skip_me = argument_is(session, index + 1, "yes");
        if (!filter->skip_me && !argument_is(session, index + 1, "no")) {
            session_syntax_error(session);
            return false;
        }
    } else {
        session_syntax_error(session);
        return false;
    }
    return true;
}

static enum flow client_kill_command(struct session *session)
{
    struct filter filter = {.output_class = -1};

    if (session->argc == 3) { /* CLIENT KILL address */
        filter.address = &session->argv[2];
        if (kill_matching(session, &filter) > 0)
            reply_status(&session->reply, "OK");
        else
            reply_error(&session->reply, "ERR No such client");
        return FLOW_DONE;
    }
    filter.skip_me = true;
    for (size_t i = 2; i < session->argc; i += 2) {
        if (i + 1 == session->argc) {
            session_syntax_error(session);
            return FLOW_DONE;
        }
        if (!kill_read_pair(session, i, &filter))
            return FLOW_DONE;
    }
    reply_integer(&session->reply, kill_matching(session, &filter));
    return FLOW_DONE;
}

static enum flow client_getname_command(struct session *session)
{
    if (session->name.len > 0)
        reply_bulk(&session->reply, buf_bytes(&session->name));
    else
        reply_null(&session->reply);
    return FLOW_DONE;
}

static void set_text(struct buf *buf, struct bytes text)
{
    buf_reset(buf, 0);
    buf_add_bytes(buf, text);
}

static enum flow client_setname_command(struct session *session)
{
    if (!client_attribute_valid(session->argv[2])) {
        reply_error(&session->reply, "%s", client_name_invalid);
        return FLOW_DONE;
    }
    set_text(&session->name, session->argv[2]);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

static enum flow client_setinfo_command(struct session *session)
{
    struct bytes option = session->argv[2];
    struct buf *text = NULL;

    if (bytes_equal_nocase(option, BYTES("lib-name")))
        text = &session->lib_name;
    else if (bytes_equal_nocase(option, BYTES("lib-ver")))
        text = &session->lib_version;
    if (text == NULL) {
        reply_error(&session->reply, "ERR Unrecognized option '%.*s'", (int)option.len,
                    option.data);
    } else if (!client_attribute_valid(session->argv[3])) {
        reply_error(&session->reply,
                    "ERR %.*s cannot contain spaces, newlines or special characters.",
                    (int)option.len, option.data);
    } else {
        set_text(text, session->argv[3]);
        reply_status(&session->reply, "OK");
    }
    return FLOW_DONE;
}

static enum flow client_reply_command(struct session *session)
{
    if (argument_is(session, 2, "on")) {
        session->reply_mode = REPLY_ON;
        reply_status(&session->reply, "OK");
    } else if (argument_is(session, 2, "off")) {
        session->reply_mode = REPLY_OFF;
    } else if (argument_is(session, 2, "skip")) {
        if (session->reply_mode != REPLY_OFF)
            session->reply_mode = REPLY_SKIP_NEXT;
    } else {
        session_syntax_error(session);
    }
    return FLOW_DONE;
}

static enum flow client_pause_command(struct session *session)
{
    uint64_t now = clock_wall_ms();
    bool writes_only = session->argc == 4 && argument_is(session, 3, "write");
    int64_t timeout_ms;

    if (session->argc > 4)
        session_syntax_error(session);
    else if (session->argc == 4 && !writes_only && !argument_is(session, 3, "all"))
        reply_error(&session->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
    else if (!bytes_to_i64(session->argv[2], &timeout_ms))
        reply_error(&session->reply, "ERR timeout is not an integer or out of range");
    else if (timeout_ms < 0)
        reply_error(&session->reply, "ERR timeout is negative");
    else if ((uint64_t)timeout_ms > (uint64_t)INT64_MAX - now)
        reply_error(&session->reply, "ERR timeout is out of range");
    else {
        broker_pause(session->broker, now + (uint64_t)timeout_ms, writes_only);
        reply_status(&session->reply, "OK");
    }
    return FLOW_DONE;
}

static enum flow client_unpause_command(struct session *session)
{
    broker_unpause(session->broker);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

/* ON or OFF as the last argument. */
static void set_switch(struct session *session, bool *value)
{
    bool on = argument_is(session, 2, "on");
    if (!on && !argument_is(session, 2, "off")) {
        session_syntax_error(session);
        return;
    }
    *value = on;
    reply_status(&session->reply, "OK");
}

static enum flow client_no_evict_command(struct session *session)
{
    set_switch(session, &session->no_evict);
    return FLOW_DONE;
}

static enum flow client_no_touch_command(struct session *session)
{
    set_switch(session, &session->no_touch);
    return FLOW_DONE;
}

static enum flow client_unblock_command(struct session *session)
{
    bool with_error = session->argc == 4 && argument_is(session, 3, "error");
    int64_t id;

    if (session->argc > 4)
        reply_error(&session->reply, "ERR unknown subcommand or wrong number of arguments for "
                                     "'UNBLOCK'. Try CLIENT HELP.");
    else if (session->argc == 4 && !with_error && !argument_is(session, 3, "timeout"))
        reply_error(&session->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    else if (!bytes_to_i64(session->argv[2], &id))
        session_not_integer(session);
    else
        reply_integer(&session->reply,
                      id > 0 && broker_unblock(session->broker, (uint64_t)id, with_error));
    return FLOW_DONE;
}

#define USER  (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define ADMIN (USER | COMMAND_ADMIN)
#define ROW(name, run, arity, flags, since, complexity, summary)                                   \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "connection", since, complexity, summary, NULL           \
    }

const struct command_row client_subcommands[] = {
    ROW("caching", client_caching_command, 3, USER, "6.0.0", "O(1)",
        "Whether the keys of the next command are tracked"),
    ROW("getname", client_getname_command, 2, USER, "2.6.9", "O(1)", "Name of the connection"),
    ROW("getredir", client_getredir_command, 2, USER, "6.0.0", "O(1)",
        "Client that tracking is redirected to"),
    ROW("help", command_help, 2, COMMAND_LOADING | COMMAND_STALE, "5.0.0", "O(1)",
        "Prints this help."),
    ROW("id", client_id_command, 2, USER, "5.0.0", "O(1)", "Id of the connection"),
    ROW("info", client_info_command, 2, USER, "6.2.0", "O(1)", "What LIST tells of this client"),
    ROW("kill", client_kill_command, -3, ADMIN, "2.4.0", "O(N), N connections",
        "Closes one connection by address, or all that match options"),
    ROW("list", client_list_command, -2, ADMIN, "2.4.0", "O(N), N connections",
        "A line for each client, or those of a type or with ids"),
    ROW("no-evict", client_no_evict_command, 3, ADMIN, "7.0.0", "O(1)",
        "Whether this client may be closed for lack of memory"),
    ROW("no-touch", client_no_touch_command, 3, USER, "7.2.0", "O(1)",
        "Whether this client's commands count as use of keys"),
    ROW("pause", client_pause_command, -3, ADMIN, "2.9.50", "O(1)",
        "Holds up commands, or those that write, for a time"),
    ROW("reply", client_reply_command, 3, USER, "3.2.0", "O(1)", "Whether commands are replied to"),
    ROW("setinfo", client_setinfo_command, 4, USER, "7.2.0", "O(1)",
        "Sets the name or version of the client's library"),
    ROW("setname", client_setname_command, 3, USER, "2.6.9", "O(1)", "Names the connection"),
    ROW("tracking", client_tracking_command, -3, USER, "6.0.0", "O(N), N prefixes",
        "Tells this client when keys that it caches change"),
    ROW("trackinginfo", client_trackinginfo_command, 2, USER, "6.2.0", "O(1)",
        "Whether and how keys are tracked for this client"),
    ROW("unblock", client_unblock_command, -3, ADMIN, "5.0.0", "O(log N), N connections",
        "Ends another client's blocking command"),
    ROW("unpause", client_unpause_command, 2, ADMIN, "6.2.0", "O(N), N paused clients",
        "Ends a pause"),
    {.name = NULL},
};
