#include "broker/string_commands.h"

#include "tests/unit/broker_fixture.h"

#define INCREMENTS 1000000
#define PIPELINE   100

static int set_up(void **state)
{
    (void)state;
    return set_up_broker(unit_seed());
}

static void increment_often(void)
{
    static const char line[] = "INCR hits\r\n";
    static char lines[PIPELINE * (sizeof(line) - 1)];
    for (size_t i = 0; i < PIPELINE; i++)
        memcpy(lines + i * (sizeof(line) - 1), line, sizeof(line) - 1);
    for (unsigned done = 0; done < INCREMENTS; done += PIPELINE) {
        session_feed(client, bytes_of(lines, sizeof(lines)));
        for (unsigned i = 0, replies = 0; replies < PIPELINE; i++) {
            assert_true(i < PATIENCE_TURNS);
            reply.len = 0;
            turn();
            take_output(client, &reply);
            for (size_t at = 0; at < reply.len; at++)
                replies += reply.data[at] == ':';
        }
        if (done % (INCREMENTS / 5) == 0)
            fold();
    }
}

static void a_counter_that_is_incremented_a_million_times_is_one_row(void **state)
{
    (void)state;
    (void)ask("SET other v");
    fold();
    size_t before = sim_ranges_disk_row_count(rows);
    increment_often();
    fold();
    assert_int_equal(sim_ranges_disk_row_count(rows), before + 1);
    restart();
    assert_string_equal(ask("GET hits"), "$7\r\n1000000\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_counter_that_is_incremented_a_million_times_is_one_row,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
