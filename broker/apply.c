#include "broker/apply.h"

#include "base/check.h"
#include "broker/apply_group.h"
#include "broker/apply_range.h"
#include "broker/range_count.h"
#include "storage/effect.h"
#include "storage/upkeep.h"

struct applying {
    struct keyspace *keyspace;
    struct store *store;
    const struct op *op;
    struct object *object; /* of op->key; NULL for ops without one */
    uint64_t lsn;
};

static struct database *database_of(const struct applying *applying)
{
    return keyspace_database(applying->keyspace, applying->op->db);
}

static void touch(const struct applying *applying, struct object *object)
{
    table_unclean(&applying->keyspace->table, object);
    dirty_touch(store_dirty(applying->store), object, store_side(applying->store));
    object->lsn = applying->lsn;
}

static struct feed *touch_feed(const struct applying *applying)
{
    touch(applying, applying->object);
    return dirty_touch_feed(store_dirty(applying->store), applying->object,
                            store_side(applying->store));
}

/* Which keys there are has changed. */
static void count_keys(const struct applying *applying, int change)
{
    struct database *database = database_of(applying);
    database->keys += (uint64_t)(int64_t)change;
    database->lsn = applying->lsn;
}

static void add_alarm(const struct applying *applying, const struct object *object)
{
    const struct feed *feed = object_feed(object);
    struct id id = {upkeep_row(feed_upkeep(feed))->alarm_ms, feed->home.feed};
    struct buf value;
    buf_init(&value);
    alarm_encode(&value, object->space, object_name(object));
    store_grew(applying->store, schedule_add(store_alarms(applying->store),
                                             store_side(applying->store), id, buf_bytes(&value)));
    buf_deinit(&value);
}

static void remove_alarm(const struct applying *applying, const struct feed *feed)
{
    if (feed == NULL || feed_upkeep(feed) == NULL)
        return;
    struct id id = {upkeep_row(feed_upkeep(feed))->alarm_ms, feed->home.feed};
    if (id.ms != 0)
        store_grew(applying->store,
                   schedule_remove(store_alarms(applying->store), store_side(applying->store), id));
}

/* Moves the feed's alarm to where the feed wants it now. */
static void settle_alarm(const struct applying *applying)
{
    struct feed *feed = applying->object != NULL ? object_feed(applying->object) : NULL;
    if (feed == NULL || feed_upkeep(feed) == NULL)
        return;
    struct upkeep_row *row = upkeep_row(feed_upkeep(feed));
    uint64_t wants = upkeep_settle(feed);
    if (row->alarm_ms == wants)
        return;
    remove_alarm(applying, feed);
    row->alarm_ms = wants;
    if (wants != 0)
        add_alarm(applying, applying->object);
}

static enum err apply_create(const struct applying *applying)
{
    struct object *object = applying->object;
    struct catalog *catalog = store_catalog(applying->store);
    if (object_type(object) != OBJECT_NONE)
        return ERR_CORRUPT;
    touch(applying, object);
    struct chunk_home home = {object->space, object->slot, applying->op->number};
    struct feed *feed = feed_create(home, store_side(applying->store));
    feed->shelf.cache = store_chunk_cache(applying->store);
    *object_state(object) = (struct object_state){.type = OBJECT_FEED, .feed = feed};
    if (catalog->next_feed <= applying->op->number)
        catalog->next_feed = applying->op->number + 1;
    count_keys(applying, 1);
    return ERR_OK;
}

static void add_entry(const struct applying *applying, struct feed *feed)
{
    const struct op *op = applying->op;
    store_grew(applying->store, feed_append(feed, &(struct entry){op->id, op->data}));
    catalog_appended(store_catalog(applying->store), op->data.len);
}

static enum err apply_append(const struct applying *applying)
{
    const struct op *op = applying->op;
    if (op->number != 0) {
        enum err err = apply_create(applying);
        if (err != ERR_OK)
            return err;
    }
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    struct feed *feed = touch_feed(applying);
    if (!id_less(feed_row(feed)->last_id, op->id))
        return ERR_CORRUPT;
    add_entry(applying, feed);
    return ERR_OK;
}

static enum err apply_trim(const struct applying *applying)
{
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    struct feed *feed = touch_feed(applying);
    if (applying->op->number > feed_row(feed)->length)
        return ERR_CORRUPT;
    store_grew(applying->store, feed_trim(feed, applying->op->id, applying->op->number));
    upkeep_stir(feed);
    return ERR_OK;
}

static enum err apply_erase(const struct applying *applying)
{
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    struct feed *feed = touch_feed(applying);
    struct decoder decoder = decoder_of(applying->op->data);
    struct buf ids;
    buf_init(&ids);
    while (decoder_left(&decoder) > 0) {
        struct id id = {.ms = decoder_varint(&decoder)};
        id.seq = decoder_varint(&decoder);
        buf_add(&ids, &id, sizeof(id));
    }
    size_t count = ids.len / sizeof(struct id);
    bool fits = !decoder.failed && count <= feed_row(feed)->length;
    if (fits)
        store_grew(applying->store, feed_erase(feed, (const struct id *)(const void *)ids.data,
                                               count, applying->op->id));
    upkeep_stir(feed);
    buf_deinit(&ids);
    return fits ? ERR_OK : ERR_CORRUPT;
}

static enum err apply_setid(const struct applying *applying)
{
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    store_grew(applying->store, feed_set(touch_feed(applying), applying->op->id,
                                         applying->op->number, applying->op->id2));
    return ERR_OK;
}

/* A key had the time of expiry `before`, and has `after`; 0: none. */
static void count_expiry(const struct applying *applying, uint64_t before, uint64_t after)
{
    struct database *database = database_of(applying);
    if (before == after)
        return;
    database->expires += (uint64_t)(after > 0) - (uint64_t)(before > 0);
    database->expiry_sum += catalog_expiry(after) - catalog_expiry(before);
    catalog_due(&store_catalog(applying->store)->unfolded_due_ms, after);
}

/* An op on a string or a hash, or the time of expiry of any key. */
static enum err apply_effect(const struct applying *applying)
{
    struct object *object = applying->object;
    bool was = object_type(object) != OBJECT_NONE;
    uint64_t expiry_ms = object_expiry(object);
    if (object_type(object) == OBJECT_FEED && applying->op->kind != OP_EXPIRE)
        return ERR_CORRUPT;
    if (object_type(object) == OBJECT_FEED)
        touch_feed(applying);
    else
        touch(applying, object);
    size_t before = object_state_bytes(object_state(object));
    enum err err = effect_apply(object_state(object), applying->op);
    size_t after = object_state_bytes(object_state(object));
    bool is = object_type(object) != OBJECT_NONE;
    if (after > before)
        store_grew(applying->store, after - before);
    if (is != was)
        count_keys(applying, is ? 1 : -1);
    count_expiry(applying, expiry_ms, object_expiry(object));
    return err;
}

static enum err apply_drop(const struct applying *applying)
{
    if (object_type(applying->object) == OBJECT_NONE)
        return ERR_CORRUPT;
    touch(applying, applying->object);
    count_expiry(applying, object_expiry(applying->object), 0);
    remove_alarm(applying, object_feed(applying->object));
    dirty_drop(store_dirty(applying->store), applying->object, store_side(applying->store));
    count_keys(applying, -1);
    return ERR_OK;
}

static enum err apply_rename(const struct applying *applying)
{
    struct object *from = applying->object;
    struct object *to;
    enum err err =
        keyspace_find_durable(applying->keyspace, applying->op->db, applying->op->key2, &to);
    if (err != ERR_OK)
        return err;
    if (object_type(from) == OBJECT_NONE || object_type(to) != OBJECT_NONE)
        return ERR_CORRUPT;
    const struct feed *feed = object_feed(from);
    if (feed != NULL)
        touch_feed(applying);
    else
        touch(applying, from);
    touch(applying, to);
    remove_alarm(applying, feed);
    bool counted = range_count_has(applying->keyspace, to);
    *object_state(to) = *object_state(from);
    *object_state(from) = (struct object_state){.type = OBJECT_NONE};
    if (counted)
        range_count_changed(applying->keyspace, applying->op->db, to, &(struct tally){0});
    if (feed != NULL && feed_upkeep(feed) != NULL && upkeep_row(feed_upkeep(feed))->alarm_ms != 0)
        add_alarm(applying, to);
    count_keys(applying, 0);
    catalog_due(&store_catalog(applying->store)->unfolded_due_ms, object_expiry(to));
    return ERR_OK;
}

/* Takes an object of a flushed namespace out of memory; the folder may still be reading it. */
static void forget(const struct applying *applying, struct object *object)
{
    uint8_t side = store_side(applying->store);
    struct feed *feed = object_feed(object);
    remove_alarm(applying, feed);
    if (feed != NULL)
        feed->dropped = true;
    if (feed != NULL && feed->groups != NULL)
        dirty_forget_groups(store_dirty(applying->store), feed->groups, side);
    table_remove(&applying->keyspace->table, object);
    if (!list_empty(&object->links[side])) {
        list_remove(&object->links[side]);
        store_dirty(applying->store)->count--;
    }
    if (list_empty(&object->links[side ^ 1]))
        object_destroy(object);
    else
        object->detached = true;
}

static void forget_space(const struct applying *applying, uint32_t space)
{
    uint64_t hash = 0;
    bool last = false;
    while (!last) {
        struct hmap_node *node = hmap_walk(&applying->keyspace->table.map, &hash, &last);
        while (node != NULL) {
            struct object *object = container_of(node, struct object, node);
            node = node->next;
            if (object->space == space)
                forget(applying, object);
        }
    }
}

static enum err apply_flush(const struct applying *applying)
{
    struct catalog *catalog = store_catalog(applying->store);
    struct database *database = database_of(applying);
    if (applying->op->number >= UINT32_MAX || applying->op->number < catalog->next_space)
        return ERR_CORRUPT;
    keyspace_forget_memory(applying->keyspace, applying->op->db);
    forget_space(applying, database->space);
    buf_add(&store_dirty(applying->store)->dropped_spaces, &database->space,
            sizeof(database->space));
    catalog_empty(database, (uint32_t)applying->op->number);
    database->lsn = applying->lsn;
    catalog->next_space = database->space + 1;
    return ERR_OK;
}

static enum err apply_swap(const struct applying *applying)
{
    if (applying->op->number >= store_catalog(applying->store)->count)
        return ERR_CORRUPT;
    struct database *a = database_of(applying);
    struct database *b = keyspace_database(applying->keyspace, (unsigned)applying->op->number);
    struct database swapped = *a;
    *a = *b;
    *b = swapped;
    key_ranges_swap(&store_catalog(applying->store)->ranges, applying->op->db,
                    (uint32_t)applying->op->number);
    a->lsn = a->swap_lsn = applying->lsn;
    b->lsn = b->swap_lsn = applying->lsn;
    store_grew(applying->store, DIRTY_OBJECT_BYTES);
    return ERR_OK;
}

static enum err apply_schedule(const struct applying *applying)
{
    const struct op *op = applying->op;
    if (op->number != 0) {
        enum err err = apply_create(applying);
        if (err != ERR_OK)
            return err;
    }
    if (object_type(applying->object) != OBJECT_FEED || op->id.ms == 0)
        return ERR_CORRUPT;
    struct feed *feed = touch_feed(applying);
    if (op->id.seq <= upkeep_row(upkeep_of(feed))->delayed_last)
        return ERR_CORRUPT;
    store_grew(applying->store, upkeep_delay(feed, op->id, op->data));
    return ERR_OK;
}

/* Whether there is a delayed entry of this handle, as far as memory knows. */
static bool is_delayed(const struct applying *applying, struct id handle)
{
    const struct feed *feed = object_feed(applying->object);
    const struct scheduled *row;
    if (feed == NULL || upkeep_delayed(feed_upkeep(feed)) == NULL)
        return false;
    return upkeep_row(feed_upkeep(feed))->delayed > 0 &&
           schedule_find(upkeep_delayed(feed_upkeep(feed)), handle, &row) != ERR_NOT_FOUND;
}

static enum err apply_due(const struct applying *applying)
{
    const struct op *op = applying->op;
    if (!is_delayed(applying, op->id2))
        return ERR_CORRUPT;
    struct feed *feed = touch_feed(applying);
    if (!id_less(feed_row(feed)->last_id, op->id))
        return ERR_CORRUPT;
    add_entry(applying, feed);
    store_grew(applying->store, upkeep_end_delay(feed, op->id2)); /* maybe with op->data */
    return ERR_OK;
}

static enum err apply_cancel(const struct applying *applying)
{
    if (!is_delayed(applying, applying->op->id))
        return ERR_CORRUPT;
    store_grew(applying->store, upkeep_end_delay(touch_feed(applying), applying->op->id));
    return ERR_OK;
}

/* QUIET and HOLD. */
static enum err apply_quiet(const struct applying *applying)
{
    if (object_type(applying->object) != OBJECT_FEED ||
        feed_upkeep(object_feed(applying->object)) == NULL)
        return ERR_CORRUPT;
    struct feed *feed = touch_feed(applying);
    if (applying->op->kind == OP_QUIET)
        upkeep_quiet(feed, applying->op->number);
    else
        upkeep_hold(feed, applying->op->number);
    return ERR_OK;
}

static enum err apply_policy(const struct applying *applying)
{
    struct policy policy;
    enum err err = policy_decode(applying->op->data, &policy);
    if (err == ERR_OK && applying->op->number != 0)
        err = apply_create(applying);
    if (err != ERR_OK)
        return err;
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    upkeep_set_policy(touch_feed(applying), policy_create(&policy));
    return ERR_OK;
}

static enum err apply_weighed(const struct applying *applying)
{
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    return upkeep_weighed(touch_feed(applying), applying->op->data);
}

/* The feed's groups, policy and time of expiry move to a new feed: storage/op.h. */
static enum err apply_renew(const struct applying *applying)
{
    struct object *object = applying->object;
    if (object_type(object) != OBJECT_FEED || feed_row(object_feed(object))->length > 0)
        return ERR_CORRUPT;
    struct feed *old = touch_feed(applying);
    struct feed_row row = *feed_row(old);
    uint64_t expiry_ms = object_expiry(object);
    struct groups *groups = old->groups;
    struct policy *policy = policy_ref(upkeep_policy(row.upkeep));
    feed_row(old)->groups = 0; /* dropping leaves them alone */
    old->groups = NULL;
    remove_alarm(applying, old);
    dirty_drop(store_dirty(applying->store), object, store_side(applying->store));
    database_of(applying)->keys--;
    enum err err = apply_create(applying);
    CHECK(err == ERR_OK); /* there is no object now */
    object_state(object)->expiry_ms = expiry_ms & OBJECT_EXPIRY_MAX;
    struct feed *feed = object_feed(object);
    if (policy != NULL)
        upkeep_set_policy(feed, policy);
    feed_row(feed)->groups = row.groups;
    feed_row(feed)->groups_slot = row.groups_slot;
    feed->groups = groups;
    return ERR_OK;
}

static enum err apply_to_group(const struct applying *applying)
{
    if (object_type(applying->object) != OBJECT_FEED)
        return ERR_CORRUPT;
    enum err err = keyspace_groups(applying->keyspace, applying->object);
    if (err != ERR_OK)
        return err;
    upkeep_stir(touch_feed(applying));
    return apply_group(applying->keyspace, applying->op, applying->object);
}

static enum err dispatch(const struct applying *applying)
{
    switch (applying->op->kind) {
    case OP_APPEND:
        return apply_append(applying);
    case OP_TRIM:
        return apply_trim(applying);
    case OP_ERASE:
        return apply_erase(applying);
    case OP_SETID:
        return apply_setid(applying);
    case OP_DROP:
        return apply_drop(applying);
    case OP_RENAME:
        return apply_rename(applying);
    case OP_CREATE:
        return apply_create(applying);
    case OP_FLUSH:
        return apply_flush(applying);
    case OP_SWAP:
        return apply_swap(applying);
    case OP_SET:
    case OP_EXPIRE:
    case OP_SPLICE:
    case OP_HASH_SET:
    case OP_HASH_DELETE:
    case OP_PUT:
        return apply_effect(applying);
    case OP_RANGE_SET:
    case OP_RANGE_DELETE:
    case OP_RANGE_MOVE:
    case OP_RANGE_MOVED:
        return apply_range(applying->keyspace, applying->op);
    case OP_SCHEDULE:
        return apply_schedule(applying);
    case OP_DUE:
        return apply_due(applying);
    case OP_CANCEL:
        return apply_cancel(applying);
    case OP_QUIET:
    case OP_HOLD:
        return apply_quiet(applying);
    case OP_POLICY:
        return apply_policy(applying);
    case OP_WEIGHED:
        return apply_weighed(applying);
    case OP_RENEW:
        return apply_renew(applying);
    case OP_GROUP_CREATE:
    case OP_GROUP_SETID:
    case OP_GROUP_DESTROY:
    case OP_CONSUMER_CREATE:
    case OP_CONSUMER_DELETE:
    case OP_DELIVER:
    case OP_ACK:
    case OP_CLAIM:
        return apply_to_group(applying);
    }
    return ERR_CORRUPT;
}

/* With its key counted under its range rule. */
static enum err dispatch_counted(const struct applying *applying)
{
    struct object *object = applying->object;
    if (object == NULL || !range_count_has(applying->keyspace, object))
        return dispatch(applying);
    struct tally before = tally_of(object);
    enum err err = dispatch(applying);
    if (err == ERR_OK)
        range_count_changed(applying->keyspace, applying->op->db, object, &before);
    return err;
}

enum err apply(struct keyspace *keyspace, const struct op *op, uint64_t lsn)
{
    struct applying applying = {keyspace, keyspace->store, op, op->object, lsn};
    if (op->db >= store_catalog(keyspace->store)->count)
        return ERR_CORRUPT;
    if (op_has_key(op->kind) && applying.object == NULL) {
        enum err err = keyspace_find_durable(keyspace, op->db, op->key, &applying.object);
        if (err != ERR_OK)
            return err;
    }
    enum err err = dispatch_counted(&applying);
    if (err == ERR_OK)
        settle_alarm(&applying);
    return err;
}
