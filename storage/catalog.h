/* catalog: which databases there are, and the counters that outlive everything else.
 *
 * A database number names a namespace, so that SWAPDB and FLUSHDB change one number and not a
 * million rows. One row in ranges holds the catalog; it is written by every fold and says how far
 * the fold got.
 *
 *   catalog row = format u16 | fold LSN u64 | hash seed u64 |
 *                 varints: next feed, next space, databases |
 *                 (varints: space, keys, expiring keys, their sum)... | tallies |
 *                 rules (key_ranges.h)
 *   tallies     = varints: entries appended, their bytes | whole u8 |
 *                 when it is 1, for each database: count varint |
 *                 (varints: id of a rule, keys, bytes, entries)...
 *
 * Rows of formats before 3 have neither counts of expiring keys nor rules; those of format 3 have
 * no sums, and what they are of has no index of times of expiry (storage/expiry_index.h); those of
 * format 4 have no tallies. */
#ifndef WEIR_STORAGE_CATALOG_H
#define WEIR_STORAGE_CATALOG_H

#include "base/buf.h"
#include "base/err.h"
#include "storage/key_ranges.h"
#include "storage/tally.h"

/* The first format whose rows have an index of times of expiry. */
#define CATALOG_FORMAT_WITH_EXPIRY 4u

/* Of everything in ranges. Raised when a reader of the older format would go wrong;
 * storage/FORMAT.md has the rule for upgrades. */
#define CATALOG_FORMAT 5u

/* As many as the option `databases` allows at most. */
#define CATALOG_DATABASES_MAX 4096u

struct database {
    uint32_t space;
    uint64_t keys;
    uint64_t expires;      /* of them, those that have a time of expiry */
    uint64_t expiry_sum;   /* of these times: catalog_expiry */
    struct tally *tallies; /* owned: KEY_RANGES_MAX by id of rule; NULL: nothing is counted */
    /* Not stored: keys that are on disk only are counted up to this place (storage/tally.h). */
    uint64_t tallied;
    /* Not stored: of the last change of which keys there are, and of the last swap, which changes
     * what every key names. */
    uint64_t lsn;
    uint64_t swap_lsn;
    /* Not stored: the same counts of the memory store, which the others leave out. */
    uint64_t memory_keys;
    uint64_t memory_expires;
    uint64_t memory_expiry_sum;
};

/* What a time of expiry, in milliseconds, adds to a sum: 64 of them are one, so that some hundred
 * million keys do not make it overflow; what lies after the year 2100 is as if it came then. */
#define CATALOG_EXPIRY_UNIT_MS UINT64_C(64)
#define CATALOG_EXPIRY_MAX_MS  (UINT64_C(1) << 42)
static inline uint64_t catalog_expiry(uint64_t expiry_ms)
{
    uint64_t ms = expiry_ms < CATALOG_EXPIRY_MAX_MS ? expiry_ms : CATALOG_EXPIRY_MAX_MS;
    return ms / CATALOG_EXPIRY_UNIT_MS;
}

/* The mean of `count` times, not 0, that add up to `sum`, in milliseconds. */
static inline uint64_t catalog_expiry_mean(uint64_t sum, uint64_t count)
{
    return sum / count * CATALOG_EXPIRY_UNIT_MS + sum % count * CATALOG_EXPIRY_UNIT_MS / count +
           CATALOG_EXPIRY_UNIT_MS / 2;
}

struct catalog {
    uint64_t fold_lsn; /* records up to this one are in ranges */
    uint64_t hash_seed;
    uint64_t next_feed;
    uint32_t next_space;
    uint32_t count;
    struct database *databases; /* owned */
    struct key_ranges ranges;   /* in which store keys live */
    uint64_t appended;          /* entries, so far or for long enough, */
    uint64_t appended_bytes;    /* and their bytes: what an entry takes on average */
    bool tallied;               /* all keys are counted (storage/tally.h) */
    uint16_t format;            /* of what was read: not of what is written */
    /* Not stored: no durable key expires before these times, but for those that were looked at
     * (broker/expiry.h). Lowered by folds, for times that are on disk; by ops, for the others. */
    uint64_t folded_due_ms;
    uint64_t unfolded_due_ms;
};

/* A time of expiry is on disk, or comes by an op. */
static inline void catalog_due(uint64_t *due_ms, uint64_t expiry_ms)
{
    if (expiry_ms > 0 && expiry_ms < *due_ms)
        *due_ms = expiry_ms;
}

/* A new catalog of `count` empty databases. */
void catalog_init(struct catalog *catalog, uint32_t count, uint64_t hash_seed);
void catalog_deinit(struct catalog *catalog);
/* Adds empty databases until there are `count`; never takes any away. */
void catalog_grow(struct catalog *catalog, uint32_t count);
/* `to` is uninitialized. */
void catalog_copy(struct catalog *to, const struct catalog *from);

/* The database becomes an empty one of another namespace. */
void catalog_empty(struct database *database, uint32_t space);
/* The tally of a rule in a database, to be changed. */
struct tally *catalog_tally(struct database *database, unsigned rule);
/* The tally of a rule in all databases. */
struct tally catalog_tally_sum(const struct catalog *catalog, unsigned rule);
/* Nothing is counted any more: another round begins. */
void catalog_tally_anew(struct catalog *catalog);
/* An entry of so many bytes was appended. */
void catalog_appended(struct catalog *catalog, size_t bytes);

/* A durable key has a time of expiry. */
bool catalog_expires(const struct catalog *catalog);

void catalog_encode(struct buf *out, const struct catalog *catalog);
/* Initializes *out. ERR_TOO_NEW, ERR_CORRUPT. */
MUST_CHECK enum err catalog_decode(struct bytes row, struct catalog *out);

#endif
