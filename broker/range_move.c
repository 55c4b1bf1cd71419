#include "broker/range_move.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/eviction.h"
#include "broker/options.h"
#include "storage/key_scan.h"

/* The piece of work of one turn: others wait no longer than for a large command. */
#define LOOKS_PER_TURN 2000
#define KEYS_PER_TURN  500
#define BYTES_PER_TURN ((size_t)1 << 20)

/* What is read at once. */
#define ROWS_MAX  1000
#define ROW_BYTES ((size_t)256 << 10)

/* After a read that failed on the way back. */
#define RETRY_US 1000000

/* What is left of a turn's piece of work. */
struct slice {
    size_t looks;
    size_t keys;
    size_t bytes;
};

void range_move_init(struct range_move *move, struct broker *broker)
{
    *move = (struct range_move){.broker = broker, .keys_max = KEYS_PER_TURN};
    fetch_init(&move->fetch);
}

void range_move_deinit(struct range_move *move)
{
    key_ranges_deinit(&move->after);
    fetch_deinit(&move->fetch);
}

static struct key_ranges *rules_of(const struct range_move *move)
{
    return &store_catalog(move->broker->store)->ranges;
}

static struct keyspace *keyspace_of(const struct range_move *move)
{
    return &move->broker->keyspace;
}

/* ---- what moves ---- */

static bool comes_to_memory(const struct range_move *move, unsigned db, struct bytes name)
{
    const struct key_ranges *rules = rules_of(move);
    bool looking = move->state == MOVE_LOOKING;
    return key_ranges_of(looking ? &move->after : rules, db, name)->store == STORE_MEMORY &&
           key_ranges_before(rules, db, name)->store == STORE_DURABLE;
}

static const struct key_range *changed_rule(const struct range_move *move)
{
    return move->state == MOVE_LOOKING ? &move->rule : key_ranges_changed(rules_of(move));
}

static bool is_of(const struct key_range *rule, unsigned db)
{
    return rule->db == db || rule->db == KEY_RANGE_ALL;
}

/* All keys that move were under the rule that the prefix itself was under. */
static bool reads_rows(const struct range_move *move, unsigned db)
{
    const struct key_range *rule = changed_rule(move);
    return is_of(rule, db) && keyspace_database(keyspace_of(move), db)->keys > 0 &&
           comes_to_memory(move, db, key_range_prefix(rule));
}

static bool reads_any(const struct range_move *move)
{
    const struct catalog *catalog = store_catalog(move->broker->store);
    unsigned db = 0;
    while (db < catalog->count && !reads_rows(move, db))
        db++;
    return db < catalog->count;
}

/* The memory ranges whose keys may move, a bit for each id. */
static uint64_t ranges_left(const struct range_move *move)
{
    const struct key_range *rule = changed_rule(move);
    const struct catalog *catalog = store_catalog(move->broker->store);
    uint64_t ids = 0;
    for (unsigned db = 0; db < catalog->count; db++) {
        if (is_of(rule, db))
            ids |= UINT64_C(1) << key_ranges_before(rules_of(move), db, key_range_prefix(rule))->id;
    }
    return ids;
}

/* ---- states ---- */

/* What the rules will be. */
static enum err plan(struct range_move *move)
{
    key_ranges_copy(&move->after, rules_of(move));
    struct bytes prefix = key_range_prefix(&move->rule);
    enum err err = move->deletes ? key_ranges_delete(&move->after, move->rule.db, prefix)
                                 : key_ranges_set(&move->after, &move->rule);
    if (err != ERR_OK)
        key_ranges_deinit(&move->after);
    return err;
}

static void begin_walk(struct range_move *move)
{
    move->stage = reads_any(move) ? MOVE_RESIDENTS : MOVE_MEMORY;
    move->changes = rules_of(move)->changes;
    move->left = move->state == MOVE_CARRYING ? ranges_left(move) : 0;
    move->hash = 0;
    move->range = 0;
    move->db = 0;
    move->place = 0;
    move->fetched = false;
    move->bytes = 0;
    move->retry_us = 0;
}

static void end(struct range_move *move, enum err err, uint64_t lsn)
{
    LOG(LOG_NOTICE, "move of keys ended", "carried=%llu result=\"%s\"",
        (unsigned long long)move->carried, err_text(err));
    key_ranges_deinit(&move->after);
    move->state = MOVE_NONE;
    if (move->wait != NULL)
        *move->wait = (struct range_move_wait){true, err, lsn};
    move->wait = NULL;
    fetch_reset(&move->fetch);
}

static void begin_carrying(struct range_move *move)
{
    struct buf rule;
    buf_init(&rule);
    key_range_encode(&rule, &move->rule);
    struct op op = {.kind = OP_RANGE_MOVE, .number = move->deletes, .data = buf_bytes(&rule)};
    key_ranges_deinit(&move->after);
    move->state = MOVE_CARRYING;
    keyspace_write(keyspace_of(move), &op);
    buf_deinit(&rule);
    eviction_budgets_changed(move->broker);
    begin_walk(move);
}

static void turn_back(struct range_move *move, enum err err)
{
    const struct op op = {.kind = OP_RANGE_MOVED, .number = 1};
    LOG(LOG_NOTICE, "keys go back", "carried=%llu reason=\"%s\"", (unsigned long long)move->carried,
        err_text(err));
    move->back = true;
    move->err = err;
    keyspace_write(keyspace_of(move), &op);
    begin_walk(move);
}

static void fail(struct range_move *move, enum err err)
{
    if (move->state == MOVE_LOOKING)
        end(move, err, 0);
    else if (!move->back)
        turn_back(move, err);
    else
        move->retry_us = clock_mono_us() + RETRY_US;
}

static void end_carrying(struct range_move *move)
{
    const struct op op = {.kind = OP_RANGE_MOVED};
    uint64_t lsn = keyspace_write(keyspace_of(move), &op);
    keyspace_of(move)->moved_lsn = lsn; /* gates what absent keys of memory ranges tell, too */
    eviction_budgets_changed(move->broker);
    end(move, move->err, lsn);
}

/* False: the range lets no key go, and what would come to it is too much. */
static bool has_room(const struct range_move *move)
{
    const struct memory *memory = &keyspace_of(move)->memory;
    const struct key_range *there =
        key_ranges_find(rules_of(move), move->rule.db, key_range_prefix(&move->rule));
    uint64_t max = move->broker->options->maxmemory;
    if (move->deletes || move->rule.policy != POLICY_NO_EVICTION)
        return true;
    uint64_t used = there != NULL ? memory_range_bytes(memory, there->id) : 0;
    if (move->rule.bytes_max > 0 && used + move->bytes > move->rule.bytes_max)
        return false;
    return max == 0 || memory_bytes(memory) + move->bytes <= max;
}

static void end_looking(struct range_move *move)
{
    if (move->has_feed)
        end(move, ERR_RANGE, 0);
    else if (!has_room(move))
        end(move, ERR_FULL, 0);
    else
        begin_carrying(move);
}

/* ---- one key ---- */

static enum err may_carry(const struct range_move *move, const struct object *object, unsigned db)
{
    const struct key_range *to = keyspace_range(keyspace_of(move), db, object_name(object));
    if (object_feed(object) != NULL)
        return ERR_RANGE;
    return !move->back && eviction_full(move->broker, to) ? ERR_FULL : ERR_OK;
}

static enum err carry(struct range_move *move, unsigned db, struct object *object,
                      struct slice *slice)
{
    enum err err = may_carry(move, object, db);
    if (err != ERR_OK)
        return err;
    size_t bytes = object_state_bytes(object_state(object)) + object->name_len;
    keyspace_carry(keyspace_of(move), db, object);
    move->carried++;
    slice->keys -= slice->keys > 0; /* a chain is carried whole */
    slice->bytes -= bytes < slice->bytes ? bytes : slice->bytes;
    return ERR_OK;
}

/* A key that comes to memory. */
static enum err meet(struct range_move *move, unsigned db, struct object *object,
                     struct slice *slice)
{
    if (move->state == MOVE_CARRYING)
        return carry(move, db, object, slice);
    move->has_feed |= object_feed(object) != NULL;
    if (!object->persisted) /* else its row counts */
        move->bytes += object->name_len + object_state_bytes(object_state(object));
    return move->has_feed ? ERR_RANGE : ERR_OK;
}

/* ---- residents ---- */

static enum err walk_residents(struct range_move *move, struct slice *slice)
{
    struct keyspace *keyspace = keyspace_of(move);
    bool last;
    struct hmap_node *node = hmap_walk(&keyspace->table.map, &move->hash, &last);
    enum err err = ERR_OK;
    slice->looks -= slice->looks > 0;
    for (; node != NULL && err == ERR_OK; node = node->next) {
        struct object *object = container_of(node, struct object, node);
        unsigned db = keyspace_db_of(keyspace, object->space);
        if (object_type(object) != OBJECT_NONE && comes_to_memory(move, db, object_name(object)))
            err = meet(move, db, object, slice);
    }
    if (last && err == ERR_OK)
        move->stage = MOVE_ROWS;
    return err;
}

/* ---- rows ---- */

static void on_read(void *context)
{
    struct range_move *move = context;
    move->fetching = false;
    move->fetched = true;
    move->taken = 0;
}

static void read_rows(struct range_move *move)
{
    fetch_reset(&move->fetch);
    move->fetch.ranges = store_ranges(move->broker->store);
    move->fetch.kind = FETCH_OBJECTS;
    move->fetch.space = keyspace_database(keyspace_of(move), move->db)->space;
    move->fetch.place = move->place;
    move->fetch.rows_max = ROWS_MAX;
    move->fetch.bytes_max = ROW_BYTES;
    move->fetching = true;
    access_read_for(move->broker, &move->fetch, on_read, move);
}

/* What was read is as it was: what has been written since is in memory. */
static bool rows_count(const struct range_move *move)
{
    return move->fetch.view == store_view(move->broker->store) &&
           move->fetch.space == keyspace_database(keyspace_of(move), move->db)->space;
}

static enum err meet_row(struct range_move *move, struct bytes name, struct bytes row,
                         struct slice *slice)
{
    struct keyspace *keyspace = keyspace_of(move);
    struct object *object = keyspace_resident(keyspace, move->db, name);
    enum err err = ERR_OK;
    if (move->state == MOVE_LOOKING)
        move->bytes += name.len + row.len;
    if (object == NULL && move->state == MOVE_LOOKING) {
        move->has_feed |= row.len > 0 && object_row_type((uint8_t)row.data[0]) == OBJECT_FEED;
        return move->has_feed ? ERR_RANGE : ERR_OK;
    }
    if (object == NULL)
        err = keyspace_adopt(keyspace, move->db, name, row);
    if (object == NULL && err == ERR_OK)
        object = keyspace_resident(keyspace, move->db, name);
    if (err == ERR_OK && object_type(object) != OBJECT_NONE)
        err = meet(move, move->db, object, slice);
    return err;
}

static enum err take_row(struct range_move *move, struct slice *slice)
{
    struct decoder decoder = decoder_of(buf_bytes(&move->fetch.rows));
    decoder_take(&decoder, move->taken);
    if (decoder_left(&decoder) == 0) {
        move->place = move->fetch.place;
        move->fetched = false;
        return ERR_OK;
    }
    struct bytes name = decoder_bytes(&decoder);
    struct bytes row = decoder_bytes(&decoder);
    enum err err = ERR_OK;
    if (comes_to_memory(move, move->db, name))
        err = meet_row(move, name, row, slice);
    slice->looks -= slice->looks > 0;
    move->taken = move->fetch.rows.len - decoder_left(&decoder);
    return err;
}

static enum err walk_rows(struct range_move *move, struct slice *slice)
{
    const struct catalog *catalog = store_catalog(move->broker->store);
    if (move->fetched && rows_count(move))
        return move->fetch.err == ERR_OK ? take_row(move, slice) : move->fetch.err;
    move->fetched = false;
    while (move->db < catalog->count &&
           (move->place >= KEY_PLACE_END || !reads_rows(move, move->db))) {
        move->db++;
        move->place = 0;
    }
    if (move->db < catalog->count)
        read_rows(move);
    else
        move->stage = move->state == MOVE_LOOKING ? MOVE_END : MOVE_MEMORY;
    move->hash = 0;
    return ERR_OK;
}

/* ---- memory ranges ---- */

static enum err walk_chain(struct range_move *move, struct hmap_node *node, struct slice *slice)
{
    struct keyspace *keyspace = keyspace_of(move);
    enum err err = ERR_OK;
    while (node != NULL && err == ERR_OK) {
        struct object *object = container_of(node, struct object, node);
        node = node->next;
        unsigned db = keyspace_db_of(keyspace, object->space);
        const struct key_range *to = keyspace_range(keyspace, db, object_name(object));
        if (to->store == STORE_DURABLE || to->id != object->range)
            err = carry(move, db, object, slice);
    }
    return err;
}

static enum err walk_memory(struct range_move *move, struct slice *slice)
{
    uint64_t next = move->hash;
    bool last = true;
    enum err err = ERR_OK;
    slice->looks -= slice->looks > 0;
    if (move->left >> move->range & 1) {
        const struct hmap *map = &keyspace_of(move)->memory.ranges[move->range].map;
        err = walk_chain(move, hmap_walk(map, &next, &last), slice);
    }
    if (err != ERR_OK)
        return err;
    move->hash = last ? 0 : next;
    move->range = (uint16_t)(move->range + last);
    if (move->range == KEY_RANGES_MAX)
        move->stage = MOVE_END;
    return ERR_OK;
}

/* ---- turns ---- */

static enum err step(struct range_move *move, struct slice *slice)
{
    switch (move->stage) {
    case MOVE_RESIDENTS:
        return walk_residents(move, slice);
    case MOVE_ROWS:
        return walk_rows(move, slice);
    case MOVE_MEMORY:
        if (move->state == MOVE_CARRYING)
            return walk_memory(move, slice);
        move->stage = MOVE_END;
        return ERR_OK;
    case MOVE_END:
        break;
    }
    if (move->state == MOVE_LOOKING)
        end_looking(move);
    else
        end_carrying(move);
    return ERR_OK;
}

static bool may_work(const struct range_move *move)
{
    struct broker *broker = move->broker;
    return move->state != MOVE_NONE && !broker->stopping && !broker_failed(broker) &&
           !broker_stalled(broker) && !broker_paused(broker, true);
}

/* Only while looking: a feed that appears among the keys. */
static bool makes_feed(const struct op *op)
{
    switch (op->kind) {
    case OP_CREATE:
    case OP_RENAME:
        return true;
    case OP_APPEND:
    case OP_SCHEDULE:
    case OP_POLICY:
        return op->number != 0;
    default:
        return false;
    }
}

void range_move_changed(struct range_move *move, const struct op *op)
{
    if (move->state != MOVE_LOOKING || !makes_feed(op))
        return;
    struct bytes name = op->kind == OP_RENAME ? op->key2 : op->key;
    const struct object *object = keyspace_resident(keyspace_of(move), op->db, name);
    if (object != NULL && object_feed(object) != NULL && comes_to_memory(move, op->db, name))
        move->has_feed = true;
}

/* The rules have changed: databases were swapped, or, while looking, somebody set one. */
static enum err look_again(struct range_move *move)
{
    enum err err = ERR_OK;
    if (move->state == MOVE_LOOKING) {
        key_ranges_deinit(&move->after);
        err = plan(move);
    }
    if (err == ERR_OK)
        begin_walk(move);
    return err;
}

bool range_move_work(struct range_move *move)
{
    struct slice slice = {LOOKS_PER_TURN, move->keys_max, BYTES_PER_TURN};
    if (!may_work(move) || move->retry_us > clock_mono_us())
        return false;
    move->retry_us = 0;
    while (move->state != MOVE_NONE && !move->fetching && move->retry_us == 0 && slice.looks > 0 &&
           slice.keys > 0 && slice.bytes > 0) {
        enum err err = ERR_OK;
        if (move->changes != rules_of(move)->changes)
            err = look_again(move);
        if (err == ERR_OK)
            err = step(move, &slice);
        if (err != ERR_OK)
            fail(move, err);
    }
    return move->state != MOVE_NONE && !move->fetching && move->retry_us == 0;
}

uint64_t range_move_deadline(const struct range_move *move)
{
    return may_work(move) ? move->retry_us : 0;
}

/* ---- what the outside asks for ---- */

enum err range_move_start(struct range_move *move, const struct key_range *rule, bool deletes,
                          struct range_move_wait *wait)
{
    CHECK(move->state == MOVE_NONE && rule->prefix_len <= KEY_RANGE_PREFIX_MAX);
    move->rule = *rule;
    move->rule.prefix = move->prefix;
    if (rule->prefix_len > 0)
        memcpy(move->prefix, rule->prefix, rule->prefix_len);
    move->deletes = deletes;
    enum err err = plan(move);
    if (err != ERR_OK)
        return err;
    move->state = MOVE_LOOKING;
    move->wait = wait;
    move->has_feed = false;
    move->back = false;
    move->err = ERR_OK;
    move->carried = 0;
    begin_walk(move);
    return ERR_OK;
}

void range_move_leave(struct range_move *move, const struct range_move_wait *wait)
{
    if (move->wait == wait)
        move->wait = NULL;
}

void range_move_resume(struct range_move *move)
{
    if (!keyspace_moving(keyspace_of(move)))
        return;
    move->state = MOVE_CARRYING;
    begin_walk(move);
}
