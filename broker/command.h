/* command: what a command is, and the table of all of them.
 *
 * A command is a row and a function. The row says what Redis's COMMAND says; arity, flags and keys
 * are checked and listed from it alone. The function runs on the loop, reads its arguments, writes
 * one reply, and returns how it went on:
 *
 *   FLOW_DONE  the reply is complete (an error reply counts).
 *   FLOW_WAIT  nothing was written that the client may see (what was written is taken back); the
 *              command has arranged for session_resume to be called later. Then the function runs
 *              again, from its start, with the same arguments; what it must remember in between it
 *              keeps in `session->work`.
 *
 * A command that waits holds up its own connection only. If the connection closes meanwhile, the
 * function is not called again and the work is destroyed. */
#ifndef WEIR_BROKER_COMMAND_H
#define WEIR_BROKER_COMMAND_H

#include "base/bytes.h"

struct session;

enum flow { FLOW_DONE, FLOW_WAIT };

typedef enum flow (*command_fn)(struct session *session);

enum command_flag {
    COMMAND_WRITE =
        1
        << 0, /* may change data: refused when the store has failed, stalled when the log is full */
    COMMAND_READONLY = 1 << 1,
    COMMAND_FAST = 1 << 2,
    COMMAND_BLOCKING = 1 << 3,
    COMMAND_ADMIN = 1 << 4,
    COMMAND_PUBSUB = 1 << 5,
    COMMAND_NO_AUTH = 1 << 6, /* allowed before AUTH */
    COMMAND_LOADING = 1 << 7,
    COMMAND_STALE = 1 << 8,
    COMMAND_MOVABLE_KEYS = 1 << 9,
    COMMAND_NOSCRIPT = 1 << 10,
    COMMAND_SKIP_MONITOR = 1 << 11,
    COMMAND_SUBSCRIBED = 1 << 12, /* allowed while a RESP2 client is subscribed */
    COMMAND_PUSHES = 1 << 13,     /* its replies are pushes: told whatever CLIENT REPLY says */
    COMMAND_UNNOTICED = 1 << 14,  /* asks about a key without a keymiss event */
    COMMAND_NO_MULTI = 1 << 15,   /* refused between MULTI and EXEC */
    COMMAND_UNQUEUED = 1 << 16,   /* runs at once between MULTI and EXEC */
    COMMAND_EXECUTES = 1 << 17,   /* EXEC: may change data when what is queued may */
    COMMAND_DENYOOM = 1 << 18,    /* adds to keys: refused where a memory range is full */
    COMMAND_NO_TOUCH = 1 << 19,   /* does not make a key used */
    COMMAND_UNCOUNTED = 1 << 20,  /* what it finds is neither a hit nor a miss */
};

struct command_row {
    const char *name;                  /* lower case */
    command_fn run;                    /* NULL for a container that needs a subcommand */
    int arity;                         /* as Redis: with the name; negative: at least */
    unsigned flags;                    /* enum command_flag */
    int first_key, last_key, key_step; /* as Redis */
    const char *group;                 /* "stream", "generic", ... */
    const char *since;                 /* Redis version */
    const char *complexity;
    const char *summary;
    const struct command_row *subcommands; /* ends with a row without a name; NULL: none */
};

/* Each family's file exports its rows, ended by a row without a name; commands.c joins them. */
extern const struct command_row connection_commands[];
extern const struct command_row server_commands[];
extern const struct command_row keys_commands[];
extern const struct command_row stream_commands[];
extern const struct command_row string_commands[];
extern const struct command_row hash_commands[];
extern const struct command_row range_commands[];
extern const struct command_row feed_commands[];
extern const struct command_row pubsub_commands[];
extern const struct command_row room_commands[];
extern const struct command_row transaction_commands[];

/* All commands, numbered from 0 (subcommands are in their containers); NULL past the last. */
const struct command_row *command_at(size_t index);

/* Whether a line of `argc` words, the name among them, is neither too short nor too long. */
static inline bool command_arity_fits(const struct command_row *row, size_t argc)
{
    return row->arity >= 0 ? argc == (size_t)row->arity : argc >= (size_t)-row->arity;
}

/* NULL when there is none. Any case. */
const struct command_row *command_find(struct bytes name);
const struct command_row *command_find_sub(const struct command_row *container, struct bytes name);

/* The function of every container's HELP: tells the container's rows. */
enum flow command_help(struct session *session);

/* Functions of the keys family whose rows are in containers of the server family. */
enum flow memory_usage_command(struct session *session);
enum flow object_encoding_command(struct session *session);
enum flow object_freq_command(struct session *session);
enum flow object_idletime_command(struct session *session);
enum flow object_refcount_command(struct session *session);

#endif
