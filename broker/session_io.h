/* session_io: what a connection does with its session.
 *
 * The connection feeds what it received, sends what is ready, and closes the session when it
 * goes away itself. The session calls conn_wake (conn.h) when it has something to send or to be
 * closed.
 *
 * Output lies in two blocks. The tail is written to; when the socket takes no more the tail
 * becomes the head, which does not move or change until it is sent, so that the system may read
 * from it meanwhile. */
#ifndef WEIR_BROKER_SESSION_IO_H
#define WEIR_BROKER_SESSION_IO_H

#include "broker/session.h"

/* Room for this much input while a command waits; then the connection stops reading. Twice what
 * one read brings, so that pipelines are not cut into single reads. */
#define SESSION_INPUT_WAITING_MAX ((size_t)128 * 1024)

/* Unsent output at which a session runs no further command until some is sent. A client that
 * writes a whole pipeline before it reads is served up to here; the next command's reply may go
 * over. */
#define SESSION_OUTPUT_PAUSE ((size_t)64 * 1024 * 1024)

/* Returns owned: session_close ends it. `id` is from 1 and never used twice. */
struct session *session_create(struct broker *broker, struct conn *conn, uint64_t id);

/* The connection is gone. The session may be gone when this returns. */
void session_close(struct session *session);

/* Parses and runs commands until the input is used up, a command waits, or output piles up; what
 * is left is copied. Empty input goes on with what was left. */
void session_feed(struct session *session, struct bytes input);

/* The client will send nothing more: what it sent is answered, then the session ends. A blocked
 * command ends it at once. */
void session_input_end(struct session *session);

/* False: stop reading. */
bool session_wants_input(const struct session *session);
/* True when commands that were received could run now: feed it. */
bool session_has_commands(const struct session *session);

enum session_end {
    SESSION_OPEN,
    SESSION_FINISHING, /* close when all output is sent */
    SESSION_ABORTED,   /* close now */
};
enum session_end session_ending(const struct session *session);

/* Bytes that may be sent now, with records up to `durable` durable. */
size_t session_output_ready(const struct session *session, uint64_t durable);
/* All unsent bytes. */
size_t session_output_size(const struct session *session);

/* The first `max` unsent bytes as at most two spans; returns how many spans. Valid until the
 * session is written to or session_output_sent. */
unsigned session_output_spans(const struct session *session, size_t max, struct bytes spans[2]);
/* The first `max` unsent bytes, or as many of them as lie in one block, held in place until
 * session_output_sent has been told of them all. */
struct bytes session_output_pin(struct session *session, size_t max);
/* The first `size` unsent bytes are sent. */
void session_output_sent(struct session *session, size_t size);

/* Once in a while: output limits that depend on time, and memory that an idle session gives
 * back. */
void session_tick(struct session *session, uint64_t now_us);
/* May be closed for being idle: it neither waits, nor listens to anything. */
bool session_may_time_out(const struct session *session);

#endif
