#include "cache/table.h"

#include "base/check.h"

/* Of object.charged. */
#define CHARGED_MAX ((uint32_t)INT32_MAX)

void table_init(struct table *table)
{
    hmap_init(&table->map);
    list_init(&table->clean);
    table->clean_bytes = 0;
}

void table_deinit(struct table *table)
{
    uint64_t hash = 0;
    bool last = false;
    while (!last) {
        struct hmap_node *node = hmap_walk(&table->map, &hash, &last);
        while (node != NULL) {
            struct object *object = container_of(node, struct object, node);
            node = node->next;
            list_remove(&object->lru);
            object_destroy(object);
        }
    }
    hmap_deinit(&table->map);
}

struct object *table_find(const struct table *table, uint32_t space, uint64_t hash,
                          struct bytes name)
{
    for (struct hmap_node *node = hmap_chain(&table->map, hash); node != NULL; node = node->next) {
        struct object *object = container_of(node, struct object, node);
        if (node->hash == hash && object->space == space && bytes_equal(object_name(object), name))
            return object;
    }
    return NULL;
}

void table_insert(struct table *table, struct object *object)
{
    hmap_insert(&table->map, &object->node);
}

void table_remove(struct table *table, struct object *object)
{
    table_unclean(table, object);
    hmap_remove(&table->map, &object->node);
}

void table_clean(struct table *table, struct object *object)
{
    CHECK(list_empty(&object->lru));
    size_t bytes = object_bytes(object);
    object->charged = (bytes < CHARGED_MAX ? (uint32_t)bytes : CHARGED_MAX) & CHARGED_MAX;
    table->clean_bytes += object->charged;
    list_push_back(&table->clean, &object->lru);
}

void table_unclean(struct table *table, struct object *object)
{
    if (list_empty(&object->lru))
        return;
    table->clean_bytes -= object->charged;
    list_remove(&object->lru);
}

void table_used(struct table *table, struct object *object)
{
    if (list_empty(&object->lru) || object->lru.next == &table->clean)
        return;
    table_unclean(table, object);
    table_clean(table, object);
}

static bool in_use(const struct object *object)
{
    const struct feed *feed = object_feed(object);
    return feed != NULL && feed->refs > 1;
}

size_t table_evict(struct table *table, size_t limit, size_t count_max)
{
    size_t gone = 0;
    for (size_t i = 0; i < count_max && table->clean_bytes > limit && !list_empty(&table->clean);
         i++) {
        struct object *object = container_of(table->clean.next, struct object, lru);
        if (in_use(object)) {
            table_used(table, object);
            continue;
        }
        table_remove(table, object);
        object_destroy(object);
        gone++;
    }
    return gone;
}
