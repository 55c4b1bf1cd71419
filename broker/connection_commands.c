#include "broker/families.h"

#include "broker/broker.h"
#include "broker/options.h"
#include "broker/session.h"
#include "broker/version.h"

const char client_name_invalid[] =
    "ERR Client names cannot contain spaces, newlines or special characters.";

bool argument_int(struct session *session, size_t index, int64_t *out)
{
    if (!bytes_to_i64(session->argv[index], out)) {
        session_not_integer(session);
        return false;
    }
    if (*out < INT32_MIN || *out > INT32_MAX) {
        reply_error(&session->reply, "ERR value is out of range, value must between %d and %d",
                    INT32_MIN, INT32_MAX);
        return false;
    }
    return true;
}

bool argument_is(const struct session *session, size_t index, const char *word)
{
    return bytes_equal_nocase(session->argv[index], bytes_of_string(word));
}

bool client_attribute_valid(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    }
    return true;
}

/* Takes the same time wherever the two differ, so a password cannot be guessed by bytes. */
static bool equal_in_constant_time(struct bytes given, struct bytes secret)
{
    unsigned char difference = given.len != secret.len;
    for (size_t i = 0; i < given.len; i++) {
        char byte = secret.len > 0 ? secret.data[i % secret.len] : '\0';
        difference = (unsigned char)(difference | (unsigned char)(given.data[i] ^ byte));
    }
    return difference == 0;
}

/* There is one user, "default", with the password of the option requirepass or none. */
static bool authenticate(struct session *session, struct bytes user, struct bytes password)
{
    struct bytes secret = bytes_of_string(broker_options(session->broker)->requirepass);
    bool known = bytes_equal(user, BYTES("default"));

    if (!known || (secret.len > 0 && !equal_in_constant_time(password, secret))) {
        reply_error(&session->reply,
                    "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    session->authenticated = true;
    return true;
}

static enum flow auth_command(struct session *session)
{
    bool user_given = session->argc == 3;

    if (session->argc > 3) {
        session_syntax_error(session);
        return FLOW_DONE;
    }
    if (!user_given && broker_options(session->broker)->requirepass[0] == '\0') {
        reply_error(&session->reply,
                    "ERR AUTH <password> called without any password configured for the default "
                    "user. Are you sure your configuration is correct?");
        return FLOW_DONE;
    }
    struct bytes user = user_given ? session->argv[1] : BYTES("default");
    if (authenticate(session, user, session->argv[session->argc - 1]))
        reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

/* What HELLO was asked for; empty views where it was not. */
struct hello {
    int version;
    const struct bytes *user; /* the password is behind it */
    const struct bytes *name;
};

/* Reads the options; writes the error and answers false when they are not valid. */
static bool hello_read(struct session *session, struct hello *hello)
{
    int64_t version = session->reply.version;

    if (session->argc > 1 && !bytes_to_i64(session->argv[1], &version)) {
        reply_error(&session->reply, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (version != 2 && version != 3) {
        reply_error(&session->reply, "NOPROTO unsupported protocol version");
        return false;
    }
    hello->version = (int)version;
    for (size_t i = 2; i < session->argc; i++) {
        size_t left = session->argc - 1 - i;
        if (argument_is(session, i, "auth") && left >= 2) {
            hello->user = &session->argv[i + 1];
            i += 2;
        } else if (argument_is(session, i, "setname") && left >= 1) {
            hello->name = &session->argv[++i];
            if (!client_attribute_valid(*hello->name)) {
                reply_error(&session->reply, "%s", client_name_invalid);
                return false;
            }
        } else {
            reply_error(&session->reply, "ERR Syntax error in HELLO option '%.*s'",
                        (int)session->argv[i].len, session->argv[i].data);
            return false;
        }
    }
    return true;
}

static void hello_reply(struct session *session)
{
    struct reply *reply = &session->reply;

    reply_map(reply, 7);
    reply_bulk_string(reply, "server");
    reply_bulk_string(reply, "redis");
    reply_bulk_string(reply, "version");
    reply_bulk_string(reply, REDIS_VERSION);
    reply_bulk_string(reply, "proto");
    reply_integer(reply, reply->version);
    reply_bulk_string(reply, "id");
    reply_integer(reply, (int64_t)session->id);
    reply_bulk_string(reply, "mode");
    reply_bulk_string(reply, "standalone");
    reply_bulk_string(reply, "role");
    reply_bulk_string(reply, "master");
    reply_bulk_string(reply, "modules");
    reply_array(reply, 0);
}

static enum flow hello_command(struct session *session)
{
    struct hello hello = {0};

    if (!hello_read(session, &hello))
        return FLOW_DONE;
    if (hello.user != NULL && !authenticate(session, hello.user[0], hello.user[1]))
        return FLOW_DONE;
    if (!session->authenticated) {
        reply_error(&session->reply,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
        return FLOW_DONE;
    }
    if (hello.name != NULL) {
        buf_reset(&session->name, 0);
        buf_add_bytes(&session->name, *hello.name);
    }
    session->reply.version = hello.version;
    hello_reply(session);
    return FLOW_DONE;
}

/* A RESP2 client that is subscribed gets it in the form of a message. */
static void pong_message(struct session *session)
{
    reply_array(&session->reply, 2);
    reply_bulk_string(&session->reply, "pong");
    reply_bulk(&session->reply, session->argc == 2 ? session->argv[1] : BYTES(""));
}

static enum flow ping_command(struct session *session)
{
    if (session->argc > 2)
        session_wrong_arity(session);
    else if (session->subscriber.count > 0 && session->reply.version == 2)
        pong_message(session);
    else if (session->argc == 2)
        reply_bulk(&session->reply, session->argv[1]);
    else
        reply_status(&session->reply, "PONG");
    return FLOW_DONE;
}

static enum flow echo_command(struct session *session)
{
    reply_bulk(&session->reply, session->argv[1]);
    return FLOW_DONE;
}

static enum flow quit_command(struct session *session)
{
    reply_status(&session->reply, "OK");
    session_finish(session);
    return FLOW_DONE;
}

/* Everything as on a new connection, but for its id and the names of its library. */
static enum flow reset_command(struct session *session)
{
    if (session->monitor)
        broker_monitor(session->broker, session, false);
    broker_forget(session->broker, session);
    session->db = 0;
    session->reply.version = 2;
    session->reply_mode = REPLY_ON;
    session->no_evict = false;
    session->no_touch = false;
    session->authenticated = broker_options(session->broker)->requirepass[0] == '\0';
    buf_reset(&session->name, 0);
    reply_status(&session->reply, "RESET");
    return FLOW_DONE;
}

static enum flow select_command(struct session *session)
{
    int64_t db;

    if (!argument_int(session, 1, &db))
        return FLOW_DONE;
    if (db < 0 || db >= broker_options(session->broker)->databases) {
        reply_error(&session->reply, "ERR DB index is out of range");
    } else {
        session->db = (unsigned)db;
        reply_status(&session->reply, "OK");
    }
    return FLOW_DONE;
}

#define ANY_TIME (COMMAND_LOADING | COMMAND_STALE | COMMAND_NOSCRIPT)
#define FIRST    (ANY_TIME | COMMAND_FAST | COMMAND_NO_AUTH)

const struct command_row connection_commands[] = {
    {"auth", auth_command, -2, FIRST, 0, 0, 0, "connection", "1.0.0", "O(1)",
     "Authenticates the connection", NULL},
    {"client", NULL, -2, 0, 0, 0, 0, "connection", "2.4.0", "Depends on subcommand.",
     "Commands about client connections", client_subcommands},
    {"echo", echo_command, 2, COMMAND_FAST | COMMAND_LOADING | COMMAND_STALE, 0, 0, 0, "connection",
     "1.0.0", "O(1)", "Answers its argument", NULL},
    {"hello", hello_command, -1, FIRST, 0, 0, 0, "connection", "6.0.0", "O(1)",
     "Chooses the protocol version, authenticates and names the connection", NULL},
    {"ping", ping_command, -1, COMMAND_FAST | COMMAND_SUBSCRIBED, 0, 0, 0, "connection", "1.0.0",
     "O(1)", "Answers PONG, or its argument", NULL},
    {"quit", quit_command, -1, FIRST | COMMAND_SUBSCRIBED | COMMAND_UNQUEUED, 0, 0, 0, "connection",
     "1.0.0", "O(1)", "Closes the connection after the replies to what was sent", NULL},
    {"reset", reset_command, 1, FIRST | COMMAND_SUBSCRIBED | COMMAND_UNQUEUED, 0, 0, 0,
     "connection", "6.2.0", "O(1)", "Puts the connection into the state of a new one", NULL},
    {"select", select_command, 2, COMMAND_FAST | COMMAND_LOADING | COMMAND_STALE, 0, 0, 0,
     "connection", "1.0.0", "O(1)", "Selects the database of the connection", NULL},
    {.name = NULL},
};
