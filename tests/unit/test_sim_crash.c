/* Crashes at any moment lose nothing that was acknowledged, and keep all writes up to some point:
 * see tests/sim/world.h for what is checked all the time. */
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

#ifdef WEIR_DEBUG
#define WORLDS 20
#else
#define WORLDS 70
#endif
#define CRASHES_PER_WORLD 15

static uint64_t seed;

static void live_and_crash(void)
{
    uint64_t turns = random_below(&world.random, 120);
    if (world_chance(60))
        world_arm_power(random_below(&world.random, 150));
    while (turns-- > 0 && !world.power_lost) {
        world_send_some();
        world_turn();
        if (world_chance(3))
            (void)broker_fold_start(world.broker);
    }
    world_crash_and_restart();
}

static void crash_often(const struct world_setup *setup)
{
    uint64_t crashes = 0, commands = 0, cold = 0, turns = 0;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, setup);
        for (unsigned crash = 0; crash < CRASHES_PER_WORLD; crash++) {
            live_and_crash();
            if (world_chance(10))
                world_close_and_restart(world_chance(50));
        }
        crashes += world.crashes;
        commands += world.commands;
        cold += world.cold_commands;
        turns += world.turns;
        world_end();
    }
    print_message("crashes=%" PRIu64 " turns=%" PRIu64 " commands=%" PRIu64 " cold=%" PRIu64 "\n",
                  crashes, turns, commands, cold);
}

static void a_crash_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    crash_often(&(struct world_setup){
        .clients = 3,
        .fold_bytes = 6000,
        .resident_bytes = 3000,
        .record_bytes = 3000,
        .read_percent = 25,
        .long_percent = 50,
        .copies = true,
        .blocks = true,
    });
}

static void a_crash_among_cold_reads_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    crash_often(&(struct world_setup){
        .clients = 3,
        .fold_bytes = 3000,
        .resident_bytes = 1000,
        .record_bytes = 2000,
        .read_percent = 30,
        .long_percent = 30,
        .blocks = true,
        .faults = {.cold_per_mille = 500, .cool_per_mille = 300},
    });
}

static void a_crash_without_folds_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    crash_often(&(struct world_setup){
        .clients = 4,
        .fold_bytes = UINT64_C(1) << 30,
        .resident_bytes = 3000,
        .record_bytes = 100000,
        .read_percent = 10,
        .long_percent = 70,
        .copies = true,
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_keeps_what_was_acknowledged),
        cmocka_unit_test(a_crash_among_cold_reads_keeps_what_was_acknowledged),
        cmocka_unit_test(a_crash_without_folds_keeps_what_was_acknowledged),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
