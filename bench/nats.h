/* nats: the NATS protocol (https://docs.nats.io/reference/reference-protocols/nats-protocol) and
 * as much of JetStream's API as the workloads ask for. */
#ifndef WEIR_BENCH_NATS_H
#define WEIR_BENCH_NATS_H

#include "base/buf.h"

/* What the workloads' entries go to: one stream, file storage, a feed is a subject. */
#define NATS_STREAM "bench"

#define NATS_INBOX_MAX 64

struct nats_message {
    struct bytes subject;
    struct bytes reply;   /* subject to answer to, or empty */
    struct bytes headers; /* or empty */
    struct bytes payload;
};

struct nats {
    struct buf in;
    struct buf *out; /* answers to the server's PING go here */
    /* "_INBOX.x.": what begins so is this connection's alone; it has subscribed to the rest. */
    char inbox[NATS_INBOX_MAX];
    /* Messages and PONGs; what they point to is valid during the call. */
    void (*on_message)(struct nats *nats, const struct nats_message *message);
    void (*on_pong)(struct nats *nats);
};

/* Borrows `out` and begins it with the words of a client that has just connected. */
void nats_init(struct nats *nats, struct buf *out,
               void (*on_message)(struct nats *, const struct nats_message *));
/* Dies of what is not the protocol and of -ERR. */
void nats_feed(struct nats *nats, struct bytes bytes);

/* "PUB subject reply len": the caller adds len bytes and NATS_END. `reply` may be empty. */
void nats_add_pub(struct buf *out, struct bytes subject, struct bytes reply, size_t len);
#define NATS_END BYTES("\r\n")

/* Publishes `payload` on a blocking connection and puts the answer's payload into *answer. Dies of
 * an answer with an error. */
void nats_call(uint16_t port, const char *subject, const char *payload, struct buf *answer);
/* The number behind "name": in JSON; dies when there is none. */
uint64_t nats_number(struct bytes json, const char *name);
/* Creates the stream unless it is there, and returns how many messages it has. */
uint64_t nats_prepare(uint16_t port);
uint64_t nats_messages(uint16_t port);

#endif
