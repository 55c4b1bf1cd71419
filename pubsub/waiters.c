#include "pubsub/waiters.h"

#include "base/alloc.h"
#include "base/check.h"

struct waiters_key {
    struct hmap_node node;
    struct list queue; /* of waiter.link */
    uint32_t scope;
    size_t len;
    char name[];
};

void waiters_init(struct waiters *waiters)
{
    hmap_init(&waiters->keys);
}

void waiters_deinit(struct waiters *waiters)
{
    CHECK(waiters_empty(waiters));
    hmap_deinit(&waiters->keys);
}

static struct waiters_key *find(const struct waiters *waiters, uint64_t hash, uint32_t scope,
                                struct bytes name)
{
    for (struct hmap_node *node = hmap_chain(&waiters->keys, hash); node != NULL;
         node = node->next) {
        struct waiters_key *key = container_of(node, struct waiters_key, node);
        if (node->hash == hash && key->scope == scope &&
            bytes_equal(bytes_of(key->name, key->len), name))
            return key;
    }
    return NULL;
}

void waiters_add(struct waiters *waiters, uint32_t scope, struct bytes name, struct waiter *waiter)
{
    uint64_t hash = hash_bytes(name, scope);
    struct waiters_key *key = find(waiters, hash, scope, name);
    if (key == NULL) {
        key = mem_alloc(sizeof(*key) + name.len);
        key->node.hash = hash;
        list_init(&key->queue);
        key->scope = scope;
        key->len = name.len;
        if (name.len > 0)
            memcpy(key->name, name.data, name.len);
        hmap_insert(&waiters->keys, &key->node);
    }
    waiter->key = key;
    list_push_back(&key->queue, &waiter->link);
}

void waiters_remove(struct waiters *waiters, struct waiter *waiter)
{
    struct waiters_key *key = waiter->key;
    if (key == NULL)
        return;
    waiter->key = NULL;
    list_remove(&waiter->link);
    if (!list_empty(&key->queue))
        return;
    hmap_remove(&waiters->keys, &key->node);
    mem_free(key);
}

uint32_t waiter_scope(const struct waiter *waiter)
{
    return waiter->key->scope;
}

struct bytes waiter_name(const struct waiter *waiter)
{
    return bytes_of(waiter->key->name, waiter->key->len);
}

struct waiter *waiters_first(const struct waiters *waiters, uint32_t scope, struct bytes name)
{
    struct waiters_key *key = find(waiters, hash_bytes(name, scope), scope, name);
    return key != NULL ? container_of(key->queue.next, struct waiter, link) : NULL;
}

struct waiter *waiters_next(const struct waiter *waiter)
{
    const struct list *queue = &waiter->key->queue;
    return waiter->link.next != queue ? container_of(waiter->link.next, struct waiter, link) : NULL;
}
