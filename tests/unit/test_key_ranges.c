#include "storage/key_ranges.h"

#include "tests/unit/unit.h"

static struct random dice;

static struct key_range rule_of(uint32_t db, const char *prefix, enum key_store store)
{
    return (struct key_range){.db = db,
                              .store = store,
                              .policy = POLICY_ALLKEYS_LRU,
                              .bytes_max = 1000,
                              .prefix = (char *)(uintptr_t)prefix,
                              .prefix_len = (uint32_t)strlen(prefix)};
}

static void a_new_store_has_a_memory_range_for_caches(void **state)
{
    (void)state;
    struct key_ranges ranges;
    key_ranges_init(&ranges);
    assert_int_equal(key_ranges_of(&ranges, 3, BYTES("cache:x"))->store, STORE_MEMORY);
    assert_int_equal(key_ranges_of(&ranges, 3, BYTES("cache:"))->store, STORE_MEMORY);
    assert_int_equal(key_ranges_of(&ranges, 3, BYTES("cache"))->store, STORE_DURABLE);
    assert_int_equal(key_ranges_of(&ranges, 0, BYTES(""))->store, STORE_DURABLE);
    key_ranges_deinit(&ranges);
}

static void the_longest_prefix_wins_and_then_the_database(void **state)
{
    (void)state;
    struct key_ranges ranges;
    const struct key_range rules[] = {rule_of(KEY_RANGE_ALL, "a:", STORE_MEMORY),
                                      rule_of(1, "a:", STORE_DURABLE),
                                      rule_of(KEY_RANGE_ALL, "a:b:", STORE_MEMORY)};
    key_ranges_init(&ranges);
    for (int i = 0; i < 3; i++)
        assert_int_equal(key_ranges_set(&ranges, &rules[i]), ERR_OK);
    assert_int_equal(key_ranges_of(&ranges, 0, BYTES("a:x"))->store, STORE_MEMORY);
    assert_int_equal(key_ranges_of(&ranges, 1, BYTES("a:x"))->store, STORE_DURABLE);
    assert_int_equal(key_ranges_of(&ranges, 1, BYTES("a:b:x"))->store, STORE_MEMORY);
    key_ranges_swap(&ranges, 0, 1);
    assert_int_equal(key_ranges_of(&ranges, 0, BYTES("a:x"))->store, STORE_DURABLE);
    key_ranges_deinit(&ranges);
}

static void the_last_rule_cannot_be_deleted(void **state)
{
    (void)state;
    struct key_ranges ranges;
    key_ranges_init(&ranges);
    assert_int_equal(key_ranges_delete(&ranges, KEY_RANGE_ALL, BYTES("")), ERR_RANGE);
    assert_int_equal(key_ranges_delete(&ranges, 0, BYTES("cache:")), ERR_NOT_FOUND);
    assert_int_equal(key_ranges_delete(&ranges, KEY_RANGE_ALL, BYTES("cache:")), ERR_OK);
    assert_int_equal(key_ranges_of(&ranges, 0, BYTES("cache:x"))->store, STORE_DURABLE);
    key_ranges_deinit(&ranges);
}

static void a_rule_keeps_its_id_and_too_many_are_refused(void **state)
{
    (void)state;
    struct key_ranges ranges;
    char prefixes[KEY_RANGES_MAX][8];
    key_ranges_init(&ranges);
    uint16_t id = key_ranges_of(&ranges, 0, BYTES("cache:x"))->id;
    for (unsigned i = 0; i < KEY_RANGES_MAX; i++) {
        snprintf(prefixes[i], sizeof(prefixes[i]), "p%u:", i);
        struct key_range rule = rule_of(0, prefixes[i], STORE_MEMORY);
        assert_int_equal(key_ranges_set(&ranges, &rule),
                         i < KEY_RANGES_MAX - 2 ? ERR_OK : ERR_FULL);
    }
    assert_int_equal(key_ranges_of(&ranges, 0, BYTES("cache:x"))->id, id);
    assert_int_equal(key_ranges_with_id(&ranges, id)->prefix_len, 6);
    key_ranges_deinit(&ranges);
}

static void random_rules(struct key_ranges *ranges)
{
    key_ranges_init(ranges);
    for (uint64_t i = random_below(&dice, 20); i > 0; i--) {
        char prefix[6] = {0};
        for (uint64_t j = random_below(&dice, sizeof(prefix)); j > 0; j--)
            prefix[j - 1] = (char)('a' + random_below(&dice, 3));
        struct key_range rule = rule_of((uint32_t)random_below(&dice, 4), prefix,
                                        random_below(&dice, 2) == 0 ? STORE_MEMORY : STORE_DURABLE);
        assert_int_equal(key_ranges_set(ranges, &rule), ERR_OK);
    }
}

static void rules_are_read_back_and_garbage_within_its_bounds(void **state)
{
    (void)state;
    struct buf row;
    buf_init(&row);
    for (int i = 0; i < 3000; i++) {
        struct key_ranges ranges, read;
        random_rules(&ranges);
        row.len = 0;
        key_ranges_encode(&row, &ranges);
        assert_int_equal(key_ranges_decode(buf_bytes(&row), &read), ERR_OK);
        assert_int_equal(read.count, ranges.count);
        for (uint32_t at = 0; at < read.count; at++) {
            assert_int_equal(read.rules[at].id, ranges.rules[at].id);
            assert_int_equal(read.rules[at].store, ranges.rules[at].store);
        }
        key_ranges_deinit(&read);
        row.data[random_below(&dice, row.len)] = (char)random_u64(&dice);
        enum err err = key_ranges_decode(buf_bytes(&row), &read);
        assert_true(err == ERR_OK || err == ERR_CORRUPT);
        if (err == ERR_OK)
            key_ranges_deinit(&read);
        key_ranges_deinit(&ranges);
    }
    buf_deinit(&row);
}

static void words_name_stores_and_policies(void **state)
{
    (void)state;
    enum key_store store;
    enum key_policy policy;
    assert_true(key_store_of(BYTES("Memory"), &store) && store == STORE_MEMORY);
    assert_false(key_store_of(BYTES("disk"), &store));
    assert_true(key_policy_of(BYTES("ALLKEYS-LFU"), &policy) && policy == POLICY_ALLKEYS_LFU);
    assert_string_equal(key_policy_name(POLICY_VOLATILE_TTL), "volatile-ttl");
    assert_false(key_policy_of(BYTES(""), &policy));
}

static void while_keys_move_both_rules_of_a_key_are_known(void **state)
{
    (void)state;
    struct key_ranges ranges, read;
    struct buf row;
    struct key_range rule = rule_of(0, "cache:a", STORE_DURABLE);
    key_ranges_init(&ranges);
    assert_int_equal(key_ranges_move(&ranges, &rule, true), ERR_NOT_FOUND);
    assert_null(ranges.before);
    assert_int_equal(key_ranges_move(&ranges, &rule, false), ERR_OK);
    buf_init(&row);
    key_ranges_encode(&row, &ranges);
    assert_int_equal(key_ranges_decode(buf_bytes(&row), &read), ERR_OK);
    assert_int_equal(key_ranges_of(&read, 0, BYTES("cache:a1"))->store, STORE_DURABLE);
    assert_int_equal(key_ranges_before(&read, 0, BYTES("cache:a1"))->store, STORE_MEMORY);
    assert_ptr_equal(key_ranges_before(&read, 0, BYTES("cache:")),
                     key_ranges_of(&read, 0, BYTES("cache:")));
    assert_int_equal(key_ranges_changed(&read)->store, STORE_DURABLE);
    key_ranges_swap(&read, 0, 1);
    assert_int_equal(key_ranges_before(&read, 1, BYTES("cache:a1"))->store, STORE_MEMORY);
    assert_int_equal(key_ranges_of(&read, 1, BYTES("cache:a1"))->store, STORE_DURABLE);
    key_ranges_turn_back(&read);
    assert_int_equal(key_ranges_of(&read, 1, BYTES("cache:a1"))->store, STORE_MEMORY);
    assert_int_equal(key_ranges_before(&read, 1, BYTES("cache:a1"))->store, STORE_DURABLE);
    assert_int_equal(key_ranges_changed(&read)->store, STORE_DURABLE);
    key_ranges_moved(&read);
    assert_null(read.before);
    assert_int_equal(read.count, 2);
    key_ranges_deinit(&read);
    key_ranges_deinit(&ranges);
    buf_deinit(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_has_a_memory_range_for_caches),
        cmocka_unit_test(while_keys_move_both_rules_of_a_key_are_known),
        cmocka_unit_test(the_longest_prefix_wins_and_then_the_database),
        cmocka_unit_test(the_last_rule_cannot_be_deleted),
        cmocka_unit_test(a_rule_keeps_its_id_and_too_many_are_refused),
        cmocka_unit_test(rules_are_read_back_and_garbage_within_its_bounds),
        cmocka_unit_test(words_name_stores_and_policies),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
