/* session: the command side of one client: bytes in, bytes out.
 *
 * A session parses what its connection received, runs one command at a time, and collects
 * output. It knows no socket: conn.h feeds it and sends what it has (session_io.h). This header
 * is what a command sees of its client.
 *
 * Gates: bytes written after session_gate(lsn) leave only when record `lsn` is durable, and so
 * does everything behind them. A gate set while a command runs holds that command's whole reply.
 *
 * Life: a session is created with its connection. When the connection goes away the session is
 * closed: it runs nothing any more, lets its work go and is destroyed. Whoever works for a
 * session outside of the loop (a fetch by a reader) holds it meanwhile:
 *
 *     session_hold(session);                  before handing the fetch over
 *     if (session_release(session))           when it has come back, on the loop
 *         session_resume(session);
 *
 * A closed session that is held keeps its work and stays in memory until the last release, which
 * destroys both and answers false. A wait that needs no hold (a blocked reader) just ends:
 * work->destroy takes it out of whatever list it waits in.
 *
 * Loop thread only. */
#ifndef WEIR_BROKER_SESSION_H
#define WEIR_BROKER_SESSION_H

#include "base/err.h"
#include "base/list.h"
#include "broker/command.h"
#include "broker/reply.h"
#include "pubsub/membership.h"

struct broker;
struct conn;
struct tracking_client;
struct transaction;

/* What a waiting command remembers. Embedded first in the command's own struct. */
struct work {
    /* Frees it. Called when the command is done, or the session goes away; never while the
     * session is held. */
    void (*destroy)(struct work *work);
};

/* CLIENT REPLY. SKIP_NEXT is set by the command itself and becomes SKIP for the one after it. */
enum reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP };

struct session {
    struct broker *broker;
    struct conn *conn; /* NULL when the connection is gone */

    /* The command that runs or waits. */
    const struct command_row *command;
    const struct command_row *container; /* whose subcommand it is; NULL: of none */
    struct bytes *argv;                  /* argv[0] the name; valid until it is done */
    size_t argc;
    struct work *work; /* NULL when it keeps nothing */
    enum err read_err; /* of what a reader last read for it (access.h); ERR_OK again once told */
    /* Links a waiting session where it waits; taken out when it runs again or goes away. */
    struct list wait_link;

    /* Output. Outside of the session's own command call session_push_begin instead. */
    struct reply reply; /* reply.version is the client's RESP version */

    /* What commands set. */
    uint64_t id; /* from 1, never used twice */
    unsigned db; /* selected database */
    bool authenticated;
    bool monitor;
    bool no_evict;
    bool no_touch;
    enum reply_mode reply_mode;
    struct transaction *transaction;  /* NULL: it neither queues nor watches */
    struct tracking_client *tracking; /* NULL: it does not track keys */
    struct subscriber subscriber;     /* its rooms; changed by broker/fanout.h only */
    unsigned output_class;            /* enum output_class of options.h */
    struct buf name;                  /* CLIENT SETNAME, SETINFO; empty: none */
    struct buf lib_name;
    struct buf lib_version;

    /* Statistics. Times are of clock_mono_us. */
    uint64_t created_us;
    uint64_t active_us;                       /* when bytes last came or went */
    uint64_t commands;                        /* run to their end */
    uint64_t deliveries;                      /* messages written to its output */
    const struct command_row *last_command;   /* NULL before the first */
    const struct command_row *last_container; /* of it; NULL: of none */
};

/* The wire form of arguments [first, first + count): contiguous canonical bulk strings
 * ("$3\r\nfoo\r\n" back to back), valid as long as argv. Arguments count from 0, the name. */
struct bytes session_wire(const struct session *session, size_t first, size_t count);

/* Longest reply that its output limit lets through; SIZE_MAX: no limit. */
size_t session_reply_max(const struct session *session);

/* Nothing written from here on leaves before `lsn` is durable. 0 is no gate. */
void session_gate(struct session *session, uint64_t lsn);

/* Writes a whole message, in wire form, that answers no command of the session's: it leaves within
 * the next turns of the loop. While the session's own command runs, the message waits behind that
 * command's reply. False: the session is going away, or went over its output limit before. */
bool session_push(struct session *session, struct bytes message);

/* The same for what is written in pieces, and never while the session's own command runs: what it
 * answers is written to. NULL when the session is going away. */
struct reply *session_push_begin(struct session *session);
/* After the writing: sees to the output limits. */
void session_push_end(struct session *session);

/* True inside of the session's own command. */
bool session_running(const struct session *session);

/* Cuts the session off if its output has grown over its limit; for a command that writes several
 * replies. */
void session_check_output(struct session *session);

/* Runs the waiting command again, at once, and then what the client sent meanwhile. Never from
 * inside a command. */
void session_resume(struct session *session);

/* True between FLOW_WAIT and the end of the command. */
bool session_waiting(const struct session *session);

void session_hold(struct session *session);
/* False when the session had been closed and is destroyed now. */
bool session_release(struct session *session);

/* Lets the work of the running command go (calls destroy, sets NULL). */
void session_drop_work(struct session *session);

/* Runs no further command and closes the connection when what was written is sent: QUIT. */
void session_finish(struct session *session);
/* Closes the connection at the end of the loop's turn; what was not sent is lost. */
void session_abort(struct session *session);

/* Bytes in memory for it, for CLIENT LIST. */
struct session_memory {
    size_t input;     /* received, not yet parsed: qbuf */
    size_t arguments; /* of the current command: argv-mem */
    size_t queued;    /* for EXEC, watched keys included: multi-mem */
    size_t output;    /* not yet sent: oll, omem */
    size_t total;     /* capacities of all of them: tot-mem */
};
struct session_memory session_memory(const struct session *session);

/* The full name of a row: "get", "client|setname". Returns what snprintf returns. */
int command_full_name(const struct command_row *container, const struct command_row *command,
                      char *out, size_t size);

/* Error replies that many commands share. */

/* ERR wrong number of arguments for 'x' command */
void session_wrong_arity(struct session *session);
/* ERR syntax error */
void session_syntax_error(struct session *session);
/* WRONGTYPE ... */
void session_wrong_type(struct session *session);
/* OOM ..., where a memory range is full */
void session_out_of_memory(struct session *session);
/* ERR value is not an integer or out of range */
void session_not_integer(struct session *session);

#endif
