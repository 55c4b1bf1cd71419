/* ledger: how many bytes a feed's entries take, in spans, so that the oldest can be let go of by
 * bytes without reading them.
 *
 * An entry counts with its fields as they are stored: "*2\r\n$4\r\nuser\r\n$1\r\n7\r\n" is 21. A
 * span is a run of entries that together have a 64th of the limit; what is known of it is its last
 * id and its bytes. A span counts whole as long as one id in it is not below the feed's first: so
 * what was trimmed within a span, or deleted, still counts until the span is gone.
 *
 *   spans:   [ ..... last=1-5, 900 bytes ][ ..... last=7-0, 1000 bytes ][ last=8-1, 50 bytes
 *
 *   in a row = varints: bytes of a full span, unweighed id; then the spans: last id, bytes */
#ifndef WEIR_STORAGE_LEDGER_H
#define WEIR_STORAGE_LEDGER_H

#include "base/codec.h"
#include "base/err.h"
#include "storage/id.h"

/* Spans of a full ledger; when there are twice as many they become half as many. */
#define LEDGER_SPANS 64u

struct span {
    struct id last;
    uint64_t bytes;
};

struct ledger {
    uint64_t span_bytes;
    uint64_t total;      /* of all spans */
    struct id unweighed; /* entries up to here are in no span; 0-0: all are in one */
    struct span *spans;  /* ascending */
    uint32_t count;
    uint32_t cap;
};

/* For a limit of `max` bytes and a feed whose entries up to `unweighed` nobody has counted. */
struct ledger *ledger_create(uint64_t max, struct id unweighed);
struct ledger *ledger_copy(const struct ledger *ledger);
void ledger_destroy(struct ledger *ledger); /* may be NULL */

/* An entry above all others. */
void ledger_add(struct ledger *ledger, struct id id, uint64_t bytes);
/* Entries below `first` are gone. */
void ledger_forget(struct ledger *ledger, struct id first);
/* The spans of the unweighed entries, ascending as ledger_encode_spans writes them. ERR_CORRUPT. */
MUST_CHECK enum err ledger_weighed(struct ledger *ledger, struct bytes spans);

/* The first id that may stay, so that at most `max` bytes do, the newest span aside; 0-0: all may.
 */
struct id ledger_first(const struct ledger *ledger, uint64_t max);

void ledger_encode_spans(struct buf *out, const struct span *spans, size_t count);
void ledger_encode(struct buf *out, const struct ledger *ledger);
/* ERR_CORRUPT. */
MUST_CHECK enum err ledger_decode(struct bytes bytes, struct ledger **out);

#endif
