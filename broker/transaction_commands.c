/* MULTI, EXEC, DISCARD, WATCH, UNWATCH: https://redis.io/docs/latest/commands/?group=transactions
 *
 * EXEC runs what was queued without a turn of the loop in between: nobody sees half of it, and all
 * of its ops are in the open record. It waits before it begins, never while it runs: for room in
 * the record, and for readers to fetch the objects of the keys that its commands name. What is
 * still cold when it runs (entries in chunks, names for SCAN, keys behind a SWAPDB) is read from
 * disk on the loop: the one exception to the rule that the loop does not read.
 *
 * A command that would wait for something to happen to a key finds its time up at once. */
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/command_keys.h"
#include "broker/expiry.h"
#include "broker/options.h"
#include "broker/session_internal.h"
#include "broker/transaction.h"

static enum flow multi_command(struct session *session)
{
    if (transaction_is_open(session)) {
        reply_error(&session->reply, "ERR MULTI calls can not be nested");
    } else {
        transaction_of(session)->open = true;
        session->transaction->db = session->db;
        reply_status(&session->reply, "OK");
    }
    return FLOW_DONE;
}

static enum flow discard_command(struct session *session)
{
    if (!transaction_is_open(session)) {
        reply_error(&session->reply, "ERR DISCARD without MULTI");
        return FLOW_DONE;
    }
    broker_discard(session);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

/* ---- WATCH ---- */

/* False: an error was replied; the keys before the one in question are watched. */
static bool watch_keys(struct session *session)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    for (size_t i = 1; i < session->argc; i++) {
        struct object *object;
        enum err err = keyspace_find(keyspace, session->db, session->argv[i], &object);
        if (err != ERR_OK) {
            access_error(session, err);
            return false;
        }
        object = expiry_see(session, session->db, session->argv[i], object);
        if (!key_watch_add(session, session->argv[i], object))
            return false;
    }
    return true;
}

static enum flow watch_command(struct session *session)
{
    if (transaction_is_open(session)) {
        reply_error(&session->reply, "ERR WATCH inside MULTI is not allowed");
        return FLOW_DONE;
    }
    enum access access = access_keys(session, 1, session->argc - 1, 1);
    if (access != ACCESS_READY)
        return access_flow(access);
    transaction_of(session);
    if (watch_keys(session))
        reply_status(&session->reply, "OK");
    transaction_drop_idle(session);
    return FLOW_DONE;
}

static enum flow unwatch_command(struct session *session)
{
    key_watch_end(session);
    transaction_drop_idle(session);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

/* ---- EXEC ---- */

/* Has readers fetch the objects of all keys that the commands name. */
static enum access warm(struct session *session)
{
    const struct transaction *transaction = session->transaction;
    struct buf names;
    buf_init(&names);
    for (size_t i = 0; i < transaction->count; i++) {
        const struct queued_command *queued = transaction->commands[i];
        struct key_span keys = command_keys(queued->command, queued->argv, queued->argc);
        for (size_t key = 0; key < keys.count; key++) {
            struct key_name name = {queued->db, queued->argv[keys.first + key * keys.step]};
            buf_add(&names, &name, sizeof(name));
        }
    }
    enum access access = access_names(session, (const struct key_name *)(const void *)names.data,
                                      names.len / sizeof(struct key_name));
    buf_deinit(&names);
    return access;
}

/* What is written together must fit into one record. The queue's own bytes always do; this is for
 * commands that write more than their arguments. */
static bool record_has_room(struct session *session)
{
    if (!(session->command->flags & COMMAND_WRITE) ||
        store_record_bytes(session->broker->store) < (size_t)OPTION_COMMIT_RECORD_BYTES_MAX)
        return true;
    reply_error(&session->reply,
                "ERR the transaction has written all that a commit record may hold; this command "
                "was not run");
    return false;
}

/* Memory ranges are brought back within their budgets after EXEC only: so what it adds has the
 * same limit as a record. */
static bool memory_has_room(struct session *session)
{
    if (!(session->command->flags & COMMAND_DENYOOM) ||
        memory_bytes(&session->broker->keyspace.memory) <
            session->transaction->memory_bytes + (size_t)OPTION_COMMIT_RECORD_BYTES_MAX)
        return true;
    reply_error(&session->reply,
                "ERR the transaction has added all that it may to memory ranges; this command was "
                "not run");
    return false;
}

/* The command's function, again and again until it is done. */
static void run_to_end(struct session *session)
{
    struct transaction *transaction = session->transaction;
    struct output *output = &session_state(session)->output;
    size_t start = output->tail.len;
    while (session->command->run(session) == FLOW_WAIT) {
        output_rewind(output, start);
        if (transaction->has_read) {
            transaction->has_read = false;
        } else if (session->command->flags & COMMAND_BLOCKING) {
            blocking_time_out(session);
        } else {
            list_remove(&session->wait_link);
            reply_error(&session->reply, "ERR Command not allowed inside a transaction");
            break;
        }
    }
    session_drop_work(session);
}

static void run_queued(struct session *session, struct queued_command *queued)
{
    session->command = queued->command;
    session->container = queued->container;
    session->argv = queued->argv;
    session->argc = queued->argc;
    /* Who is cut off for the length of the replies still gets its writes. */
    if (session_ending(session) == SESSION_ABORTED && !(queued->command->flags & COMMAND_WRITE))
        return;
    if (record_has_room(session) && memory_has_room(session))
        run_to_end(session);
    session->commands++;
    session_check_output(session);
    broker_after_command(session->broker, session);
}

static void run_all(struct session *session)
{
    struct transaction *transaction = session->transaction;
    const struct command_row *command = session->command;
    struct bytes *argv = session->argv;
    size_t argc = session->argc;
    key_watch_end(session);
    reply_array(&session->reply, transaction->count);
    transaction->memory_bytes = memory_bytes(&session->broker->keyspace.memory);
    transaction->running = true;
    for (size_t i = 0; i < transaction->count; i++)
        run_queued(session, transaction->commands[i]);
    transaction->running = false;
    session->command = command;
    session->container = NULL;
    session->argv = argv;
    session->argc = argc;
}

static enum flow exec_command(struct session *session)
{
    const struct transaction *transaction = session->transaction;
    if (!transaction_is_open(session)) {
        reply_error(&session->reply, "ERR EXEC without MULTI");
        return FLOW_DONE;
    }
    key_watch_expire(session);
    if (transaction->rejected) {
        reply_error(&session->reply, "EXECABORT Transaction discarded because of previous errors.");
    } else if (transaction->touched) {
        session_gate(session, transaction->touched_lsn);
        reply_null_array(&session->reply);
    } else {
        enum access access = warm(session);
        if (access == ACCESS_WAIT)
            return FLOW_WAIT;
        if (access == ACCESS_READY)
            run_all(session);
    }
    broker_discard(session);
    return FLOW_DONE;
}

/* ---- rows ---- */

#define ANY_TIME (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define ROW(name, run, arity, flags, key, since, complexity, summary)                              \
    {                                                                                              \
        name, run, arity, flags, key, -(key), key, "transactions", since, complexity, summary,     \
            NULL                                                                                   \
    }

const struct command_row transaction_commands[] = {
    ROW("discard", discard_command, 1, ANY_TIME | COMMAND_FAST | COMMAND_UNQUEUED, 0, "2.0.0",
        "O(N), N queued commands", "Forgets the queued commands and the watched keys"),
    ROW("exec", exec_command, 1, ANY_TIME | COMMAND_UNQUEUED | COMMAND_EXECUTES, 0, "1.2.0",
        "Depends on commands in the transaction",
        "Runs the queued commands, unless a watched key has changed"),
    ROW("multi", multi_command, 1, ANY_TIME | COMMAND_FAST | COMMAND_UNQUEUED, 0, "1.2.0", "O(1)",
        "Queues the commands that follow, until EXEC"),
    ROW("unwatch", unwatch_command, 1, ANY_TIME | COMMAND_FAST, 0, "2.2.0", "O(N), N watched keys",
        "Watches no key any more"),
    ROW("watch", watch_command, -2, ANY_TIME | COMMAND_FAST | COMMAND_UNQUEUED, 1, "2.2.0",
        "O(1) for each key", "EXEC runs nothing if one of the keys changes before it"),
    {.name = NULL},
};
