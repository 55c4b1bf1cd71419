#include "broker/transaction.h"

#include "base/alloc.h"
#include "broker/broker.h"
#include "broker/options.h"

#define COMMANDS_CAP_MIN 8

struct transaction *transaction_of(struct session *session)
{
    if (session->transaction == NULL) {
        session->transaction = mem_zalloc(sizeof(*session->transaction));
        list_init(&session->transaction->watches);
    }
    return session->transaction;
}

void transaction_clear(struct session *session)
{
    struct transaction *transaction = session->transaction;
    for (size_t i = 0; i < transaction->count; i++) {
        transaction->bytes -= transaction->commands[i]->bytes;
        mem_free(transaction->commands[i]);
    }
    mem_free(transaction->commands);
    transaction->commands = NULL;
    transaction->count = 0;
    transaction->cap = 0;
    transaction->open = false;
    transaction->rejected = false;
    transaction->writes = false;
}

void transaction_drop_idle(struct session *session)
{
    struct transaction *transaction = session->transaction;
    if (transaction == NULL || transaction->open || !list_empty(&transaction->watches))
        return;
    mem_free(transaction);
    session->transaction = NULL;
}

bool transaction_out_of_memory(const struct session *session)
{
    const struct transaction *transaction = session->transaction;
    struct broker *broker = session->broker;
    if (!(session->command->flags & COMMAND_EXECUTES))
        return broker_out_of_memory(broker, transaction->db, session->command, session->argv,
                                    session->argc);
    for (size_t i = 0; i < transaction->count; i++) {
        const struct queued_command *queued = transaction->commands[i];
        if (broker_out_of_memory(broker, queued->db, queued->command, queued->argv, queued->argc))
            return true;
    }
    return false;
}

bool transaction_has_room(struct session *session, size_t bytes)
{
    uint64_t max = broker_options(session->broker)->transaction_bytes_max;
    if (session->transaction->bytes + bytes <= max)
        return true;
    reply_error(&session->reply,
                "ERR the transaction's commands and watched keys are larger than "
                "transaction-bytes-max (%llu)",
                (unsigned long long)max);
    return false;
}

static struct queued_command *copy_command(const struct session *session, struct bytes wire,
                                           size_t bytes)
{
    struct queued_command *command = mem_alloc(bytes);
    char *copy = (char *)&command->argv[session->argc];
    command->command = session->command;
    command->container = session->container;
    command->db = session->transaction->db;
    command->bytes = bytes;
    command->argc = session->argc;
    memcpy(copy, wire.data, wire.len);
    for (size_t i = 0; i < session->argc; i++) {
        struct bytes arg = session->argv[i];
        command->argv[i] = bytes_of(copy + (arg.data - wire.data), arg.len);
    }
    return command;
}

static void grow_commands(struct transaction *transaction)
{
    size_t cap = transaction->cap > 0 ? transaction->cap * 2 : COMMANDS_CAP_MIN;
    transaction->commands =
        mem_realloc(transaction->commands, cap * sizeof(*transaction->commands));
    transaction->cap = cap;
}

/* What comes behind a SELECT will run in another database. */
static void follow_select(struct session *session)
{
    int64_t db;
    if (strcmp(session->command->name, "select") == 0 && bytes_to_i64(session->argv[1], &db) &&
        db >= 0 && db < broker_options(session->broker)->databases)
        session->transaction->db = (unsigned)db;
}

void transaction_queue(struct session *session)
{
    struct transaction *transaction = session->transaction;
    struct bytes wire = session_wire(session, 0, session->argc);
    size_t bytes = sizeof(struct queued_command) + session->argc * sizeof(struct bytes) + wire.len;
    if (!transaction_has_room(session, bytes)) {
        transaction->rejected = true;
        return;
    }
    if (transaction->count == transaction->cap)
        grow_commands(transaction);
    transaction->commands[transaction->count++] = copy_command(session, wire, bytes);
    transaction->bytes += bytes;
    if (session->command->flags & COMMAND_WRITE)
        transaction->writes = true;
    follow_select(session);
    reply_status(&session->reply, "QUEUED");
}

void transaction_reject(struct session *session)
{
    if (transaction_is_open(session))
        session->transaction->rejected = true;
}
