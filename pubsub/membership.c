#include "pubsub/membership.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/random.h"

#define SLOT_CAP_MIN 16

void membership_init(struct membership *membership)
{
    uint64_t seed = random_seed();
    *membership = (struct membership){0};
    for (int kind = 0; kind < ROOM_KIND_COUNT; kind++)
        rooms_init(&membership->rooms[kind], seed);
    patterns_init(&membership->patterns, seed);
    number_pool_init(&membership->slots);
}

void membership_deinit(struct membership *membership)
{
    CHECK(membership->subscribers == 0);
    for (int kind = 0; kind < ROOM_KIND_COUNT; kind++)
        rooms_deinit(&membership->rooms[kind]);
    patterns_deinit(&membership->patterns);
    number_pool_deinit(&membership->slots);
    mem_free(membership->by_slot);
}

static void take_slot(struct membership *membership, struct subscriber *subscriber)
{
    subscriber->slot = number_pool_take(&membership->slots);
    if (subscriber->slot >= membership->slot_cap) {
        uint32_t cap = membership->slot_cap > 0 ? 2 * membership->slot_cap : SLOT_CAP_MIN;
        membership->by_slot = mem_realloc(membership->by_slot, cap * sizeof(struct subscriber *));
        membership->slot_cap = cap;
    }
    membership->by_slot[subscriber->slot] = subscriber;
    membership->subscribers++;
}

static void return_slot(struct membership *membership, struct subscriber *subscriber)
{
    membership->by_slot[subscriber->slot] = NULL;
    number_pool_return(&membership->slots, subscriber->slot);
    membership->subscribers--;
}

bool membership_join(struct membership *membership, struct subscriber *subscriber,
                     enum room_kind kind, struct bytes name)
{
    struct room *room = rooms_make(&membership->rooms[kind], name);
    bool is_new = room->members.count == 0;
    if (!number_set_add(&subscriber->rooms[kind], room->number))
        return false;
    if (subscriber->count == 0)
        take_slot(membership, subscriber);
    CHECK(number_set_add(&room->members, subscriber->slot));
    subscriber->count++;
    membership->subscriptions++;
    if (is_new && kind == ROOM_PATTERN)
        patterns_add(&membership->patterns, room);
    return true;
}

bool membership_leave(struct membership *membership, struct subscriber *subscriber,
                      enum room_kind kind, struct bytes name)
{
    struct room *room = rooms_find(&membership->rooms[kind], name);
    if (room == NULL || !number_set_remove(&subscriber->rooms[kind], room->number))
        return false;
    CHECK(number_set_remove(&room->members, subscriber->slot));
    membership->subscriptions--;
    if (--subscriber->count == 0)
        return_slot(membership, subscriber);
    if (room->members.count > 0)
        return true;
    if (kind == ROOM_PATTERN)
        patterns_remove(&membership->patterns, room);
    rooms_drop(&membership->rooms[kind], room);
    return true;
}

bool membership_has(const struct membership *membership, const struct subscriber *subscriber,
                    enum room_kind kind, struct bytes name)
{
    const struct room *room = membership_find(membership, kind, name);
    return room != NULL && number_set_has(&subscriber->rooms[kind], room->number);
}
