#include "storage/dirty.h"

#include "base/check.h"
#include "storage/upkeep.h"

void dirty_init(struct dirty *dirty)
{
    *dirty = (struct dirty){0};
    list_init(&dirty->objects);
    buf_init(&dirty->dropped_feeds);
    buf_init(&dirty->dropped_delayed);
    buf_init(&dirty->dropped_spaces);
}

void dirty_deinit(struct dirty *dirty)
{
    CHECK(list_empty(&dirty->objects));
    buf_deinit(&dirty->dropped_feeds);
    buf_deinit(&dirty->dropped_delayed);
    buf_deinit(&dirty->dropped_spaces);
    catalog_deinit(&dirty->catalog);
}

static void turn(struct object *object, uint8_t side)
{
    uint8_t old = object->side;
    object->states[side] = object->states[old];
    object->side = side;
    if (list_empty(&object->links[old]))
        object->states[old] = (struct object_state){OBJECT_NONE, NULL};
    else if (object->states[side].feed != NULL)
        feed_ref(object->states[side].feed);
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

void dirty_drop(struct dirty *dirty, struct object *object, uint8_t side)
{
    struct feed *feed = object_feed(object);
    CHECK(feed != NULL && object->side == side);
    bool stored = feed->on_disk || feed->side != side;
    if (stored)
        buf_add(&dirty->dropped_feeds, &feed->home, sizeof(feed->home));
    if (stored && upkeep_delayed(feed_upkeep(feed)) != NULL)
        buf_add(&dirty->dropped_delayed, &feed->home, sizeof(feed->home));
    feed->dropped = true;
    *object_state(object) = (struct object_state){OBJECT_NONE, NULL};
    feed_unref(feed);
}

bool dirty_release(struct dirty *dirty, struct object *object, uint8_t side)
{
    struct object_state *state = &object->states[side];
    list_remove(&object->links[side]);
    dirty->count--;
    object->persisted = state->type != OBJECT_NONE;
    if (state->feed != NULL)
        feed_folded(state->feed, side);
    if (object->side == side)
        return true;
    if (state->feed != NULL)
        feed_unref(state->feed);
    *state = (struct object_state){OBJECT_NONE, NULL};
    return false;
}
