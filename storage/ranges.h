/* ranges: the sorted, folded state on disk; the storage seam.
 *
 * Ordered rows (key, value), both bytes. They change only by whole batches, each visible and
 * durable at once or not at all. RocksDB is the real implementation (ranges_rocks.h); the tests
 * have one in memory that injects faults. Nothing outside storage/ knows which one it is.
 *
 * Reading has two tiers. TIER_MEMORY reads what is in memory (block cache, open tables) and answers
 * ERR_COLD where that is not enough, never a wrong row and never a wrong ERR_NOT_FOUND or ERR_END:
 * it does not block, so the loop may use it. TIER_DISK reads everything and may block: readers and
 * the folder only. What TIER_DISK has read is in memory afterwards, until something else takes its
 * place, but for two cases that may be cold again and again: a row with an empty value, and an
 * iterator next to many rows under a range deletion. So a caller goes on with the rows that a
 * reader has read and does not wait for memory to have them.
 *
 * Threads: everything may be called from any thread; one iterator or batch by one thread at a
 * time. */
#ifndef WEIR_STORAGE_RANGES_H
#define WEIR_STORAGE_RANGES_H

#include "base/buf.h"
#include "base/err.h"

struct ranges;
struct ranges_iter;
struct ranges_batch;

enum tier { TIER_MEMORY, TIER_DISK };

/* Adds the value of `key` to `value`. ERR_NOT_FOUND, ERR_COLD (TIER_MEMORY only), ERR_IO,
 * ERR_CORRUPT: `value` untouched. */
MUST_CHECK enum err ranges_get(struct ranges *ranges, struct bytes key, enum tier tier,
                               struct buf *value);

/* A view of the rows in [lower, upper) as they are now; later batches do not show. Nothing is in
 * it when lower >= upper. Copies the bounds. Never blocks. The iterator stands nowhere until a
 * seek. Close it soon: it keeps old files alive. */
struct ranges_iter *ranges_iter_open(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                     enum tier tier);
void ranges_iter_close(struct ranges_iter *iter);

/* Moves. ERR_OK: stands on a row. ERR_END: no row there; ERR_COLD, ERR_IO, ERR_CORRUPT: with all
 * of these it stands nowhere, until a seek. Next and prev ask for an iterator that stands on a row.
 * A seek to a key outside the bounds is one to the nearer bound. */
MUST_CHECK enum err ranges_iter_seek(struct ranges_iter *iter, struct bytes key); /* first >= key */
MUST_CHECK enum err ranges_iter_seek_prev(struct ranges_iter *iter,
                                          struct bytes key); /* last <= key */
MUST_CHECK enum err ranges_iter_next(struct ranges_iter *iter);
MUST_CHECK enum err ranges_iter_prev(struct ranges_iter *iter);
/* Of the row it stands on; valid until the iterator moves or closes. */
struct bytes ranges_iter_key(const struct ranges_iter *iter);
struct bytes ranges_iter_value(const struct ranges_iter *iter);

/* A batch is built in ascending key order, one call a key at most; range deletions may come at any
 * time, remove rows that were there before the batch, and never rows of the batch itself. The first
 * error sticks and is what commit returns. */
MUST_CHECK enum err ranges_batch_begin(struct ranges *ranges, struct ranges_batch **out);
void ranges_batch_put(struct ranges_batch *batch, struct bytes key, struct bytes value);
/* The row's value becomes what it was followed by `value`; a missing row counts as empty, and so
 * does one that a range deletion of this batch removes. */
void ranges_batch_merge(struct ranges_batch *batch, struct bytes key, struct bytes value);
void ranges_batch_delete(struct ranges_batch *batch, struct bytes key);
/* Rows in [lower, upper); none when lower >= upper. */
void ranges_batch_delete_range(struct ranges_batch *batch, struct bytes lower, struct bytes upper);
/* A hint: the rows before and after lie far apart. Where they overlap with nothing that is there
 * already, they need not be rewritten together later. */
void ranges_batch_cut(struct ranges_batch *batch);
/* Makes the whole batch visible and durable, and frees it; on error nothing of it is visible.
 * Blocks. */
MUST_CHECK enum err ranges_batch_commit(struct ranges_batch *batch);
/* Frees the batch; nothing of it is visible. */
void ranges_batch_abort(struct ranges_batch *batch);

struct ranges_stats {
    uint64_t disk_bytes;  /* of all live files */
    uint64_t cache_bytes; /* block cache in use */
    uint64_t batches;     /* committed since open, empty ones not counted */
    uint64_t pending_compaction_bytes;
};
void ranges_stats(struct ranges *ranges, struct ranges_stats *out);

/* All iterators and batches must be closed. */
void ranges_close(struct ranges *ranges);

#endif
