/* listen: opens the sockets of `bind` and `port`. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

#include "base/logger.h"
#include "broker/options.h"
#include "broker/server_internal.h"

/* Longest address in `bind`: a host's name. */
#define HOST_MAX 256

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        conn_accept(listener->data, listener);
    else
        LOG(LOG_WARNING, "accept failed", "error=\"%s\"", uv_strerror(status));
}

static int listen_on(struct server *server, const struct sockaddr *address)
{
    uv_tcp_t *listener = &server->listeners[server->listener_count];
    unsigned flags = address->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    int status = uv_tcp_init(&server->loop, listener);

    if (status != 0)
        return status;
    server->listener_count++;
    listener->data = server;
    status = uv_tcp_bind(listener, address, flags);
    if (status == 0)
        status =
            uv_listen((uv_stream_t *)listener, (int)server->options->tcp_backlog, on_connection);
    return status;
}

/* The nearest error of getaddrinfo's. */
static enum err err_of_lookup(int status)
{
    if (status == EAI_SYSTEM)
        return err_of_errno(errno);
    return status == EAI_NONAME || status == EAI_ADDRFAMILY ? ERR_NOT_FOUND : ERR_INVALID;
}

static enum err listen_host(struct server *server, const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[8];
    int status;

    if (strcmp(host, "*") == 0)
        host = "0.0.0.0";
    else if (strcmp(host, "::*") == 0)
        host = "::";
    snprintf(port, sizeof(port), "%d", (int)server->options->port);
    status = getaddrinfo(host, port, &hints, &found);
    if (status != 0)
        return err_of_lookup(status);
    status = listen_on(server, found->ai_addr);
    freeaddrinfo(found);
    if (status == UV_EADDRNOTAVAIL || status == UV_EAFNOSUPPORT)
        return ERR_NOT_FOUND;
    return status == 0 ? ERR_OK : err_of_errno(-status);
}

enum err server_listen(struct server *server, char *text, size_t text_size)
{
    struct bytes rest = bytes_of_string(server->options->bind);
    struct bytes word;

    if (server->options->port == 0)
        return ERR_OK;
    while (options_next_word(&rest, &word)) {
        bool optional = word.data[0] == '-'; /* it need not be there */
        char host[HOST_MAX];
        snprintf(host, sizeof(host), "%.*s", (int)(word.len - optional), word.data + optional);
        enum err err =
            server->listener_count < LISTENERS_MAX ? listen_host(server, host) : ERR_FULL;
        if (err != ERR_OK && !(optional && err == ERR_NOT_FOUND)) {
            snprintf(text, text_size, "listen %s:%d", host, (int)server->options->port);
            return err;
        }
    }
    return ERR_OK;
}
