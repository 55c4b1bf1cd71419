/* The model is the parser: what it hands out is what lookahead_keys must have said. */
#include "broker/lookahead.h"

#include "base/alloc.h"
#include "broker/parser.h"
#include "tests/unit/unit.h"

static struct random rng;

/* "key,key," of the commands at the start of `input`, which ends where its memory does. */
static struct buf keys_of(struct bytes input, unsigned max)
{
    struct bytes keys[LOOKAHEAD_MAX];
    struct buf text;
    char *memory = mem_copy(input.data, input.len);

    buf_init(&text);
    unsigned count = lookahead_keys(bytes_of(memory, input.len), keys, max);
    for (unsigned i = 0; i < count; i++) {
        buf_add_bytes(&text, keys[i]);
        buf_add(&text, ",", 1);
    }
    mem_free(memory);
    return text;
}

static void assert_keys(const char *input, const char *expected)
{
    struct buf text = keys_of(bytes_of_string(input), LOOKAHEAD_MAX);

    assert_true(bytes_equal(buf_bytes(&text), bytes_of_string(expected)));
    buf_deinit(&text);
}

#define GET(key) "*2\r\n$3\r\nGET\r\n$1\r\n" key "\r\n"
#define SET(key) "*3\r\n$3\r\nSET\r\n$1\r\n" key "\r\n$5\r\nvalue\r\n"

static void the_first_argument_of_each_command_is_its_key(void **state)
{
    (void)state;
    assert_keys("", "");
    assert_keys(GET("a"), "a,");
    assert_keys(GET("a") SET("b") GET("c"), "a,b,c,");
    assert_keys("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", ",");
}

static void it_ends_at_what_has_no_key_or_is_no_command(void **state)
{
    (void)state;
    assert_keys(GET("a") "*1\r\n$4\r\nPING\r\n" GET("b"), "a,");
    assert_keys(GET("a") "*0\r\n" GET("b"), "a,");
    assert_keys(GET("a") "*-1\r\n" GET("b"), "a,");
    assert_keys(GET("a") "get b\r\n", "a,");
    assert_keys(GET("a") "*2\r\n$3\r\nGET\r\n:1\r\n", "a,");
    assert_keys("*2\r\n$3\r\nGET\r\n$x\r\n", "");
    assert_keys("*9999999\r\n$3\r\nGET\r\n$1\r\na\r\n", "");
}

static void a_command_that_is_not_there_to_its_end_is_taken_by_its_key(void **state)
{
    (void)state;
    assert_keys("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nval", "a,");
    assert_keys(GET("a") "*2\r\n$3\r\nGET\r\n$1\r\nb", "a,");
    assert_keys(GET("a") "*2\r\n$3\r\nG", "a,");
}

static void it_stops_when_there_are_enough(void **state)
{
    struct buf text = keys_of(BYTES(GET("a") GET("b") GET("c")), 2);

    (void)state;
    assert_true(bytes_equal(buf_bytes(&text), BYTES("a,b,")));
    buf_deinit(&text);
}

/* Commands, which may be spoilt at one byte and cut at any. */
static void add_commands(struct buf *input)
{
    for (uint64_t i = 1 + random_below(&rng, 5); i > 0; i--) {
        uint64_t args = 2 + random_below(&rng, 3);
        buf_addf(input, "*%" PRIu64 "\r\n", args);
        for (uint64_t arg = 0; arg < args; arg++) {
            int len = (int)random_below(&rng, 12);
            buf_addf(input, "$%d\r\n%.*s\r\n", len, len, "abcdefghijkl");
        }
    }
    if (random_below(&rng, 2) == 0)
        input->data[random_below(&rng, input->len)] = "$*\r\n19x"[random_below(&rng, 7)];
    if (random_below(&rng, 2) == 0)
        input->len = random_below(&rng, input->len);
}

/* Whole commands as the parser sees them; those that follow a hint's end do not count. */
static void compare_with_parser(struct bytes input)
{
    static const struct parser_limits limits = {1 << 20, 1 << 20, false};
    struct bytes keys[LOOKAHEAD_MAX];
    struct parser parser;
    unsigned count = lookahead_keys(input, keys, LOOKAHEAD_MAX);

    parser_init(&parser, limits);
    parser_feed(&parser, input);
    for (unsigned i = 0; i < count && parser_next(&parser) == ERR_OK; i++) {
        assert_true(parser.argc >= 2);
        assert_true(bytes_equal(parser.argv[1], keys[i]));
        struct bytes ahead = parser_ahead(&parser);
        assert_ptr_equal(ahead.data + ahead.len, input.data + input.len);
        struct bytes next;
        if (i + 1 < count && lookahead_keys(ahead, &next, 1) == 1)
            assert_ptr_equal(next.data, keys[i + 1].data);
    }
    parser_deinit(&parser);
}

static void random_input_is_read_as_the_parser_reads_it(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct buf input;
        buf_init(&input);
        add_commands(&input);
        char *memory = mem_copy(input.data, input.len);
        compare_with_parser(bytes_of(memory, input.len));
        mem_free(memory);
        buf_deinit(&input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_argument_of_each_command_is_its_key),
        cmocka_unit_test(it_ends_at_what_has_no_key_or_is_no_command),
        cmocka_unit_test(a_command_that_is_not_there_to_its_end_is_taken_by_its_key),
        cmocka_unit_test(it_stops_when_there_are_enough),
        cmocka_unit_test(random_input_is_read_as_the_parser_reads_it),
    };

    random_init(&rng, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
