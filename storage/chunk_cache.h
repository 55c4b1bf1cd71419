/* chunk_cache: entries that are on disk and in memory too, found by their id without asking ranges.
 *
 * Each feed has a shelf of chunks that were folded or read lately. A chunk covers a span of ids:
 * it has all entries in the span that are on disk as far as the loop knows, and none outside of it
 * but for those that a later chunk covers. So whoever looks for an id in a span need not ask ranges
 * even when there is no such entry.
 *
 *   on disk:  [row base=1-0 ......... ][row base=90-0 ......... ][row base=170-0 ....
 *   shelf:    [1-0 .......... 89-max ]                [131-0 ..... 169-max ]
 *                                        a piece of a tail, folded into the row of 90-0
 *
 * Spans of a shelf are disjoint. Entries that were deleted leave with their chunk when the fold
 * that rewrites their row is released, until then the feed knows of them.
 *
 * All chunks of all shelves share a budget. A chunk that was used since it was last looked at gets
 * a second chance, else the one that was put there first leaves first.
 *
 * Threads: the loop's. */
#ifndef WEIR_STORAGE_CHUNK_CACHE_H
#define WEIR_STORAGE_CHUNK_CACHE_H

#include "base/list.h"
#include "storage/tail.h"

/* Longer chunks are not kept: one entry can be larger than the whole budget. */
#define CHUNK_CACHE_ITEM_MAX ((size_t)64 << 10)

struct chunk_shelf;

struct chunk_cache {
    struct list chunks; /* the next one to leave first */
    size_t bytes;       /* of them, with what it takes to find them */
    size_t limit;
    uint64_t hits; /* of chunk_shelf_find */
    uint64_t misses;
};

struct cached_chunk {
    struct list link;
    struct chunk_shelf *shelf; /* NULL: on none */
    uint32_t refs;             /* the shelf's, and cursors that walk it */
    bool used;                 /* since it was last looked at for leaving */
    struct id base;            /* to which the entries' ids are relative */
    struct id first;           /* span */
    struct id last;
    uint32_t len;
    uint32_t cap;
    char *data; /* entries */
};

struct shelf_leaf;

/* Chunks in the order of their spans: leaves of a limited size, so that neither the many chunks of
 * a large feed nor the one of a small feed cost more than they must. */
struct chunk_shelf {
    struct chunk_cache *cache; /* borrowed; NULL: nothing is kept */
    struct shelf_leaf *leaves;
    uint32_t count;
    uint32_t cap;
};

/* Keeps nothing while `limit` is 0. */
void chunk_cache_init(struct chunk_cache *cache, size_t limit);
/* Empties all shelves. */
void chunk_cache_deinit(struct chunk_cache *cache);
void chunk_cache_set_limit(struct chunk_cache *cache, size_t limit);

/* Lets go of all chunks. */
void chunk_shelf_clear(struct chunk_shelf *shelf);

/* The chunk whose span has `id`, or NULL. Valid until the shelf changes; take a reference to keep
 * it for longer. */
struct cached_chunk *chunk_shelf_find(struct chunk_shelf *shelf, struct id id);

/* True when a chunk of `len` bytes may be kept here. */
static inline bool chunk_shelf_takes(const struct chunk_shelf *shelf, size_t len)
{
    return shelf->cache != NULL && shelf->cache->limit > 0 && len <= CHUNK_CACHE_ITEM_MAX;
}

/* A chunk on no shelf, with one reference; copies `data`. */
struct cached_chunk *cached_chunk_create(struct id base, struct bytes data);
static inline void cached_chunk_ref(struct cached_chunk *chunk)
{
    chunk->refs++;
}
void cached_chunk_unref(struct cached_chunk *chunk);

/* Puts a chunk of a row, read just now, on the shelf; takes a reference of its own. `last`: no
 * other row lies between the chunk's base and this id; NULL: nothing is known behind its last
 * entry. What it has beyond `disk_last` is cut off: it is in a tail. */
void chunk_shelf_add(struct chunk_shelf *shelf, struct cached_chunk *chunk, const struct id *last,
                     struct id disk_last);

/* The same for a row of another kind (storage/pending.h), of which the caller knows that it has all
 * there is in [first, last]. */
void chunk_shelf_add_span(struct chunk_shelf *shelf, struct cached_chunk *chunk, struct id first,
                          struct id last);

/* The tail is on disk now: its pieces move to the shelf. `last` is the last id that it may have. */
void chunk_shelf_add_tail(struct chunk_shelf *shelf, struct tail *tail, struct id last);

/* Lets go of the chunk that may have this entry. */
void chunk_shelf_drop(struct chunk_shelf *shelf, struct id id);
/* Lets go of all chunks that have nothing at or above `first`. */
void chunk_shelf_trim(struct chunk_shelf *shelf, struct id first);

#endif
