/* keyspace: from a key to its object, and the one place that changes objects.
 *
 * A key's object is resident, or is made from its row in ranges. keyspace_find looks in memory only
 * (block cache included) and says ERR_COLD where that is not enough; then a reader fetches the row
 * (broker/access.h).
 *
 * keyspace_write is how commands change anything: the op goes into the open commit record and is
 * applied. Recovery applies the ops of the log by the same function. Applying needs no decision:
 * see storage/op.h.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_KEYSPACE_H
#define WEIR_BROKER_KEYSPACE_H

#include "cache/table.h"
#include "storage/fetch.h"
#include "storage/store.h"

struct keyspace {
    struct table table;
    struct store *store; /* borrowed */
    enum tier tier;      /* TIER_DISK while recovering, TIER_MEMORY while serving */
    uint64_t hits;       /* looked up and there */
    uint64_t misses;
    /* Told of every write, after it is applied; NULL: nobody is. Not told by recovery. */
    void (*changed)(void *context, const struct op *op, uint64_t lsn);
    void *changed_context;
};

void keyspace_init(struct keyspace *keyspace);
/* After store_close. */
void keyspace_deinit(struct keyspace *keyspace);

/* The namespace of a database, and what the catalog knows of it. */
struct database *keyspace_database(struct keyspace *keyspace, unsigned db);

/* ERR_OK: *out is the key's object, of type OBJECT_NONE when the key does not exist; valid until
 * the end of the loop's turn. ERR_COLD, ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err keyspace_find(struct keyspace *keyspace, unsigned db, struct bytes key,
                                  struct object **out);

/* The key is cold: what to read. */
void keyspace_plan(struct keyspace *keyspace, unsigned db, struct bytes key, struct fetch *fetch);
/* Makes the object from what was read. ERR_COLD: things have changed since, plan again. */
MUST_CHECK enum err keyspace_take(struct keyspace *keyspace, unsigned db, struct bytes key,
                                  struct fetch *fetch);

/* Makes sure that the groups of the object's feed are in memory, if it has any. ERR_COLD, ERR_IO,
 * ERR_CORRUPT. */
MUST_CHECK enum err keyspace_groups(struct keyspace *keyspace, struct object *object);
/* They are cold: what to read, and what was read. ERR_COLD: plan again. */
void keyspace_groups_plan(struct keyspace *keyspace, struct object *object, struct fetch *fetch);
MUST_CHECK enum err keyspace_groups_take(struct keyspace *keyspace, struct object *object,
                                         struct fetch *fetch);

/* Counts a read of this key as a hit or a miss. */
void keyspace_count(struct keyspace *keyspace, const struct object *object);

/* The gate of what a reader learns about this key: the LSN of its last change. */
uint64_t keyspace_gate(struct keyspace *keyspace, unsigned db, const struct object *object);

/* Logs and applies; returns the record's LSN, which gates the reply. op->object must be what
 * op->key names. */
uint64_t keyspace_write(struct keyspace *keyspace, const struct op *op);

/* Applies one op of the log. ERR_IO, ERR_CORRUPT: the log does not fit what is on disk. */
MUST_CHECK enum err keyspace_replay(struct keyspace *keyspace, const struct op *op);

/* A fold has let go of the object (store_hooks.clean). */
void keyspace_clean(struct keyspace *keyspace, struct object *object);

/* Ids that the next op may use. */
uint64_t keyspace_next_feed(const struct keyspace *keyspace);
uint32_t keyspace_next_space(const struct keyspace *keyspace);

#endif
