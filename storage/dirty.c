#include "storage/dirty.h"

#include "base/check.h"
#include "storage/upkeep.h"

void dirty_init(struct dirty *dirty)
{
    *dirty = (struct dirty){0};
    list_init(&dirty->objects);
    list_init(&dirty->groups);
    buf_init(&dirty->dropped_feeds);
    buf_init(&dirty->dropped_delayed);
    buf_init(&dirty->dropped_groups);
    buf_init(&dirty->dropped_spaces);
}

void dirty_deinit(struct dirty *dirty)
{
    CHECK(list_empty(&dirty->objects) && list_empty(&dirty->groups));
    buf_deinit(&dirty->dropped_feeds);
    buf_deinit(&dirty->dropped_delayed);
    buf_deinit(&dirty->dropped_groups);
    buf_deinit(&dirty->dropped_spaces);
    catalog_deinit(&dirty->catalog);
}

static void ref(const struct object_state *state)
{
    if (state->type == OBJECT_FEED)
        feed_ref(state->feed);
    else if (state->type == OBJECT_STRING)
        value_ref(state->value);
    else if (state->type == OBJECT_HASH)
        hash_ref(state->hash);
}

static void turn(struct object *object, uint8_t side)
{
    uint8_t old = object->side;
    object->states[side] = object->states[old];
    object->side = side & 1u;
    if (list_empty(&object->links[old]))
        object->states[old] = (struct object_state){.type = OBJECT_NONE};
    else
        ref(&object->states[side]);
}

void dirty_touch(struct dirty *dirty, struct object *object, uint8_t side)
{
    if (object->side != side)
        turn(object, side);
    if (!list_empty(&object->links[side]))
        return;
    CHECK(list_empty(&object->lru));
    list_push_back(&dirty->objects, &object->links[side]);
    dirty->count++;
    dirty->bytes += DIRTY_OBJECT_BYTES + object->name_len;
}

struct feed *dirty_touch_feed(struct dirty *dirty, struct object *object, uint8_t side)
{
    dirty_touch(dirty, object, side);
    struct feed *feed = object_feed(object);
    CHECK(feed != NULL);
    if (feed->side != side) {
        feed->on_disk = true;
        feed_turn(feed, side);
    }
    return feed;
}

void dirty_touch_group(struct dirty *dirty, struct group *group, uint8_t side)
{
    if (group->side != side)
        group_turn(group, side);
    if (!list_empty(&group->links[side]))
        return;
    list_push_back(&dirty->groups, &group->links[side]);
    group_ref(group);
    dirty->group_count++;
    dirty->bytes += DIRTY_OBJECT_BYTES + group->name_len;
}

static void forget_group(struct dirty *dirty, struct group *group, uint8_t side)
{
    if (list_empty(&group->links[side]))
        return;
    list_remove(&group->links[side]);
    dirty->group_count--;
    group_unref(group);
}

void dirty_drop_group(struct dirty *dirty, struct groups *groups, struct group *group, uint8_t side)
{
    struct dropped_group dropped = {group->home, group->entry.number};
    buf_add(&dirty->dropped_groups, &dropped, sizeof(dropped));
    dirty->bytes += sizeof(dropped);
    forget_group(dirty, group, side);
    groups_remove(groups, group);
}

void dirty_forget_groups(struct dirty *dirty, struct groups *groups, uint8_t side)
{
    for (uint32_t i = 0; i < groups->roster.count; i++) {
        struct group *group = groups_nth(groups, i);
        group->dropped = true;
        forget_group(dirty, group, side);
    }
}

/* A feed that had groups is gone. */
static void drop_groups(struct dirty *dirty, struct feed *feed, uint8_t side)
{
    if (feed_row(feed)->groups == 0)
        return;
    struct dropped_group dropped = {feed_groups_home(feed), 0};
    buf_add(&dirty->dropped_groups, &dropped, sizeof(dropped));
    if (feed->groups != NULL)
        dirty_forget_groups(dirty, feed->groups, side);
}

static void drop_feed(struct dirty *dirty, struct feed *feed, uint8_t side)
{
    bool stored = feed->on_disk || feed->side != side;
    if (stored)
        buf_add(&dirty->dropped_feeds, &feed->home, sizeof(feed->home));
    if (stored && upkeep_delayed(feed_upkeep(feed)) != NULL)
        buf_add(&dirty->dropped_delayed, &feed->home, sizeof(feed->home));
    drop_groups(dirty, feed, side);
    feed->dropped = true;
}

void dirty_drop(struct dirty *dirty, struct object *object, uint8_t side)
{
    struct feed *feed = object_feed(object);
    CHECK(object_type(object) != OBJECT_NONE && object->side == side);
    if (feed != NULL)
        drop_feed(dirty, feed, side);
    object_state_clear(object_state(object));
}

bool dirty_release(struct dirty *dirty, struct object *object, uint8_t side)
{
    struct object_state *state = &object->states[side];
    list_remove(&object->links[side]);
    dirty->count--;
    object->persisted = state->type != OBJECT_NONE;
    object->row_expiry_ms = state->expiry_ms;
    if (state->type == OBJECT_FEED)
        feed_folded(state->feed, side);
    if (object->side == side)
        return true;
    object_state_clear(state);
    return false;
}

void dirty_release_group(struct dirty *dirty, struct group *group, uint8_t side)
{
    list_remove(&group->links[side]);
    dirty->group_count--;
    group_folded(group, side);
    group_unref(group);
}
