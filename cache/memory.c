#include "cache/memory.h"

#include "base/alloc.h"
#include "base/check.h"

/* Redis's: where the counter of a new key begins, how improbable it makes the next step up, and
 * after how long a rest a step down. */
#define LFU_INITIAL  5u
#define LFU_FACTOR   10u
#define LFU_DECAY_MS 60000u
#define LFU_MAX      255u

void memory_init(struct memory *memory)
{
    *memory = (struct memory){0};
    random_init(&memory->random, random_seed());
}

void memory_reap(struct memory *memory)
{
    while (memory->gone != NULL) {
        struct object *object = memory->gone;
        struct hmap_node *next = object->node.next;
        memory->gone = next != NULL ? container_of(next, struct object, node) : NULL;
        object_destroy(object);
    }
}

void memory_deinit(struct memory *memory)
{
    memory_reap(memory);
    for (unsigned i = 0; i < KEY_RANGES_MAX; i++) {
        struct hmap *map = &memory->ranges[i].map;
        uint64_t hash = 0;
        bool last = false;
        while (!last) {
            struct hmap_node *node = hmap_walk(map, &hash, &last);
            while (node != NULL) {
                struct object *object = container_of(node, struct object, node);
                node = node->next;
                object_destroy(object);
            }
        }
        hmap_deinit(map);
    }
}

struct object *memory_find(const struct memory *memory, uint16_t range, uint32_t space,
                           uint64_t hash, struct bytes name)
{
    struct hmap_node *node = hmap_chain(&memory->ranges[range].map, hash);
    for (; node != NULL; node = node->next) {
        struct object *object = container_of(node, struct object, node);
        if (node->hash == hash && object->space == space && bytes_equal(object_name(object), name))
            return object;
    }
    return NULL;
}

/* ---- use ---- */

static bool counts_uses(enum key_policy policy)
{
    return policy == POLICY_ALLKEYS_LFU || policy == POLICY_VOLATILE_LFU;
}

/* used = minutes << 8 | counter */
static uint32_t minutes(const struct memory *memory)
{
    return (uint32_t)(memory->now_ms / LFU_DECAY_MS) & 0xffffffu;
}

unsigned memory_frequency(const struct memory *memory, const struct object *object)
{
    uint32_t rested = (minutes(memory) - (object->used >> 8)) & 0xffffffu;
    unsigned counter = object->used & 0xffu;
    return rested < counter ? counter - rested : 0;
}

uint64_t memory_idle_ms(const struct memory *memory, const struct object *object)
{
    return (uint32_t)memory->now_ms - object->used;
}

void memory_used(struct memory *memory, struct object *object, enum key_policy policy)
{
    if (!counts_uses(policy)) {
        object->used = (uint32_t)memory->now_ms;
        return;
    }
    unsigned counter = memory_frequency(memory, object);
    unsigned above = counter > LFU_INITIAL ? counter - LFU_INITIAL : 0;
    uint64_t odds = (uint64_t)above * LFU_FACTOR + 1;
    if (counter < LFU_MAX && random_below(&memory->random, odds) == 0)
        counter++;
    object->used = minutes(memory) << 8 | counter;
}

static uint32_t first_use(const struct memory *memory, enum key_policy policy)
{
    return counts_uses(policy) ? minutes(memory) << 8 | LFU_INITIAL : (uint32_t)memory->now_ms;
}

/* ---- changes ---- */

struct memory_opened memory_open(struct memory *memory, const struct key_range *range,
                                 struct object *object, uint32_t space, uint64_t hash,
                                 struct bytes name)
{
    if (object == NULL || object_type(object) == OBJECT_NONE)
        object = memory_find(memory, range->id, space, hash, name);
    if (object != NULL)
        return (struct memory_opened){.object = object,
                                      .bytes = object_state_bytes(object_state(object)),
                                      .was = true,
                                      .expired_some_time = object_expiry(object) > 0};
    object = object_create_small(space, hash, name, range->id);
    object->used = first_use(memory, range->policy);
    hmap_insert(&memory->ranges[range->id].map, &object->node);
    return (struct memory_opened){.object = object};
}

static void unpool(struct memory_range *range, const struct object *object)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < range->pooled; i++) {
        if (range->pool[i].object != object)
            range->pool[kept++] = range->pool[i];
    }
    range->pooled = kept;
}

static void discard(struct memory *memory, struct object *object)
{
    struct memory_range *range = &memory->ranges[object->range];
    unpool(range, object);
    hmap_remove(&range->map, &object->node);
    object->node.next = memory->gone != NULL ? &memory->gone->node : NULL;
    memory->gone = object;
}

struct memory_change memory_close(struct memory *memory, const struct memory_opened *opened)
{
    struct object *object = opened->object;
    struct memory_range *range = &memory->ranges[object->range];
    bool is = object_type(object) != OBJECT_NONE;
    bool expires = object_expiry(object) > 0;
    struct memory_change change = {is - opened->was, expires - opened->expired_some_time};
    range->key_bytes += object_state_bytes(object_state(object)) - opened->bytes;
    range->expiring += (size_t)(ptrdiff_t)change.expires;
    if (is != opened->was) /* asking for the size of the object itself costs something, too */
        range->key_bytes += is ? mem_usable(object) : 0 - mem_usable(object);
    if (!is)
        discard(memory, object);
    return change;
}

size_t memory_range_bytes(const struct memory *memory, uint16_t id)
{
    const struct memory_range *range = &memory->ranges[id];
    return range->key_bytes + hmap_bytes(&range->map);
}

size_t memory_bytes(const struct memory *memory)
{
    size_t bytes = 0;
    for (uint16_t i = 0; i < KEY_RANGES_MAX; i++)
        bytes += memory_range_bytes(memory, i);
    return bytes;
}

/* ---- eviction ---- */

static bool evicts(enum key_policy policy, const struct object *object)
{
    return policy < POLICY_VOLATILE_LRU || object_expiry(object) > 0;
}

static uint64_t rank_of(const struct memory *memory, enum key_policy policy,
                        const struct object *object)
{
    if (policy == POLICY_VOLATILE_TTL)
        return OBJECT_EXPIRY_MAX - object_expiry(object);
    if (counts_uses(policy))
        return LFU_MAX - memory_frequency(memory, object);
    return memory_idle_ms(memory, object);
}

static void add_to_pool(struct memory_range *range, const struct memory_victim *victim)
{
    unpool(range, victim->object);
    if (range->pooled == MEMORY_POOL && victim->rank <= range->pool[0].rank)
        return;
    if (range->pooled == MEMORY_POOL) {
        range->pooled--;
        memmove(range->pool, range->pool + 1, range->pooled * sizeof(*victim));
    }
    unsigned at = range->pooled++;
    for (; at > 0 && range->pool[at - 1].rank > victim->rank; at--)
        range->pool[at] = range->pool[at - 1];
    range->pool[at] = *victim;
}

/* An object drawn from a random place on, or the next ones after *hash; NULL: the round is over. */
static struct hmap_node *draw(const struct memory_range *range, uint64_t *hash)
{
    bool last;
    struct hmap_node *node = hmap_walk(&range->map, hash, &last);
    if (node == NULL && range->map.count > 0) {
        *hash = 0;
        node = hmap_walk(&range->map, hash, &last);
    }
    return node;
}

/* Draws MEMORY_SAMPLES objects that the policy lets go, if it meets them: the first keys that have
 * a time of expiry may be far away, but there are some, so that one round finds them. */
static void sample(struct memory *memory, struct memory_range *range, enum key_policy policy)
{
    uint64_t hash = random_u64(&memory->random);
    size_t looks = range->map.count + 1;
    int drawn = 0;
    while (drawn < MEMORY_SAMPLES && looks > 0) {
        struct hmap_node *node = draw(range, &hash);
        for (; node != NULL && drawn < MEMORY_SAMPLES && looks > 0; node = node->next, looks--) {
            struct object *object = container_of(node, struct object, node);
            if (!evicts(policy, object))
                continue;
            const struct memory_victim victim = {object, rank_of(memory, policy, object),
                                                 object->used};
            add_to_pool(range, &victim);
            drawn++;
        }
    }
}

static struct object *some(struct memory *memory, const struct memory_range *range,
                           enum key_policy policy)
{
    uint64_t hash = random_u64(&memory->random);
    for (size_t looks = 0; looks <= range->map.count; looks++) {
        struct hmap_node *node = draw(range, &hash);
        for (; node != NULL; node = node->next) {
            struct object *object = container_of(node, struct object, node);
            if (evicts(policy, object))
                return object;
        }
    }
    return NULL;
}

bool memory_lets_go(const struct memory *memory, uint16_t id, enum key_policy policy)
{
    const struct memory_range *range = &memory->ranges[id];
    size_t keys = policy < POLICY_VOLATILE_LRU ? range->map.count : range->expiring;
    return policy != POLICY_NO_EVICTION && keys > 0;
}

struct object *memory_victim(struct memory *memory, uint16_t id, enum key_policy policy)
{
    struct memory_range *range = &memory->ranges[id];
    if (!memory_lets_go(memory, id, policy))
        return NULL;
    if (policy == POLICY_ALLKEYS_RANDOM || policy == POLICY_VOLATILE_RANDOM)
        return some(memory, range, policy);
    sample(memory, range, policy);
    while (range->pooled > 0) {
        const struct memory_victim *best = &range->pool[--range->pooled];
        if (best->object->used == best->used && evicts(policy, best->object))
            return best->object;
    }
    return some(memory, range, policy);
}

/* ---- expiry ---- */

struct object *memory_expired(struct memory *memory, uint16_t id, size_t *looks)
{
    struct memory_range *range = &memory->ranges[id];
    if (range->expiring == 0)
        return NULL;
    while (*looks > 0) {
        uint64_t next = range->sweep;
        bool last;
        struct hmap_node *node = hmap_walk(&range->map, &next, &last);
        for (; node != NULL; node = node->next) {
            struct object *object = container_of(node, struct object, node);
            uint64_t expiry = object_expiry(object);
            *looks -= *looks > 0;
            if (expiry > 0 && expiry <= memory->now_ms)
                return object; /* the walk meets its bucket again */
        }
        range->sweep = next;
        if (last)
            return NULL;
    }
    return NULL;
}

/* ---- all keys ---- */

static void forget(struct memory *memory, struct object *object)
{
    struct memory_range *range = &memory->ranges[object->range];
    range->key_bytes -= object_bytes(object);
    range->expiring -= object_expiry(object) > 0;
    object_state_clear(object_state(object));
    discard(memory, object);
}

void memory_forget_space(struct memory *memory, uint32_t space)
{
    for (unsigned i = 0; i < KEY_RANGES_MAX; i++) {
        uint64_t hash = 0;
        bool last = false;
        while (!last) {
            struct hmap_node *node = hmap_walk(&memory->ranges[i].map, &hash, &last);
            while (node != NULL) {
                struct object *object = container_of(node, struct object, node);
                node = node->next;
                if (object->space == space)
                    forget(memory, object);
            }
        }
    }
}

void memory_move(struct memory *memory, struct object *object, uint16_t to)
{
    struct memory_range *old = &memory->ranges[object->range];
    struct memory_range *new = &memory->ranges[to];
    size_t bytes = object_bytes(object);
    bool expires = object_expiry(object) > 0;
    unpool(old, object);
    hmap_remove(&old->map, &object->node);
    hmap_insert(&new->map, &object->node);
    object->range = to;
    old->key_bytes -= bytes;
    new->key_bytes += bytes;
    old->expiring -= expires;
    new->expiring += expires;
}

void memory_rehome(struct memory *memory, uint16_t from,
                   uint16_t (*belongs)(void *context, const struct object *object), void *context)
{
    uint64_t hash = 0;
    bool last = false;
    while (!last) {
        struct hmap_node *node = hmap_walk(&memory->ranges[from].map, &hash, &last);
        while (node != NULL) {
            struct object *object = container_of(node, struct object, node);
            node = node->next;
            uint16_t to = belongs(context, object);
            if (to != from)
                memory_move(memory, object, to);
        }
    }
}

void memory_reset_range(struct memory *memory, uint16_t id)
{
    struct memory_range *range = &memory->ranges[id];
    CHECK(range->map.count == 0 && range->key_bytes == 0);
    hmap_deinit(&range->map);
    *range = (struct memory_range){0};
}
