/* rooms: names of what can be subscribed to, with their members.
 *
 * A room is there as long as it has a member. It has a dense number, by which a member remembers
 * it; its members are the slots of connections (pubsub/membership.h). Channels, sharded channels,
 * patterns and watched rooms are kept in a table of rooms each.
 *
 * Threads: the loop's. */
#ifndef WEIR_PUBSUB_ROOMS_H
#define WEIR_PUBSUB_ROOMS_H

#include "base/hmap.h"
#include "pubsub/number_pool.h"
#include "pubsub/number_set.h"

/* There may be very many: what is small stays small. */
struct room {
    struct hmap_node node;
    struct number_set members;
    uint32_t number;
    uint32_t name_len;
    char name[];
};

struct rooms {
    struct hmap names;
    uint64_t seed; /* of the hash: nobody can choose names that collide */
    struct number_pool numbers;
    struct room **by_number; /* NULL: not in use */
    uint32_t number_cap;
};

void rooms_init(struct rooms *rooms, uint64_t seed);
/* There must be no room any more. */
void rooms_deinit(struct rooms *rooms);

/* NULL when there is none. */
struct room *rooms_find(const struct rooms *rooms, struct bytes name);
/* Makes an empty one if there is none; copies the name. */
struct room *rooms_make(struct rooms *rooms, struct bytes name);
/* Frees a room, which has no members. */
void rooms_drop(struct rooms *rooms, struct room *room);

/* The room of a number that is in use. */
static inline struct room *rooms_at(const struct rooms *rooms, uint32_t number)
{
    return rooms->by_number[number];
}

/* All rooms by number: the first whose number is not below `number`; NULL is the end. */
struct room *rooms_from(const struct rooms *rooms, uint32_t number);

static inline size_t rooms_count(const struct rooms *rooms)
{
    return rooms->names.count;
}

static inline struct bytes room_name(const struct room *room)
{
    return bytes_of(room->name, room->name_len);
}

#endif
