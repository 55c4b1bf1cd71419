/* expiry_index: which keys on disk expire when, in the order of their times.
 *
 * Each object row with a time of expiry has one row here, of its namespace, time and name
 * (key_expiry), and there are no others: a fold writes and deletes both in one batch
 * (storage/fold.c; an object knows which time its row has). What memory knows of a key may be newer
 * than either.
 *
 * Threads: readers' and the starting thread's. */
#ifndef WEIR_STORAGE_EXPIRY_INDEX_H
#define WEIR_STORAGE_EXPIRY_INDEX_H

#include "storage/catalog.h"
#include "storage/ranges.h"

/* What to read of a namespace: keys from the index's row `from` on, up to a time. */
struct expiry_span {
    uint32_t space;
    uint64_t hash_seed;
    uint64_t until_ms;
    size_t rows_max;  /* at most so many keys; */
    size_t bytes_max; /* none more, once there are so many bytes */
};

/* Adds to `rows`, each as buf_put_bytes: a key's name, its object row. *next_ms becomes the time of
 * the first key that is not among them, UINT64_MAX: there is none; `from` its row. With *next_ms
 * not above until_ms there are more. Blocks. On an error nothing has changed. */
MUST_CHECK enum err expiry_index_read(struct ranges *ranges, const struct expiry_span *span,
                                      struct buf *from, struct buf *rows, uint64_t *next_ms);

/* Makes the index of all databases, and the catalog's sums, from the object rows: for what was
 * written before there was one. Whatever there is of one goes first, so that it may be done again
 * after a crash. Blocks. */
MUST_CHECK enum err expiry_index_build(struct ranges *ranges, struct catalog *catalog);

#endif
