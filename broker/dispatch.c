/* dispatch: from arguments to a command's function, with Redis's checks in Redis's order:
 * known, number of arguments, authenticated, store in order, not in subscriber mode, not paused,
 * room in the log. */
#include <ctype.h>
#include <stdio.h>

#include "base/logger.h"
#include "broker/broker.h"
#include "broker/session_internal.h"

/* How much of a client's own words an error repeats. */
#define ECHO_BYTES_MAX 128

/* Longest "container|subcommand". */
#define FULL_NAME_MAX 64

int command_full_name(const struct command_row *container, const struct command_row *command,
                      char *out, size_t size)
{
    if (container == NULL)
        return snprintf(out, size, "%s", command->name);
    return snprintf(out, size, "%s|%s", container->name, command->name);
}

/* ---- errors ---- */

void session_wrong_arity(struct session *session)
{
    char name[FULL_NAME_MAX];

    command_full_name(session->container, session->command, name, sizeof(name));
    reply_error(&session->reply, "ERR wrong number of arguments for '%s' command", name);
}

void session_syntax_error(struct session *session)
{
    reply_error(&session->reply, "ERR syntax error");
}

void session_wrong_type(struct session *session)
{
    reply_error(&session->reply,
                "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void session_not_integer(struct session *session)
{
    reply_error(&session->reply, "ERR value is not an integer or out of range");
}

static int echo_len(struct bytes text, size_t max)
{
    return (int)(text.len < max ? text.len : max);
}

static void unknown_command(struct session *session)
{
    char args[2 * ECHO_BYTES_MAX];
    size_t len = 0;

    args[0] = '\0';
    for (size_t i = 1; i < session->argc && len < ECHO_BYTES_MAX; i++) {
        struct bytes arg = session->argv[i];
        len += (size_t)snprintf(args + len, sizeof(args) - len, "'%.*s' ",
                                echo_len(arg, ECHO_BYTES_MAX - len), arg.data);
    }
    reply_error(&session->reply, "ERR unknown command '%.*s', with args beginning with: %s",
                echo_len(session->argv[0], ECHO_BYTES_MAX), session->argv[0].data, args);
}

static void unknown_subcommand(struct session *session, const struct command_row *container)
{
    char name[FULL_NAME_MAX];

    snprintf(name, sizeof(name), "%s", container->name);
    for (char *at = name; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    reply_error(&session->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                echo_len(session->argv[1], ECHO_BYTES_MAX), session->argv[1].data, name);
}

/* A browser that was made to talk to this port sends HTTP. Its first line is no command; what it
 * posts might hold some. */
static bool is_http(struct bytes name)
{
    return bytes_equal_nocase(name, BYTES("host:")) || bytes_equal_nocase(name, BYTES("post"));
}

/* ---- checks ---- */

/* Sets the session's command and container, or replies. */
static bool find_command(struct session *session)
{
    const struct command_row *command = command_find(session->argv[0]);
    const struct command_row *container = NULL;

    if (command == NULL && is_http(session->argv[0])) {
        LOG(LOG_WARNING, "http on the command port", "session=%llu",
            (unsigned long long)session->id);
        session_abort(session);
        return false;
    }
    if (command == NULL) {
        unknown_command(session);
        return false;
    }
    if (command->subcommands != NULL && session->argc > 1) {
        container = command;
        command = command_find_sub(container, session->argv[1]);
        if (command == NULL) {
            unknown_subcommand(session, container);
            return false;
        }
    }
    session->command = command;
    session->container = container;
    return true;
}

static bool arity_fits(const struct session *session)
{
    int arity = session->command->arity;

    if (arity < 0)
        return session->argc >= (size_t)-arity;
    return session->argc == (size_t)arity;
}

/* A rejected command was not run: nobody is told of it, and it is not counted. */
static bool reject(struct session *session, const char *error)
{
    reply_error(&session->reply, "%s", error);
    session->command = NULL;
    return false;
}

/* RESP2 cannot tell a message from a reply. */
static bool reject_subscribed(struct session *session)
{
    char name[FULL_NAME_MAX];

    command_full_name(session->container, session->command, name, sizeof(name));
    reply_error(&session->reply,
                "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                "RESET are allowed in this context",
                name);
    session->command = NULL;
    return false;
}

static bool may_run(struct session *session)
{
    if (!arity_fits(session) || session->command->run == NULL) {
        session_wrong_arity(session);
        session->command = NULL;
        return false;
    }
    if (!session->authenticated && !(session->command->flags & COMMAND_NO_AUTH))
        return reject(session, "NOAUTH Authentication required.");
    if ((session->command->flags & COMMAND_WRITE) && broker_failed(session->broker))
        return reject(session, "MISCONF Errors writing to the commit log. Commands that may change "
                               "data are refused until a restart; see INFO persistence.");
    if (session->subscriber.count > 0 && session->reply.version == 2 &&
        !(session->command->flags & COMMAND_SUBSCRIBED))
        return reject_subscribed(session);
    return true;
}

static bool must_wait(const struct session *session)
{
    bool write = (session->command->flags & COMMAND_WRITE) != 0;

    return broker_paused(session->broker, write) || (write && broker_stalled(session->broker));
}

enum flow dispatch(struct session *session)
{
    if (session->command == NULL && !find_command(session))
        return FLOW_DONE;
    if (!may_run(session))
        return FLOW_DONE;
    if (must_wait(session)) {
        broker_wait_for_room(session->broker, session);
        return FLOW_WAIT;
    }
    return session->command->run(session);
}
