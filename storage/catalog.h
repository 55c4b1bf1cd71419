/* catalog: which databases there are, and the counters that outlive everything else.
 *
 * A database number names a namespace, so that SWAPDB and FLUSHDB change one number and not a
 * million rows. One row in ranges holds the catalog; it is written by every fold and says how far
 * the fold got.
 *
 *   catalog row = format u16 | fold LSN u64 | hash seed u64 |
 *                 varints: next feed, next space, databases |
 *                 (varints: space, keys, expiring keys)... | rules (key_ranges.h)
 *
 * Rows of formats before 3 have neither counts of expiring keys nor rules. */
#ifndef WEIR_STORAGE_CATALOG_H
#define WEIR_STORAGE_CATALOG_H

#include "base/buf.h"
#include "base/err.h"
#include "storage/key_ranges.h"

/* Of everything in ranges. Raised when a reader of the older format would go wrong;
 * storage/FORMAT.md has the rule for upgrades. */
#define CATALOG_FORMAT 4u

/* As many as the option `databases` allows at most. */
#define CATALOG_DATABASES_MAX 4096u

struct database {
    uint32_t space;
    uint64_t keys;
    uint64_t expires; /* of them, those that have a time of expiry */
    /* Not stored: of the last change of which keys there are, and of the last swap, which changes
     * what every key names. */
    uint64_t lsn;
    uint64_t swap_lsn;
    /* Not stored: the same counts of the memory store, which the others leave out. */
    uint64_t memory_keys;
    uint64_t memory_expires;
};

struct catalog {
    uint64_t fold_lsn; /* records up to this one are in ranges */
    uint64_t hash_seed;
    uint64_t next_feed;
    uint32_t next_space;
    uint32_t count;
    struct database *databases; /* owned */
    struct key_ranges ranges;   /* in which store keys live */
};

/* A new catalog of `count` empty databases. */
void catalog_init(struct catalog *catalog, uint32_t count, uint64_t hash_seed);
void catalog_deinit(struct catalog *catalog);
/* Adds empty databases until there are `count`; never takes any away. */
void catalog_grow(struct catalog *catalog, uint32_t count);
/* `to` is uninitialized. */
void catalog_copy(struct catalog *to, const struct catalog *from);

void catalog_encode(struct buf *out, const struct catalog *catalog);
/* Initializes *out. ERR_TOO_NEW, ERR_CORRUPT. */
MUST_CHECK enum err catalog_decode(struct bytes row, struct catalog *out);

#endif
