/* key_ranges: the rules that say in which store keys live.
 *
 * A rule is a database (or all of them) and a prefix of key names, with a store and, for memory,
 * a budget and a policy. Of the rules that fit a key the one with the longest prefix wins, and of
 * two with the same prefix the one that names the database. There is always a rule for all
 * databases and the empty prefix, so that every key has one.
 *
 * A rule has a small id for as long as it is there, by which the memory store (cache/memory.h)
 * keeps what belongs to it.
 *
 * While a change of the rules has keys moved, the rules before it are kept beside the new ones: a
 * key is where the ones or the others say, and nowhere else. There is one such change at a time.
 *
 *   rule  = database varint | prefix: varint length, bytes | store u8 | policy u8 | budget varint
 *   rules = (rule | id varint)...
 *
 * While keys move, bit 4 of a store says that the rule is of those before, bit 5 that it is of the
 * new ones; a rule without either is of both.
 *
 * Threads: the loop's. */
#ifndef WEIR_STORAGE_KEY_RANGES_H
#define WEIR_STORAGE_KEY_RANGES_H

#include "base/codec.h"
#include "base/err.h"

enum key_store { STORE_DURABLE = 0, STORE_MEMORY = 1 };

/* What leaves a memory range that is over its budget. The numbers are stored. */
#define KEY_POLICY_TABLE(X)                                                                        \
    X(NO_EVICTION, 0, "noeviction")                                                                \
    X(ALLKEYS_LRU, 1, "allkeys-lru")                                                               \
    X(ALLKEYS_LFU, 2, "allkeys-lfu")                                                               \
    X(ALLKEYS_RANDOM, 3, "allkeys-random")                                                         \
    X(VOLATILE_LRU, 4, "volatile-lru")                                                             \
    X(VOLATILE_LFU, 5, "volatile-lfu")                                                             \
    X(VOLATILE_RANDOM, 6, "volatile-random")                                                       \
    X(VOLATILE_TTL, 7, "volatile-ttl")

#define X(name, number, word) POLICY_##name = (number),
enum key_policy { KEY_POLICY_TABLE(X) POLICY_COUNT };
#undef X

/* A lookup tries rules one after the other, and each has a table of its own in memory. */
#define KEY_RANGES_MAX       64u
#define KEY_RANGE_PREFIX_MAX 1024u

/* In place of a database's number: all databases. */
#define KEY_RANGE_ALL UINT32_MAX

/* The rule for all databases that keys have which begin with "cache:", until it is changed. */
#define KEY_RANGE_CACHE_BYTES (UINT64_C(256) << 20)

struct key_range {
    uint32_t db; /* or KEY_RANGE_ALL */
    uint16_t id; /* < KEY_RANGES_MAX */
    enum key_store store;
    enum key_policy policy;
    uint64_t bytes_max; /* 0: as much as all memory ranges may have */
    uint32_t prefix_len;
    char *prefix; /* owned by its table */
};

struct key_ranges {
    struct key_range *rules; /* the longest prefixes first */
    uint32_t count;
    uint64_t changes;          /* so far; not stored */
    struct key_ranges *before; /* owned; NULL: no keys are being moved */
};

/* The rules of a new store: all keys are durable but those that begin with "cache:". */
void key_ranges_init(struct key_ranges *ranges);
void key_ranges_deinit(struct key_ranges *ranges);
/* `to` is uninitialized. */
void key_ranges_copy(struct key_ranges *to, const struct key_ranges *from);

/* The rule that a key is under; valid until the rules change. */
const struct key_range *key_ranges_of(const struct key_ranges *ranges, uint32_t db,
                                      struct bytes key);
/* The rule of exactly this database and prefix, or NULL. */
struct key_range *key_ranges_find(const struct key_ranges *ranges, uint32_t db,
                                  struct bytes prefix);
struct key_range *key_ranges_with_id(const struct key_ranges *ranges, uint16_t id);

/* Adds a rule or changes the one that is there; `prefix` is copied, `rule->id` chosen here.
 * ERR_FULL: there are KEY_RANGES_MAX. ERR_RANGE: the prefix is too long. */
MUST_CHECK enum err key_ranges_set(struct key_ranges *ranges, const struct key_range *rule);
/* ERR_NOT_FOUND. ERR_RANGE: the rule that every store has. */
MUST_CHECK enum err key_ranges_delete(struct key_ranges *ranges, uint32_t db, struct bytes prefix);

/* The rules become those that `rule` set, or deleted, would leave; those before are kept. */
MUST_CHECK enum err key_ranges_move(struct key_ranges *ranges, const struct key_range *rule,
                                    bool deletes);
/* The rules before take the place of the new ones, and the other way round. Keys are being moved.
 */
void key_ranges_turn_back(struct key_ranges *ranges);
/* No key is where the rules before say: they are forgotten. */
void key_ranges_moved(struct key_ranges *ranges);
/* The rule that the key was under before keys were moved; the one that it is under, where that is
 * the same place or none are. */
const struct key_range *key_ranges_before(const struct key_ranges *ranges, uint32_t db,
                                          struct bytes key);
/* The rule for whose sake keys are moved, as it is or, when it is gone, was. */
const struct key_range *key_ranges_changed(const struct key_ranges *ranges);
/* True: keys of the one lie where those of the other do. */
static inline bool key_range_same_place(const struct key_range *a, const struct key_range *b)
{
    return a->store == b->store && (a->store == STORE_DURABLE || a->id == b->id);
}

/* What names database `a` names `b` from now on, and the other way round. */
void key_ranges_swap(struct key_ranges *ranges, uint32_t a, uint32_t b);

void key_range_encode(struct buf *out, const struct key_range *rule);
/* One rule and nothing behind it; `prefix` has room for KEY_RANGE_PREFIX_MAX bytes, which the rule
 * then points to. ERR_CORRUPT. */
MUST_CHECK enum err key_range_decode(struct bytes bytes, char *prefix, struct key_range *out);

void key_ranges_encode(struct buf *out, const struct key_ranges *ranges);
/* Initializes *out. ERR_CORRUPT. */
MUST_CHECK enum err key_ranges_decode(struct bytes rules, struct key_ranges *out);

/* "memory"; "allkeys-lru". */
const char *key_store_name(enum key_store store);
const char *key_policy_name(enum key_policy policy);
/* Any case. False: no such word. */
bool key_store_of(struct bytes word, enum key_store *out);
bool key_policy_of(struct bytes word, enum key_policy *out);

static inline struct bytes key_range_prefix(const struct key_range *range)
{
    return bytes_of(range->prefix, range->prefix_len);
}

#endif
