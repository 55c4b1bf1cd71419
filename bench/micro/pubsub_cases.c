/* Sets of connections: what a publish walks and room algebra combines. */
#include "bench/micro/micro.h"

#include "pubsub/number_set.h"

/* A large room on a server with as many connections again. */
#define MEMBERS 1000u

static struct number_set room;
static struct number_set other;
static struct buf scratch;

static void set_up(void)
{
    buf_init(&scratch);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        (void)number_set_add(&room, 2 * i);
        (void)number_set_add(&other, 3 * i);
    }
}

static void tear_down(void)
{
    number_set_deinit(&room);
    number_set_deinit(&other);
    buf_deinit(&scratch);
}

static void run_walk(uint64_t count)
{
    for (uint64_t done = 0; done < count; done += MEMBERS) {
        const uint32_t *numbers = number_set_read(&room, &scratch);
        for (uint32_t i = 0; i < room.count; i++)
            micro_use(numbers[i]);
    }
}

static void run_union(uint64_t count)
{
    const struct number_set *const sets[] = {&room, &other};
    for (uint64_t i = 0; i < count; i++) {
        struct number_set all = {0};
        number_set_combine(&all, NUMBER_UNION, sets, 2);
        micro_use(all.count);
        number_set_deinit(&all);
    }
}

static void run_join_and_leave(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        micro_use(number_set_add(&room, 1));
        micro_use(number_set_remove(&room, 1));
    }
}

const struct micro_case micro_pubsub_cases[] = {
    {"bitmap-walk", "one of a room's 1,000 members", 10 * MEMBERS, MEMBERS, set_up, run_walk,
     tear_down},
    {"bitmap-union", "two rooms of 1,000 members become one set", 100, 1, set_up, run_union,
     tear_down},
    {"bitmap-change", "a connection joins a room of 1,000 and leaves it", 10000, 1, set_up,
     run_join_and_leave, tear_down},
    {.name = NULL},
};
