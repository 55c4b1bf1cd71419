/* The model tries every pattern. */
#include "pubsub/patterns.h"

#include "base/glob.h"
#include "tests/unit/unit.h"

#define PATTERNS_MAX 400
#define TEXT_MAX     100

static struct random rng;
static struct rooms rooms;
static struct patterns patterns;
static struct buf found, scratch;

static int set_up(void **state)
{
    (void)state;
    rooms_init(&rooms, 1);
    patterns_init(&patterns, 2);
    buf_init(&found);
    buf_init(&scratch);
    return 0;
}

static void drop(struct room *pattern)
{
    patterns_remove(&patterns, pattern);
    rooms_drop(&rooms, pattern);
}

static int tear_down(void **state)
{
    (void)state;
    for (struct room *at; (at = rooms_from(&rooms, 0)) != NULL;)
        drop(at);
    patterns_deinit(&patterns);
    rooms_deinit(&rooms);
    buf_deinit(&found);
    buf_deinit(&scratch);
    return 0;
}

static struct room *add(struct bytes text)
{
    struct room *pattern = rooms_make(&rooms, text);
    patterns_add(&patterns, pattern);
    return pattern;
}

static bool is_found(uint32_t number)
{
    bool in = false;
    for (size_t at = 0; at < found.len; at += sizeof(number))
        in = in || memcmp(found.data + at, &number, sizeof(number)) == 0;
    return in;
}

static size_t assert_matches(struct bytes name)
{
    size_t count = patterns_match(&patterns, &rooms, name, &found, &scratch);
    size_t expected = 0;
    for (struct room *at = rooms_from(&rooms, 0); at != NULL;
         at = rooms_from(&rooms, at->number + 1)) {
        bool matches = glob_match(room_name(at), name, false);
        assert_int_equal(is_found(at->number), matches);
        expected += matches;
    }
    assert_int_equal(count, expected);
    return count;
}

static void special_characters_end_the_literal_prefix(void **state)
{
    (void)state;
    add(BYTES("*"));
    add(BYTES("news.*"));
    add(BYTES("news.?"));
    add(BYTES("new[st].a"));
    add(BYTES("news\\.a"));
    add(BYTES("news.a"));
    add(BYTES("news.b"));
    add(BYTES(""));
    assert_int_equal(assert_matches(BYTES("news.a")), 6);
    assert_int_equal(assert_matches(BYTES("new")), 1);
    assert_int_equal(assert_matches(BYTES("")), 1);
}

static void prefixes_longer_than_the_index_knows_still_match(void **state)
{
    char text[2 * PATTERN_PREFIX_MAX];
    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t len = PATTERN_PREFIX_MAX - 2; len < sizeof(text); len++)
        add(bytes_of(text, len));
    for (size_t len = PATTERN_PREFIX_MAX - 2; len < sizeof(text); len++)
        assert_int_equal(assert_matches(bytes_of(text, len)), 1);
}

static size_t random_text(char *out, const char *letters)
{
    size_t len = random_below(&rng, random_below(&rng, 20) == 0 ? TEXT_MAX : 6);
    for (size_t i = 0; i < len; i++)
        out[i] = letters[random_below(&rng, strlen(letters))];
    return len;
}

static void random_patterns_match_as_if_each_was_tried(void **state)
{
    char text[TEXT_MAX];
    size_t matches = 0;
    (void)state;
    for (int step = 0; step < 4000; step++) {
        struct bytes name = bytes_of(text, random_text(text, "aaab*?[]\\^-"));
        struct room *pattern = rooms_find(&rooms, name);
        if (pattern != NULL)
            drop(pattern);
        else if (rooms_count(&rooms) < PATTERNS_MAX)
            add(name);
        matches += assert_matches(bytes_of(text, random_text(text, "aaab-")));
    }
    assert_true(matches > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(special_characters_end_the_literal_prefix),
        TEST(prefixes_longer_than_the_index_knows_still_match),
        TEST(random_patterns_match_as_if_each_was_tried),
    };
    random_init(&rng, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
