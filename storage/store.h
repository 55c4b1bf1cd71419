/* store: the commit log, the fold and recovery as one.
 *
 * The life of a write: a command decides on ops and calls store_log for each, which appends it to
 * the open commit record; then it changes the objects, with the store's dirty set telling the fold
 * which. At the end of the loop's turn store_turn_end hands the record to the committer. What it
 * reports is store_durable, which opens the gates. When the dirty set is large enough it is sealed,
 * and folded by the folder.
 *
 * A fold goes through these states, in this order:
 *
 *   idle -> sealed -> writing -> releasing -> idle
 *     |        |          |           |
 *     |        |          |           +- the loop lets the sealed objects go, some a turn
 *     |        |          +- the folder writes the batch; its commit makes it visible
 *     |        +- the seal's last record is not durable yet
 *     +- the seal: right after a record was handed over, so that no record is cut in two
 *
 * Threads: the loop's, but for the `wake` hook. */
#ifndef WEIR_STORAGE_STORE_H
#define WEIR_STORAGE_STORE_H

#include "storage/chunk_cache.h"
#include "storage/committer.h"
#include "storage/dirty.h"
#include "storage/op.h"
#include "storage/ranges.h"
#include "storage/schedule.h"

struct store;

struct store_options {
    enum sync_mode sync;
    uint64_t fold_bytes;        /* seal when the dirty set has this many */
    uint64_t record_bytes;      /* writers wait when the open record has this many */
    uint64_t chunk_cache_bytes; /* for what shelves keep */
    uint32_t databases;
    struct commit_log_options log;
};

struct store_hooks {
    void *context;
    /* Recovery: does what `op` says. May block. Its error ends store_open. */
    enum err (*replay)(void *context, const struct op *op);
    /* The object is as on disk now; it may be dropped from memory. */
    void (*clean)(void *context, struct object *object);
    /* Called on other threads: store_poll has something to look at. */
    void (*wake)(void *context);
};

/* Opens what is there, or makes a new store. `ranges` and `disk` are borrowed until store_close. In
 * two steps because replaying needs the catalog: after store_open the catalog is there, after
 * store_recover all records are applied and the threads run. `reason` gets what was being done when
 * it failed: "read catalog". ERR_TOO_NEW, ERR_CORRUPT, ERR_IO, ERR_NO_SPACE. */
MUST_CHECK enum err store_open(struct disk *disk, struct ranges *ranges,
                               const struct store_options *options, const struct store_hooks *hooks,
                               struct buf *reason, struct store **out);
MUST_CHECK enum err store_recover(struct store *store, struct buf *reason);

/* Finishes the record and the fold under way, ends the threads. Objects of the dirty sets are taken
 * out of their lists, and destroyed only if they are detached (no table has them); call store_fold
 * and wait for it before, to leave an empty log behind. */
void store_close(struct store *store);

struct catalog *store_catalog(struct store *store);
struct ranges *store_ranges(struct store *store);
/* For the shelves of feeds; feeds may outlive it, when the store is closed. */
struct chunk_cache *store_chunk_cache(struct store *store);
/* When somebody has to look at which feed (storage/upkeep.h). */
struct schedule *store_alarms(struct store *store);
/* The writable set, and its side. */
struct dirty *store_dirty(struct store *store);
uint8_t store_side(const struct store *store);
/* No object differs from what is on disk. */
bool store_is_clean(const struct store *store);
/* Adds to what the next fold must write. */
void store_grew(struct store *store, size_t bytes);

/* Appends an op to the open record. Returns the record's LSN. */
uint64_t store_log(struct store *store, const struct op *op);

/* The LSN of the newest op. Whoever may have seen any state up to now is gated by it. */
uint64_t store_last(const struct store *store);
/* Records up to this LSN are as durable as the sync mode says. */
uint64_t store_durable(const struct store *store);
/* ERR_OK, or why nothing can be written any more. */
enum err store_failure(const struct store *store);
/* Writers should wait: the open record is full, or the fold is far behind. */
bool store_stalled(const struct store *store);
/* Bytes in the open record. */
size_t store_record_bytes(const struct store *store);
/* How often what is on disk has changed under the loop's eyes: what a reader read before such a
 * change may lack what was in memory then. */
uint64_t store_view(const struct store *store);

/* A record of so many ops is not left to grow: what they have cost makes the commit's own cost
 * small, and while it is written the next one is made. */
#define STORE_GROWING_OPS 256

/* True: the open record could be handed over, but it has just grown, and the next turn, which
 * should come at once, may add to it. A commit costs the CPU of some hundred appends: one for many
 * clients is worth a look at whether they are about to write. Then leave store_turn_end out this
 * time. */
bool store_growing(struct store *store);

/* Once a turn: hands the open record over, moves a fold on. True: call it again soon, there is more
 * to release. */
bool store_turn_end(struct store *store);
/* After `wake`: takes the reports of the threads. True when the durable LSN moved or the store
 * failed. */
bool store_poll(struct store *store);

/* Asks for a fold of everything up to now. Returns a ticket for store_folded. */
uint64_t store_fold(struct store *store);
bool store_folded(const struct store *store, uint64_t ticket);

void store_set_sync(struct store *store, enum sync_mode sync);
void store_set_limits(struct store *store, uint64_t fold_bytes, uint64_t record_bytes);

struct store_stats {
    uint64_t lsn; /* of the last record begun */
    uint64_t durable_lsn;
    uint64_t fold_lsn;
    uint64_t dirty_bytes;  /* writable set */
    uint64_t sealed_bytes; /* sealed set */
    uint64_t record_bytes; /* in the open record */
    uint64_t folds;
    uint64_t fold_us; /* sum of their times */
    uint64_t fold_us_last;
    uint64_t fold_wall_ms_last; /* when the last one ended; 0: never */
    bool folding;
    bool fold_failed;
    struct committer_stats committer;
    struct ranges_stats ranges;
    uint64_t chunk_cache_bytes; /* in use */
    uint64_t chunk_cache_hits;
    uint64_t chunk_cache_misses;
};
void store_stats(struct store *store, struct store_stats *out);

#endif
