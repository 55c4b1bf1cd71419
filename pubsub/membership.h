/* membership: who is in which room, both ways.
 *
 *     connection --- slot ---> subscriber: the numbers of its rooms
 *     name ------- number ---> room: the slots of its members
 *
 * A connection that joins its first room gets a slot, a small number that no other connection has;
 * leaving the last one gives it back. Rooms are of four kinds that know nothing of each other: a
 * channel, a sharded channel and a pattern of the same name are three rooms, and so are the
 * watchers of a room.
 *
 * Threads: the loop's. */
#ifndef WEIR_PUBSUB_MEMBERSHIP_H
#define WEIR_PUBSUB_MEMBERSHIP_H

#include "pubsub/patterns.h"

enum room_kind { ROOM_CHANNEL, ROOM_SHARD, ROOM_PATTERN, ROOM_WATCH, ROOM_KIND_COUNT };

/* Embedded in what a connection is for its owner. Zeros: in no room. */
struct subscriber {
    uint32_t slot;  /* while in a room */
    uint32_t count; /* rooms of all kinds */
    struct number_set rooms[ROOM_KIND_COUNT];
};

struct membership {
    struct rooms rooms[ROOM_KIND_COUNT];
    struct patterns patterns; /* index of the rooms of kind ROOM_PATTERN */
    struct number_pool slots;
    struct subscriber **by_slot; /* NULL: not in use */
    uint32_t slot_cap;
    uint32_t subscribers;   /* connections in any room */
    uint64_t subscriptions; /* pairs of a connection and a room */
};

void membership_init(struct membership *membership);
/* Everybody must have left. */
void membership_deinit(struct membership *membership);

/* False: it is a member already. */
bool membership_join(struct membership *membership, struct subscriber *subscriber,
                     enum room_kind kind, struct bytes name);
/* False: it is no member. */
bool membership_leave(struct membership *membership, struct subscriber *subscriber,
                      enum room_kind kind, struct bytes name);

/* NULL when the room has no member. Valid until it has none. */
static inline const struct room *membership_find(const struct membership *membership,
                                                 enum room_kind kind, struct bytes name)
{
    return rooms_find(&membership->rooms[kind], name);
}

static inline const struct room *membership_room(const struct membership *membership,
                                                 enum room_kind kind, uint32_t number)
{
    return rooms_at(&membership->rooms[kind], number);
}

/* The connection with this slot, which is in use. */
static inline struct subscriber *membership_at(const struct membership *membership, uint32_t slot)
{
    return membership->by_slot[slot];
}

bool membership_has(const struct membership *membership, const struct subscriber *subscriber,
                    enum room_kind kind, struct bytes name);

/* See patterns_match; they are rooms of kind ROOM_PATTERN. */
static inline size_t membership_match(const struct membership *membership, struct bytes name,
                                      struct buf *out, struct buf *scratch)
{
    return patterns_match(&membership->patterns, &membership->rooms[ROOM_PATTERN], name, out,
                          scratch);
}

#endif
