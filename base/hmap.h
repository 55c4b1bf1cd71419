/* hmap: an intrusive hash table that can be walked in hash order.
 *
 * The bucket of a node is the top bits of its 64-bit hash, so buckets follow each
 * other in hash order whatever the table's size: a walk remembers a hash, not a
 * bucket, and survives growth. Growth is incremental: while it runs, buckets
 * below `moved` live in the new array and the rest in the old one, and every insert
 * moves a few, so no single insert pays for all.
 *
 * The caller embeds `struct hmap_node`, fills `hash` and keeps ownership of the
 * nodes. Not thread safe. */
#ifndef WEIR_BASE_HMAP_H
#define WEIR_BASE_HMAP_H

#include "base/bytes.h"

struct hmap_node {
    struct hmap_node *next;
    uint64_t hash;
};

struct hmap {
    struct hmap_node **buckets; /* 1 << bits of them */
    struct hmap_node **old;     /* 1 << (bits - 1) of them while growing, else NULL */
    size_t moved;               /* old buckets moved so far */
    unsigned bits;
    size_t count;
};

void hmap_init(struct hmap *map);
/* Frees the table, not the nodes. */
void hmap_deinit(struct hmap *map);

void hmap_insert(struct hmap *map, struct hmap_node *node);
/* `node` must be in the table. */
void hmap_remove(struct hmap *map, struct hmap_node *node);

/* The chain in which a node with `hash` would be: walk it with `next` and compare
 * hash and key. NULL when empty. */
struct hmap_node *hmap_chain(const struct hmap *map, uint64_t hash);

/* The chain will be asked for soon: its bucket is fetched into the processor's cache. */
void hmap_prefetch(const struct hmap *map, uint64_t hash);

/* The first non-empty chain at or after `*hash` in hash order, NULL when there is none.
 * Sets `*hash` to the start of the bucket after it, and `*last` when that would
 * be past the end. A chain is in no order and holds all nodes of its span of hashes that are
 * >= the bucket's start (which may lie before the `*hash` that was asked). */
struct hmap_node *hmap_walk(const struct hmap *map, uint64_t *hash, bool *last);

/* Bytes that the table itself takes. */
size_t hmap_bytes(const struct hmap *map);

/* XXH3 with `seed` (https://xxhash.com; stable since 0.8.0). */
uint64_t hash_bytes(struct bytes bytes, uint64_t seed);

#endif
