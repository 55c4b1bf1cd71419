#include "bench/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "bench/die.h"

#define READ_BYTES ((size_t)256 * 1024)
/* What an output keeps of its memory once it is sent. */
#define KEEP_BYTES ((size_t)256 * 1024)

int link_dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect to port %u: %s", port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* One read a turn, so that no connection has the loop for itself. */
static void read_some(struct link *link)
{
    static char buffer[READ_BYTES];
    ssize_t n = read(link->fd, buffer, sizeof(buffer));
    if (n > 0)
        link->on_bytes(link, bytes_of(buffer, (size_t)n));
    else if (n == 0)
        die("the server closed a connection");
    else if (errno != EAGAIN && errno != EINTR)
        die("read: %s", strerror(errno));
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct link *link = container_of(poll, struct link, poll);
    if (status != 0)
        die("poll: %s", uv_strerror(status));
    if (events & UV_WRITABLE)
        link_flush(link);
    if (events & UV_READABLE)
        read_some(link);
}

static void watch(struct link *link, bool blocked)
{
    link->blocked = blocked;
    uv_poll_start(&link->poll, UV_READABLE | (blocked ? UV_WRITABLE : 0), on_event);
}

void link_open(struct link *link, uv_loop_t *loop, uint16_t port,
               void (*on_bytes)(struct link *link, struct bytes bytes))
{
    link->fd = link_dial(port);
    link->on_bytes = on_bytes;
    buf_init(&link->out);
    fcntl(link->fd, F_SETFL, fcntl(link->fd, F_GETFL) | O_NONBLOCK);
    CHECK(uv_poll_init(loop, &link->poll, link->fd) == 0);
    watch(link, false);
}

void link_flush(struct link *link)
{
    size_t sent = 0;
    bool blocked = false;
    while (sent < link->out.len && !blocked) {
        ssize_t n = write(link->fd, link->out.data + sent, link->out.len - sent);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            blocked = true;
        else if (errno != EINTR)
            die("write: %s", strerror(errno));
    }
    if (sent == link->out.len)
        buf_reset(&link->out, KEEP_BYTES);
    else
        buf_consume(&link->out, sent);
    if (blocked != link->blocked)
        watch(link, blocked);
}
