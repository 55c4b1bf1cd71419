/* Nobody is shown what a crash could take back: the world checks it of every reply that leaves,
 * and again after every crash (tests/sim/world.h). */
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

#ifdef WEIR_DEBUG
#define WORLDS 10
#else
#define WORLDS 60
#endif
#define CRASHES_PER_WORLD 15

/* For world.setup.long_percent: no thread and no reader works, or all do at once. */
#define HOLD 100
#define GO   0

static uint64_t seed;

static const struct world_setup few = {
    .clients = 2,
    .fold_bytes = UINT64_C(1) << 20,
    .resident_bytes = UINT64_C(1) << 20,
    .record_bytes = UINT64_C(1) << 20,
};

static void turns(unsigned count)
{
    while (count-- > 0)
        world_turn();
}

static void send(unsigned client, struct model_command command)
{
    assert_true(world_send(&world.clients[client], &command));
}

static uint64_t answered(unsigned client)
{
    return world.clients[client].answered;
}

static struct model_command add(unsigned key)
{
    return (struct model_command){
        .kind = MODEL_XADD, .key = key, .auto_id = true, .token = ++world.next_token};
}

static struct model_command range(unsigned key)
{
    return (struct model_command){.kind = MODEL_XRANGE, .key = key, .id2 = ID_MAX};
}

static int set_up(void **state)
{
    (void)state;
    world_begin(seed, &few);
    send(0, add(0));
    world_settle();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

/* `write`, then `read` by another client: neither is answered before the sync. */
static void waits(struct model_command write, struct model_command read)
{
    uint64_t before[2] = {answered(0), answered(1)};
    world.setup.long_percent = HOLD;
    send(0, write);
    turns(20);
    send(1, read);
    turns(20);
    assert_true(world.clients[1].started > before[1]);
    assert_int_equal(answered(0), before[0]);
    assert_int_equal(answered(1), before[1]);
    world.setup.long_percent = GO;
    world_settle();
    assert_int_equal(answered(0), before[0] + 1);
    assert_int_equal(answered(1), before[1] + 1);
}

static void a_reader_of_a_new_entry_waits_for_its_sync(void **state)
{
    (void)state;
    waits(add(0), range(0));
}

static void a_reader_of_what_is_gone_waits_for_the_sync_of_its_end(void **state)
{
    (void)state;
    waits((struct model_command){.kind = MODEL_DEL, .key = 0}, range(0));
}

static void a_reader_after_a_swap_waits_for_its_sync(void **state)
{
    (void)state;
    waits((struct model_command){.kind = MODEL_SWAPDB, .db2 = 1}, range(0));
    /* The key lies in the other database now, as old as it was. */
    send(1, (struct model_command){.kind = MODEL_SELECT, .db2 = 1});
    world_settle();
    struct model_command read = range(0);
    read.db = 1;
    waits((struct model_command){.kind = MODEL_SWAPDB, .db2 = 1}, read);
}

static void a_reader_of_another_key_waits_for_nothing(void **state)
{
    (void)state;
    world.setup.long_percent = HOLD;
    send(0, add(1));
    turns(20);
    send(1, range(0));
    turns(20);
    assert_int_equal(answered(0), 1);
    assert_int_equal(answered(1), 1);
    world.setup.long_percent = GO;
    world_settle();
}

static void what_readers_were_shown_is_there_after_a_crash(void **state)
{
    (void)state;
    const struct world_setup setup = {
        .clients = 4,
        .fold_bytes = 4000,
        .resident_bytes = 2000,
        .record_bytes = 4000,
        .read_percent = 60,
        .long_percent = 75,
        .blocks = true,
        .groups = true,
        .faults = {.cold_per_mille = 100, .cool_per_mille = 100},
    };
    uint64_t crashes = 0;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, &setup);
        for (unsigned crash = 0; crash < CRASHES_PER_WORLD; crash++) {
            for (uint64_t left = random_below(&world.random, 100); left > 0; left--) {
                world_send_some();
                world_turn();
            }
            world_crash_and_restart();
        }
        crashes += world.crashes;
        world_end();
    }
    print_message("crashes=%" PRIu64 "\n", crashes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_of_a_new_entry_waits_for_its_sync),
        TEST(a_reader_of_what_is_gone_waits_for_the_sync_of_its_end),
        TEST(a_reader_after_a_swap_waits_for_its_sync),
        TEST(a_reader_of_another_key_waits_for_nothing),
        cmocka_unit_test(what_readers_were_shown_is_there_after_a_crash),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
