#include "pubsub/waiters.h"

#include "base/alloc.h"
#include "base/check.h"

struct waiters_key {
    struct hmap_node node;
    struct list queue; /* of waiter.link */
    struct list lines;
    uint32_t scope;
    size_t len;
    char name[];
};

struct waiters_line {
    struct list link;
    struct list queue; /* of waiter.line_link */
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

static struct waiters_line *find_line(const struct waiters_key *key, struct bytes name)
{
    for (struct list *link = key->lines.next; link != &key->lines; link = link->next) {
        struct waiters_line *line = container_of(link, struct waiters_line, link);
        if (bytes_equal(bytes_of(line->name, line->len), name))
            return line;
    }
    return NULL;
}

/* Puts the waiter at the end of a line. */
static void join_line(struct waiters_key *key, struct bytes name, struct waiter *waiter)
{
    struct waiters_line *line = find_line(key, name);
    if (line == NULL) {
        line = mem_alloc(sizeof(*line) + name.len);
        list_init(&line->queue);
        line->len = name.len;
        if (name.len > 0)
            memcpy(line->name, name.data, name.len);
        list_push_back(&key->lines, &line->link);
    }
    bool first = list_empty(&line->queue);
    waiter->line = line;
    list_push_back(&line->queue, &waiter->line_link);
    if (first)
        list_push_back(&key->queue, &waiter->link);
}

/* Takes the waiter out of its line; the next one takes its place. */
static void leave_line(struct waiter *waiter)
{
    struct waiters_line *line = waiter->line;
    bool first = !list_empty(&waiter->link);
    waiter->line = NULL;
    list_remove(&waiter->line_link);
    if (list_empty(&line->queue)) {
        list_remove(&line->link);
        mem_free(line);
    } else if (first) {
        struct waiter *next = container_of(line->queue.next, struct waiter, line_link);
        list_push_back(waiter->link.next, &next->link); /* before what is behind it */
    }
}

void waiters_add(struct waiters *waiters, uint32_t scope, struct bytes name,
                 const struct bytes *line, struct waiter *waiter)
{
    uint64_t hash = hash_bytes(name, scope);
    struct waiters_key *key = find(waiters, hash, scope, name);
    if (key == NULL) {
        key = mem_alloc(sizeof(*key) + name.len);
        key->node.hash = hash;
        list_init(&key->queue);
        list_init(&key->lines);
        key->scope = scope;
        key->len = name.len;
        if (name.len > 0)
            memcpy(key->name, name.data, name.len);
        hmap_insert(&waiters->keys, &key->node);
    }
    waiter->key = key;
    waiter->line = NULL;
    list_init(&waiter->link);
    list_init(&waiter->line_link);
    if (line != NULL)
        join_line(key, *line, waiter);
    else
        list_push_back(&key->queue, &waiter->link);
}

void waiters_remove(struct waiters *waiters, struct waiter *waiter)
{
    struct waiters_key *key = waiter->key;
    if (key == NULL)
        return;
    waiter->key = NULL;
    if (waiter->line != NULL)
        leave_line(waiter);
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

struct waiter *waiters_line_first(const struct waiters *waiters, uint32_t scope, struct bytes name,
                                  struct bytes line)
{
    struct waiters_key *key = find(waiters, hash_bytes(name, scope), scope, name);
    struct waiters_line *found = key != NULL ? find_line(key, line) : NULL;
    return found != NULL ? container_of(found->queue.next, struct waiter, line_link) : NULL;
}

struct waiter *waiters_line_next(const struct waiter *waiter)
{
    const struct list *queue = &waiter->line->queue;
    struct list *next = waiter->line_link.next;
    return next != queue ? container_of(next, struct waiter, line_link) : NULL;
}
