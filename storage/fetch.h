/* fetch: one read of ranges that may block, to be run by a reader.
 *
 * The loop fills a fetch, a reader runs it, the loop takes the rows. Nobody else touches it while
 * it runs. Either one row (FETCH_GET) or the rows of [lower, upper) from one end (FETCH_SCAN,
 * FETCH_SCAN_REVERSE), at most `rows_max` rows and about `bytes_max` bytes, at least one row if
 * there is one. With `from` a scan begins at the last row <= it, in both directions: the chunk that
 * holds an id is the last one whose base is not above it. Without such a row a scan upwards begins
 * at the first row. FETCH_KEYS is key_scan of `rows_max` names, FETCH_OBJECTS the same with whole
 * rows, FETCH_EXPIRED expiry_index_read. */
#ifndef WEIR_STORAGE_FETCH_H
#define WEIR_STORAGE_FETCH_H

#include "storage/ranges.h"

enum fetch_kind {
    FETCH_GET,
    FETCH_SCAN,
    FETCH_SCAN_REVERSE,
    FETCH_KEYS,
    FETCH_OBJECTS,
    FETCH_EXPIRED
};

struct fetch {
    struct ranges *ranges; /* borrowed */
    enum fetch_kind kind;
    struct buf lower; /* the key of FETCH_GET */
    struct buf upper;
    struct buf from; /* empty: the end of the range that the direction begins with;
                      * FETCH_EXPIRED: from where, and afterwards to where */
    size_t rows_max;
    size_t bytes_max;
    uint32_t space; /* FETCH_KEYS, FETCH_OBJECTS: see key_scan.h; FETCH_EXPIRED: see expiry_index.h;
                     * `rows` are as they leave them */
    uint64_t place; /* the first two: from where, and afterwards to where */
    uint64_t hash_seed; /* these two FETCH_EXPIRED */
    uint64_t until_ms;
    uint64_t view; /* of the store when it was asked for: see store_view */
    /* results */
    enum err err;     /* ERR_OK; ERR_NOT_FOUND for FETCH_GET; errors: no rows */
    bool complete;    /* a scan saw the whole range */
    uint64_t next_ms; /* FETCH_EXPIRED */
    struct buf rows;  /* key, value, key, value ... each as buf_put_bytes */
};

void fetch_init(struct fetch *fetch);
void fetch_deinit(struct fetch *fetch);
/* Empties the results and the bounds for another use. */
void fetch_reset(struct fetch *fetch);
/* Blocks. Reader threads, or the starting thread. */
void fetch_run(struct fetch *fetch);

#endif
