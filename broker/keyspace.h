/* keyspace: from a key to its object, and the one place that changes objects.
 *
 * Two stores behind one seam. A key's range rule (storage/key_ranges.h) says where it lives:
 *
 *                 keyspace_find           keyspace_write
 *   durable       resident, or made of    into the open commit record, then applied by apply() to
 *                 its row in ranges       a state that the next fold writes; returns the gate
 *   memory        in cache/memory.h,      applied to the state, and that is all: no log, no fold,
 *                 or nowhere              no gate (0)
 *
 * What ops do to strings and hashes is the same code for both (storage/effect.h). Commands do not
 * know where their keys live; feeds live in durable ranges only.
 *
 * Durable: keyspace_find looks in memory only (block cache included) and says ERR_COLD where that
 * is not enough; then a reader fetches the row (broker/access.h). Recovery applies the ops of the
 * log by the same function as commands. Applying needs no decision: see storage/op.h.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_KEYSPACE_H
#define WEIR_BROKER_KEYSPACE_H

#include "cache/memory.h"
#include "cache/table.h"
#include "storage/fetch.h"
#include "storage/store.h"

struct keyspace {
    struct table table;    /* durable keys */
    struct memory memory;  /* the others */
    struct object *absent; /* what is found where there is no key in memory */
    struct store *store;   /* borrowed */
    enum tier tier;        /* TIER_DISK while recovering, TIER_MEMORY while serving */
    uint64_t moved_lsn;    /* of the last key that has come to memory: see keyspace_carry */
    uint64_t moves;        /* of keys to another place that have begun: see scan_commands.c */
    uint64_t count_round;  /* of counting durable keys: see range_count.h */
    uint64_t grown;        /* memory ranges that were written, a bit for each id: see eviction.h */
    uint64_t hits;         /* looked up and there, in all ranges */
    uint64_t misses;
    uint64_t evictions;
    /* Told of every write, after it is applied; NULL: nobody is. Not told by recovery. */
    void (*changed)(void *context, const struct op *op, uint64_t lsn);
    void *changed_context;
};

void keyspace_init(struct keyspace *keyspace);
/* After store_close. */
void keyspace_deinit(struct keyspace *keyspace);

/* The namespace of a database, and what the catalog knows of it. */
struct database *keyspace_database(struct keyspace *keyspace, unsigned db);

/* The rule that the key is under. */
const struct key_range *keyspace_range(struct keyspace *keyspace, unsigned db, struct bytes key);

/* ERR_OK: *out is the key's object, of type OBJECT_NONE when the key does not exist; valid until
 * the end of the loop's turn, in memory ranges until the end of the command. A key whose time has
 * come is still there: see access.h. ERR_COLD, ERR_IO, ERR_CORRUPT: durable keys only. */
MUST_CHECK enum err keyspace_find(struct keyspace *keyspace, unsigned db, struct bytes key,
                                  struct object **out);

/* These keys, at most LOOKAHEAD_MAX (broker/lookahead.h), will probably be looked up soon: what is
 * in memory of them is fetched into the processor's cache, side by side. */
void keyspace_prefetch(struct keyspace *keyspace, unsigned db, const struct bytes *keys,
                       unsigned count);
/* False: the keys in memory are so few that they will be in the cache anyway. */
bool keyspace_prefetch_pays(const struct keyspace *keyspace);

/* The key is cold: what to read. */
void keyspace_plan(struct keyspace *keyspace, unsigned db, struct bytes key, struct fetch *fetch);
/* Makes the object from what was read. ERR_COLD: things have changed since, plan again. */
MUST_CHECK enum err keyspace_take(struct keyspace *keyspace, unsigned db, struct bytes key,
                                  struct fetch *fetch);

/* Makes the object of a durable key of its row, unless it is in memory: `row` was asked for under
 * the view of now (store_view). ERR_CORRUPT. */
MUST_CHECK enum err keyspace_adopt(struct keyspace *keyspace, unsigned db, struct bytes key,
                                   struct bytes row);

/* Makes sure that the groups of the object's feed are in memory, if it has any. ERR_COLD, ERR_IO,
 * ERR_CORRUPT. */
MUST_CHECK enum err keyspace_groups(struct keyspace *keyspace, struct object *object);
/* They are cold: what to read, and what was read. ERR_COLD: plan again. */
void keyspace_groups_plan(struct keyspace *keyspace, struct object *object, struct fetch *fetch);
MUST_CHECK enum err keyspace_groups_take(struct keyspace *keyspace, struct object *object,
                                         struct fetch *fetch);

/* Counts a read of this key as a hit or a miss. */
void keyspace_count(struct keyspace *keyspace, unsigned db, struct bytes key,
                    const struct object *object);
/* A key of a memory range was looked at, by the clock of `memory`: eviction remembers. */
void keyspace_used(struct keyspace *keyspace, struct object *object);
/* True: the key's time has come, at `now_ms`. */
static inline bool keyspace_expired(const struct object *object, uint64_t now_ms)
{
    return object_expiry(object) > 0 && object_expiry(object) <= now_ms;
}

/* True: a change of the rules has keys moved. A key is in the store that its rule says, or in the
 * one that its rule before said; a key that is made anew goes where its rule says. */
bool keyspace_moving(const struct keyspace *keyspace);
/* The object, which is a key of database `db` and no feed, goes where its rule says, if it is not
 * there; nobody is told. Returns the LSN that makes it durable, 0: nothing was logged. What comes
 * to memory is shown behind that gate: a crash before it would bring back an older value. */
uint64_t keyspace_carry(struct keyspace *keyspace, unsigned db, struct object *object);
/* The same object as keyspace_find, of a durable key. */
MUST_CHECK enum err keyspace_find_durable(struct keyspace *keyspace, unsigned db, struct bytes key,
                                          struct object **out);
/* NULL: the durable key is not in memory. */
struct object *keyspace_resident(struct keyspace *keyspace, unsigned db, struct bytes key);

/* The gate of what a reader learns about this key: the LSN of its last change. */
uint64_t keyspace_gate(struct keyspace *keyspace, unsigned db, const struct object *object);

/* Does what the op says in the store that its key lives in; returns what gates the reply, 0 for
 * nothing. op->object must be what op->key names, or NULL. Both keys of OP_RENAME are durable. */
uint64_t keyspace_write(struct keyspace *keyspace, const struct op *op);

/* Applies one op of the log. ERR_IO, ERR_CORRUPT: the log does not fit what is on disk. */
MUST_CHECK enum err keyspace_replay(struct keyspace *keyspace, const struct op *op);

/* A fold has let go of the object (store_hooks.clean). */
void keyspace_clean(struct keyspace *keyspace, struct object *object);

/* The keys of a database that are in memory ranges go, all at once. */
void keyspace_forget_memory(struct keyspace *keyspace, unsigned db);
/* The database whose namespace this is; it is one's. */
unsigned keyspace_db_of(struct keyspace *keyspace, uint32_t space);

/* Ids that the next op may use. */
uint64_t keyspace_next_feed(const struct keyspace *keyspace);
uint32_t keyspace_next_space(const struct keyspace *keyspace);

#endif
