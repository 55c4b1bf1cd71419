/* key: the keys of the rows in ranges; nothing else builds or reads them.
 *
 *   namespace u32 | slot u16 | kind u8 | rest
 *
 *   kind      rest                            value
 *   system    a name                          storage/catalog.h        (namespace 0, slot 0)
 *   object    hash u48 | key name             storage/object.h
 *   chunk     feed id u64 | ms u64 | seq u64  storage/entry.h          (id of the chunk's base)
 *   alarm     0 u64 | ms u64 | feed id u64    storage/upkeep.h         (namespace 0, slot 0)
 *   delayed   feed id u64 | ms u64 | seq u64  an entry's fields        (when due, and its number)
 *   expiry    ms u64 | key name               nothing                  (slot KEY_SLOTS)
 *   group     groups id u64 | number u64      storage/group.h
 *   pending   groups id u64 | number u64 | ms u64 | seq u64            (id of the block's base)
 *                                             storage/pending.h
 *
 * All integers are big endian, so that rows sort by namespace, slot, kind and rest. The slot is
 * Redis Cluster's
 * (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/):
 * moving a slot is copying a range. The hash in front of a key name gives SCAN an order in which a
 * 64-bit cursor can name any place. */
#ifndef WEIR_STORAGE_KEY_H
#define WEIR_STORAGE_KEY_H

#include "base/buf.h"
#include "base/err.h"
#include "storage/id.h"

enum key_kind {
    KEY_SYSTEM = 0,
    KEY_OBJECT = 1,
    KEY_CHUNK = 2,
    KEY_GROUP = 3,
    KEY_PENDING = 4,
    KEY_ALARM = 16,
    KEY_DELAYED = 17,
    KEY_EXPIRY = 18,
};

#define KEY_SLOTS     16384u
#define KEY_HASH_BITS 48

/* Longest key name. Redis lets them be as long as values; here every op and every row carries one.
 */
#define KEY_NAME_MAX ((size_t)2 << 20)

/* Where a feed's chunks live, or its groups, which have an id of their own: it stays the same when
 * the feed is renamed. */
struct chunk_home {
    uint32_t space; /* namespace */
    uint16_t slot;
    uint64_t feed; /* feed id, or groups id */
};

/* The Redis Cluster slot of a key name: CRC16 (XMODEM) of it, or of its {hash tag}. */
uint16_t key_slot(struct bytes name);

/* Each replaces the content of `out`. */
void key_system(struct buf *out, struct bytes name);
/* `hash`: the 64-bit hash of the name (storage/object.h); its upper 48 bits go into the key. */
void key_object(struct buf *out, uint32_t space, uint16_t slot, uint64_t hash, struct bytes name);
void key_chunk(struct buf *out, struct chunk_home home, struct id base);
/* The end of a feed's chunks: past every key_chunk of it. */
void key_chunk_end(struct buf *out, struct chunk_home home);
/* The row of a group, and the end of all groups of `home`. */
void key_group(struct buf *out, struct chunk_home home, uint64_t group);
void key_group_end(struct buf *out, struct chunk_home home);
/* A block of pending entries of a group, and the end of its blocks. */
void key_pending(struct buf *out, struct chunk_home home, uint64_t group, struct id base);
void key_pending_end(struct buf *out, struct chunk_home home, uint64_t group);
/* The same for rows of another kind that are ordered by an id (storage/schedule.h). */
void key_timed(struct buf *out, enum key_kind kind, struct chunk_home home, struct id id);
void key_timed_end(struct buf *out, enum key_kind kind, struct chunk_home home);
/* The row that says when the key of this name expires: behind those of all slots. */
void key_expiry(struct buf *out, uint32_t space, uint64_t expiry_ms, struct bytes name);
/* The first key of object rows in `space` at or after slot and hash (its upper 48 bits). */
void key_object_from(struct buf *out, uint32_t space, uint16_t slot, uint64_t hash);
/* The first key of a namespace. */
void key_space(struct buf *out, uint32_t space);

/* The base id in a chunk's key. ERR_CORRUPT when it is not one of `home`. */
MUST_CHECK enum err key_chunk_base(struct bytes key, struct chunk_home home, struct id *base);

/* The base id in a block's key. ERR_CORRUPT when it is not one of this group. */
MUST_CHECK enum err key_pending_base(struct bytes key, struct chunk_home home, uint64_t group,
                                     struct id *base);
/* The number in a group's key. ERR_CORRUPT when it is not one of `home`. */
MUST_CHECK enum err key_group_number(struct bytes key, struct chunk_home home, uint64_t *number);
/* The id in such a row's key. */
MUST_CHECK enum err key_timed_id(struct bytes key, enum key_kind kind, struct chunk_home home,
                                 struct id *id);

/* What the key of such a row of `space` says; `name` points into `key`. ERR_CORRUPT. */
MUST_CHECK enum err key_expiry_parse(struct bytes key, uint32_t space, uint64_t *expiry_ms,
                                     struct bytes *name);

/* Takes an object's key apart; `name` points into `key`. ERR_NOT_FOUND when it is a key of another
 * kind. */
struct object_key {
    uint32_t space;
    uint16_t slot;
    uint64_t hash; /* upper 48 bits, the rest 0 */
    struct bytes name;
};
MUST_CHECK enum err key_object_parse(struct bytes key, struct object_key *out);

#endif
