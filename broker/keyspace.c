#include "broker/keyspace.h"

#include "base/check.h"
#include "broker/apply.h"
#include "broker/range_count.h"
#include "storage/effect.h"

#include <assert.h>

static_assert(KEY_RANGES_MAX <= 64, "a bit for each in keyspace->grown");

void keyspace_init(struct keyspace *keyspace)
{
    *keyspace = (struct keyspace){.tier = TIER_DISK};
    table_init(&keyspace->table);
    memory_init(&keyspace->memory);
    keyspace->absent = object_create_small(0, 0, BYTES(""), 0);
}

void keyspace_deinit(struct keyspace *keyspace)
{
    table_deinit(&keyspace->table);
    memory_deinit(&keyspace->memory);
    object_destroy(keyspace->absent);
}

struct database *keyspace_database(struct keyspace *keyspace, unsigned db)
{
    struct catalog *catalog = store_catalog(keyspace->store);
    CHECK(db < catalog->count);
    return &catalog->databases[db];
}

static uint64_t hash_of(struct keyspace *keyspace, uint32_t space, struct bytes key)
{
    return object_hash(store_catalog(keyspace->store)->hash_seed, space, key);
}

/* Makes a clean object of a row; an empty row: the key does not exist. */
static enum err insert(struct keyspace *keyspace, uint32_t space, uint64_t hash, struct bytes key,
                       struct bytes row, struct object **out)
{
    struct object *object = object_create(space, hash, key, store_side(keyspace->store));
    if (row.len > 0) {
        enum err err = object_row_decode(object, row);
        if (err != ERR_OK) {
            object_destroy(object);
            return err;
        }
        if (object_feed(object) != NULL)
            object_feed(object)->shelf.cache = store_chunk_cache(keyspace->store);
    }
    range_count_loaded(keyspace, object);
    table_insert(&keyspace->table, object);
    table_clean(&keyspace->table, object);
    *out = object;
    return ERR_OK;
}

static enum err load(struct keyspace *keyspace, uint32_t space, uint64_t hash, struct bytes key,
                     struct object **out)
{
    struct buf row_key, row;
    buf_init(&row_key);
    buf_init(&row);
    key_object(&row_key, space, key_slot(key), hash, key);
    enum err err =
        ranges_get(store_ranges(keyspace->store), buf_bytes(&row_key), keyspace->tier, &row);
    if (err == ERR_OK || err == ERR_NOT_FOUND)
        err = insert(keyspace, space, hash, key, buf_bytes(&row), out);
    buf_deinit(&row_key);
    buf_deinit(&row);
    return err;
}

static enum err find_durable(struct keyspace *keyspace, uint32_t space, struct bytes key,
                             struct object **out)
{
    uint64_t hash = hash_of(keyspace, space, key);
    struct object *object = table_find(&keyspace->table, space, hash, key);
    if (object == NULL)
        return load(keyspace, space, hash, key, out);
    table_used(&keyspace->table, object);
    *out = object;
    return ERR_OK;
}

static void find_in_memory(struct keyspace *keyspace, const struct key_range *range, uint32_t space,
                           struct bytes key, struct object **out)
{
    struct memory *memory = &keyspace->memory;
    uint64_t hash = hash_of(keyspace, space, key);
    struct object *object = memory_find(memory, range->id, space, hash, key);
    *out = object != NULL ? object : keyspace->absent;
}

const struct key_range *keyspace_range(struct keyspace *keyspace, unsigned db, struct bytes key)
{
    return key_ranges_of(&store_catalog(keyspace->store)->ranges, db, key);
}

enum err keyspace_find_durable(struct keyspace *keyspace, unsigned db, struct bytes key,
                               struct object **out)
{
    return find_durable(keyspace, keyspace_database(keyspace, db)->space, key, out);
}

struct object *keyspace_resident(struct keyspace *keyspace, unsigned db, struct bytes key)
{
    uint32_t space = keyspace_database(keyspace, db)->space;
    return table_find(&keyspace->table, space, hash_of(keyspace, space, key), key);
}

bool keyspace_moving(const struct keyspace *keyspace)
{
    return store_catalog(keyspace->store)->ranges.before != NULL;
}

/* Looks where the key is, or was before keys were moved. */
static enum err find_moving(struct keyspace *keyspace, const struct key_range *now,
                            const struct key_range *before, uint32_t space, struct bytes key,
                            struct object **out)
{
    struct object *object = keyspace->absent;
    enum err err = ERR_OK;
    if (now->store == STORE_MEMORY)
        find_in_memory(keyspace, now, space, key, &object);
    if (before->store == STORE_MEMORY && object == keyspace->absent)
        find_in_memory(keyspace, before, space, key, &object);
    bool durable = now->store == STORE_DURABLE || before->store == STORE_DURABLE;
    if (durable && object == keyspace->absent)
        err = find_durable(keyspace, space, key, &object);
    if (err != ERR_OK)
        return err;
    bool made_in_memory = object_type(object) == OBJECT_NONE && now->store == STORE_MEMORY;
    *out = made_in_memory ? keyspace->absent : object;
    return ERR_OK;
}

enum err keyspace_find(struct keyspace *keyspace, unsigned db, struct bytes key,
                       struct object **out)
{
    const struct key_range *range = keyspace_range(keyspace, db, key);
    uint32_t space = keyspace_database(keyspace, db)->space;
    if (keyspace_moving(keyspace)) {
        const struct key_ranges *ranges = &store_catalog(keyspace->store)->ranges;
        return find_moving(keyspace, range, key_ranges_before(ranges, db, key), space, key, out);
    }
    if (range->store == STORE_DURABLE)
        return find_durable(keyspace, space, key, out);
    find_in_memory(keyspace, range, space, key, out);
    return ERR_OK;
}

void keyspace_plan(struct keyspace *keyspace, unsigned db, struct bytes key, struct fetch *fetch)
{
    uint32_t space = keyspace_database(keyspace, db)->space;
    fetch_reset(fetch);
    fetch->ranges = store_ranges(keyspace->store);
    fetch->kind = FETCH_GET;
    fetch->view = store_view(keyspace->store);
    key_object(&fetch->lower, space, key_slot(key), hash_of(keyspace, space, key), key);
}

enum err keyspace_take(struct keyspace *keyspace, unsigned db, struct bytes key,
                       struct fetch *fetch)
{
    uint32_t space = keyspace_database(keyspace, db)->space;
    uint64_t hash = hash_of(keyspace, space, key);
    if (table_find(&keyspace->table, space, hash, key) != NULL)
        return ERR_OK;
    struct object_key parsed;
    bool same_space =
        key_object_parse(buf_bytes(&fetch->lower), &parsed) == ERR_OK && parsed.space == space;
    if (fetch->view != store_view(keyspace->store) || !same_space)
        return ERR_COLD;
    if (fetch->err != ERR_OK && fetch->err != ERR_NOT_FOUND)
        return fetch->err;
    struct decoder decoder = decoder_of(buf_bytes(&fetch->rows));
    struct bytes row = BYTES("");
    if (fetch->err == ERR_OK) {
        decoder_bytes(&decoder);
        row = decoder_bytes(&decoder);
    }
    struct object *object;
    return insert(keyspace, space, hash, key, row, &object);
}

enum err keyspace_adopt(struct keyspace *keyspace, unsigned db, struct bytes key, struct bytes row)
{
    uint32_t space = keyspace_database(keyspace, db)->space;
    uint64_t hash = hash_of(keyspace, space, key);
    struct object *object;
    if (table_find(&keyspace->table, space, hash, key) != NULL)
        return ERR_OK;
    return insert(keyspace, space, hash, key, row, &object);
}

void keyspace_count(struct keyspace *keyspace, unsigned db, struct bytes key,
                    const struct object *object)
{
    struct memory_range *range = &keyspace->memory.ranges[keyspace_range(keyspace, db, key)->id];
    bool there = object_type(object) != OBJECT_NONE;
    keyspace->hits += there;
    keyspace->misses += !there;
    range->hits += there;
    range->misses += !there;
}

/* The rule of an object in memory, which may be one of those before. */
static const struct key_range *rule_of(struct keyspace *keyspace, const struct object *object)
{
    const struct key_ranges *ranges = &store_catalog(keyspace->store)->ranges;
    const struct key_range *rule = key_ranges_with_id(ranges, object->range);
    return rule != NULL ? rule : key_ranges_with_id(ranges->before, object->range);
}

void keyspace_used(struct keyspace *keyspace, struct object *object)
{
    if (object == keyspace->absent)
        return;
    memory_used(&keyspace->memory, object, rule_of(keyspace, object)->policy);
}

uint64_t keyspace_gate(struct keyspace *keyspace, unsigned db, const struct object *object)
{
    const struct database *database = keyspace_database(keyspace, db);
    if (object == keyspace->absent && keyspace_moving(keyspace)) /* deleted when it was durable */
        return store_last(keyspace->store);
    if (object->in_memory) /* a crash before that would bring back an older value */
        return keyspace->moved_lsn;
    if (object->lsn == 0 && object_type(object) == OBJECT_NONE)
        return database->lsn;
    return object->lsn > database->swap_lsn ? object->lsn : database->swap_lsn;
}

static uint64_t write_durable(struct keyspace *keyspace, const struct op *op)
{
    uint64_t lsn = store_log(keyspace->store, op);
    enum err err = apply(keyspace, op, lsn);
    CHECK(err == ERR_OK);
    return lsn;
}

static uint64_t write_in_memory(struct keyspace *keyspace, const struct key_range *range,
                                const struct op *op)
{
    struct database *database = keyspace_database(keyspace, op->db);
    uint64_t hash = op->object != NULL && op->object != keyspace->absent
                        ? op->object->node.hash
                        : hash_of(keyspace, database->space, op->key);
    struct memory_opened opened =
        memory_open(&keyspace->memory, range, op->object, database->space, hash, op->key);
    struct object_state *state = object_state(opened.object);
    uint64_t expiry_ms = state->expiry_ms;
    enum err err = ERR_OK;
    if (op->kind == OP_DROP)
        object_state_clear(state);
    else
        err = effect_apply(state, op);
    CHECK(err == ERR_OK);
    database->memory_expiry_sum += catalog_expiry(state->expiry_ms) - catalog_expiry(expiry_ms);
    struct memory_change change = memory_close(&keyspace->memory, &opened);
    keyspace->grown |= UINT64_C(1) << range->id;
    database->memory_keys += (uint64_t)(int64_t)change.keys;
    database->memory_expires += (uint64_t)(int64_t)change.expires;
    return 0;
}

/* While keys move a key is written where it is; *range becomes its rule there. True: durable. */
static bool writes_durable(struct keyspace *keyspace, const struct op *op,
                           const struct key_range **range)
{
    if (!op_has_key(op->kind))
        return true;
    *range = keyspace_range(keyspace, op->db, op->key);
    if (!keyspace_moving(keyspace))
        return (*range)->store == STORE_DURABLE;
    struct object *object = op->object;
    if (object == NULL || object_type(object) == OBJECT_NONE)
        CHECK(keyspace_find(keyspace, op->db, op->key, &object) == ERR_OK);
    if (object_type(object) == OBJECT_NONE)
        return (*range)->store == STORE_DURABLE;
    if (object->in_memory)
        *range = rule_of(keyspace, object);
    return !object->in_memory;
}

uint64_t keyspace_write(struct keyspace *keyspace, const struct op *op)
{
    const struct key_range *range = NULL;
    bool durable = writes_durable(keyspace, op, &range);
    uint64_t lsn = durable ? write_durable(keyspace, op) : write_in_memory(keyspace, range, op);
    if (keyspace->changed != NULL)
        keyspace->changed(keyspace->changed_context, op, lsn);
    return lsn;
}

/* ---- keys that move ---- */

static uint64_t carry_to_memory(struct keyspace *keyspace, const struct key_range *to,
                                const struct op *put, struct object *object)
{
    const struct op drop = {.kind = OP_DROP, .db = put->db, .key = put->key, .object = object};
    write_in_memory(keyspace, to, put);
    keyspace->moved_lsn = write_durable(keyspace, &drop);
    return keyspace->moved_lsn;
}

static uint64_t carry_to_disk(struct keyspace *keyspace, const struct op *put,
                              struct object *object)
{
    const struct key_range *from = rule_of(keyspace, object);
    const struct op drop = {.kind = OP_DROP, .db = put->db, .key = put->key, .object = object};
    struct op durable = *put;
    /* What is in memory has no row, but for what the table knows. */
    CHECK(keyspace_adopt(keyspace, put->db, put->key, BYTES("")) == ERR_OK);
    durable.object = keyspace_resident(keyspace, put->db, put->key);
    uint64_t lsn = write_durable(keyspace, &durable);
    write_in_memory(keyspace, from, &drop);
    return lsn;
}

uint64_t keyspace_carry(struct keyspace *keyspace, unsigned db, struct object *object)
{
    const struct key_range *to = keyspace_range(keyspace, db, object_name(object));
    bool in_memory = to->store == STORE_MEMORY;
    if (in_memory && object->in_memory && to->id != object->range)
        memory_move(&keyspace->memory, object, to->id);
    if (in_memory == object->in_memory)
        return 0;
    struct buf row;
    buf_init(&row);
    object_row_encode(&row, object_state(object), object->side);
    const struct op put = {
        .kind = OP_PUT, .db = db, .key = object_name(object), .data = buf_bytes(&row)};
    uint64_t lsn = in_memory ? carry_to_memory(keyspace, to, &put, object)
                             : carry_to_disk(keyspace, &put, object);
    buf_deinit(&row);
    return lsn;
}

void keyspace_forget_memory(struct keyspace *keyspace, unsigned db)
{
    struct database *database = keyspace_database(keyspace, db);
    if (database->memory_keys > 0)
        memory_forget_space(&keyspace->memory, database->space);
    database->memory_keys = 0;
    database->memory_expires = 0;
    database->memory_expiry_sum = 0;
}

unsigned keyspace_db_of(struct keyspace *keyspace, uint32_t space)
{
    const struct catalog *catalog = store_catalog(keyspace->store);
    unsigned db = 0;
    while (db < catalog->count && catalog->databases[db].space != space)
        db++;
    CHECK(db < catalog->count);
    return db;
}

enum err keyspace_replay(struct keyspace *keyspace, const struct op *op)
{
    return apply(keyspace, op, 0);
}

void keyspace_clean(struct keyspace *keyspace, struct object *object)
{
    if (object->detached || object_type(object) == OBJECT_NONE) {
        if (!object->detached)
            table_remove(&keyspace->table, object);
        object_destroy(object);
        return;
    }
    (void)range_count_has(keyspace, object); /* it is on disk from now on */
    table_clean(&keyspace->table, object);
}

uint64_t keyspace_next_feed(const struct keyspace *keyspace)
{
    return store_catalog(keyspace->store)->next_feed;
}

uint32_t keyspace_next_space(const struct keyspace *keyspace)
{
    return store_catalog(keyspace->store)->next_space;
}
