#include "broker/apply_group.h"

#include "base/check.h"
#include "storage/group_op.h"

struct applying_group {
    struct store *store;
    const struct op *op;
    struct feed *feed;
    struct group *group; /* touched; NULL for GROUP_CREATE */
    struct decoder data;
};

static enum err create(const struct applying_group *applying)
{
    const struct op *op = applying->op;
    struct feed *feed = applying->feed;
    struct feed_row *row = feed_row(feed);
    struct catalog *catalog = store_catalog(applying->store);
    struct decoder data = applying->data;
    uint64_t entries_read = decoder_varint(&data) - 1;
    if (row->groups == 0) {
        row->groups = op->number;
        row->groups_slot = feed->home.slot;
        feed->groups = groups_create(feed_groups_home(feed), store_chunk_cache(applying->store));
    }
    if (data.failed || op->number < catalog->next_feed || feed->groups == NULL ||
        groups_find(feed->groups, op->key2) != NULL)
        return ERR_CORRUPT;
    catalog->next_feed = op->number + 1;
    uint8_t side = store_side(applying->store);
    struct group *group = groups_add(feed->groups, op->number, op->key2, side);
    dirty_touch_group(store_dirty(applying->store), group, side);
    group_state(group)->last_id = op->id;
    group_state(group)->entries_read = entries_read;
    return ERR_OK;
}

static enum err set_id(const struct applying_group *applying)
{
    struct decoder data = applying->data;
    struct group_state *state = group_state(applying->group);
    struct id next = applying->op->id;
    if (id_less(next, state->last_id) && id_next(&next))
        groups_set_back(applying->feed->groups, next);
    state->last_id = applying->op->id;
    state->entries_read = decoder_varint(&data) - 1;
    return data.failed ? ERR_CORRUPT : ERR_OK;
}

static enum err destroy(const struct applying_group *applying)
{
    dirty_drop_group(store_dirty(applying->store), applying->feed->groups, applying->group,
                     store_side(applying->store));
    return ERR_OK;
}

static enum err create_consumer(const struct applying_group *applying)
{
    struct decoder data = applying->data;
    uint64_t number = decoder_varint(&data);
    uint64_t now_ms = decoder_varint(&data);
    struct group *group = applying->group;
    if (data.failed || number < group_state(group)->next_consumer || number >= UINT32_MAX ||
        group_consumer(group, applying->op->key2) != NULL)
        return ERR_CORRUPT;
    group_add_consumer(group, (uint32_t)number, applying->op->key2, now_ms);
    store_grew(applying->store, sizeof(struct consumer) + applying->op->key2.len);
    return ERR_OK;
}

static struct consumer *consumer_at(const struct applying_group *applying, uint64_t number)
{
    return number > 0 && number <= UINT32_MAX
               ? group_state_consumer(group_state(applying->group), (uint32_t)number)
               : NULL;
}

static enum err delete_consumer(const struct applying_group *applying)
{
    struct decoder data = applying->data;
    struct consumer *consumer = consumer_at(applying, decoder_varint(&data));
    if (consumer == NULL)
        return ERR_CORRUPT;
    group_remove_consumer(applying->group, consumer);
    return ERR_OK;
}

/* An owner must be there, and have something. */
static bool owner_fits(const struct applying_group *applying, uint32_t owner)
{
    if (owner == 0)
        return true;
    const struct consumer *consumer = consumer_at(applying, owner);
    return consumer != NULL && consumer->pending > 0;
}

static enum err assign(const struct applying_group *applying, const struct group_op *head,
                       bool claims)
{
    struct group_changes changes;
    struct pending item = {.delivered_ms = head->now_ms, .deliveries = 1};
    group_changes_init(&changes, applying->data, claims, head->now_ms);
    enum err err;
    struct pending change;
    while ((err = group_changes_next(&changes, &change)) == ERR_OK) {
        if (!owner_fits(applying, change.consumer))
            return ERR_CORRUPT;
        item.id = change.id;
        item.consumer = head->consumer;
        if (claims) {
            item.delivered_ms = change.delivered_ms;
            item.deliveries = change.deliveries;
            applying->group->backdated += item.delivered_ms < head->now_ms;
            if (change.consumer == 0) /* FORCE */
                groups_set_back(applying->feed->groups, item.id);
        }
        group_assign(applying->group, &item, change.consumer);
    }
    return err == ERR_END ? ERR_OK : err;
}

/* DELIVER and CLAIM. */
static enum err deliver(struct applying_group *applying)
{
    struct group_op head;
    enum err err = group_op_take(&applying->data, &head);
    struct consumer *consumer = err == ERR_OK ? consumer_at(applying, head.consumer) : NULL;
    if (consumer == NULL)
        return ERR_CORRUPT;
    consumer->seen_ms = head.now_ms;
    if (head.flags & GROUP_OP_ACTIVE)
        consumer->active_ms = head.now_ms;
    group_state(applying->group)->last_id = applying->op->id;
    group_state(applying->group)->entries_read = head.entries_read;
    if (head.flags & GROUP_OP_NOACK)
        return ERR_OK;
    return assign(applying, &head, applying->op->kind == OP_CLAIM);
}

static enum err acknowledge(const struct applying_group *applying)
{
    struct group_changes changes;
    struct pending change;
    enum err err;
    group_changes_init(&changes, applying->data, false, 0);
    while ((err = group_changes_next(&changes, &change)) == ERR_OK) {
        if (change.consumer == 0 || !owner_fits(applying, change.consumer))
            return ERR_CORRUPT;
        group_release(applying->group, change.id, change.consumer);
    }
    return err == ERR_END ? ERR_OK : err;
}

static enum err change(struct applying_group *applying)
{
    switch (applying->op->kind) {
    case OP_GROUP_SETID:
        return set_id(applying);
    case OP_CONSUMER_CREATE:
        return create_consumer(applying);
    case OP_CONSUMER_DELETE:
        return delete_consumer(applying);
    case OP_DELIVER:
    case OP_CLAIM:
        return deliver(applying);
    case OP_ACK:
        return acknowledge(applying);
    default:
        return ERR_CORRUPT;
    }
}

enum err apply_group(struct keyspace *keyspace, const struct op *op, struct object *object)
{
    struct applying_group applying = {
        .store = keyspace->store,
        .op = op,
        .feed = object_feed(object),
        .data = decoder_of(op->data),
    };
    if (op->kind == OP_GROUP_CREATE)
        return create(&applying);
    struct groups *groups = applying.feed->groups;
    applying.group = groups != NULL ? groups_at(groups, op->number) : NULL;
    if (applying.group == NULL)
        return ERR_CORRUPT;
    if (op->kind == OP_GROUP_DESTROY)
        return destroy(&applying);
    dirty_touch_group(store_dirty(keyspace->store), applying.group, store_side(keyspace->store));
    applying.group->edits++;
    enum err err = change(&applying);
    store_grew(keyspace->store, pending_set_grown(&group_state(applying.group)->changes));
    return err;
}
