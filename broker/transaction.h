/* transaction: what a session has queued behind MULTI, and which keys it watches.
 *
 * https://redis.io/docs/latest/develop/interact/transactions/
 * Between MULTI and EXEC commands are checked and copied, not run. EXEC runs them in one go
 * (broker/transaction_commands.c): no other session's command comes between, and their ops are in
 * one commit record, so that a crash leaves all of them or none.
 *
 * A session has a transaction while it queues or watches. Its bytes, watched keys among them, are
 * bounded by the option transaction-bytes-max.
 *
 * Loop thread only. */
#ifndef WEIR_BROKER_TRANSACTION_H
#define WEIR_BROKER_TRANSACTION_H

#include "broker/session.h"

/* A command that was queued, and behind it a copy of its arguments in wire form. */
struct queued_command {
    const struct command_row *command;
    const struct command_row *container; /* whose subcommand it is; NULL: of none */
    unsigned db;                         /* that it will run in */
    size_t bytes;                        /* that it takes */
    size_t argc;
    struct bytes argv[];
};

struct transaction {
    bool open;     /* MULTI was said, EXEC and DISCARD were not */
    bool rejected; /* a command could not be queued: EXEC will refuse */
    bool writes;   /* one of the commands may change data */
    bool running;  /* EXEC runs them */
    bool has_read; /* the command that runs has read from disk: run it again */
    unsigned db;   /* of the next command that is queued: a queued SELECT counts */
    struct queued_command **commands;
    size_t count;
    size_t cap;
    size_t bytes;        /* of what is queued and of the watched names, all in all */
    size_t memory_bytes; /* of all memory ranges when EXEC began */

    struct list watches; /* of key_watch.h */
    size_t watch_count;
    bool touched;         /* a watched key has changed */
    uint64_t touched_lsn; /* by the record that tells the first change */
};

/* The session's transaction, made if it has none. */
struct transaction *transaction_of(struct session *session);
/* Forgets what was queued, and says that MULTI is over. Watched keys stay. */
void transaction_clear(struct session *session);
/* Frees a transaction that is neither open nor watching; there may be none. */
void transaction_drop_idle(struct session *session);

static inline bool transaction_is_open(const struct session *session)
{
    return session->transaction != NULL && session->transaction->open;
}

static inline bool transaction_runs(const struct session *session)
{
    return session->transaction != NULL && session->transaction->running;
}

/* True when EXEC may change data. */
static inline bool transaction_writes(const struct session *session)
{
    return transaction_is_open(session) && session->transaction->writes;
}

/* The session's command, which stands between MULTI and EXEC, would add to a memory range that is
 * full; for EXEC: one of those that are queued would. Once EXEC has begun nobody asks again, so
 * that it runs all of them or none (https://redis.io/docs/latest/develop/interact/transactions/).
 */
bool transaction_out_of_memory(const struct session *session);
/* True when `bytes` more may be kept for the session; else an error was replied. */
bool transaction_has_room(struct session *session, size_t bytes);
/* Queues the session's command, which may run, and says so; or replies with an error. */
void transaction_queue(struct session *session);
/* The session's command was refused: so will EXEC be. Nothing outside of a transaction. */
void transaction_reject(struct session *session);

#endif
