/* client: a broker with one client, without sockets, threads or a disk.
 *
 * It does what conn.c, server.c and runtime.c do in a turn of the loop, but for the system calls.
 * One a process. Threads: one. */
#ifndef WEIR_BENCH_MICRO_CLIENT_H
#define WEIR_BENCH_MICRO_CLIENT_H

#include "storage/ranges.h"

/* A turn takes as long as if a hundred thousand commands a second came, 16 at a time. */
#define CLIENT_TURN_US 160

/* The clocks begin anew. Opens a broker on `ranges`, which client_close closes, and a session. */
void client_open(struct ranges *ranges);
void client_close(void);

/* Sends whole commands in one piece and takes turns until all are answered. None may fail. Returns
 * the bytes of the replies. */
size_t client_send(struct bytes commands);

#endif
