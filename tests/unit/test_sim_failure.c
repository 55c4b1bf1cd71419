/* A write, a sync or a fold that fails ends all writing, loses nothing that was acknowledged, and
 * leaves what is durable readable. What is sent meanwhile the world checks: MISCONF for writes and
 * for what shows lost ones, the truth for all the rest. */
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

#ifdef WEIR_DEBUG
#define WORLDS 40
#else
#define WORLDS 500
#endif
#define FAILURES_PER_WORLD 4
/* Turns in which a fault comes, or is given up. */
#define FAULT_TURNS_MAX 600
/* Turns after which no thread has anything to do. */
#define REST_TURNS 40

static uint64_t seed;
static uint64_t failures;

static const struct world_setup setup = {
    .clients = 3,
    .fold_bytes = 5000,
    .resident_bytes = 3000,
    .record_bytes = 3000,
    .read_percent = 30,
    .long_percent = 50,
    .copies = true,
};

static void turn_until_failed(void)
{
    for (unsigned i = 0; i < FAULT_TURNS_MAX && !broker_failed(world.broker); i++) {
        world_send_some();
        world_turn();
    }
    (void)sim_disk_heal(world.disk);
    world_settle();
    /* The record that was in flight when a fold failed becomes durable all the same. */
    for (unsigned i = 0; i < REST_TURNS; i++)
        world_turn();
}

/* All that wait behind the failed record are closed; others connect. */
static void connect_again(void)
{
    for (unsigned i = 0; i < setup.clients; i++) {
        struct world_client *client = &world.clients[i];
        if (client->session != NULL)
            assert_int_equal(session_output_size(client->session), 0);
        else
            world_reconnect(client);
    }
}

static void writes_are_refused(void)
{
    struct world_client *client = &world.clients[0];
    uint64_t refused = client->refused;
    const struct model_command commands[] = {
        {.kind = MODEL_XADD, .db = client->db, .auto_id = true, .token = ++world.next_token},
        {.kind = MODEL_FLUSHALL, .db = client->db},
    };
    for (unsigned i = 0; i < 2; i++)
        assert_true(world_send(client, &commands[i]));
    world_settle();
    assert_non_null(client->session);
    assert_int_equal(client->refused, refused + 2);
}

static bool durable(uint64_t write)
{
    return write == 0 || world.journal[write - 1].lsn <= broker_durable(world.broker);
}

/* The others are refused. A key that does not exist may be as new as its database. */
static void durable_keys_are_read(void)
{
    struct world_client *client = &world.clients[1];
    uint64_t refused = client->refused;
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        struct model_command command = {
            .kind = MODEL_XRANGE, .db = client->db, .key = key, .id2 = ID_MAX};
        if (!world.model.streams[client->db][key].exists)
            continue;
        refused += !durable(world.model.touched[client->db][key]);
        assert_true(world_send(client, &command));
    }
    world_settle();
    assert_non_null(client->session);
    assert_int_equal(client->refused, refused);
}

static void fail_and_restart(void)
{
    turn_until_failed();
    if (broker_failed(world.broker)) {
        failures++;
        connect_again();
        writes_are_refused();
        durable_keys_are_read();
    }
    if (world_chance(50))
        world_crash_and_restart();
    else
        world_close_and_restart(false);
}

static void fail_often(void (*arm)(void))
{
    failures = 0;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, &setup);
        for (unsigned n = 0; n < FAILURES_PER_WORLD; n++) {
            arm();
            fail_and_restart();
        }
        world_end();
    }
    print_message("failures=%" PRIu64 "\n", failures);
    assert_true(failures > WORLDS);
}

static void arm_write(void)
{
    const enum sim_fault faults[] = {SIM_WRITE_FAILS, SIM_WRITE_SHORT, SIM_WRITE_TORN};
    sim_disk_fail(world.disk, faults[random_below(&world.random, 3)],
                  random_below(&world.random, 60));
}

static void arm_sync(void)
{
    sim_disk_fail(world.disk, SIM_SYNC_FAILS, random_below(&world.random, 60));
}

static void arm_fold(void)
{
    sim_ranges_disk_fail_commit(world.ranges_disk, 1 + (unsigned)random_below(&world.random, 5),
                                ERR_NO_SPACE);
}

static void a_failed_write_loses_nothing_acknowledged(void **state)
{
    (void)state;
    fail_often(arm_write);
}

static void a_failed_sync_loses_nothing_acknowledged(void **state)
{
    (void)state;
    fail_often(arm_sync);
}

static void a_failed_fold_loses_nothing_acknowledged(void **state)
{
    (void)state;
    fail_often(arm_fold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_loses_nothing_acknowledged),
        cmocka_unit_test(a_failed_sync_loses_nothing_acknowledged),
        cmocka_unit_test(a_failed_fold_loses_nothing_acknowledged),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
