#include "broker/conn.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/broker.h"
#include "broker/options.h"
#include "broker/server_internal.h"

/* ---- close ---- */

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void conn_close(struct conn *conn)
{
    struct server *server = conn->server;
    struct session *session = conn->session;

    if (conn->closing)
        return;
    conn->closing = true;
    conn->session = NULL;
    if (server->tick_at == &conn->link)
        server->tick_at = conn->link.next;
    list_remove(&conn->link);
    hmap_remove(&server->by_id, &conn->id_node);
    list_remove(&conn->wake_link);
    server->stats.connections--;
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    session_close(session);
}

void conn_wake(struct conn *conn)
{
    if (conn->closing)
        return;
    list_remove(&conn->wake_link);
    list_push_back(&conn->server->woken, &conn->wake_link);
}

void conn_wake_later(struct conn *conn)
{
    if (!conn->closing && list_empty(&conn->wake_link))
        list_push_back(&conn->server->pushed, &conn->wake_link);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *conn = handle->data;

    (void)suggested;
    *buf = uv_buf_init(conn->server->read_buffer, READ_BYTES);
}

static void stop_reading(struct conn *conn)
{
    uv_read_stop((uv_stream_t *)&conn->tcp);
    conn->reading = false;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

static void choose_reading(struct conn *conn)
{
    bool wanted = session_wants_input(conn->session);

    if (wanted == conn->reading)
        return;
    if (!wanted) {
        stop_reading(conn);
        return;
    }
    conn->reading = true;
    if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0)
        conn_close(conn);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;

    if (size == UV_EOF) {
        conn_finish(conn);
    } else if (size < 0) {
        conn_close(conn);
    } else if (size > 0) {
        conn->server->stats.input_bytes += (uint64_t)size;
        session_feed(conn->session, bytes_of(buf->base, (size_t)size));
        choose_reading(conn);
    }
}

void conn_finish(struct conn *conn)
{
    stop_reading(conn);
    session_input_end(conn->session);
    conn_wake(conn);
}

/* ---- sending ---- */

static void on_written(uv_write_t *write, int status)
{
    struct conn *conn = write->data;
    size_t size = conn->write_size;

    conn->write_size = 0;
    if (conn->closing)
        return;
    if (status != 0) {
        conn_close(conn);
        return;
    }
    conn->server->stats.output_bytes += size;
    session_output_sent(conn->session, size);
    conn_wake(conn);
}

/* Hands a block to the loop, which sends it as the socket takes it. */
static void send_later(struct conn *conn, size_t ready)
{
    struct bytes span = session_output_pin(conn->session, ready);
    uv_buf_t buf;

    /* Its length is an unsigned int in uv_buf_init only. */
    buf.base = (char *)(uintptr_t)span.data;
    buf.len = span.len;
    conn->write.data = conn;
    conn->write_size = span.len;
    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) != 0) {
        conn->write_size = 0;
        conn_close(conn);
    }
}

/* Sends what may be sent, as far as the socket takes it. */
static void send_ready(struct conn *conn)
{
    size_t ready = session_output_ready(conn->session, broker_durable(conn->server->broker));
    struct bytes spans[2];
    uv_buf_t bufs[2];
    unsigned count;
    int sent;

    if (ready == 0 || conn->write_size > 0)
        return;
    count = session_output_spans(conn->session, ready, spans);
    for (unsigned i = 0; i < count; i++) {
        bufs[i].base = (char *)(uintptr_t)spans[i].data;
        bufs[i].len = spans[i].len;
    }
    sent = uv_try_write((uv_stream_t *)&conn->tcp, bufs, count);
    if (sent < 0 && sent != UV_EAGAIN) {
        conn_close(conn);
        return;
    }
    if (sent > 0) {
        conn->server->stats.output_bytes += (uint64_t)sent;
        session_output_sent(conn->session, (size_t)sent);
        ready -= (size_t)sent;
    }
    if (ready > 0)
        send_later(conn, ready);
}

/* What is left when nothing is in flight waits for a record to be durable. */
static void wait_for_gate(struct conn *conn)
{
    struct server *server = conn->server;

    if (broker_failed(server->broker)) {
        conn_close(conn);
        return;
    }
    list_remove(&conn->wake_link);
    list_push_back(&server->gated, &conn->wake_link);
}

void conn_work(struct conn *conn)
{
    struct session *session = conn->session;

    if (session_ending(session) == SESSION_ABORTED) {
        conn_close(conn);
        return;
    }
    send_ready(conn);
    if (!conn->closing && session_has_commands(session)) {
        session_feed(session, (struct bytes){0});
        conn->server->ran_commands = true;
        conn_wake(conn);
        return;
    }
    if (conn->closing || conn->write_size > 0)
        return;
    if (session_output_size(session) > 0)
        wait_for_gate(conn);
    else if (session_ending(session) != SESSION_OPEN)
        conn_close(conn);
    if (!conn->closing)
        choose_reading(conn);
}

/* ---- time ---- */

void conn_tick(struct conn *conn, uint64_t now_us)
{
    uint64_t timeout_us = (uint64_t)conn->server->options->timeout * 1000000;

    if (timeout_us > 0 && now_us - conn->session->active_us > timeout_us &&
        session_may_time_out(conn->session)) {
        LOG(LOG_VERBOSE, "idle connection closed", "peer=%s", conn->peer);
        conn_close(conn);
        return;
    }
    session_tick(conn->session, now_us);
}

/* ---- accept ---- */

static void format_address(const struct sockaddr_storage *address, char out[CONN_ADDRESS_MAX])
{
    char ip[46] = "?";

    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(in6, ip, sizeof(ip));
        snprintf(out, CONN_ADDRESS_MAX, "[%s]:%u", ip, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        uv_ip4_name(in, ip, sizeof(ip));
        snprintf(out, CONN_ADDRESS_MAX, "%s:%u", ip, ntohs(in->sin_port));
    }
}

static void learn_addresses(struct conn *conn)
{
    struct sockaddr_storage address = {0};
    int size = sizeof(address);

    uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &size);
    format_address(&address, conn->peer);
    size = sizeof(address);
    uv_tcp_getsockname(&conn->tcp, (struct sockaddr *)&address, &size);
    format_address(&address, conn->local);
}

static void set_socket_options(struct conn *conn)
{
    unsigned keepalive_s = (unsigned)conn->server->options->tcp_keepalive;

    /* Neither is worth refusing a client for. */
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    if (keepalive_s > 0)
        (void)uv_tcp_keepalive(&conn->tcp, 1, keepalive_s);
}

static void refuse(struct conn *conn)
{
    static char text[] = "-ERR max number of clients reached\r\n";
    uv_buf_t buf = uv_buf_init(text, sizeof(text) - 1);

    conn->server->stats.connections_refused++;
    (void)uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void conn_accept(struct server *server, uv_stream_t *listener)
{
    struct conn *conn = mem_zalloc(sizeof(*conn));

    conn->server = server;
    list_init(&conn->link);
    list_init(&conn->wake_link);
    CHECK(uv_tcp_init(&server->loop, &conn->tcp) == 0);
    conn->tcp.data = conn;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) != 0) {
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
        return;
    }
    if (server->stats.connections >= (size_t)server->options->maxclients) {
        refuse(conn);
        return;
    }
    server->stats.connections_accepted++;
    server->stats.connections++;
    learn_addresses(conn);
    set_socket_options(conn);
    list_push_back(&server->conns, &conn->link);
    conn->session = session_create(server->broker, conn, ++server->last_id);
    conn->id_node.hash = conn_id_hash(server->last_id);
    hmap_insert(&server->by_id, &conn->id_node);
    choose_reading(conn);
}

/* ---- what others may know ---- */

struct session *conn_session(const struct conn *conn)
{
    return conn->session;
}

const char *conn_peer_address(const struct conn *conn)
{
    return conn->peer;
}

const char *conn_local_address(const struct conn *conn)
{
    return conn->local;
}

int conn_fd(const struct conn *conn)
{
    uv_os_fd_t fd;

    if (conn->closing || uv_fileno((const uv_handle_t *)&conn->tcp, &fd) != 0)
        return -1;
    return fd;
}
