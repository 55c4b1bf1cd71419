#include "broker/range_move.h"

#include "base/check.h"

void range_move_init(struct range_move *move)
{
    *move = (struct range_move){0};
    buf_init(&move->names);
    buf_init(&move->rows);
    buf_init(&move->keys);
}

void range_move_deinit(struct range_move *move)
{
    buf_deinit(&move->names);
    buf_deinit(&move->rows);
    buf_deinit(&move->keys);
}

void range_move_reset(struct range_move *move)
{
    range_move_deinit(move);
    range_move_init(move);
}

/* ---- what lies on disk ---- */

enum err range_move_add_rows(struct range_move *move, const struct range_change *change,
                             struct bytes rows, uint64_t bytes_max)
{
    struct decoder decoder = decoder_of(rows);
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        decoder_bytes(&decoder);
        if (!range_change_moves(change, change->db, name))
            continue;
        buf_put_u32(&move->names, change->db);
        buf_put_bytes(&move->names, name);
        if (++move->named > RANGE_MOVE_KEYS_MAX || move->names.len > bytes_max)
            return ERR_FULL;
    }
    return ERR_OK;
}

static void put_key(struct buf *out, unsigned db, struct object *object)
{
    struct buf row;
    buf_init(&row);
    object_row_encode(&row, object_state(object), object->side);
    buf_put_u32(out, db);
    buf_put_bytes(out, object_name(object));
    buf_put_bytes(out, buf_bytes(&row));
    buf_deinit(&row);
}

enum access range_move_load(struct session *session, struct range_move *move, uint64_t bytes_max,
                            enum err *err)
{
    struct decoder decoder = decoder_of(buf_bytes(&move->names));
    decoder_take(&decoder, move->loaded);
    *err = ERR_OK;
    while (*err == ERR_OK && decoder_left(&decoder) > 0) {
        uint32_t db = decoder_u32(&decoder);
        struct bytes name = decoder_bytes(&decoder);
        struct object *object;
        enum access access = access_key_in(session, db, name, &object);
        if (access != ACCESS_READY)
            return access;
        move->loaded = move->names.len - decoder_left(&decoder);
        if (object_feed(object) != NULL)
            *err = ERR_RANGE;
        else if (object_state_bytes(object_state(object)) + move->rows.len > bytes_max)
            *err = ERR_FULL;
        else if (object_type(object) != OBJECT_NONE)
            put_key(&move->rows, db, object);
    }
    return ACCESS_READY;
}

/* The object of a durable key that is not in memory becomes what `row` says; empty: the key does
 * not exist. */
static enum err make_resident(struct keyspace *keyspace, unsigned db, struct bytes name,
                              struct bytes row)
{
    struct fetch fetch;
    fetch_init(&fetch);
    keyspace_plan(keyspace, db, name, &fetch);
    fetch.err = row.len > 0 ? ERR_OK : ERR_NOT_FOUND;
    buf_put_bytes(&fetch.rows, buf_bytes(&fetch.lower));
    buf_put_bytes(&fetch.rows, row);
    enum err err = keyspace_take(keyspace, db, name, &fetch);
    fetch_deinit(&fetch);
    return err;
}

/* What has left memory again is on disk as it was when it was loaded: no fold has come between. */
static enum err load_again(struct range_move *move, struct keyspace *keyspace)
{
    struct decoder decoder = decoder_of(buf_bytes(&move->rows));
    enum err err = ERR_OK;
    while (err == ERR_OK && decoder_left(&decoder) > 0) {
        uint32_t db = decoder_u32(&decoder);
        struct bytes name = decoder_bytes(&decoder);
        err = make_resident(keyspace, db, name, decoder_bytes(&decoder));
    }
    return err;
}

/* ---- the move ---- */

struct collecting {
    struct range_move *move;
    uint64_t bytes_max;
};

static enum err collect(void *context, unsigned db, struct object *object)
{
    const struct collecting *collecting = context;
    struct range_move *move = collecting->move;
    if (object_feed(object) != NULL)
        return ERR_RANGE;
    if (object_state_bytes(object_state(object)) > collecting->bytes_max)
        return ERR_FULL;
    put_key(&move->keys, db, object);
    bool fits = ++move->count <= RANGE_MOVE_KEYS_MAX && move->keys.len <= collecting->bytes_max;
    return fits ? ERR_OK : ERR_FULL;
}

enum err range_move_collect(struct range_move *move, const struct range_change *change,
                            uint64_t bytes_max)
{
    struct collecting collecting = {move, bytes_max};
    enum err err = load_again(move, change->keyspace);
    if (err == ERR_OK)
        err = range_change_each(change, collect, &collecting);
    return err;
}

static void drop_keys(struct keyspace *keyspace, struct bytes keys)
{
    struct decoder decoder = decoder_of(keys);
    struct op op = {.kind = OP_DROP};
    while (decoder_left(&decoder) > 0) {
        op.db = decoder_u32(&decoder);
        op.key = decoder_bytes(&decoder);
        decoder_bytes(&decoder);
        keyspace_write(keyspace, &op);
    }
}

/* None of them is on disk: a key of a memory range never is, but for what the table knows. */
static void put_keys(struct keyspace *keyspace, struct bytes keys)
{
    struct decoder decoder = decoder_of(keys);
    struct op op = {.kind = OP_PUT};
    while (decoder_left(&decoder) > 0) {
        op.db = decoder_u32(&decoder);
        op.key = decoder_bytes(&decoder);
        op.data = decoder_bytes(&decoder);
        if (keyspace_range(keyspace, op.db, op.key)->store == STORE_DURABLE)
            CHECK(make_resident(keyspace, op.db, op.key, BYTES("")) == ERR_OK);
        keyspace_write(keyspace, &op);
    }
}

uint64_t range_move_write(struct range_move *move, struct range_change *change)
{
    struct bytes keys = buf_bytes(&move->keys);
    drop_keys(change->keyspace, keys);
    change->keyspace->moved_lsn = range_change_write(change);
    put_keys(change->keyspace, keys);
    return change->keyspace->moved_lsn; /* the record that has all of it */
}
