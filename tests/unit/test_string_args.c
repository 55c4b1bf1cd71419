#include "broker/string_args.h"

#include "base/random.h"
#include "tests/unit/unit.h"

static void digests_are_xxh3_in_sixteen_digits(void **state)
{
    static const struct {
        const char *value;
        const char *digest;
    } known[] = {
        {"Hello world", "b6acb9d84a38ff74"},
        {"hello", "9555e8555c62dcfd"},
        {"", "2d06800538d394c2"},
        {"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj762"
         "6"
         "sd",
         "00006c38adf31777"},
    };
    char text[DIGEST_DIGITS];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        digest_to_text(bytes_of_string(known[i].value), text);
        assert_memory_equal(text, known[i].digest, DIGEST_DIGITS);
    }
}

static bool holds(enum compare how, const char *with, const char *value)
{
    const struct comparison comparison = {how, bytes_of_string(with)};
    struct bytes bytes = bytes_of_string(value != NULL ? value : "");
    return comparison_holds(&comparison, value != NULL ? &bytes : NULL);
}

static void comparisons_hold_for_what_they_say(void **state)
{
    (void)state;
    assert_true(holds(COMPARE_SAME, "hello", "hello"));
    assert_false(holds(COMPARE_SAME, "Hello", "hello"));
    assert_false(holds(COMPARE_OTHER, "hello", "hello"));
    assert_true(holds(COMPARE_OTHER, "hello", "hello "));
    assert_true(holds(COMPARE_DIGEST, "9555E8555c62dcfd", "hello"));
    assert_false(holds(COMPARE_DIGEST, "9555e8555c62dcfd", "Hello"));
    assert_false(holds(COMPARE_OTHER_DIGEST, "9555e8555c62DCFD", "hello"));
    assert_true(holds(COMPARE_OTHER_DIGEST, "0000000000000000", "hello"));
}

static void nothing_is_equal_to_no_value_and_unlike_any(void **state)
{
    (void)state;
    assert_false(holds(COMPARE_SAME, "", NULL));
    assert_false(holds(COMPARE_DIGEST, "2d06800538d394c2", NULL));
    assert_true(holds(COMPARE_OTHER, "", NULL));
    assert_true(holds(COMPARE_OTHER_DIGEST, "2d06800538d394c2", NULL));
}

/* One after the other, is it in the range? */
static void ranges_are_read_as_by_a_walk_over_all_places(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, unit_seed());
    for (unsigned round = 0; round < 5000; round++) {
        int64_t len = (int64_t)random_below(&random, 6);
        int64_t start = (int64_t)random_below(&random, 17) - 8;
        int64_t end = (int64_t)random_below(&random, 17) - 8;
        int64_t count = 0;
        int64_t first = -1;
        for (int64_t at = 0; at < len; at++) {
            int64_t from = start < 0 ? start + len : start;
            int64_t to = end < 0 ? end + len : end;
            /* an end before the value is its first place */
            if (at < from || at > (to < 0 ? 0 : to))
                continue;
            first = first < 0 ? at : first;
            count++;
        }
        bool within = range_within(len, &start, &end);
        assert_int_equal(within, count > 0);
        if (within) {
            assert_int_equal(start, first);
            assert_int_equal(end - start + 1, count);
        }
    }
}

static void ranges_may_be_as_far_away_as_numbers_go(void **state)
{
    int64_t start = INT64_MIN;
    int64_t end = INT64_MAX;

    (void)state;
    assert_true(range_within(10, &start, &end));
    assert_int_equal(start, 0);
    assert_int_equal(end, 9);
    start = INT64_MAX;
    assert_false(range_within(10, &start, &end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_xxh3_in_sixteen_digits),
        cmocka_unit_test(comparisons_hold_for_what_they_say),
        cmocka_unit_test(nothing_is_equal_to_no_value_and_unlike_any),
        cmocka_unit_test(ranges_are_read_as_by_a_walk_over_all_places),
        cmocka_unit_test(ranges_may_be_as_far_away_as_numbers_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
