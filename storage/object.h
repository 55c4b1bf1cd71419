/* object: what a key names, as far as it is in memory.
 *
 * An object has a state (its type and value) on each of two sides, as feeds have rows
 * (storage/feed.h): `side` is the newest. A key that does not exist may have an object too: one of
 * type OBJECT_NONE, because its deletion is not folded yet or because somebody just looked.
 *
 *   object row = type u8, with bit 7 set: | time of expiry varint | what its type has:
 *   feed       = varints: feed id, last id, first id, greatest deleted id, length, entries added,
 *                base id of the last chunk, its bytes, greatest stored id, slot of its chunks,
 *                then its extras
 *   extra      = tag u8 | text; 1: upkeep (storage/upkeep.h); 2: where it has ever had consumer
 *                groups: groups id, their slot
 *   string     = the bytes
 *   hash       = packed (storage/hash.h)
 *   id         = ms, seq */
#ifndef WEIR_STORAGE_OBJECT_H
#define WEIR_STORAGE_OBJECT_H

#include "base/hmap.h"
#include "base/list.h"
#include "storage/feed.h"
#include "storage/hash.h"
#include "storage/value.h"

enum object_type { OBJECT_NONE = 0, OBJECT_FEED = 1, OBJECT_STRING = 2, OBJECT_HASH = 3 };

/* Times of expiry are Unix milliseconds; 0: never. Later ones than this (some thirty million years
 * from now) become this. */
#define OBJECT_EXPIRY_MAX ((UINT64_C(1) << 60) - 1)

struct object_state {
    enum object_type type : 4;
    uint64_t expiry_ms : 60;
    union { /* by type; one reference */
        struct feed *feed;
        struct value *value;
        struct hash *hash;
    };
};

/* An object of the memory store (cache/memory.h) ends before `states[1]`: it has one side, and
 * nothing of what logs and folds need. */
struct object {
    struct hmap_node node; /* in its store's table; node.hash is the name's */
    uint32_t space;        /* namespace */
    uint32_t name_len;
    union {
        uint32_t used; /* memory: when or how often (cache/memory.h) */
        struct {       /* durable: */
            uint32_t charged : 31; /* bytes counted for it in the table (cache/table.h) */
            uint32_t tallied : 1;  /* it is counted (storage/tally.h) */
        };
    };
    union {
        uint16_t range; /* memory: id of its range rule (storage/key_ranges.h) */
        uint16_t slot;  /* durable */
    };
    uint8_t side : 1;
    uint8_t detached : 1;   /* no longer in the table: its namespace was flushed */
    uint8_t tally_rule : 6; /* durable: under which it is counted (storage/tally.h) */
    bool in_memory;         /* of the memory store */
    struct object_state states[2];

    struct list lru;      /* among the clean ones (cache/table.h); empty when not */
    struct list links[2]; /* in a side's dirty list; empty when not */
    uint64_t lsn;         /* of its last write: the gate of whoever reads it */
    /* As far as the loop knows, a row of it is on disk, and has this time of expiry. Folds read it:
     * nothing that the loop changes at other times shares the word. */
    uint64_t persisted : 1;
    uint64_t row_expiry_ms : 60;
};

/* Bytes of one of the memory store, its name aside. */
#define OBJECT_SMALL_BYTES offsetof(struct object, states[1])

/* The hash of a key name in a namespace, of which the upper 48 bits order SCAN: it must never
 * change, so the seed is stored (catalog.h). */
uint64_t object_hash(uint64_t seed, uint32_t space, struct bytes name);

/* An object of type OBJECT_NONE. */
struct object *object_create(uint32_t space, uint64_t hash, struct bytes name, uint8_t side);
/* Drops its states' references. It must be in no list. */
void object_destroy(struct object *object);

/* The same for the memory store, of a range. It is of no use to anything but cache/memory.h. */
struct object *object_create_small(uint32_t space, uint64_t hash, struct bytes name,
                                   uint16_t range);

static inline struct bytes object_name(const struct object *object)
{
    size_t at = object->in_memory ? OBJECT_SMALL_BYTES : sizeof(*object);
    return bytes_of((const char *)object + at, object->name_len);
}

static inline struct object_state *object_state(struct object *object)
{
    return &object->states[object->side];
}

static inline enum object_type object_type(const struct object *object)
{
    return object->states[object->side].type;
}

/* The feed, or NULL when it is something else or nothing. */
static inline struct feed *object_state_feed(const struct object_state *state)
{
    return state->type == OBJECT_FEED ? state->feed : NULL;
}

static inline struct feed *object_feed(const struct object *object)
{
    return object_state_feed(&object->states[object->side]);
}

/* When the key goes away by itself; 0: never. */
static inline uint64_t object_expiry(const struct object *object)
{
    return object->states[object->side].expiry_ms;
}

/* The state becomes nothing; its reference is dropped. */
void object_state_clear(struct object_state *state);
/* Bytes of memory behind the state, a feed's unfolded entries aside. */
size_t object_state_bytes(const struct object_state *state);

/* Bytes of memory that the object takes, unfolded entries aside. */
size_t object_bytes(const struct object *object);

/* The row of `state`, of the given side of its feed. */
void object_row_encode(struct buf *out, const struct object_state *state, uint8_t side);
/* Fills the newest state of `object` (OBJECT_NONE so far, durable) from its row. ERR_CORRUPT leaves
 * it as it was. */
MUST_CHECK enum err object_row_decode(struct object *object, struct bytes row);
/* The same for the row of anything but a feed, and a state of any store. */
MUST_CHECK enum err object_state_decode(struct object_state *state, struct bytes row);

/* What a row tells of its key's size. */
struct object_row_size {
    uint64_t value_bytes; /* of a string or a hash, packed */
    uint64_t entries;     /* of a feed */
};
/* ERR_CORRUPT. */
MUST_CHECK enum err object_row_size(struct bytes row, struct object_row_size *out);

/* What a row's first byte says. */
static inline enum object_type object_row_type(uint8_t first)
{
    return (enum object_type)(first & 0x7f);
}
/* The time of expiry in a row, of which the first OBJECT_ROW_HEAD_MAX bytes will do; 0: never, or
 * the row is damaged. */
#define OBJECT_ROW_HEAD_MAX (1 + VARINT_MAX)
uint64_t object_row_expiry(struct bytes row);

#endif
