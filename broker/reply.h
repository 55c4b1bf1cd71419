/* reply: writes RESP2 or RESP3; the only place that knows the difference.
 *
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 * A `struct reply` appends to the session's output buffer. What RESP2 has no type for becomes what
 * Redis sends there: a map an array of twice the length, null a null bulk or null array, a double
 * or big number a bulk string, a push an array. */
#ifndef WEIR_BROKER_REPLY_H
#define WEIR_BROKER_REPLY_H

#include "base/buf.h"

struct reply {
    struct buf *out; /* borrowed */
    int version;     /* 2 or 3 */
};

/* "+OK". `text` has no line breaks. */
void reply_status(struct reply *reply, const char *text);
/* `text` begins with its code ("ERR ...", "WRONGTYPE ..."); line breaks become blanks. */
__attribute__((format(printf, 2, 3))) void reply_error(struct reply *reply, const char *text, ...);
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, struct bytes bytes);
void reply_bulk_string(struct reply *reply, const char *string);
/* Its decimal text. */
void reply_bulk_u64(struct reply *reply, uint64_t value);
__attribute__((format(printf, 2, 3))) void reply_bulkf(struct reply *reply, const char *format,
                                                       ...);
/* "txt" in RESP3, bulk in RESP2. */
void reply_verbatim(struct reply *reply, struct bytes text);
void reply_null(struct reply *reply);             /* _ or $-1 */
void reply_null_array(struct reply *reply);       /* _ or *-1 */
void reply_bool(struct reply *reply, bool value); /* #t or :1 */
/* The shortest text that reads back as the same number. */
void reply_double(struct reply *reply, double value);
void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t pairs);
void reply_set(struct reply *reply, size_t count);
void reply_push(struct reply *reply, size_t count);

/* An array or map whose length is known only after its elements: begin, write the elements, end.
 * Ends nest in reverse. */
struct reply_deferred {
    size_t at; /* where the header's room begins */
};
struct reply_deferred reply_deferred_begin(struct reply *reply);
void reply_deferred_end_array(struct reply *reply, struct reply_deferred deferred, size_t count);
void reply_deferred_end_map(struct reply *reply, struct reply_deferred deferred, size_t pairs);

#endif
