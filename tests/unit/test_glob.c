#include "base/glob.h"

#include "tests/unit/unit.h"

struct row {
    const char *pattern;
    const char *text;
    bool matches;
};

static void check_rows(const struct row *rows, size_t count, bool nocase)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes pattern = bytes_of_string(rows[i].pattern);
        if (glob_match(pattern, bytes_of_string(rows[i].text), nocase) != rows[i].matches)
            fail_msg("pattern '%s' text '%s'", rows[i].pattern, rows[i].text);
    }
}

#define CHECK_ROWS(rows, nocase) check_rows((rows), sizeof(rows) / sizeof *(rows), (nocase))

static void stars_question_marks_and_escapes_do_what_they_say(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"*", "anything", true},    {"**", "x", true},          {"h?llo", "hello", true},
        {"h?llo", "hllo", false},   {"h*llo", "hllo", true},    {"h*llo", "heeeello", true},
        {"h*llo", "hellox", false}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "acb", false},
        {"a", "A", false},          {"abc", "ab", false},       {"ab", "abc", false},
        {"ab*", "ab", true},        {"ab**", "ab", true},       {"ab?", "ab", false},
        {"\\*", "*", true},         {"\\*", "x", false},        {"a\\?b", "a?b", true},
        {"*aab", "aaaab", true},    {"*a?c", "abbabac", false}, {"*a?c", "abbabc", true},
    };
    CHECK_ROWS(rows, false);
}

static void sets_hold_bytes_ranges_and_escapes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"h[ae]llo", "hallo", true},  {"h[ae]llo", "hillo", false}, {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false}, {"h[a-b]llo", "hbllo", true}, {"h[a-b]llo", "hcllo", false},
        {"[a-cx-z]", "y", true},      {"[a\\-c]", "b", false},      {"[a\\-c]", "-", true},
        {"[\\]]", "]", true},         {"[a^]", "^", true},
    };
    CHECK_ROWS(rows, false);
}

/* Each was asked of redis-server 7.0.15. */
static void the_corners_are_those_of_redis(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "", true},       {"*", "", false},     {"**", "", false},     {"", "a", false},
        {"[", "[", false},    {"[a", "a", true},    {"[ab", "b", true},    {"[ab", "c", false},
        {"[^", "a", true},    {"[^a", "a", false},  {"[^a", "b", true},    {"[]", "]", false},
        {"[^]", "a", true},   {"[z-a]", "m", true}, {"[a-]", "b", false},  {"[a-]", "_", true},
        {"[a-]", "-", false}, {"[a-", "-", true},   {"\\", "\\", true},    {"a\\", "a\\", true},
        {"[\\", "\\", true},  {"[a\\", "a", true},  {"[^\\", "\\", false},
    };
    CHECK_ROWS(rows, false);
}

static void case_may_be_ignored_as_redis_does(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"MaxMemory*", "maxmemory-policy", true},
        {"[A-C]x", "bX", true},
        {"[abc]", "B", true},
        {"[\\A]", "a", false},
        {"\\A", "a", true},
        {"[Z-a]", "z", false},
    };
    CHECK_ROWS(rows, true);
}

static void zero_bytes_are_bytes(void **state)
{
    (void)state;
    assert_true(glob_match(BYTES("a\0*"), BYTES("a\0b"), false));
    assert_false(glob_match(BYTES("a\0c"), BYTES("a\0b"), false));
}

static void only_a_single_star_is_known_to_match_all(void **state)
{
    (void)state;
    assert_true(glob_matches_all(BYTES("*")));
    assert_false(glob_matches_all(BYTES("")));
    assert_false(glob_matches_all(BYTES("**")));
    assert_false(glob_matches_all(BYTES("a*")));
}

/* The definition, in exponential time, for patterns without sets and escapes. */
static bool model(struct bytes pattern, struct bytes text)
{
    if (pattern.len == 0)
        return text.len == 0;
    struct bytes rest = bytes_of(pattern.data + 1, pattern.len - 1);
    if (pattern.data[0] == '*') {
        for (size_t skip = 0; skip <= text.len; skip++) {
            if (model(rest, bytes_of(text.data + skip, text.len - skip)))
                return true;
        }
        return false;
    }
    if (text.len == 0 || (pattern.data[0] != '?' && pattern.data[0] != text.data[0]))
        return false;
    return model(rest, bytes_of(text.data + 1, text.len - 1));
}

static struct bytes random_text(struct random *random, const char *alphabet, char *out, size_t max)
{
    size_t len = (size_t)random_below(random, max + 1);
    for (size_t i = 0; i < len; i++)
        out[i] = alphabet[random_below(random, strlen(alphabet))];
    return bytes_of(out, len);
}

static void random_patterns_agree_with_the_definition(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    for (int i = 0; i < 50000; i++) {
        char pattern_room[10];
        char text_room[12];
        struct bytes pattern = random_text(&random, "aab*?", pattern_room, sizeof pattern_room);
        struct bytes text = random_text(&random, "aab", text_room, sizeof text_room);
        if (text.len > 0)
            assert_int_equal(glob_match(pattern, text, false), model(pattern, text));
    }
}

/* By trying all ways it would take longer than the universe is old. */
static void many_stars_do_not_take_forever(void **state)
{
    (void)state;
    char text[2000];
    char pattern[2000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[sizeof pattern - 1] = 'b';
    assert_false(glob_match(bytes_of(pattern, sizeof pattern), bytes_of(text, sizeof text), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_question_marks_and_escapes_do_what_they_say),
        cmocka_unit_test(sets_hold_bytes_ranges_and_escapes),
        cmocka_unit_test(the_corners_are_those_of_redis),
        cmocka_unit_test(case_may_be_ignored_as_redis_does),
        cmocka_unit_test(zero_bytes_are_bytes),
        cmocka_unit_test(only_a_single_star_is_known_to_match_all),
        cmocka_unit_test(random_patterns_agree_with_the_definition),
        cmocka_unit_test(many_stars_do_not_take_forever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
