/* table: the objects that are in memory.
 *
 * Every resident object is in a hash table by namespace and name. Those that are clean (as they are
 * on disk) are also in a list, least recently used first, with a budget; those that are not have no
 * right to leave.
 *
 * Threads: the loop's. */
#ifndef WEIR_CACHE_TABLE_H
#define WEIR_CACHE_TABLE_H

#include "storage/object.h"

struct table {
    struct hmap map;
    struct list clean;
    size_t clean_bytes;
};

void table_init(struct table *table);
/* Destroys all objects; they must be in no dirty list. */
void table_deinit(struct table *table);

/* NULL when it is not resident. `hash` is object_hash of the name. */
struct object *table_find(const struct table *table, uint32_t space, uint64_t hash,
                          struct bytes name);
void table_insert(struct table *table, struct object *object);
/* Takes the object out of everything; it is the caller's. */
void table_remove(struct table *table, struct object *object);

/* The object became clean: it may leave from now on, as the most recently used one. */
void table_clean(struct table *table, struct object *object);
/* The object is about to be written. */
void table_unclean(struct table *table, struct object *object);
/* The object was looked at. */
void table_used(struct table *table, struct object *object);

/* Destroys clean objects until they take at most `limit` bytes, but not more than `count_max`. An
 * object whose feed somebody is reading stays. Returns how many went. */
size_t table_evict(struct table *table, size_t limit, size_t count_max);

#endif
