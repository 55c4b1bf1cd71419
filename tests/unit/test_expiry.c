#include "broker/expiry.h"

#include "tests/unit/broker_fixture.h"

static int set_up(void **state)
{
    (void)state;
    return set_up_broker(unit_seed());
}

static uint64_t keys(void)
{
    const struct database *database = keyspace_database(&broker->keyspace, 0);
    return database->keys + database->memory_keys;
}

/* Cycles come by themselves: time passes until so many keys are left. */
static void wait_for_keys(uint64_t count)
{
    for (int cycle = 0; cycle < 100 && keys() != count; cycle++) {
        pass_ms(EXPIRY_PERIOD_US / 1000);
        settle();
    }
    assert_int_equal(keys(), count);
}

static void a_key_is_gone_when_its_time_has_come_and_not_before(void **state)
{
    (void)state;
    const char *const names[] = {"durable", "cache:1"};
    for (int i = 0; i < 2; i++) {
        (void)ask("SET %s v PX 50", names[i]);
        pass_ms(49);
        assert_string_equal(ask("GET %s", names[i]), "$1\r\nv\r\n");
        pass_ms(1);
        assert_string_equal(ask("GET %s", names[i]), "$-1\r\n");
        assert_int_equal(keys(), 0);
    }
    assert_int_equal(broker->expiry.expired_keys, 2);
}

static void keys_that_nobody_asks_for_go_too(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        (void)ask("SET durable:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
        (void)ask("SET cache:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
    }
    (void)ask("SET for-ever v");
    wait_for_keys(201);
    assert_int_equal(broker->expiry.expired_keys, 400);
    assert_string_equal(ask("EXISTS durable:0 cache:0 for-ever durable:1"), ":3\r\n");
}

static void keys_that_only_lie_on_disk_go_too(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        (void)ask("SET key:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
    fold();
    restart();
    wait_for_keys(100);
    fold();
    restart();
    assert_int_equal(keys(), 100);
}

static void an_overwritten_key_keeps_to_its_new_time(void **state)
{
    (void)state;
    (void)ask("SET a v PX 50");
    (void)ask("SET b v PX 50");
    fold();
    (void)ask("SET a v");
    (void)ask("PEXPIRE b 100000");
    pass_ms(1000);
    settle();
    wait_for_keys(2);
    assert_string_equal(ask("EXISTS a b"), ":2\r\n");
}

static void while_writes_are_paused_keys_are_hidden_and_stay(void **state)
{
    (void)state;
    (void)ask("SET a v PX 50");
    (void)ask("SET cache:a v PX 50");
    assert_string_equal(ask("CLIENT PAUSE 1000 WRITE"), "+OK\r\n");
    pass_ms(500);
    settle();
    assert_string_equal(ask("EXISTS a cache:a"), ":0\r\n");
    assert_int_equal(keys(), 2);
    assert_int_equal(expiry_deadline(broker), 0);
    pass_ms(500);
    wait_for_keys(0);
}

static void nothing_is_due_where_no_key_expires(void **state)
{
    (void)state;
    (void)ask("SET a v");
    (void)ask("SET cache:a v");
    assert_int_equal(expiry_deadline(broker), 0);
    (void)ask("PEXPIRE cache:a 1000");
    assert_int_not_equal(expiry_deadline(broker), 0);
    (void)ask("PERSIST cache:a");
    assert_int_equal(expiry_deadline(broker), 0);
}

#define EXPIRY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPIRY_TEST(a_key_is_gone_when_its_time_has_come_and_not_before),
        EXPIRY_TEST(keys_that_nobody_asks_for_go_too),
        EXPIRY_TEST(keys_that_only_lie_on_disk_go_too),
        EXPIRY_TEST(an_overwritten_key_keeps_to_its_new_time),
        EXPIRY_TEST(while_writes_are_paused_keys_are_hidden_and_stay),
        EXPIRY_TEST(nothing_is_due_where_no_key_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
