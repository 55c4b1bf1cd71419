/* The error texts are redis-server's: tests/e2e compares them with it. */
#include "broker/stream_args.h"

#include "broker/broker.h"
#include "broker/options.h"
#include "tests/unit/unit.h"

#define ARGS_MAX 16

/* ---- what the arguments' readers need of a session and its broker ---- */

static struct options options;
static struct buf written;
static struct bytes args[ARGS_MAX];
static struct session session;

const struct options *broker_options(const struct broker *of)
{
    (void)of;
    return &options;
}

void session_wrong_arity(struct session *of)
{
    reply_error(&of->reply, "ERR arity");
}

void session_syntax_error(struct session *of)
{
    reply_error(&of->reply, "ERR syntax error");
}

void session_not_integer(struct session *of)
{
    reply_error(&of->reply, "ERR not an integer");
}

static int set_up(void **state)
{
    (void)state;
    options = (struct options){.stream_node_max_entries = 100};
    buf_init(&written);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&written);
    return 0;
}

/* A command of words. */
static void give(const char *words)
{
    static char copy[256];
    written.len = 0;
    session = (struct session){.argv = args, .reply = {&written, 2}};
    assert_in_range(snprintf(copy, sizeof(copy), "%s", words), 1, sizeof(copy) - 1);
    char *at = copy;
    while (at != NULL) {
        assert_true(session.argc < ARGS_MAX);
        char *end = strchr(at, ' ');
        size_t len = end != NULL ? (size_t)(end - at) : strlen(at);
        args[session.argc++] = bytes_of(at, len);
        at = end != NULL ? end + 1 : NULL;
    }
}

static void assert_error(const char *text)
{
    struct bytes line = buf_bytes(&written);
    size_t len = strlen(text);
    if (line.len != len + 3 || memcmp(line.data + 1, text, len) != 0)
        print_error("wrote %.*s\n", (int)line.len, line.data);
    assert_int_equal(line.len, len + 3);
    assert_memory_equal(line.data + 1, text, len);
}

static const char invalid_id[] = "ERR Invalid stream ID specified as stream command argument";

/* ---- ids and intervals ---- */

static void ids_are_read_as_redis_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct id id;
    } ids[] = {
        {"1-2", {1, 2}},  {"5", {5, 77}},
        {"0-0", {0, 0}},  {"01-02", {1, 2}},
        {"+3-4", {3, 4}}, {"18446744073709551615-18446744073709551615", {UINT64_MAX, UINT64_MAX}},
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        struct id id;
        give(ids[i].text);
        assert_true(stream_id(&session, 0, 77, &id));
        assert_true(id_equal(id, ids[i].id));
        assert_int_equal(written.len, 0);
    }
}

static void text_that_is_no_id_is_told(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "-", "+", "1-", "-1", "1--1", "1-2-3", "a", "1-a", "1-*", "*", "18446744073709551616",
        /* longer than Redis's room for an id */
        ("0000000000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000001")};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct id id;
        give(texts[i]);
        assert_false(stream_id(&session, 0, 0, &id));
        assert_error(invalid_id);
    }
    struct id id;
    give("x");
    args[0].len = 0;
    assert_false(stream_id(&session, 0, 0, &id));
}

static void random_text_is_an_id_or_an_error(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    static const char letters[] = "0123456789-+* a";
    for (int i = 0; i < 50000; i++) {
        size_t len = (size_t)random_below(&random, 140);
        char *text = malloc(len + 1);
        for (size_t j = 0; j < len; j++)
            text[j + 1] = random_below(&random, 50) == 0
                              ? (char)random_u64(&random)
                              : letters[random_below(&random, sizeof(letters) - 1)];
        give("x");
        args[0] = bytes_of(text + 1, len);
        struct id id;
        bool read = stream_id(&session, 0, 0, &id);
        assert_int_equal(written.len == 0, read);
        free(text);
    }
}

static void an_interval_has_two_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct id from;
        struct id to;
    } intervals[] = {
        {"- +", {0, 0}, {UINT64_MAX, UINT64_MAX}},
        {"5 6", {5, 0}, {6, UINT64_MAX}},
        {"5-1 6-2", {5, 1}, {6, 2}},
        {"(5-1 (6-2", {5, 2}, {6, 1}},
        {"(5 (6", {5, 1}, {6, UINT64_MAX - 1}},
        {"(5-18446744073709551615 (6-0", {6, 0}, {5, UINT64_MAX}},
        {"+ -", {UINT64_MAX, UINT64_MAX}, {0, 0}},
    };
    for (size_t i = 0; i < sizeof(intervals) / sizeof(*intervals); i++) {
        struct id from, to;
        give(intervals[i].text);
        assert_true(stream_interval(&session, 0, 1, &from, &to));
        assert_true(id_equal(from, intervals[i].from));
        assert_true(id_equal(to, intervals[i].to));
    }
}

static void an_end_that_excludes_everything_is_told(void **state)
{
    (void)state;
    struct id from, to;
    give("(18446744073709551615-18446744073709551615 +");
    assert_false(stream_interval(&session, 0, 1, &from, &to));
    assert_error("ERR invalid start ID for the interval");
    give("- (0-0");
    assert_false(stream_interval(&session, 0, 1, &from, &to));
    assert_error("ERR invalid end ID for the interval");
    give("( +");
    assert_false(stream_interval(&session, 0, 1, &from, &to));
    assert_error(invalid_id);
    give("(- +");
    assert_false(stream_interval(&session, 0, 1, &from, &to));
    assert_error(invalid_id);
}

/* ---- XADD ---- */

static struct stream_add add_of(const char *words)
{
    struct stream_add add;
    give(words);
    assert_true(stream_parse_add(&session, &add));
    assert_int_equal(written.len, 0);
    return add;
}

static void an_entry_has_an_id_of_three_kinds(void **state)
{
    (void)state;
    struct stream_add add = add_of("xadd k * f v");
    assert_false(add.has_id);
    assert_int_equal(add.fields, 3);
    add = add_of("xadd k 5-* f v");
    assert_true(add.has_id && !add.has_seq && add.id.ms == 5);
    add = add_of("xadd k 5-3 f v f2 v2");
    assert_true(add.has_id && add.has_seq && id_equal(add.id, (struct id){5, 3}));
    add = add_of("xadd k 5 f v");
    assert_true(add.has_id && add.has_seq && id_equal(add.id, (struct id){5, 0}));
}

static void options_come_before_the_id(void **state)
{
    (void)state;
    struct stream_add add = add_of("xadd k NOMKSTREAM MaxLen ~ 100 LIMIT 7 1-1 maxlen v");
    assert_true(add.no_create);
    assert_int_equal(add.trim.kind, TRIM_MAXLEN);
    assert_true(add.trim.approximate);
    assert_int_equal(add.trim.maxlen, 100);
    assert_int_equal(add.trim.limit, 7);
    assert_int_equal(add.fields, 9);
    add = add_of("xadd k minid = 5 * f v");
    assert_int_equal(add.trim.kind, TRIM_MINID);
    assert_false(add.trim.approximate);
    assert_true(id_equal(add.trim.minid, (struct id){5, 0}));
    add = add_of("xadd k maxlen 5 * f v");
    assert_false(add.trim.approximate);
    assert_int_equal(add.trim.limit, 0);
}

static void wrong_additions_are_told(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"xadd k * f", "ERR arity"},
        {"xadd k * f v g", "ERR arity"},
        {"xadd k * ", "ERR arity"},
        {"xadd k nomkstream f v", invalid_id},
        {"xadd k 0-0 f v", "ERR The ID specified in XADD must be greater than 0-0"},
        {"xadd k maxlen x * f v", "ERR not an integer"},
        {"xadd k maxlen -1 * f v", "ERR The MAXLEN argument must be >= 0."},
        {"xadd k maxlen ~ 5 limit -1 * f v", "ERR The LIMIT argument must be >= 0."},
        {"xadd k maxlen 5 limit 1 * f v",
         "ERR syntax error, LIMIT cannot be used without the special ~ option"},
        {"xadd k limit 1 * f v",
         "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"},
        {"xadd k maxlen 5 minid 5 * f v",
         "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"},
        {"xadd k minid x * f v", invalid_id},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct stream_add add;
        give(cases[i][0]);
        assert_false(stream_parse_add(&session, &add));
        assert_error(cases[i][1]);
    }
}

/* ---- XTRIM ---- */

static void approximate_trimming_has_a_limit_unless_told_otherwise(void **state)
{
    (void)state;
    struct trim trim;
    give("xtrim k maxlen ~ 5");
    assert_true(stream_parse_trim(&session, &trim));
    assert_int_equal(trim.limit, 10000);
    give("xtrim k maxlen ~ 5 limit 0");
    assert_true(stream_parse_trim(&session, &trim));
    assert_int_equal(trim.limit, 0);
    options.stream_node_max_entries = 0;
    give("xtrim k maxlen ~ 5");
    assert_true(stream_parse_trim(&session, &trim));
    assert_int_equal(trim.limit, 10000);
    options.stream_node_max_entries = INT64_MAX;
    assert_true(stream_parse_trim(&session, &trim));
    assert_int_equal(trim.limit, 1000000);
}

static void wrong_trimmings_are_told(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"xtrim k foo 5", "ERR syntax error"},
        {"xtrim k maxlen 5 foo", "ERR syntax error"},
        {"xtrim k limit 0", "ERR syntax error, XTRIM must be called with a trimming strategy"},
        {"xtrim k maxlen = 5 limit 0",
         "ERR syntax error, LIMIT cannot be used without the special ~ option"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct trim trim;
        give(cases[i][0]);
        assert_false(stream_parse_trim(&session, &trim));
        assert_error(cases[i][1]);
    }
}

#define ARGS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARGS_TEST(ids_are_read_as_redis_reads_them),
        ARGS_TEST(text_that_is_no_id_is_told),
        ARGS_TEST(random_text_is_an_id_or_an_error),
        ARGS_TEST(an_interval_has_two_ends),
        ARGS_TEST(an_end_that_excludes_everything_is_told),
        ARGS_TEST(an_entry_has_an_id_of_three_kinds),
        ARGS_TEST(options_come_before_the_id),
        ARGS_TEST(wrong_additions_are_told),
        ARGS_TEST(approximate_trimming_has_a_limit_unless_told_otherwise),
        ARGS_TEST(wrong_trimmings_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
