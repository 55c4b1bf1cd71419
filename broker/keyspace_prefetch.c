/* Fetches what is in memory of some keys into the processor's cache.
 *
 *     bucket -> object -> feed -> last piece of its tail -> where the next entry goes
 *                      -> value, hash
 *
 * Each is found in the one before, so a key after the other would wait at every arrow. Here all
 * keys go one arrow at a time: the memory of one is on its way while the others are asked for. */
#include "broker/keyspace.h"

#include "base/check.h"
#include "broker/lookahead.h"

#define CACHE_LINE ((size_t)64)

/* Of an entry that is appended: what is usually written, and the line after it. */
#define ENTRY_BYTES (2 * CACHE_LINE)

/* Of a name and of a value: as long as they usually are. */
#define NAME_BYTES  (CACHE_LINE / 2)
#define VALUE_BYTES (2 * CACHE_LINE)

/* Keys of a store that a second level cache may well hold: a feed takes a kilobyte. */
#define CACHED_KEYS 1000

struct sought {
    const struct hmap *map;
    uint64_t hash;
    size_t bytes; /* of its object, with a name */
};

/* Most of it will be written. */
static void prefetch(const void *data, size_t size)
{
    for (size_t at = 0; at < size; at += CACHE_LINE)
        __builtin_prefetch((const char *)data + at, 1);
}

static struct sought seek(struct keyspace *keyspace, unsigned db, uint64_t hash, struct bytes key)
{
    const struct key_range *range = keyspace_range(keyspace, db, key);
    if (range->store == STORE_DURABLE)
        return (struct sought){&keyspace->table.map, hash, sizeof(struct object) + NAME_BYTES};
    return (struct sought){&keyspace->memory.ranges[range->id].map, hash,
                           OBJECT_SMALL_BYTES + NAME_BYTES};
}

static void prefetch_object(const struct sought *sought)
{
    const struct hmap_node *node = hmap_chain(sought->map, sought->hash);
    if (node != NULL)
        prefetch(container_of(node, struct object, node), sought->bytes);
}

static struct object *object_of(const struct sought *sought)
{
    struct hmap_node *node = hmap_chain(sought->map, sought->hash);
    while (node != NULL && node->hash != sought->hash)
        node = node->next;
    return node != NULL ? container_of(node, struct object, node) : NULL;
}

/* The neighbours among the clean ones are written when it leaves them. */
static void prefetch_feed(const struct object *object, const struct feed *feed)
{
    prefetch(object->lru.next, sizeof(struct list));
    prefetch(object->lru.prev, sizeof(struct list));
    prefetch(feed, offsetof(struct feed, rows));
    prefetch(&feed->rows[object->side], sizeof(struct feed_row));
    prefetch(&feed->tails[object->side], sizeof(struct tail));
}

/* Returns the feed, NULL when it is none. */
static const struct feed *prefetch_state(const struct sought *sought)
{
    struct object *object = object_of(sought);
    if (object == NULL || object_type(object) == OBJECT_NONE)
        return NULL;
    const struct feed *feed = object_feed(object);
    if (feed != NULL)
        prefetch_feed(object, feed);
    else
        prefetch(object_state(object)->value, VALUE_BYTES);
    return feed;
}

/* NULL: the next entry begins one. */
static const struct piece *last_piece(const struct feed *feed)
{
    const struct tail *tail = &feed->tails[feed->side];
    return tail_empty(tail) ? NULL : &tail->pieces[tail->count - 1];
}

static void prefetch_end(const struct piece *piece)
{
    prefetch(piece->data + piece->len, ENTRY_BYTES);
}

bool keyspace_prefetch_pays(const struct keyspace *keyspace)
{
    const struct key_ranges *ranges = &store_catalog(keyspace->store)->ranges;
    bool pays = keyspace->table.map.count > CACHED_KEYS;

    for (uint32_t i = 0; i < ranges->count && !pays; i++)
        pays = keyspace->memory.ranges[ranges->rules[i].id].map.count > CACHED_KEYS;
    return pays;
}

void keyspace_prefetch(struct keyspace *keyspace, unsigned db, const struct bytes *keys,
                       unsigned count)
{
    struct sought sought[LOOKAHEAD_MAX];
    const struct feed *feeds[LOOKAHEAD_MAX];
    const uint64_t seed = store_catalog(keyspace->store)->hash_seed;
    const uint32_t space = keyspace_database(keyspace, db)->space;
    unsigned feed_count = 0;

    CHECK(count <= LOOKAHEAD_MAX);
    for (unsigned i = 0; i < count; i++) {
        sought[i] = seek(keyspace, db, object_hash(seed, space, keys[i]), keys[i]);
        hmap_prefetch(sought[i].map, sought[i].hash);
    }
    for (unsigned i = 0; i < count; i++)
        prefetch_object(&sought[i]);
    for (unsigned i = 0; i < count; i++) {
        const struct feed *feed = prefetch_state(&sought[i]);
        if (feed != NULL)
            feeds[feed_count++] = feed;
    }
    for (unsigned i = 0; i < feed_count; i++) {
        if (last_piece(feeds[i]) != NULL)
            prefetch(last_piece(feeds[i]), sizeof(struct piece));
    }
    for (unsigned i = 0; i < feed_count; i++) {
        if (last_piece(feeds[i]) != NULL)
            prefetch_end(last_piece(feeds[i]));
    }
}
