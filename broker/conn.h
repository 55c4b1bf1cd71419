/* conn: one client's TCP connection on the loop.
 *
 * Reads into a buffer that all connections of the loop share, feeds the session, and sends what
 * the session has ready. Nothing is sent at once: a connection with something to send is woken
 * (put on a list), and the list is worked off once a turn of the loop, before it polls. At most
 * one write is in flight for a connection; what comes meanwhile waits in the session.
 *
 * Close is a protocol: conn_close detaches the session and closes the socket; the memory goes
 * when the loop has let go of both the socket and the write in flight. */
#ifndef WEIR_BROKER_CONN_H
#define WEIR_BROKER_CONN_H

#include "base/err.h"
#include "base/list.h"

struct broker;
struct conn;
struct session;

/* Longest text of an address: "[" 45 bytes of IPv6 with a zone "]:65535". */
#define CONN_ADDRESS_MAX 72

/* It has something to send or to be closed: looked at in this turn. */
void conn_wake(struct conn *conn);

/* It has a message to send and had nothing to send before: looked at within the next turns, so that
 * those who wait for replies come first and what is published meanwhile leaves with it. */
void conn_wake_later(struct conn *conn);

/* Closes the connection now; unsent output is lost. Closes the session: it may be gone on
 * return. */
void conn_close(struct conn *conn);

struct session *conn_session(const struct conn *conn);

/* "127.0.0.1:50000": the client's address, and the one it connected to. Valid as long as
 * `conn`. */
const char *conn_peer_address(const struct conn *conn);
const char *conn_local_address(const struct conn *conn);
/* The socket's number, for CLIENT LIST; -1 when it is closed. */
int conn_fd(const struct conn *conn);

#endif
