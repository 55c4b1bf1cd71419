/* rangeload: asks for ranges of a feed as fast as the answers come, and counts bytes.
 *
 *   weir-rangeload PORT ENTRIES COUNT SECONDS PID
 *
 * The feed "feed" has ids 1-1 to ENTRIES-1. Each of CONNECTIONS connections keeps PIPELINE requests
 * `XRANGE feed <random> + COUNT <count>` on their way: with one connection the server would be idle
 * whenever the client reads. The answers are not parsed, so that the client costs next to nothing:
 * the first one's length is measured, and all of a kind are as long (ids get one length by
 * beginning at ENTRIES / 2). Prints "requests/s cpu-us/request" of process PID. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/random.h"

#define CONNECTIONS 8
#define PIPELINE    4
#define ENTRIES_MIN 1000

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "weir-rangeload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t argument(const char *text)
{
    uint64_t value;
    if (!bytes_to_u64(bytes_of_string(text), &value)) {
        fprintf(stderr, "weir-rangeload: %s is not a number\n", text);
        exit(1);
    }
    return value;
}

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* User and system time of a process in seconds. */
static double cpu_of(uint64_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL)
        die(path);
    fclose(file);
    unsigned long long user = 0, system = 0;
    const char *after_name = strrchr(line, ')');
    if (after_name == NULL ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
               &system) != 2)
        die("read /proc");
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void ask(int fd, struct random *random, uint64_t entries, uint64_t count, unsigned requests)
{
    char text[PIPELINE * 128];
    size_t len = 0;
    for (unsigned i = 0; i < requests; i++) {
        uint64_t from = entries / 2 + random_below(random, entries / 2 - count);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "XRANGE feed %llu + COUNT %llu\r\n",
                                (unsigned long long)from, (unsigned long long)count);
    }
    for (size_t at = 0; at < len;) {
        ssize_t sent = write(fd, text + at, len - at);
        if (sent <= 0)
            die("write");
        at += (size_t)sent;
    }
}

/* Reads one answer whole, to learn its length: until nothing comes for a while. */
static size_t measure(int fd, char *buffer, size_t size)
{
    struct timeval patience = {.tv_usec = 300000};
    struct timeval none = {0};
    size_t total = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (ssize_t n; (n = read(fd, buffer, size)) > 0;)
        total += (size_t)n;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
    if (total < ENTRIES_MIN)
        die("the answer is too short to be a range");
    return total;
}

struct load {
    struct random random;
    uint64_t entries;
    uint64_t count;
    size_t answer; /* bytes of one */
    uint64_t done;
    struct pollfd sockets[CONNECTIONS];
    size_t partial[CONNECTIONS]; /* bytes of an answer that is not whole yet */
};

static void serve(struct load *load, unsigned i, char *buffer, size_t size)
{
    ssize_t n = read(load->sockets[i].fd, buffer, size);
    if (n <= 0)
        die("read");
    load->partial[i] += (size_t)n;
    unsigned whole = (unsigned)(load->partial[i] / load->answer);
    load->partial[i] %= load->answer;
    load->done += whole;
    if (whole > 0)
        ask(load->sockets[i].fd, &load->random, load->entries, load->count, whole);
}

static void run_until(struct load *load, double end, char *buffer, size_t size)
{
    for (unsigned i = 0; i < CONNECTIONS; i++)
        ask(load->sockets[i].fd, &load->random, load->entries, load->count, PIPELINE);
    while (now() < end) {
        if (poll(load->sockets, CONNECTIONS, -1) < 0)
            die("poll");
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            if (load->sockets[i].revents != 0)
                serve(load, i, buffer, size);
        }
    }
}

int main(int argc, char **argv)
{
    static char buffer[1 << 18];
    if (argc != 6) {
        fprintf(stderr, "usage: weir-rangeload PORT ENTRIES COUNT SECONDS PID\n");
        return 1;
    }
    struct load load = {.entries = argument(argv[2]), .count = argument(argv[3])};
    uint64_t pid = argument(argv[5]);
    random_init(&load.random, 1);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        load.sockets[i] =
            (struct pollfd){.fd = dial((uint16_t)argument(argv[1])), .events = POLLIN};
    ask(load.sockets[0].fd, &load.random, load.entries, load.count, 1);
    load.answer = measure(load.sockets[0].fd, buffer, sizeof(buffer));

    double start = now(), cpu = cpu_of(pid);
    run_until(&load, start + (double)argument(argv[4]), buffer, sizeof(buffer));
    printf("%.0f %.2f\n", (double)load.done / (now() - start),
           (cpu_of(pid) - cpu) * 1e6 / (double)load.done);
    return 0;
}
