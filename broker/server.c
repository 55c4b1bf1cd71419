#include "broker/server.h"

#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/server_internal.h"

/* Every connection has its tick once in TICK_ROUNDS ticks, a second. */
#define TICK_MS     100
#define TICK_ROUNDS 10

/* Connections with messages that are sent to in a turn: about half a millisecond's worth. */
#define PUSHED_PER_TURN 64

/* ---- the end of a turn ---- */

static void on_again(uv_idle_t *again)
{
    (void)again; /* it only keeps the loop from sleeping */
}

static void go_on_without_sleep(struct server *server)
{
    CHECK(uv_idle_start(&server->again, on_again) == 0);
}

static void close_all(struct server *server)
{
    while (!list_empty(&server->conns))
        conn_close(conn_of_link(server->conns.next));
}

static void on_patience_over(uv_timer_t *timer)
{
    struct server *server = timer->data;

    LOG(LOG_WARNING, "connections closed before their output was sent", "connections=%zu",
        server->stats.connections);
    close_all(server);
}

static void close_listeners(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        uv_close((uv_handle_t *)&server->listeners[i], NULL);
    server->listener_count = 0;
}

static void begin_stop(struct server *server)
{
    struct list *next;

    server->phase = SERVER_STOPPING;
    close_listeners(server);
    for (struct list *at = server->conns.next; at != &server->conns; at = next) {
        next = at->next;
        conn_finish(conn_of_link(at));
    }
    CHECK(uv_timer_start(&server->patience, on_patience_over, server->patience_ms, 0) == 0);
}

/* Those that are woken meanwhile have their turn in the next one. */
static void work_off_woken(struct server *server)
{
    struct list woken;

    list_move(&woken, &server->woken);
    while (!list_empty(&woken)) {
        struct conn *conn = container_of(woken.next, struct conn, wake_link);
        list_remove(&conn->wake_link);
        conn_work(conn);
    }
}

/* Messages go to some connections a turn. Meanwhile the loop looks for input: publishers are not
 * held up by a large room, and what they publish next leaves with what waits here. */
static void work_off_pushed(struct server *server)
{
    for (int left = PUSHED_PER_TURN; left > 0 && !list_empty(&server->pushed); left--) {
        struct conn *conn = container_of(server->pushed.next, struct conn, wake_link);
        list_remove(&conn->wake_link);
        conn_work(conn);
    }
}

static void on_turn_end(uv_prepare_t *turn_end)
{
    struct server *server = turn_end->data;

    uv_idle_stop(&server->again);
    if (server->phase == SERVER_STOP_ASKED)
        begin_stop(server);
    for (size_t i = 0; i < server->turn_call_count; i++)
        server->turn_calls[i].call(server->turn_calls[i].context);
    server->ran_commands = false;
    work_off_woken(server);
    work_off_pushed(server);
    if (!list_empty(&server->woken) || !list_empty(&server->pushed) || server->ran_commands ||
        server->phase == SERVER_STOP_ASKED)
        go_on_without_sleep(server);
    if (server->phase == SERVER_STOPPING && list_empty(&server->conns))
        uv_stop(&server->loop);
}

void server_on_turn_end(struct server *server, void (*call)(void *context), void *context)
{
    CHECK(server->turn_call_count < SERVER_TURN_CALLS_MAX);
    server->turn_calls[server->turn_call_count++] = (struct turn_call){call, context};
}

void server_durable_moved(struct server *server)
{
    while (!list_empty(&server->gated))
        conn_wake(container_of(server->gated.next, struct conn, wake_link));
}

/* ---- time ---- */

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    size_t count = server->stats.connections / TICK_ROUNDS + 1;
    uint64_t now_us = clock_mono_us();

    for (; count > 0 && !list_empty(&server->conns); count--) {
        if (server->tick_at == &server->conns)
            server->tick_at = server->conns.next;
        struct conn *conn = conn_of_link(server->tick_at);
        server->tick_at = conn->link.next;
        conn_tick(conn, now_us);
    }
}

/* ---- life ---- */

static void init_handles(struct server *server)
{
    CHECK(uv_prepare_init(&server->loop, &server->turn_end) == 0);
    CHECK(uv_idle_init(&server->loop, &server->again) == 0);
    CHECK(uv_timer_init(&server->loop, &server->tick) == 0);
    CHECK(uv_timer_init(&server->loop, &server->patience) == 0);
    server->turn_end.data = server;
    server->tick.data = server;
    server->patience.data = server;
    CHECK(uv_prepare_start(&server->turn_end, on_turn_end) == 0);
    CHECK(uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS) == 0);
}

enum err server_create(struct broker *broker, const struct options *options, char *text,
                       size_t text_size, struct server **out)
{
    struct server *server = mem_zalloc(sizeof(*server));
    int status = uv_loop_init(&server->loop);
    enum err err;

    if (status != 0) {
        mem_free(server);
        snprintf(text, text_size, "make the event loop");
        return err_of_errno(-status);
    }
    /* A client that went away is an error of write(2), not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    server->broker = broker;
    server->options = options;
    server->read_buffer = mem_alloc(READ_BYTES);
    list_init(&server->conns);
    hmap_init(&server->by_id);
    list_init(&server->woken);
    list_init(&server->pushed);
    list_init(&server->gated);
    server->tick_at = &server->conns;
    init_handles(server);
    err = server_listen(server, text, text_size);
    if (err != ERR_OK) {
        server_destroy(server);
        return err;
    }
    *out = server;
    return ERR_OK;
}

void server_destroy(struct server *server)
{
    close_all(server);
    close_listeners(server);
    uv_close((uv_handle_t *)&server->turn_end, NULL);
    uv_close((uv_handle_t *)&server->again, NULL);
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->patience, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&server->loop) == 0);
    hmap_deinit(&server->by_id);
    mem_free(server->read_buffer);
    mem_free(server);
}

struct uv_loop_s *server_loop(struct server *server)
{
    return &server->loop;
}

void server_run(struct server *server)
{
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

void server_stop(struct server *server, uint64_t patience_ms)
{
    if (server->phase != SERVER_RUNNING)
        return;
    server->phase = SERVER_STOP_ASKED;
    server->patience_ms = patience_ms;
    go_on_without_sleep(server);
}

/* ---- what others may know ---- */

struct session *server_next_session(struct server *server, const struct session *previous)
{
    struct list *at = previous == NULL ? &server->conns : &previous->conn->link;

    return at->next == &server->conns ? NULL : conn_of_link(at->next)->session;
}

struct session *server_find_session(struct server *server, uint64_t id)
{
    struct hmap_node *node = hmap_chain(&server->by_id, conn_id_hash(id));

    for (; node != NULL; node = node->next) {
        struct conn *conn = container_of(node, struct conn, id_node);
        if (conn->session->id == id)
            return conn->session;
    }
    return NULL;
}

struct server_stats server_stats(const struct server *server)
{
    return server->stats;
}

void server_reset_stats(struct server *server)
{
    server->stats = (struct server_stats){.connections = server->stats.connections};
}
