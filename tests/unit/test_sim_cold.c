/* Every command answers the same, whatever of its keys and entries is in memory. */
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

#ifdef WEIR_DEBUG
#define WORLDS 10
#else
#define WORLDS 120
#endif
#define TURNS 1500

static uint64_t seed;

static void run_cold(const struct world_setup *setup)
{
    uint64_t commands = 0, cold = 0;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, setup);
        for (unsigned turn = 0; turn < TURNS; turn++) {
            world_send_some();
            world_turn();
            if (world_chance(2))
                sim_ranges_disk_cool(world.ranges_disk);
        }
        world_compare_keys();
        world_close_and_restart(world_chance(50));
        commands += world.commands;
        cold += world.cold_commands;
        world_end();
    }
    print_message("commands=%" PRIu64 " cold=%" PRIu64 "\n", commands, cold);
    assert_true(cold > 0);
}

static void one_client_is_answered_from_cold_data(void **state)
{
    (void)state;
    run_cold(&(struct world_setup){
        .clients = 1,
        .fold_bytes = 2000,
        .resident_bytes = 500,
        .record_bytes = 2000,
        .read_percent = 50,
        .long_percent = 20,
        .copies = true,
        .faults = {.cold_per_mille = 800, .cool_per_mille = 500},
    });
}

static void what_is_decided_from_cold_data_holds_while_others_write(void **state)
{
    (void)state;
    run_cold(&(struct world_setup){
        .clients = 4,
        .fold_bytes = 2000,
        .resident_bytes = 500,
        .record_bytes = 4000,
        .read_percent = 15,
        .long_percent = 60,
        .faults = {.cold_per_mille = 900, .cool_per_mille = 200},
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_client_is_answered_from_cold_data),
        cmocka_unit_test(what_is_decided_from_cold_data_holds_while_others_write),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
