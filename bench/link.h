/* link: one TCP connection to 127.0.0.1 on libuv's loop.
 *
 * The owner embeds it, adds bytes to `out`, calls link_flush, and gets what comes by `on_bytes`
 * (valid until it returns). Dies when the server closes the connection or does not take it. */
#ifndef WEIR_BENCH_LINK_H
#define WEIR_BENCH_LINK_H

#include <uv.h>

#include "base/buf.h"

struct link {
    uv_poll_t poll;
    int fd;
    bool blocked; /* waits until the socket takes more */
    struct buf out;
    void (*on_bytes)(struct link *link, struct bytes bytes);
};

/* A blocking connection, for what is done before and after the load. */
int link_dial(uint16_t port);

void link_open(struct link *link, uv_loop_t *loop, uint16_t port,
               void (*on_bytes)(struct link *link, struct bytes bytes));
/* Sends what the socket takes; the rest follows by itself. */
void link_flush(struct link *link);

#endif
