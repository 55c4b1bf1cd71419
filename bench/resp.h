/* resp: the Redis protocol from the client's side: commands out, replies in.
 *
 * Replies are read by hiredis' reader, without building them: every value is shown once, as it is
 * parsed, with its place. An array is shown before what is in it. */
#ifndef WEIR_BENCH_RESP_H
#define WEIR_BENCH_RESP_H

#include "base/buf.h"

enum resp_type { RESP_STRING, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_NIL, RESP_ARRAY };

#define RESP_DEPTH_MAX 8

struct resp_value {
    enum resp_type type;
    unsigned depth;               /* 0: the reply itself */
    size_t index[RESP_DEPTH_MAX]; /* of this value (at its depth) and of what it is in */
    struct bytes text;            /* string, status, error; valid during the call */
    int64_t integer;              /* integer; count of an array */
};

struct redisReader;

struct resp {
    struct redisReader *reader;
    /* Both may be called many times in one resp_feed. */
    void (*on_value)(struct resp *resp, const struct resp_value *value);
    void (*on_reply)(struct resp *resp); /* a reply is whole */
};

void resp_init(struct resp *resp, void (*on_value)(struct resp *, const struct resp_value *),
               void (*on_reply)(struct resp *));
void resp_deinit(struct resp *resp);
/* Dies of what is not the protocol. */
void resp_feed(struct resp *resp, struct bytes bytes);

/* A command's bytes: the number of words, then each of them. */
void resp_add_count(struct buf *out, size_t words);
void resp_add_word(struct buf *out, struct bytes word);
void resp_add_number(struct buf *out, uint64_t number);
/* The start of a word of `len` bytes that the caller adds; then RESP_END. */
void resp_add_head(struct buf *out, size_t len);
#define RESP_END BYTES("\r\n")
/* A command of words that have no blanks, printf-like. */
__attribute__((format(printf, 2, 3))) void resp_addf(struct buf *out, const char *format, ...);

/* Sends one command (words without blanks) on a blocking connection, and returns its reply's
 * integer or, of an array, the count; -1 for anything else. Dies of an error reply, but for one
 * that begins with `allowed` (NULL: none). */
int64_t resp_call(uint16_t port, const char *allowed, const char *command);

#endif
