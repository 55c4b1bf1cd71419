#include "pubsub/rooms.h"

#include "base/alloc.h"
#include "base/check.h"

#define NUMBER_CAP_MIN 16

void rooms_init(struct rooms *rooms, uint64_t seed)
{
    *rooms = (struct rooms){.seed = seed};
    hmap_init(&rooms->names);
    number_pool_init(&rooms->numbers);
}

void rooms_deinit(struct rooms *rooms)
{
    CHECK(rooms_count(rooms) == 0);
    hmap_deinit(&rooms->names);
    number_pool_deinit(&rooms->numbers);
    mem_free(rooms->by_number);
}

static struct room *find(const struct rooms *rooms, uint64_t hash, struct bytes name)
{
    for (struct hmap_node *node = hmap_chain(&rooms->names, hash); node != NULL;
         node = node->next) {
        struct room *room = container_of(node, struct room, node);
        if (node->hash == hash && bytes_equal(room_name(room), name))
            return room;
    }
    return NULL;
}

struct room *rooms_find(const struct rooms *rooms, struct bytes name)
{
    if (rooms_count(rooms) == 0)
        return NULL;
    return find(rooms, hash_bytes(name, rooms->seed), name);
}

static void number_room(struct rooms *rooms, struct room *room)
{
    room->number = number_pool_take(&rooms->numbers);
    if (room->number >= rooms->number_cap) {
        uint32_t cap = rooms->number_cap > 0 ? 2 * rooms->number_cap : NUMBER_CAP_MIN;
        rooms->by_number = mem_realloc(rooms->by_number, cap * sizeof(struct room *));
        memset(rooms->by_number + rooms->number_cap, 0,
               (cap - rooms->number_cap) * sizeof(struct room *));
        rooms->number_cap = cap;
    }
    rooms->by_number[room->number] = room;
}

struct room *rooms_make(struct rooms *rooms, struct bytes name)
{
    uint64_t hash = hash_bytes(name, rooms->seed);
    struct room *room = find(rooms, hash, name);
    if (room != NULL)
        return room;
    CHECK(name.len <= UINT32_MAX);
    room = mem_alloc(sizeof(*room) + name.len);
    *room = (struct room){.node = {.hash = hash}, .name_len = (uint32_t)name.len};
    if (name.len > 0)
        memcpy(room->name, name.data, name.len);
    number_room(rooms, room);
    hmap_insert(&rooms->names, &room->node);
    return room;
}

void rooms_drop(struct rooms *rooms, struct room *room)
{
    CHECK(room->members.count == 0);
    hmap_remove(&rooms->names, &room->node);
    rooms->by_number[room->number] = NULL;
    number_pool_return(&rooms->numbers, room->number);
    mem_free(room);
}

struct room *rooms_from(const struct rooms *rooms, uint32_t number)
{
    for (; number < rooms->numbers.next; number++) {
        if (rooms->by_number[number] != NULL)
            return rooms->by_number[number];
    }
    return NULL;
}
