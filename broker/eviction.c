#include "broker/eviction.h"

#include "broker/broker_internal.h"
#include "broker/options.h"

static bool all_over(const struct broker *broker)
{
    uint64_t max = broker->options->maxmemory;
    return max > 0 && memory_bytes(&broker->keyspace.memory) > max;
}

static bool over(const struct broker *broker, const struct key_range *range)
{
    if (range->bytes_max > 0 &&
        memory_range_bytes(&broker->keyspace.memory, range->id) > range->bytes_max)
        return true;
    return all_over(broker);
}

static struct object *victim(struct broker *broker, const struct key_range *range)
{
    struct memory *memory = &broker->keyspace.memory;
    memory->now_ms = broker_now_ms(broker);
    return memory_victim(memory, range->id, range->policy);
}

bool eviction_full(struct broker *broker, const struct key_range *range)
{
    return range->store == STORE_MEMORY && over(broker, range) &&
           !memory_lets_go(&broker->keyspace.memory, range->id, range->policy);
}

static void evict(struct broker *broker, const struct key_range *range, struct object *object)
{
    struct keyspace *keyspace = &broker->keyspace;
    unsigned db = keyspace_db_of(keyspace, object->space);
    broker_remove(broker, db, object_name(object), object);
    keyspace->memory.ranges[range->id].evictions++;
    keyspace->evictions++;
    keyspace_event_of(broker, EVENT_EVICTED, "evicted", db, object_name(object));
}

/* False: there is more to do. */
static bool keep_within(struct broker *broker, const struct key_range *range, int *left)
{
    while (over(broker, range)) {
        struct object *object = victim(broker, range);
        if (object == NULL)
            return true;
        if (--*left < 0)
            return false;
        evict(broker, range, object);
    }
    return true;
}

void eviction_run(struct broker *broker)
{
    struct keyspace *keyspace = &broker->keyspace;
    uint64_t grown = keyspace->grown;
    int left = EVICTIONS_MAX;
    while (grown != 0) {
        uint16_t id = (uint16_t)__builtin_ctzll(grown);
        const struct key_range *range =
            key_ranges_with_id(&store_catalog(keyspace->store)->ranges, id);
        bool evicts = range != NULL && range->store == STORE_MEMORY; /* else its keys move away */
        if (evicts && !keep_within(broker, range, &left))
            break;
        grown &= grown - 1;
    }
    keyspace->grown = grown;
    memory_reap(&keyspace->memory);
}

void eviction_budgets_changed(struct broker *broker)
{
    broker->keyspace.grown = UINT64_MAX;
}
