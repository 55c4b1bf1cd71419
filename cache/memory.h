/* memory: the store of keys that live in memory only.
 *
 * Each range rule whose store is memory (storage/key_ranges.h) has a table of objects here, with
 * what they cost to the byte: the allocations of object and value as the allocator made them, and
 * the table's own. Objects are small (object_create_small) and found by namespace and name.
 *
 * Who changes an object opens it before and closes it afterwards; that is where costs and counts
 * are kept, and where an object that has become nothing goes. It stays readable, as OBJECT_NONE,
 * until memory_reap.
 *
 * For eviction an object remembers its use, as the range's policy wants it: when (the policies with
 * lru), or how often (lfu: Redis's logarithmic counter that a minute of rest decays,
 * https://redis.io/docs/latest/develop/reference/eviction/). Victims are found as Redis finds them:
 * some objects are drawn, and the best of those drawn so far are kept in a pool.
 *
 * Threads: the loop's. */
#ifndef WEIR_CACHE_MEMORY_H
#define WEIR_CACHE_MEMORY_H

#include "base/random.h"
#include "storage/key_ranges.h"
#include "storage/object.h"

/* As many as Redis draws with its default maxmemory-samples, and keeps. */
#define MEMORY_SAMPLES 5
#define MEMORY_POOL    16

struct memory_victim {
    struct object *object;
    uint64_t rank; /* the highest goes first */
    uint32_t used; /* of the object then: it is no victim when it was used since */
};

struct memory_range {
    struct hmap map;
    size_t key_bytes;                       /* what the keys cost, the table aside */
    size_t expiring;                        /* keys with a time of expiry */
    uint64_t sweep;                         /* the hash at which memory_expired goes on */
    struct memory_victim pool[MEMORY_POOL]; /* the lowest rank first */
    unsigned pooled;
    uint64_t hits; /* these four of durable ranges, too, as far as they happen there */
    uint64_t misses;
    uint64_t evictions;
    uint64_t expirations;
};

struct memory {
    struct memory_range ranges[KEY_RANGES_MAX]; /* by id */
    struct random random;
    uint64_t now_ms; /* Unix time, kept up to date by the caller; 0 before the first */
    struct object *gone;
};

void memory_init(struct memory *memory);
void memory_deinit(struct memory *memory);

/* NULL when there is none; else valid until memory_reap, as long as it is not flushed. */
struct object *memory_find(const struct memory *memory, uint16_t range, uint32_t space,
                           uint64_t hash, struct bytes name);
/* The key was looked at: it is remembered as the policy wants it. */
void memory_used(struct memory *memory, struct object *object, enum key_policy policy);

/* Milliseconds since it was used; how often, for the policies with lfu. */
uint64_t memory_idle_ms(const struct memory *memory, const struct object *object);
unsigned memory_frequency(const struct memory *memory, const struct object *object);

struct memory_opened {
    struct object *object;  /* of type OBJECT_NONE when the key is new */
    size_t bytes;           /* of its state */
    bool was;               /* a key already */
    bool expired_some_time; /* had a time of expiry */
};
/* `object` may be NULL or of type OBJECT_NONE: then it is found or made. */
struct memory_opened memory_open(struct memory *memory, const struct key_range *range,
                                 struct object *object, uint32_t space, uint64_t hash,
                                 struct bytes name);
/* What closing it has changed: -1, 0 or 1. */
struct memory_change {
    int keys;
    int expires;
};
struct memory_change memory_close(struct memory *memory, const struct memory_opened *opened);

/* Bytes of a range; of all. */
size_t memory_range_bytes(const struct memory *memory, uint16_t range);
size_t memory_bytes(const struct memory *memory);

/* Whether the policy lets some key of the range go. */
bool memory_lets_go(const struct memory *memory, uint16_t range, enum key_policy policy);
/* The object that the policy would have go next, NULL when it lets none go. The caller drops it
 * like any key. */
struct object *memory_victim(struct memory *memory, uint16_t range, enum key_policy policy);
/* An object of the range whose time has come, NULL when none is met within *looks, of which each
 * object that is looked at takes one, those that are returned too. The caller drops it. */
struct object *memory_expired(struct memory *memory, uint16_t range, size_t *looks);

/* All keys of a namespace go at once. */
void memory_forget_space(struct memory *memory, uint32_t space);
/* An object goes to another range. */
void memory_move(struct memory *memory, struct object *object, uint16_t to);
/* The objects of the range `from` of which `belongs` says that they are of another one go there. */
void memory_rehome(struct memory *memory, uint16_t from,
                   uint16_t (*belongs)(void *context, const struct object *object), void *context);
/* The rule is gone or new: so are its counters. Its table is empty. */
void memory_reset_range(struct memory *memory, uint16_t range);

/* Frees what has gone since the last call. */
void memory_reap(struct memory *memory);

#endif
