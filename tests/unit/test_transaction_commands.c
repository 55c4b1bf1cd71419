/* What EXEC does before it runs the first command, with a whole broker. */
#include "broker/transaction.h"

#include "tests/unit/broker_fixture.h"

static int set_up(void **state)
{
    (void)state;
    return set_up_broker(unit_seed());
}

/* Keys are on disk only, and every read of memory finds them cold. */
static void go_cold(void)
{
    const struct sim_ranges_faults faults = {.cold_per_mille = 1000};
    assert_string_equal(ask("SAVE"), "+OK\r\n");
    restart();
    sim_ranges_disk_set_faults(rows, &faults);
}

static void feed_line(const char *line)
{
    session_feed(client, bytes_of_string(line));
}

static void readers_fetch_the_keys_of_all_commands_also_behind_a_select(void **state)
{
    (void)state;
    (void)ask("SET a 0");
    (void)ask("SELECT 1");
    (void)ask("SET a 1");
    go_cold();
    assert_string_equal(ask("MULTI"), "+OK\r\n");
    (void)ask("GET a");
    (void)ask("SELECT 1");
    (void)ask("GET a");
    (void)ask("SELECT 0");
    (void)ask("GET a");
    feed_line("EXEC\r\n");
    assert_int_equal(job_count, 1); /* one for all of them */
    finish_jobs();
    assert_int_equal(job_count, 0);
    struct object *object;
    for (unsigned db = 0; db < 2; db++)
        assert_int_equal(keyspace_find(&broker->keyspace, db, BYTES("a"), &object), ERR_OK);
    reply.len = 0;
    while (reply.len == 0) {
        turn();
        take_output(client, &reply);
    }
    buf_add(&reply, "", 1);
    assert_string_equal(reply.data, "*5\r\n$1\r\n0\r\n+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n0\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_fetch_the_keys_of_all_commands_also_behind_a_select,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
