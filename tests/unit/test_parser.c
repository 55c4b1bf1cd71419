#include "broker/parser.h"

#include "base/alloc.h"
#include "tests/unit/unit.h"

static const struct parser_limits wide = {
    .bulk_bytes_max = 1 << 20,
    .input_bytes_max = 4 << 20,
};

static const struct parser_limits before_auth = {
    .bulk_bytes_max = 1 << 20,
    .input_bytes_max = 4 << 20,
    .unauthenticated = true,
};

/* Adds "[a|b|c]" for each command, and "!text" for the error that ends them. */
static bool drain(struct parser *parser, struct buf *seen)
{
    enum err err;

    while ((err = parser_next(parser)) == ERR_OK) {
        buf_add(seen, "[", 1);
        for (size_t i = 0; i < parser->argc; i++) {
            if (i > 0)
                buf_add(seen, "|", 1);
            buf_add_bytes(seen, parser->argv[i]);
        }
        buf_add(seen, "]", 1);
    }
    if (err == ERR_END)
        return true;
    buf_add(seen, "!", 1);
    buf_add_bytes(seen, bytes_of_string(parser->error));
    return false;
}

/* What comes of `input`, fed in pieces of `piece` bytes, the first one of `first`. Every piece lies
 * in memory of its own which is gone afterwards. */
static struct buf parse(struct bytes input, size_t first, size_t piece, struct parser_limits limits)
{
    struct parser parser;
    struct buf seen;
    bool more = true;

    buf_init(&seen);
    parser_init(&parser, limits);
    for (size_t size = first; more && input.len > 0; size = piece) {
        if (size > input.len)
            size = input.len;
        char *memory = mem_copy(input.data, size);
        parser_feed(&parser, bytes_of(memory, size));
        more = drain(&parser, &seen);
        if (more)
            parser_keep(&parser);
        mem_free(memory);
        input = bytes_of(input.data + size, input.len - size);
    }
    parser_deinit(&parser);
    return seen;
}

static void assert_seen(struct buf *seen, struct bytes expected)
{
    if (!bytes_equal(buf_bytes(seen), expected))
        fprintf(stderr, "seen:     %.*s\nexpected: %.*s\n", (int)seen->len, seen->data,
                (int)expected.len, expected.data);
    assert_true(bytes_equal(buf_bytes(seen), expected));
    buf_deinit(seen);
}

/* However the input is cut, this is what comes of it. */
static void assert_parse_limited(struct bytes input, struct bytes expected,
                                 struct parser_limits limits)
{
    struct buf seen = parse(input, input.len, input.len, limits);

    assert_seen(&seen, expected);
    for (size_t cut = 1; cut < input.len; cut++) {
        seen = parse(input, cut, input.len, limits);
        assert_seen(&seen, expected);
    }
    seen = parse(input, 1, 1, limits);
    assert_seen(&seen, expected);
}

static void assert_parse(const char *input, const char *expected)
{
    assert_parse_limited(bytes_of_string(input), bytes_of_string(expected), wide);
}

static void a_multibulk_is_a_command(void **state)
{
    (void)state;
    assert_parse("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "[GET|k]");
    assert_parse("*1\r\n$0\r\n\r\n", "[]");
    assert_parse("*3\r\n$3\r\nSET\r\n$11\r\nhello\r\nagai\r\n$0\r\n\r\n", "[SET|hello\r\nagai|]");
}

static void an_inline_line_is_a_command(void **state)
{
    (void)state;
    assert_parse("PING\r\n", "[PING]");
    assert_parse("  set  k\tv \n", "[set|k|v]");
    assert_parse("set k \"a b\\x41\\n\\\"\" 'it\\'s \\n'\r\n", "[set|k|a bA\n\"|it's \\n]");
    assert_parse("set k \"\" ''\r\n", "[set|k||]");
    assert_parse("x pre\"fix\" \"\\xzz\\q\"\r\n", "[x|prefix|xzzq]");
}

static void empty_commands_are_skipped(void **state)
{
    (void)state;
    assert_parse("\r\n\n  \r\n*0\r\n*-1\r\n*-7\r\nPING\r\n\r\n*1\r\n$4\r\nPONG\r\n*0\r\n\r\n",
                 "[PING][PONG]");
}

static void kinds_of_commands_may_follow_each_other(void **state)
{
    (void)state;
    assert_parse("*1\r\n$1\r\na\r\nb c\r\n*2\r\n$1\r\nd\r\n$1\r\ne\r\nf\n*1\r\n$1\r\ng\r\n",
                 "[a][b|c][d|e][f][g]");
}

static void half_a_command_is_none(void **state)
{
    (void)state;
    assert_parse("*2\r\n$3\r\nGET\r\n$1\r\nk\r", "");
    assert_parse("*1\r\n$1\r\na\r\n*1", "[a]");
    assert_parse("*1\r\n$1\r\na\r\nPI", "[a]");
}

static void unbalanced_quotes_are_an_error(void **state)
{
    (void)state;
    assert_parse("set \"k\r\n", "!unbalanced quotes in request");
    assert_parse("set 'k\r\n", "!unbalanced quotes in request");
    assert_parse("a\r\nset \"k\"v\r\n", "[a]!unbalanced quotes in request");
}

static void a_malformed_count_is_an_error(void **state)
{
    (void)state;
    assert_parse("*x\r\n", "!invalid multibulk length");
    assert_parse("*\r\n", "!invalid multibulk length");
    assert_parse("*1x\r\n", "!invalid multibulk length");
    assert_parse("*01\r\n", "!invalid multibulk length");
    assert_parse("*1048577\r\n", "!invalid multibulk length");
    assert_parse("*99999999999999999999\r\n", "!invalid multibulk length");
    assert_parse("*1\r\n$1\r\na\r\n*3000000000\r\n", "[a]!invalid multibulk length");
}

static void a_malformed_length_is_an_error(void **state)
{
    (void)state;
    assert_parse("*1\r\n$x\r\n", "!invalid bulk length");
    assert_parse("*1\r\n$\r\n", "!invalid bulk length");
    assert_parse("*1\r\n$-1\r\n", "!invalid bulk length");
    assert_parse("*1\r\n$-5\r\n", "!invalid bulk length");
    assert_parse("*1\r\n$+5\r\n", "!invalid bulk length");
    assert_parse("*1\r\n$05\r\nabcde\r\n", "!invalid bulk length");
    assert_parse("*2\r\n$1\r\na\r\n$99999999999999999999\r\n", "!invalid bulk length");
}

static void a_length_over_the_limit_is_refused_before_its_bytes_arrive(void **state)
{
    (void)state;
    assert_parse("*1\r\n$1048577\r\n", "!invalid bulk length");
    assert_parse("*2\r\n$1\r\na\r\n$1048577\r\nabc", "!invalid bulk length");
}

static void another_type_than_a_bulk_is_an_error(void **state)
{
    (void)state;
    assert_parse("*1\r\n+OK\r\n", "!expected '$', got '+'");
    assert_parse("*1\r\n:1\r\n", "!expected '$', got ':'");
    assert_parse("*1\r\n*1\r\n$1\r\na\r\n", "!expected '$', got '*'");
    assert_parse("*1\r\n*-1\r\n", "!expected '$', got '*'");
    assert_parse("*1\r\n-ERR\r\n", "!expected '$', got '-'");
    assert_parse("*1\r\n#t\r\n", "!expected '$', got '#'");
    assert_parse("*1\r\n,1.5\r\n", "!expected '$', got ','");
    assert_parse("*1\r\n_\r\n", "!expected '$', got '_'");
    assert_parse("*1\r\n=5\r\ntxt:a\r\n", "!expected '$', got '='");
    assert_parse("*2\r\n$1\r\na\r\nb\r\n", "!expected '$', got 'b'");
    assert_parse("x\r\n*1\r\n$1\r\na\r\n*1\r\n\r\n", "[x][a]!expected '$', got '\r'");
}

static void before_authentication_limits_are_tight(void **state)
{
    (void)state;
    assert_parse_limited(BYTES("*10\r\n"), BYTES(""), before_auth);
    assert_parse_limited(BYTES("*11\r\n"), BYTES("!unauthenticated multibulk length"), before_auth);
    assert_parse_limited(BYTES("*1\r\n$16385\r\n"), BYTES("!unauthenticated bulk length"),
                         before_auth);
    assert_parse_limited(BYTES("*1\r\n$16384\r\n"), BYTES(""), before_auth);
}

static struct buf filled(const char *start, char fill, size_t count)
{
    struct buf buf;

    buf_init(&buf);
    buf_add_bytes(&buf, bytes_of_string(start));
    memset(buf_reserve(&buf, count), fill, count);
    buf.len += count;
    return buf;
}

static void assert_filled(const char *start, char fill, size_t count, const char *expected)
{
    static const size_t pieces[] = {1 << 20, 4096, 1000, 17};
    struct buf input = filled(start, fill, count);

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct buf seen = parse(buf_bytes(&input), pieces[i], pieces[i], wide);
        assert_seen(&seen, bytes_of_string(expected));
    }
    buf_deinit(&input);
}

static void a_line_without_end_is_refused(void **state)
{
    (void)state;
    assert_filled("", 'a', PARSER_LINE_MAX - 10, "");
    assert_filled("", 'a', PARSER_LINE_MAX + 10, "!too big inline request");
    assert_filled("*", '1', PARSER_LINE_MAX + 10, "!too big mbulk count string");
    assert_filled("*1\r\n$", '1', PARSER_LINE_MAX + 10, "!too big bulk count string");
}

static void a_command_larger_than_the_input_limit_is_refused(void **state)
{
    struct parser_limits limits = {.bulk_bytes_max = 1 << 20, .input_bytes_max = 10000};
    struct buf input = filled("*2\r\n$20000\r\n", 'x', 15000);
    struct parser parser;

    (void)state;
    parser_init(&parser, limits);
    parser_feed(&parser, buf_bytes(&input));
    assert_int_equal(parser_next(&parser), ERR_FULL);
    parser_deinit(&parser);
    buf_deinit(&input);
}

static void any_run_of_arguments_is_one_span(void **state)
{
    struct parser parser;

    (void)state;
    parser_init(&parser, wide);
    parser_feed(&parser, BYTES("*4\r\n$1\r\na\r\n$0\r\n\r\n$11\r\nhello world\r\n$2\r\nbc\r\n"));
    assert_int_equal(parser_next(&parser), ERR_OK);
    assert_true(bytes_equal(parser_wire(parser.argv, 0, 4),
                            BYTES("$1\r\na\r\n$0\r\n\r\n$11\r\nhello world\r\n$2\r\nbc\r\n")));
    assert_true(
        bytes_equal(parser_wire(parser.argv, 1, 2), BYTES("$0\r\n\r\n$11\r\nhello world\r\n")));
    assert_true(bytes_equal(parser_wire(parser.argv, 3, 1), BYTES("$2\r\nbc\r\n")));
    assert_int_equal(parser_wire(parser.argv, 4, 0).len, 0);
    parser_deinit(&parser);
}

static void the_wire_form_of_a_line_is_canonical(void **state)
{
    struct parser parser;

    (void)state;
    parser_init(&parser, wide);
    parser_feed(&parser, BYTES("set k 'a b'\n"));
    assert_int_equal(parser_next(&parser), ERR_OK);
    assert_true(bytes_equal(parser_wire(parser.argv, 0, 3),
                            BYTES("$3\r\nset\r\n$1\r\nk\r\n$3\r\na b\r\n")));
    parser_deinit(&parser);
}

static void a_command_stays_valid_while_more_input_is_kept(void **state)
{
    char first[] = "*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1";
    char second[] = "\r\nc\r\nPING\r\n";
    struct parser parser;

    (void)state;
    parser_init(&parser, wide);
    parser_feed(&parser, bytes_of(first, sizeof(first) - 1));
    assert_int_equal(parser_next(&parser), ERR_OK);
    parser_keep(&parser);
    memset(first, 'x', sizeof(first));
    parser_feed(&parser, bytes_of(second, sizeof(second) - 1));
    parser_keep(&parser);
    memset(second, 'x', sizeof(second));
    assert_true(bytes_equal(parser.argv[0], BYTES("a")));
    assert_int_equal(parser_unparsed(&parser), 11 + 6 + 11);

    struct buf seen;
    buf_init(&seen);
    assert_true(drain(&parser, &seen));
    assert_seen(&seen, BYTES("[b][c][PING]"));
    parser_deinit(&parser);
}

static void memory_of_a_large_command_is_given_back(void **state)
{
    struct buf input = filled("*1\r\n$500000\r\n", 'x', 500000);
    struct parser parser;

    (void)state;
    buf_add_bytes(&input, BYTES("\r\n"));
    parser_init(&parser, wide);
    parser_feed(&parser, buf_bytes(&input));
    assert_int_equal(parser_next(&parser), ERR_OK);
    assert_int_equal(parser.argv[0].len, 500000);
    assert_int_equal(parser_next(&parser), ERR_END);
    parser_keep(&parser);
    assert_true(parser_memory(&parser) < 40000);
    parser_shrink(&parser);
    assert_int_equal(parser_memory(&parser), 0);
    parser_feed(&parser, BYTES("PING\r\n"));
    assert_int_equal(parser_next(&parser), ERR_OK);
    parser_deinit(&parser);
    buf_deinit(&input);
}

/* ---- random input ---- */

static uint64_t seed;

static void add_command(struct random *random, struct buf *input, struct buf *expected)
{
    size_t count = 1 + random_below(random, 6);
    bool large = random_below(random, 20) == 0;

    buf_addf(input, "*%zu\r\n", count);
    buf_add(expected, "[", 1);
    for (size_t i = 0; i < count; i++) {
        size_t len = random_below(random, large ? 9000 : 30);
        buf_addf(input, "$%zu\r\n", len);
        if (i > 0)
            buf_add(expected, "|", 1);
        for (size_t at = 0; at < len; at++) {
            char c = "\r\n$*1a"[random_below(random, 6)];
            buf_add(input, &c, 1);
            buf_add(expected, &c, 1);
        }
        buf_add(input, "\r\n", 2);
    }
    buf_add(expected, "]", 1);
}

static void add_something(struct random *random, struct buf *input, struct buf *expected)
{
    switch (random_below(random, 8)) {
    case 0:
        buf_add_bytes(input, BYTES("*0\r\n"));
        break;
    case 1:
        buf_add_bytes(input, BYTES("\r\n"));
        break;
    case 2:
        buf_add_bytes(input, BYTES("ping 'a b'\r\n"));
        buf_add_bytes(expected, BYTES("[ping|a b]"));
        break;
    default:
        add_command(random, input, expected);
    }
}

static void random_pipelines_come_out_as_they_went_in(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, seed);
    for (int round = 0; round < 200; round++) {
        struct buf input, expected;
        buf_init(&input);
        buf_init(&expected);
        for (uint64_t n = random_below(&random, 100); n > 0; n--)
            add_something(&random, &input, &expected);
        size_t piece = 1 + random_below(&random, round % 2 == 0 ? 20000 : 50);
        struct buf seen = parse(buf_bytes(&input), piece, piece, wide);
        assert_seen(&seen, buf_bytes(&expected));
        buf_deinit(&input);
        buf_deinit(&expected);
    }
}

static void garbage_ends_the_same_way_however_it_is_cut(void **state)
{
    struct random random;
    char bytes[60];

    (void)state;
    random_init(&random, seed);
    for (int round = 0; round < 20000; round++) {
        size_t len = random_below(&random, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = random_below(&random, 50) == 0
                           ? (char)random_u64(&random)
                           : "*$\r\n\r\n123-a:_\"'"[random_below(&random, 16)];
        struct bytes input = bytes_of(bytes, len);
        struct buf whole = parse(input, len, len, wide);
        size_t piece = 1 + random_below(&random, 8);
        struct buf pieces = parse(input, 1 + random_below(&random, 8), piece, wide);
        assert_seen(&pieces, buf_bytes(&whole));
        buf_deinit(&whole);
    }
}

static void damaged_pipelines_never_crash(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, seed);
    for (int round = 0; round < 500; round++) {
        struct buf input, expected;
        buf_init(&input);
        buf_init(&expected);
        for (int i = 0; i < 30; i++)
            add_something(&random, &input, &expected);
        for (uint64_t hits = 1 + random_below(&random, 3); hits > 0 && input.len > 0; hits--)
            input.data[random_below(&random, input.len)] = (char)random_u64(&random);
        struct buf whole = parse(buf_bytes(&input), input.len, input.len, wide);
        size_t piece = 1 + random_below(&random, 9000);
        struct buf pieces = parse(buf_bytes(&input), piece, piece, wide);
        assert_seen(&pieces, buf_bytes(&whole));
        buf_deinit(&whole);
        buf_deinit(&input);
        buf_deinit(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_multibulk_is_a_command),
        cmocka_unit_test(an_inline_line_is_a_command),
        cmocka_unit_test(empty_commands_are_skipped),
        cmocka_unit_test(kinds_of_commands_may_follow_each_other),
        cmocka_unit_test(half_a_command_is_none),
        cmocka_unit_test(unbalanced_quotes_are_an_error),
        cmocka_unit_test(a_malformed_count_is_an_error),
        cmocka_unit_test(a_malformed_length_is_an_error),
        cmocka_unit_test(a_length_over_the_limit_is_refused_before_its_bytes_arrive),
        cmocka_unit_test(another_type_than_a_bulk_is_an_error),
        cmocka_unit_test(before_authentication_limits_are_tight),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(a_command_larger_than_the_input_limit_is_refused),
        cmocka_unit_test(any_run_of_arguments_is_one_span),
        cmocka_unit_test(the_wire_form_of_a_line_is_canonical),
        cmocka_unit_test(a_command_stays_valid_while_more_input_is_kept),
        cmocka_unit_test(memory_of_a_large_command_is_given_back),
        cmocka_unit_test(random_pipelines_come_out_as_they_went_in),
        cmocka_unit_test(garbage_ends_the_same_way_however_it_is_cut),
        cmocka_unit_test(damaged_pipelines_never_crash),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
