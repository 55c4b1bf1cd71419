/* server_internal: what the server and its connections share. For server.c, listen.c and
 * conn.c. */
#ifndef WEIR_BROKER_SERVER_INTERNAL_H
#define WEIR_BROKER_SERVER_INTERNAL_H

#include <uv.h>

#include "base/hmap.h"
#include "base/list.h"
#include "broker/conn.h"
#include "broker/server.h"
#include "broker/session_io.h"

/* One read. Also what libuv asks for. */
#define READ_BYTES ((size_t)64 * 1024)

/* Addresses in `bind`. */
#define LISTENERS_MAX 16

struct turn_call {
    void (*call)(void *context);
    void *context;
};

enum server_phase { SERVER_RUNNING, SERVER_STOP_ASKED, SERVER_STOPPING };

struct server {
    uv_loop_t loop;
    struct broker *broker;
    const struct options *options;

    uv_tcp_t listeners[LISTENERS_MAX];
    size_t listener_count;

    uv_prepare_t turn_end;
    uv_idle_t again; /* active: the loop does not sleep before the next turn */
    uv_timer_t tick;
    uv_timer_t patience;
    uint64_t patience_ms;
    enum server_phase phase;
    struct turn_call turn_calls[SERVER_TURN_CALLS_MAX];
    size_t turn_call_count;

    struct list conns;    /* in the order of connecting */
    struct hmap by_id;    /* the same, by their sessions' ids */
    struct list woken;    /* to be looked at at the end of this turn */
    struct list pushed;   /* messages to send, within the next turns */
    struct list gated;    /* all that is left to send waits for a record to be durable */
    struct list *tick_at; /* the connection that has its tick next, or &conns */
    uint64_t last_id;     /* of a session */
    bool ran_commands;    /* after the turn's calls */
    struct server_stats stats;
    char *read_buffer; /* shared by all connections: valid inside of one read callback */
};

/* Opens listeners on all addresses of `bind`; see server_create. */
MUST_CHECK enum err server_listen(struct server *server, char *text, size_t text_size);

struct conn {
    struct list link;         /* in server->conns */
    struct list wake_link;    /* in server->woken, ->pushed or ->gated */
    struct hmap_node id_node; /* in server->by_id */
    struct server *server;
    struct session *session;
    uv_tcp_t tcp;
    uv_write_t write;
    size_t write_size; /* of the write in flight; 0: none */
    bool reading;
    bool closing;
    char peer[CONN_ADDRESS_MAX];
    char local[CONN_ADDRESS_MAX];
};

/* Accepts what waits at `listener`. */
void conn_accept(struct server *server, uv_stream_t *listener);
/* Sends what may be sent, goes on with input, closes what is to be closed. */
void conn_work(struct conn *conn);
/* Time passes: idle connections, memory. */
void conn_tick(struct conn *conn, uint64_t now_us);
/* Reads no more; what was read is answered, then it closes. */
void conn_finish(struct conn *conn);

static inline uint64_t conn_id_hash(uint64_t id)
{
    return hash_bytes(bytes_of(&id, sizeof(id)), 0);
}

static inline struct conn *conn_of_link(struct list *link)
{
    return (struct conn *)((char *)link - offsetof(struct conn, link));
}

#endif
