#include "broker/apply_range.h"

#include "broker/range_count.h"

static struct key_ranges *rules_of(struct keyspace *keyspace)
{
    return &store_catalog(keyspace->store)->ranges;
}

/* Durable keys may come under this rule, or leave it, without being written. */
static bool is_recounted(struct keyspace *keyspace, const struct key_range *rule, bool deletes)
{
    const struct key_range *there =
        key_ranges_find(rules_of(keyspace), rule->db, key_range_prefix(rule));
    if (deletes)
        return there != NULL && there->store == STORE_DURABLE;
    return there == NULL && rule->store == STORE_DURABLE;
}

/* The rules have changed: keys of memory ranges may be of another one now. */
static uint16_t range_of(void *context, const struct object *object)
{
    struct keyspace *keyspace = context;
    unsigned db = keyspace_db_of(keyspace, object->space);
    return keyspace_range(keyspace, db, object_name(object))->id;
}

static void rehome(struct keyspace *keyspace)
{
    for (uint16_t id = 0; id < KEY_RANGES_MAX; id++)
        memory_rehome(&keyspace->memory, id, range_of, keyspace);
}

static enum err set(struct keyspace *keyspace, const struct op *op)
{
    struct key_range rule;
    char prefix[KEY_RANGE_PREFIX_MAX];
    enum err err = key_range_decode(op->data, prefix, &rule);
    bool recounted = err == ERR_OK && is_recounted(keyspace, &rule, false);
    if (err == ERR_OK)
        err = key_ranges_set(rules_of(keyspace), &rule);
    if (err == ERR_OK)
        rehome(keyspace);
    if (err == ERR_OK && recounted)
        range_count_anew(keyspace);
    return err;
}

static enum err remove_rule(struct keyspace *keyspace, const struct op *op)
{
    struct key_ranges *ranges = rules_of(keyspace);
    if (op->number > UINT32_MAX)
        return ERR_CORRUPT;
    const struct key_range *rule = key_ranges_find(ranges, (uint32_t)op->number, op->data);
    if (rule == NULL)
        return ERR_CORRUPT;
    uint16_t id = rule->id;
    bool recounted = is_recounted(keyspace, rule, true);
    enum err err = key_ranges_delete(ranges, (uint32_t)op->number, op->data);
    if (err != ERR_OK)
        return err;
    rehome(keyspace);
    memory_reset_range(&keyspace->memory, id);
    if (recounted)
        range_count_anew(keyspace);
    return ERR_OK;
}

static enum err move(struct keyspace *keyspace, const struct op *op)
{
    struct key_ranges *ranges = rules_of(keyspace);
    struct key_range rule;
    char prefix[KEY_RANGE_PREFIX_MAX];
    enum err err = key_range_decode(op->data, prefix, &rule);
    if (err != ERR_OK || ranges->before != NULL || op->number > 1)
        return ERR_CORRUPT;
    bool recounted = is_recounted(keyspace, &rule, op->number == 1);
    keyspace->moves++;
    err = key_ranges_move(ranges, &rule, op->number == 1);
    if (err == ERR_OK && recounted)
        range_count_anew(keyspace);
    return err;
}

/* Counters of rules that are gone begin anew with the next one of their id. */
static void reset_gone(struct keyspace *keyspace)
{
    const struct key_ranges *ranges = rules_of(keyspace);
    for (uint16_t id = 0; id < KEY_RANGES_MAX; id++) {
        if (key_ranges_with_id(ranges->before, id) != NULL &&
            key_ranges_with_id(ranges, id) == NULL)
            memory_reset_range(&keyspace->memory, id);
    }
}

static enum err moved(struct keyspace *keyspace, const struct op *op)
{
    struct key_ranges *ranges = rules_of(keyspace);
    if (ranges->before == NULL || op->number > 1)
        return ERR_CORRUPT;
    if (op->number == 1) {
        key_ranges_turn_back(ranges);
        range_count_anew(keyspace);
        keyspace->moves++;
        return ERR_OK;
    }
    reset_gone(keyspace);
    key_ranges_moved(ranges);
    return ERR_OK;
}

static enum err dispatch(struct keyspace *keyspace, const struct op *op)
{
    switch (op->kind) {
    case OP_RANGE_SET:
        return set(keyspace, op);
    case OP_RANGE_DELETE:
        return remove_rule(keyspace, op);
    case OP_RANGE_MOVE:
        return move(keyspace, op);
    case OP_RANGE_MOVED:
        return moved(keyspace, op);
    default:
        return ERR_CORRUPT;
    }
}

enum err apply_range(struct keyspace *keyspace, const struct op *op)
{
    enum err err = dispatch(keyspace, op);
    store_grew(keyspace->store, DIRTY_OBJECT_BYTES);
    return err == ERR_OK ? ERR_OK : ERR_CORRUPT;
}
