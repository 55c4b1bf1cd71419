#include "storage/dirty.h"

#include "base/check.h"

void dirty_init(struct dirty *dirty)
{
    *dirty = (struct dirty){0};
    list_init(&dirty->objects);
    buf_init(&dirty->dropped_feeds);
    buf_init(&dirty->dropped_spaces);
}

void dirty_deinit(struct dirty *dirty)
{
    CHECK(list_empty(&dirty->objects));
    buf_deinit(&dirty->dropped_feeds);
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
    object->side = side;
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

void dirty_drop(struct dirty *dirty, struct object *object, uint8_t side)
{
    struct feed *feed = object_feed(object);
    CHECK(object_type(object) != OBJECT_NONE && object->side == side);
    if (feed != NULL) {
        if (feed->on_disk || feed->side != side)
            buf_add(&dirty->dropped_feeds, &feed->home, sizeof(feed->home));
        feed->dropped = true;
    }
    object_state_clear(object_state(object));
}

bool dirty_release(struct dirty *dirty, struct object *object, uint8_t side)
{
    struct object_state *state = &object->states[side];
    list_remove(&object->links[side]);
    dirty->count--;
    object->persisted = state->type != OBJECT_NONE;
    if (state->type == OBJECT_FEED)
        feed_folded(state->feed, side);
    if (object->side == side)
        return true;
    object_state_clear(state);
    return false;
}
