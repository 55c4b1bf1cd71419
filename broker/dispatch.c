/* dispatch: from arguments to a command's function, with Redis's checks in Redis's order:
 * known, number of arguments, authenticated, room in memory ranges (for a transaction; for others
 * broker/access.h sees to it), store in order, not in subscriber mode, not paused, room in the log.
 * Between MULTI and EXEC a command that passes is queued, and one that does not spoils the
 * transaction. */
#include <ctype.h>
#include <stdio.h>

#include "base/logger.h"
#include "broker/broker.h"
#include "broker/session_internal.h"
#include "broker/transaction.h"

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

void session_out_of_memory(struct session *session)
{
    reply_error(&session->reply, "OOM command not allowed when used memory > 'maxmemory'.");
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

/* True for EXEC of a transaction that writes, too. */
static bool writes(const struct session *session)
{
    unsigned flags = session->command->flags;

    return (flags & COMMAND_WRITE) || ((flags & COMMAND_EXECUTES) && transaction_writes(session));
}

static bool may_run(struct session *session)
{
    if (!command_arity_fits(session->command, session->argc) || session->command->run == NULL) {
        session_wrong_arity(session);
        session->command = NULL;
        return false;
    }
    if (!session->authenticated && !(session->command->flags & COMMAND_NO_AUTH))
        return reject(session, "NOAUTH Authentication required.");
    if (transaction_is_open(session) && (session->command->flags & COMMAND_NO_MULTI))
        return reject(session, "ERR Command not allowed inside a transaction");
    if (transaction_is_open(session) && transaction_out_of_memory(session)) {
        session_out_of_memory(session);
        session->command = NULL;
        return false;
    }
    if (writes(session) && broker_failed(session->broker))
        return reject(session, "MISCONF Errors writing to the commit log. Commands that may change "
                               "data are refused until a restart; see INFO persistence.");
    if (session->subscriber.count > 0 && session->reply.version == 2 &&
        !(session->command->flags & COMMAND_SUBSCRIBED))
        return reject_subscribed(session);
    return true;
}

/* EXEC was refused, for the reason that stands in the output: it ends its transaction, and says
 * so. */
static void abort_transaction(struct session *session)
{
    struct session_state *state = session_state(session);
    struct buf reason;

    buf_init(&reason);
    buf_add(&reason, state->output.tail.data + state->reply_start,
            state->output.tail.len - state->reply_start);
    output_rewind(&state->output, state->reply_start);
    const char *text = reason.data + 1; /* behind "-" */
    size_t len = reason.len - 3;        /* and before the line's end */
    if (memcmp(text, "ERR ", 4) == 0) {
        text += 4;
        len -= 4;
    }
    reply_error(&session->reply, "EXECABORT Transaction discarded because of: %.*s", (int)len,
                text);
    buf_deinit(&reason);
    broker_discard(session);
}

/* Finds the command and sees whether it may run now. */
static bool check_command(struct session *session)
{
    if (session->command == NULL && !find_command(session)) {
        transaction_reject(session);
        return false;
    }
    bool executes = (session->command->flags & COMMAND_EXECUTES) != 0;
    if (may_run(session))
        return true;
    if (executes)
        abort_transaction(session);
    else
        transaction_reject(session);
    return false;
}

static bool must_wait(const struct session *session)
{
    bool write = writes(session);

    return broker_paused(session->broker, write) || (write && broker_stalled(session->broker));
}

enum flow dispatch(struct session *session)
{
    if (!check_command(session))
        return FLOW_DONE;
    if (must_wait(session)) {
        broker_wait_for_room(session->broker, session);
        return FLOW_WAIT;
    }
    if (transaction_is_open(session) && !(session->command->flags & COMMAND_UNQUEUED)) {
        transaction_queue(session);
        session->command = NULL; /* it was not run: nobody is told of it, and it is not counted */
        return FLOW_DONE;
    }
    return session->command->run(session);
}
