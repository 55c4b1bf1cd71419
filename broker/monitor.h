/* monitor: shows every command to the clients that asked for it
 * (https://redis.io/docs/latest/commands/monitor/). */
#ifndef WEIR_BROKER_MONITOR_H
#define WEIR_BROKER_MONITOR_H

#include <stdint.h>

struct server;
struct session;

/* Pushes the session's command, which has just run, to all monitors. Nothing for commands that are
 * not shown. */
void monitor_feed(struct server *server, const struct session *session, uint64_t now_ms);

#endif
