#include "broker/range_count.h"

#include "tests/unit/broker_fixture.h"

#define KEYS  3000
#define TURNS 100

static int set_up(void **state)
{
    (void)state;
    return set_up_broker(unit_seed());
}

static bool counted(uint64_t *keys)
{
    struct range_size size = {0};
    const struct key_range *rule = keyspace_range(&broker->keyspace, 0, BYTES("a:1"));
    bool known = range_count_of(&broker->keyspace, rule->id, &size);
    *keys = size.keys;
    return known;
}

/* Turns, and tells how many reads were asked for. */
static unsigned reads_of_some_turns(void)
{
    unsigned reads = 0;
    for (unsigned i = 0; i < TURNS; i++) {
        turn();
        reads += (unsigned)job_count;
    }
    return reads;
}

static void rows_that_cannot_be_read_are_tried_again_after_a_while(void **state)
{
    (void)state;
    uint64_t keys;
    for (unsigned i = 0; i < KEYS; i++)
        (void)ask("SET a:%u v", i);
    fold();
    restart();
    sim_ranges_disk_set_faults(rows, &(struct sim_ranges_faults){.read_fails_per_mille = 1000});
    assert_string_equal(ask("RANGE.SET 0 a: DURABLE"), "+OK\r\n");
    assert_in_range(reads_of_some_turns(), 0, 2);
    assert_false(counted(&keys));
    uint64_t deadline = broker_deadline(broker);
    assert_in_range(deadline, clock_mono_us() + 1, clock_mono_us() + 1000000);
    sim_ranges_disk_set_faults(rows, &(struct sim_ranges_faults){0});
    assert_int_equal(reads_of_some_turns(), 0);
    atomic_store(&clock_us, deadline);
    for (unsigned i = 0; !counted(&keys); i++) {
        assert_true(i < PATIENCE_TURNS);
        turn();
    }
    assert_int_equal(keys, KEYS);
    assert_int_equal(range_count_deadline(&broker->count), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_that_cannot_be_read_are_tried_again_after_a_while,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
