/* What consumer groups have delivered, and what was acknowledged, survives crashes, folds and cold
 * reads: see tests/sim/world.h for what is checked all the time. */
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

#ifdef WEIR_DEBUG
#define WORLDS 6
#else
#define WORLDS 25
#endif
#define LIVES_PER_WORLD 12

static uint64_t seed;

static void live(void)
{
    uint64_t turns = random_below(&world.random, 150);
    if (world_chance(50))
        world_arm_power(random_below(&world.random, 150));
    while (turns-- > 0 && !world.power_lost) {
        world_send_some();
        world_turn();
        if (world_chance(3))
            (void)broker_fold_start(world.broker);
        if (world_chance(2))
            sim_ranges_disk_cool(world.ranges_disk);
    }
}

static void live_and_crash(const struct world_setup *setup)
{
    uint64_t crashes = 0, commands = 0, cold = 0, taken_over = 0;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, setup);
        for (unsigned lives = 0; lives < LIVES_PER_WORLD; lives++) {
            live();
            if (world.power_lost || world_chance(70))
                world_crash_and_restart();
            else
                world_close_and_restart(world_chance(50));
        }
        crashes += world.crashes;
        commands += world.commands;
        cold += world.cold_commands;
        taken_over += world.taken_over;
        world_end();
    }
    print_message("crashes=%" PRIu64 " commands=%" PRIu64 " cold=%" PRIu64 " taken over=%" PRIu64
                  "\n",
                  crashes, commands, cold, taken_over);
}

static void a_crash_keeps_what_groups_have_acknowledged(void **state)
{
    (void)state;
    live_and_crash(&(struct world_setup){
        .clients = 3,
        .fold_bytes = 6000,
        .resident_bytes = 3000,
        .record_bytes = 3000,
        .read_percent = 25,
        .long_percent = 50,
        .copies = true,
        .blocks = true,
        .groups = true,
    });
}

static void a_crash_without_folds_keeps_what_groups_have_acknowledged(void **state)
{
    (void)state;
    live_and_crash(&(struct world_setup){
        .clients = 4,
        .fold_bytes = UINT64_C(1) << 30,
        .resident_bytes = 3000,
        .record_bytes = 100000,
        .read_percent = 10,
        .long_percent = 70,
        .copies = true,
        .groups = true,
    });
}

static void one_client_is_answered_from_cold_groups(void **state)
{
    (void)state;
    live_and_crash(&(struct world_setup){
        .clients = 1,
        .fold_bytes = 2000,
        .resident_bytes = 500,
        .record_bytes = 2000,
        .read_percent = 30,
        .long_percent = 20,
        .copies = true,
        .groups = true,
        .faults = {.cold_per_mille = 800, .cool_per_mille = 500},
    });
}

static void what_is_taken_from_cold_groups_is_taken_once(void **state)
{
    (void)state;
    live_and_crash(&(struct world_setup){
        .clients = 4,
        .fold_bytes = 2000,
        .resident_bytes = 1000,
        .record_bytes = 4000,
        .read_percent = 15,
        .long_percent = 60,
        .blocks = true,
        .groups = true,
        .keys = 2,
        .faults = {.cold_per_mille = 500, .cool_per_mille = 300},
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_keeps_what_groups_have_acknowledged),
        cmocka_unit_test(a_crash_without_folds_keeps_what_groups_have_acknowledged),
        cmocka_unit_test(one_client_is_answered_from_cold_groups),
        cmocka_unit_test(what_is_taken_from_cold_groups_is_taken_once),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
