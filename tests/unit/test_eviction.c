#include "broker/eviction.h"

#include "tests/unit/broker_fixture.h"

#define BUDGET 200000

static int set_up(void **state)
{
    (void)state;
    return set_up_broker(unit_seed());
}

static const struct key_range *rule(void)
{
    return keyspace_range(&broker->keyspace, 0, BYTES("cache:1"));
}

static const struct memory_range *range(void)
{
    return &broker->keyspace.memory.ranges[rule()->id];
}

static size_t range_bytes(void)
{
    return memory_range_bytes(&broker->keyspace.memory, rule()->id);
}

static void set_rule(size_t budget, const char *policy)
{
    assert_string_equal(ask("RANGE.SET * cache: MEMORY MAXMEMORY %zu POLICY %s", budget, policy),
                        "+OK\r\n");
}

static void fill(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_string_equal(ask("SET cache:%u 0123456789012345678901234567890123456789", i),
                            "+OK\r\n");
}

static void a_range_keeps_within_its_own_budget(void **state)
{
    (void)state;
    set_rule(BUDGET, "allkeys-lru");
    (void)ask("SET durable v");
    fill(4000);
    assert_in_range(range_bytes(), BUDGET / 2, BUDGET);
    assert_true(range()->evictions > 0);
    assert_int_equal(range()->map.count + range()->evictions, 4000);
    assert_int_equal(broker->keyspace.evictions, range()->evictions);
    assert_string_equal(ask("GET durable"), "$1\r\nv\r\n");
}

static void all_ranges_together_keep_within_the_option(void **state)
{
    (void)state;
    set_rule(0, "allkeys-random");
    assert_string_equal(ask("CONFIG SET maxmemory %u", BUDGET), "+OK\r\n");
    fill(4000);
    assert_in_range(memory_bytes(&broker->keyspace.memory), BUDGET / 2, BUDGET);
}

static void a_full_range_that_lets_none_go_refuses_what_adds(void **state)
{
    (void)state;
    set_rule(BUDGET, "noeviction");
    assert_string_equal(ask("SETRANGE cache:big %u x", BUDGET), ":200001\r\n");
    assert_true(eviction_full(broker, rule()));
    assert_string_equal(ask("SET cache:1 v"),
                        "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_string_equal(ask("STRLEN cache:big"), ":200001\r\n");
    assert_string_equal(ask("SET durable v"), "+OK\r\n");
    assert_string_equal(ask("RENAME durable cache:1"),
                        "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_string_equal(ask("RENAME cache:big cache:larger"), "+OK\r\n");
    assert_string_equal(ask("RENAME cache:larger durable:big"), "+OK\r\n");
    assert_false(eviction_full(broker, rule()));
    assert_string_equal(ask("RENAME durable:big cache:big"), "+OK\r\n");
    assert_string_equal(ask("DEL cache:big"), ":1\r\n");
    assert_false(eviction_full(broker, rule()));
    assert_string_equal(ask("SET cache:1 v"), "+OK\r\n");
    assert_int_equal(range()->evictions, 0);
}

static void several_keys_are_set_together_or_not_at_all(void **state)
{
    (void)state;
    const char *const commands[] = {"MSET", "MSETNX"};
    for (int i = 0; i < 2; i++) {
        set_rule(BUDGET, "noeviction");
        (void)ask("SETRANGE cache:big 100000 x");
        set_rule(range_bytes() + 200, "noeviction");
        assert_false(eviction_full(broker, rule()));
        (void)ask("%s cache:1 %0400d cache:2 v", commands[i], 1);
        assert_true(eviction_full(broker, rule()));
        assert_string_equal(ask("STRLEN cache:1"), ":400\r\n");
        assert_string_equal(ask("GET cache:2"), "$1\r\nv\r\n");
        assert_string_equal(ask("%s cache:3 v cache:4 v", commands[i]),
                            "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
        assert_string_equal(ask("EXISTS cache:3 cache:4"), ":0\r\n");
        assert_string_equal(ask("DEL cache:big cache:1 cache:2"), ":3\r\n");
    }
}

static void volatile_policies_refuse_when_no_key_expires(void **state)
{
    (void)state;
    set_rule(BUDGET, "volatile-ttl");
    (void)ask("SETRANGE cache:big %u x", BUDGET);
    assert_true(eviction_full(broker, rule()));
    assert_string_equal(ask("PEXPIRE cache:big 100000"), ":1\r\n");
    turn(); /* now it may go */
    assert_string_equal(ask("EXISTS cache:big"), ":0\r\n");
    assert_int_equal(range()->evictions, 1);
}

static void only_so_many_keys_go_at_once_and_the_rest_later(void **state)
{
    (void)state;
    set_rule(0, "allkeys-lru");
    fill(6000);
    options.maxmemory = BUDGET;
    eviction_budgets_changed(broker);
    eviction_run(broker);
    assert_int_equal(range()->evictions, EVICTIONS_MAX);
    for (int i = 0; i < 6; i++)
        eviction_run(broker);
    assert_in_range(range_bytes(), BUDGET / 2, BUDGET);
}

#define EVICTION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVICTION_TEST(a_range_keeps_within_its_own_budget),
        EVICTION_TEST(all_ranges_together_keep_within_the_option),
        EVICTION_TEST(a_full_range_that_lets_none_go_refuses_what_adds),
        EVICTION_TEST(several_keys_are_set_together_or_not_at_all),
        EVICTION_TEST(volatile_policies_refuse_when_no_key_expires),
        EVICTION_TEST(only_so_many_keys_go_at_once_and_the_rest_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
