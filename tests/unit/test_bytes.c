#include "base/bytes.h"
#include "tests/unit/unit.h"

static void comparing_follows_memcmp_and_a_prefix_sorts_first(void **state)
{
    (void)state;
    assert_true(bytes_compare(BYTES("a"), BYTES("b")) < 0);
    assert_true(bytes_compare(BYTES("b"), BYTES("a")) > 0);
    assert_true(bytes_compare(BYTES("a"), BYTES("ab")) < 0);
    assert_true(bytes_compare(BYTES("ab"), BYTES("a")) > 0);
    assert_true(bytes_compare(BYTES("\xff"), BYTES("a")) > 0);
    assert_int_equal(bytes_compare(BYTES("a\0b"), BYTES("a\0b")), 0);
    assert_int_equal(bytes_compare(bytes_of(NULL, 0), BYTES("")), 0);
}

static void equality_looks_at_every_byte(void **state)
{
    (void)state;
    assert_true(bytes_equal(BYTES("a\0b"), BYTES("a\0b")));
    assert_false(bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
    assert_false(bytes_equal(BYTES("a"), BYTES("ab")));
    assert_true(bytes_equal(bytes_of(NULL, 0), BYTES("")));
}

static void only_ascii_letters_lose_their_case(void **state)
{
    (void)state;
    assert_true(bytes_equal_nocase(BYTES("XADD"), BYTES("xAdd")));
    assert_false(bytes_equal_nocase(BYTES("XADD"), BYTES("XADDS")));
    assert_false(bytes_equal_nocase(BYTES("@"), BYTES("`")));
    assert_false(bytes_equal_nocase(BYTES("["), BYTES("{")));
    assert_false(bytes_equal_nocase(BYTES("\xc4"), BYTES("\xe4")));
}

static void assert_i64(const char *text, int64_t expected)
{
    int64_t value = 7;
    assert_true(bytes_to_i64(bytes_of_string(text), &value));
    assert_true(value == expected);
}

static void assert_not_i64(struct bytes text)
{
    int64_t value = 7;
    assert_false(bytes_to_i64(text, &value));
    assert_int_equal(value, 7);
}

static void a_signed_integer_reaches_both_ends(void **state)
{
    (void)state;
    assert_i64("0", 0);
    assert_i64("-1", -1);
    assert_i64("1700000000000", 1700000000000);
    assert_i64("9223372036854775807", INT64_MAX);
    assert_i64("-9223372036854775808", INT64_MIN);
    assert_not_i64(BYTES("9223372036854775808"));
    assert_not_i64(BYTES("-9223372036854775809"));
    assert_not_i64(BYTES("18446744073709551616"));
    assert_not_i64(BYTES("-18446744073709551615"));
}

static void text_that_is_not_canonical_is_no_integer(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "-",   "+1", "01", "-0",  "-01", " 1",
                                        "1 ", "1.0", "1a", "a",  "0x1", "--1", "1e3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_not_i64(bytes_of_string(texts[i]));
    assert_not_i64(BYTES("1\0"));
    assert_not_i64(bytes_of(NULL, 0));
    assert_not_i64(BYTES("100000000000000000000"));
    assert_not_i64(BYTES("00000000000000000000"));
    assert_not_i64(BYTES("1844674407370955161x"));
}

static void an_unsigned_integer_reaches_its_end(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_false(bytes_to_u64(BYTES("18446744073709551616"), &value));
    assert_false(bytes_to_u64(BYTES("99999999999999999999"), &value));
    assert_false(bytes_to_u64(BYTES("-1"), &value));
    assert_int_equal(value, 7);
    assert_true(bytes_to_u64(BYTES("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(bytes_to_u64(BYTES("0"), &value));
    assert_true(value == 0);
}

static void check_against_printf(uint64_t value)
{
    char expected[32];
    char text[INTEGER_TEXT_MAX];
    size_t len = u64_to_text(value, text);
    assert_int_equal(len, snprintf(expected, sizeof expected, "%" PRIu64, value));
    assert_memory_equal(text, expected, len);
    uint64_t back;
    assert_true(bytes_to_u64(bytes_of(text, len), &back));
    assert_true(back == value);

    int64_t with_sign = (int64_t)value;
    len = i64_to_text(with_sign, text);
    assert_int_equal(len, snprintf(expected, sizeof expected, "%" PRId64, with_sign));
    assert_memory_equal(text, expected, len);
    int64_t back_with_sign;
    assert_true(bytes_to_i64(bytes_of(text, len), &back_with_sign));
    assert_true(back_with_sign == with_sign);
}

static void integers_of_every_length_survive_text_and_back(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    uint64_t power = 1;
    for (int digits = 0; digits < 20; digits++, power *= 10) {
        check_against_printf(power - 1);
        check_against_printf(power);
        check_against_printf(0 - power);
    }
    for (int i = 0; i < 20000; i++)
        check_against_printf(random_u64(&random) >> random_below(&random, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_follows_memcmp_and_a_prefix_sorts_first),
        cmocka_unit_test(equality_looks_at_every_byte),
        cmocka_unit_test(only_ascii_letters_lose_their_case),
        cmocka_unit_test(a_signed_integer_reaches_both_ends),
        cmocka_unit_test(text_that_is_not_canonical_is_no_integer),
        cmocka_unit_test(an_unsigned_integer_reaches_its_end),
        cmocka_unit_test(integers_of_every_length_survive_text_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
