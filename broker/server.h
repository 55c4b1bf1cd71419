/* server: the loop, the sockets that listen, and all connections.
 *
 * A turn of the loop: callbacks run (reads, timers, wake-ups from threads), then, before the
 * loop polls, the turn ends: first the callbacks given to server_on_turn_end in their order,
 * then every connection that was woken sends what is ready. So what a turn's commands write
 * leaves in one write per connection, and their commit record is handed over before.
 *
 * Life: server_create listens, server_run runs until server_stop has closed everything,
 * server_destroy. */
#ifndef WEIR_BROKER_SERVER_H
#define WEIR_BROKER_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct broker;
struct options;
struct server;
struct session;
struct uv_loop_s;

/* Listens on options' `bind` and `port`. Borrows both arguments until server_destroy. On an
 * error `text` says what could not be done, without the error itself: "listen 127.0.0.1:6379". */
MUST_CHECK enum err server_create(struct broker *broker, const struct options *options, char *text,
                                  size_t text_size, struct server **out);
/* After server_run. The caller has closed its own handles on the loop. */
void server_destroy(struct server *server);

/* The loop, for handles of others (wake-ups from threads, timers). */
struct uv_loop_s *server_loop(struct server *server);

/* Runs `call` at the end of every turn, before outputs are sent. At most SERVER_TURN_CALLS_MAX
 * of them. */
#define SERVER_TURN_CALLS_MAX 8
void server_on_turn_end(struct server *server, void (*call)(void *context), void *context);

/* The durable LSN has moved, or the store has failed: outputs behind gates are looked at in this
 * turn. */
void server_durable_moved(struct server *server);

/* Runs the loop until server_stop is through. */
void server_run(struct server *server);

/* Stops listening and reading, lets waiting fetches and unsent output finish for up to
 * `patience_ms`, then closes all connections and ends server_run. Blocked readers are closed at
 * once. A second call does nothing. */
void server_stop(struct server *server, uint64_t patience_ms);

/* Sessions in the order in which they connected. Start with NULL; NULL is the end. The previous
 * one must still be there. */
struct session *server_next_session(struct server *server, const struct session *previous);
/* NULL when there is none. */
struct session *server_find_session(struct server *server, uint64_t id);

struct server_stats {
    uint64_t connections_accepted;
    uint64_t connections_refused; /* maxclients */
    uint64_t input_bytes;
    uint64_t output_bytes;
    size_t connections;
};
struct server_stats server_stats(const struct server *server);
void server_reset_stats(struct server *server);

#endif
