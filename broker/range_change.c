#include "broker/range_change.h"

#include "base/check.h"
#include "broker/options.h"
#include "broker/range_rules.h"
#include "storage/key_scan.h"

/* Names read from disk at a time, at the start. */
#define START_SLICE 10000

static struct key_ranges *rules_of(const struct range_change *change)
{
    return &store_catalog(change->keyspace->store)->ranges;
}

enum err range_change_init(struct range_change *change, struct keyspace *keyspace,
                           const struct key_range *rule, bool deletes)
{
    *change = (struct range_change){.keyspace = keyspace, .rule = *rule, .deletes = deletes};
    key_ranges_copy(&change->after, rules_of(change));
    enum err err = deletes ? key_ranges_delete(&change->after, rule->db, key_range_prefix(rule))
                           : key_ranges_set(&change->after, rule);
    if (err != ERR_OK)
        key_ranges_deinit(&change->after);
    change->view = store_view(keyspace->store);
    change->changes = rules_of(change)->changes;
    return err;
}

void range_change_deinit(struct range_change *change)
{
    key_ranges_deinit(&change->after);
}

bool range_change_moves(const struct range_change *change, unsigned db, struct bytes name)
{
    return key_ranges_of(rules_of(change), db, name)->store !=
           key_ranges_of(&change->after, db, name)->store;
}

static enum err visit_map(const struct range_change *change, const struct hmap *map,
                          range_change_visit_fn visit, void *context)
{
    uint64_t hash = 0;
    bool last = false;
    enum err err = ERR_OK;
    while (!last && err == ERR_OK) {
        struct hmap_node *node = hmap_walk(map, &hash, &last);
        for (; node != NULL && err == ERR_OK; node = node->next) {
            struct object *object = container_of(node, struct object, node);
            if (object_type(object) == OBJECT_NONE)
                continue;
            unsigned db = keyspace_db_of(change->keyspace, object->space);
            if (range_change_moves(change, db, object_name(object)))
                err = visit(context, db, object);
        }
    }
    return err;
}

enum err range_change_each(const struct range_change *change, range_change_visit_fn visit,
                           void *context)
{
    enum err err = visit_map(change, &change->keyspace->table.map, visit, context);
    for (unsigned id = 0; id < KEY_RANGES_MAX && err == ERR_OK; id++)
        err = visit_map(change, &change->keyspace->memory.ranges[id].map, visit, context);
    return err;
}

static enum err refuse(void *context, unsigned db, struct object *object)
{
    (void)context;
    (void)db;
    (void)object;
    return ERR_INVALID;
}

bool range_change_hits_memory(const struct range_change *change)
{
    return range_change_each(change, refuse, NULL) != ERR_OK;
}

/* Durable keys of this database may become keys of memory. All keys that are touched are under the
 * rule that the prefix itself is under. */
static bool concerns(const struct range_change *change, unsigned db)
{
    struct bytes prefix = key_range_prefix(&change->rule);
    bool here = change->rule.db == db || change->rule.db == KEY_RANGE_ALL;
    return here && keyspace_database(change->keyspace, db)->keys > 0 &&
           key_ranges_of(rules_of(change), db, prefix)->store == STORE_DURABLE &&
           key_ranges_of(&change->after, db, prefix)->store == STORE_MEMORY;
}

bool range_change_reads(struct range_change *change)
{
    const struct catalog *catalog = store_catalog(change->keyspace->store);
    for (; change->db < catalog->count; change->db++, change->place = 0) {
        if (change->place < KEY_PLACE_END && concerns(change, change->db))
            return true;
    }
    return false;
}

bool range_change_hits_rows(const struct range_change *change, struct bytes rows)
{
    struct keyspace *keyspace = change->keyspace;
    uint32_t space = keyspace_database(keyspace, change->db)->space;
    struct decoder decoder = decoder_of(rows);
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        decoder_bytes(&decoder);
        if (!range_change_moves(change, change->db, name))
            continue;
        uint64_t hash = object_hash(store_catalog(keyspace->store)->hash_seed, space, name);
        const struct object *object = table_find(&keyspace->table, space, hash, name);
        if (object == NULL || object_type(object) != OBJECT_NONE)
            return true;
    }
    return false;
}

bool range_change_current(const struct range_change *change)
{
    return change->view == store_view(change->keyspace->store) &&
           change->changes == rules_of(change)->changes;
}

uint64_t range_change_write(struct range_change *change)
{
    struct buf rule;
    buf_init(&rule);
    struct op op = {.kind = OP_RANGE_DELETE, .number = change->rule.db};
    op.data = key_range_prefix(&change->rule);
    if (!change->deletes) {
        key_range_encode(&rule, &change->rule);
        op = (struct op){.kind = OP_RANGE_SET, .data = buf_bytes(&rule)};
    }
    uint64_t gate = keyspace_write(change->keyspace, &op);
    buf_deinit(&rule);
    return gate;
}

/* ---- at the start ---- */

static enum err look_through(struct range_change *change)
{
    struct keyspace *keyspace = change->keyspace;
    struct buf rows;
    enum err err = range_change_hits_memory(change) ? ERR_INVALID : ERR_OK;
    buf_init(&rows);
    while (err == ERR_OK && range_change_reads(change)) {
        rows.len = 0;
        err = key_scan(store_ranges(keyspace->store), TIER_DISK,
                       keyspace_database(keyspace, change->db)->space, &change->place, START_SLICE,
                       &rows);
        if (err == ERR_OK && range_change_hits_rows(change, buf_bytes(&rows)))
            err = ERR_INVALID;
    }
    buf_deinit(&rows);
    return err;
}

static enum err set_rule(struct keyspace *keyspace, const struct key_range *rule)
{
    struct range_change change;
    const struct key_range *there =
        key_ranges_find(&store_catalog(keyspace->store)->ranges, rule->db, key_range_prefix(rule));
    if (there != NULL && there->store == rule->store && there->policy == rule->policy &&
        there->bytes_max == rule->bytes_max)
        return ERR_OK;
    enum err err = range_change_init(&change, keyspace, rule, false);
    if (err != ERR_OK)
        return err;
    err = look_through(&change);
    if (err == ERR_OK)
        range_change_write(&change);
    range_change_deinit(&change);
    return err;
}

enum err range_change_start(struct keyspace *keyspace, const struct options *options,
                            struct buf *reason)
{
    struct bytes rest = bytes_of_string(options->range);
    enum key_policy policy = range_rules_policy(options->maxmemory_policy);
    struct key_range rule;
    while (range_rules_next(&rest, policy, &rule)) {
        enum err err = ERR_RANGE;
        reason->len = 0;
        buf_addf(reason, "set the range rule \"%.*s\"", (int)rule.prefix_len, rule.prefix);
        if (rule.db == KEY_RANGE_ALL || rule.db < store_catalog(keyspace->store)->count)
            err = set_rule(keyspace, &rule);
        if (err == ERR_INVALID)
            buf_addf(reason, ": there are keys that would change their store");
        if (err != ERR_OK)
            return err;
    }
    reason->len = 0;
    return ERR_OK;
}
