/* object: what a key names, as far as it is in memory.
 *
 * An object has a state (its type and value) on each of two sides, as feeds have rows
 * (storage/feed.h): `side` is the newest. A key that does not exist may have an object too: one of
 * type OBJECT_NONE, because its deletion is not folded yet or because somebody just looked.
 *
 *   object row of a feed = type u8 | varints: feed id, last id, first id, greatest deleted id,
 *                          length, entries added, base id of the last chunk, its bytes,
 *                          greatest stored id, slot of its chunks, then its extras
 *   extra                = tag u8 | text; 1: upkeep (storage/upkeep.h); 2: where it has ever had
 *                          consumer groups: groups id, their slot
 *   id                   = ms, seq */
#ifndef WEIR_STORAGE_OBJECT_H
#define WEIR_STORAGE_OBJECT_H

#include "base/hmap.h"
#include "base/list.h"
#include "storage/feed.h"

enum object_type { OBJECT_NONE = 0, OBJECT_FEED = 1 };

struct object_state {
    enum object_type type;
    struct feed *feed; /* one reference; NULL unless OBJECT_FEED */
};

struct object {
    struct hmap_node node; /* in the table of residents (cache/); node.hash is the name's */
    struct list lru;       /* among the clean ones (cache/table.h); empty when not */
    uint32_t charged;      /* bytes counted for it there */
    struct list links[2];  /* in a side's dirty list; empty when not */
    struct object_state states[2];
    uint64_t lsn;   /* of its last write: the gate of whoever reads it */
    uint32_t space; /* namespace */
    uint16_t slot;
    uint8_t side;
    bool persisted; /* a row of it is on disk, as far as the loop knows */
    bool detached;  /* no longer in the table: its namespace was flushed */
    uint32_t name_len;
    char name[];
};

/* The hash of a key name in a namespace, of which the upper 48 bits order SCAN: it must never
 * change, so the seed is stored (catalog.h). */
uint64_t object_hash(uint64_t seed, uint32_t space, struct bytes name);

/* An object of type OBJECT_NONE. Key names are at most 512 MiB, as bulk strings are. */
struct object *object_create(uint32_t space, uint64_t hash, struct bytes name, uint8_t side);
/* Drops its states' references. It must be in no list. */
void object_destroy(struct object *object);

static inline struct bytes object_name(const struct object *object)
{
    return bytes_of(object->name, object->name_len);
}

static inline struct object_state *object_state(struct object *object)
{
    return &object->states[object->side];
}

static inline enum object_type object_type(const struct object *object)
{
    return object->states[object->side].type;
}

/* The feed, or NULL when the key names something else or nothing. */
static inline struct feed *object_feed(const struct object *object)
{
    return object->states[object->side].feed;
}

/* Bytes of memory that the object takes, unfolded entries aside. */
size_t object_bytes(const struct object *object);

/* The row of `state`, of the given side of its feed. */
void object_row_encode(struct buf *out, const struct object_state *state, uint8_t side);
/* Fills the newest state of `object` (OBJECT_NONE so far) from its row. ERR_CORRUPT leaves it as it
 * was. */
MUST_CHECK enum err object_row_decode(struct object *object, struct bytes row);

#endif
