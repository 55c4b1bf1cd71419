#include "broker/range_rules.h"

#include "broker/options.h"
#include "tests/unit/unit.h"

#define WORDS_MAX 40

static size_t split(const char *text, struct bytes *words)
{
    struct bytes rest = bytes_of_string(text);
    size_t count = 0;
    while (count < WORDS_MAX && options_next_word(&rest, &words[count]))
        count++;
    return count;
}

static enum err parse(const char *text, struct key_range *out, struct buf *why)
{
    struct bytes words[WORDS_MAX];
    why->len = 0;
    return range_rule_parse(words, split(text, words), POLICY_VOLATILE_TTL, out, why);
}

static enum err add(struct buf *rules, const char *text, struct buf *why)
{
    struct bytes words[WORDS_MAX];
    why->len = 0;
    return range_rules_add(rules, words, split(text, words), why);
}

static void a_rule_has_a_database_a_prefix_a_store_and_limits(void **state)
{
    (void)state;
    struct key_range rule;
    struct buf why;
    buf_init(&why);
    assert_int_equal(parse("3 a: MEMORY policy allkeys-LFU maxmemory 2mb", &rule, &why), ERR_OK);
    assert_int_equal(rule.db, 3);
    assert_true(bytes_equal(key_range_prefix(&rule), BYTES("a:")));
    assert_int_equal(rule.store, STORE_MEMORY);
    assert_int_equal(rule.policy, POLICY_ALLKEYS_LFU);
    assert_int_equal(rule.bytes_max, 2 << 20);
    assert_int_equal(parse("* b Durable", &rule, &why), ERR_OK);
    assert_int_equal(rule.db, KEY_RANGE_ALL);
    assert_int_equal(rule.store, STORE_DURABLE);
    assert_int_equal(rule.bytes_max, 0);
    assert_int_equal(parse("0 c memory", &rule, &why), ERR_OK);
    assert_int_equal(rule.policy, POLICY_VOLATILE_TTL);
    assert_int_equal(why.len, 0);
    buf_deinit(&why);
}

static void what_is_no_rule_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "0",
        "0 a",
        "-1 a memory",
        "x a memory",
        "4294967295 a memory",
        "0 a disk",
        "0 a memory maxmemory",
        "0 a memory maxmemory x",
        "0 a memory policy",
        "0 a memory policy lru",
        "0 a memory nonsense 1",
        "0 a durable maxmemory 1mb",
        "0 a durable policy noeviction",
    };
    struct key_range rule = {.db = 7};
    struct buf why;
    buf_init(&why);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(parse(cases[i], &rule, &why), ERR_INVALID);
        assert_true(why.len > 0);
        assert_int_equal(rule.db, 7);
    }
    buf_deinit(&why);
}

static void a_prefix_has_a_longest_length(void **state)
{
    (void)state;
    char prefix[KEY_RANGE_PREFIX_MAX + 1];
    struct key_range rule;
    struct buf why;
    memset(prefix, 'a', sizeof(prefix));
    struct bytes words[] = {BYTES("0"), bytes_of(prefix, sizeof(prefix)), BYTES("memory")};
    buf_init(&why);
    assert_int_equal(range_rule_parse(words, 3, POLICY_NO_EVICTION, &rule, &why), ERR_RANGE);
    words[1].len--;
    assert_int_equal(range_rule_parse(words, 3, POLICY_NO_EVICTION, &rule, &why), ERR_OK);
    buf_deinit(&why);
}

static void rules_are_told_apart_by_commas_and_come_back_one_by_one(void **state)
{
    (void)state;
    struct buf rules, why;
    struct key_range rule;
    buf_init(&rules);
    buf_init(&why);
    assert_int_equal(add(&rules, "0 a: memory maxmemory 1mb, * b: durable", &why), ERR_OK);
    const struct bytes empty[] = {BYTES("1"), BYTES(""), BYTES("memory")};
    assert_int_equal(range_rules_add(&rules, empty, 3, &why), ERR_OK);
    struct bytes rest = buf_bytes(&rules);
    assert_true(range_rules_next(&rest, POLICY_ALLKEYS_LRU, &rule));
    assert_true(bytes_equal(key_range_prefix(&rule), BYTES("a:")) && rule.bytes_max == 1 << 20);
    assert_true(range_rules_next(&rest, POLICY_ALLKEYS_LRU, &rule));
    assert_true(bytes_equal(key_range_prefix(&rule), BYTES("b:")) && rule.db == KEY_RANGE_ALL);
    assert_true(range_rules_next(&rest, POLICY_ALLKEYS_LRU, &rule));
    assert_true(rule.prefix_len == 0 && rule.policy == POLICY_ALLKEYS_LRU);
    assert_false(range_rules_next(&rest, POLICY_ALLKEYS_LRU, &rule));
    buf_deinit(&rules);
    buf_deinit(&why);
}

static void prefixes_in_the_configuration_are_plain(void **state)
{
    (void)state;
    struct buf rules, why;
    buf_init(&rules);
    buf_init(&why);
    const struct bytes prefixes[] = {BYTES("a b"), BYTES("a\"b"), BYTES("a,b"), BYTES("a\nb")};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
        const struct bytes words[] = {BYTES("0"), prefixes[i], BYTES("memory")};
        assert_int_equal(range_rules_add(&rules, words, 3, &why), ERR_INVALID);
    }
    assert_int_equal(rules.len, 0);
    buf_deinit(&rules);
    buf_deinit(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_has_a_database_a_prefix_a_store_and_limits),
        cmocka_unit_test(what_is_no_rule_is_refused_with_a_reason),
        cmocka_unit_test(a_prefix_has_a_longest_length),
        cmocka_unit_test(rules_are_told_apart_by_commas_and_come_back_one_by_one),
        cmocka_unit_test(prefixes_in_the_configuration_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
