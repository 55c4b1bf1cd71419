#include "base/hmap.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "base/check.h"

/* Small maps are many (the consumers of a group, the fields of a hash). */
#define HMAP_BITS_MIN 2

/* Growth starts at one node a bucket and must be over when there are two: one bucket
 * an insert would just do, two leave a margin. */
#define HMAP_MOVES_PER_INSERT 2

static size_t bucket_of(uint64_t hash, unsigned bits)
{
    return (size_t)(hash >> (64 - bits));
}

static size_t bucket_count(unsigned bits)
{
    return (size_t)1 << bits;
}

static void push(struct hmap_node **chain, struct hmap_node *node)
{
    node->next = *chain;
    *chain = node;
}

void hmap_init(struct hmap *map)
{
    *map = (struct hmap){0};
}

void hmap_deinit(struct hmap *map)
{
    mem_free(map->buckets);
    mem_free(map->old);
    hmap_init(map);
}

static struct hmap_node **new_buckets(unsigned bits)
{
    return mem_zalloc(bucket_count(bits) * sizeof(struct hmap_node *));
}

static void start_growing(struct hmap *map)
{
    map->old = map->buckets;
    map->moved = 0;
    map->bits++;
    map->buckets = new_buckets(map->bits);
}

/* An old bucket's nodes go to the two new ones that share its span of hashes. */
static void move_bucket(struct hmap *map)
{
    struct hmap_node *node = map->old[map->moved++];
    while (node != NULL) {
        struct hmap_node *next = node->next;
        push(&map->buckets[bucket_of(node->hash, map->bits)], node);
        node = next;
    }
}

static void go_on_growing(struct hmap *map)
{
    size_t old_count = bucket_count(map->bits - 1);
    for (int i = 0; i < HMAP_MOVES_PER_INSERT && map->moved < old_count; i++)
        move_bucket(map);
    if (map->moved == old_count) {
        mem_free(map->old);
        map->old = NULL;
    }
}

/* The chain for `hash`, and in `bits` how many of its bits the chain's bucket stands for. */
static struct hmap_node **find_chain(const struct hmap *map, uint64_t hash, unsigned *bits)
{
    if (map->old != NULL) {
        size_t old_bucket = bucket_of(hash, map->bits - 1);
        if (old_bucket >= map->moved) {
            *bits = map->bits - 1;
            return &map->old[old_bucket];
        }
    }
    *bits = map->bits;
    return &map->buckets[bucket_of(hash, map->bits)];
}

void hmap_insert(struct hmap *map, struct hmap_node *node)
{
    if (map->buckets == NULL) {
        map->bits = HMAP_BITS_MIN;
        map->buckets = new_buckets(map->bits);
    }
    if (map->old == NULL && map->count >= bucket_count(map->bits))
        start_growing(map);
    if (map->old != NULL)
        go_on_growing(map);
    unsigned bits;
    push(find_chain(map, node->hash, &bits), node);
    map->count++;
}

void hmap_remove(struct hmap *map, struct hmap_node *node)
{
    CHECK(map->count > 0);
    unsigned bits;
    struct hmap_node **link = find_chain(map, node->hash, &bits);
    while (*link != node) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

struct hmap_node *hmap_chain(const struct hmap *map, uint64_t hash)
{
    if (map->count == 0)
        return NULL;
    unsigned bits;
    return *find_chain(map, hash, &bits);
}

void hmap_prefetch(const struct hmap *map, uint64_t hash)
{
    unsigned bits;
    if (map->count > 0)
        __builtin_prefetch(find_chain(map, hash, &bits));
}

struct hmap_node *hmap_walk(const struct hmap *map, uint64_t *hash, bool *last)
{
    struct hmap_node *chain = NULL;
    uint64_t at = *hash;
    *last = map->count == 0;
    while (chain == NULL && !*last) {
        unsigned bits;
        chain = *find_chain(map, at, &bits);
        uint64_t span = (uint64_t)1 << (64 - bits);
        at = (at & ~(span - 1)) + span;
        *last = at == 0;
    }
    *hash = at;
    return chain;
}

size_t hmap_bytes(const struct hmap *map)
{
    size_t bytes = 0;
    if (map->buckets != NULL)
        bytes += mem_usable(map->buckets);
    if (map->old != NULL)
        bytes += mem_usable(map->old);
    return bytes;
}

uint64_t hash_bytes(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}
