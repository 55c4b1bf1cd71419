#include "broker/keyspace.h"

#include "base/check.h"
#include "broker/apply.h"

void keyspace_init(struct keyspace *keyspace)
{
    *keyspace = (struct keyspace){.tier = TIER_DISK};
    table_init(&keyspace->table);
}

void keyspace_deinit(struct keyspace *keyspace)
{
    table_deinit(&keyspace->table);
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
        object_feed(object)->shelf.cache = store_chunk_cache(keyspace->store);
    }
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

enum err keyspace_find(struct keyspace *keyspace, unsigned db, struct bytes key,
                       struct object **out)
{
    uint32_t space = keyspace_database(keyspace, db)->space;
    uint64_t hash = hash_of(keyspace, space, key);
    struct object *object = table_find(&keyspace->table, space, hash, key);
    if (object == NULL)
        return load(keyspace, space, hash, key, out);
    table_used(&keyspace->table, object);
    *out = object;
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

void keyspace_count(struct keyspace *keyspace, const struct object *object)
{
    if (object_type(object) == OBJECT_NONE)
        keyspace->misses++;
    else
        keyspace->hits++;
}

uint64_t keyspace_gate(struct keyspace *keyspace, unsigned db, const struct object *object)
{
    const struct database *database = keyspace_database(keyspace, db);
    if (object->lsn == 0 && object_type(object) == OBJECT_NONE)
        return database->lsn;
    return object->lsn > database->swap_lsn ? object->lsn : database->swap_lsn;
}

uint64_t keyspace_write(struct keyspace *keyspace, const struct op *op)
{
    uint64_t lsn = store_log(keyspace->store, op);
    enum err err = apply(keyspace, op, lsn);
    CHECK(err == ERR_OK);
    if (keyspace->changed != NULL)
        keyspace->changed(keyspace->changed_context, op, lsn);
    return lsn;
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
