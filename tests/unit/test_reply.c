#include "broker/reply.h"

#include <math.h>

#include "tests/unit/unit.h"

/* A reply to write to, and what came of it. */
struct paper {
    struct buf out;
    struct reply reply;
};

static struct paper *fresh(struct paper *paper, int version)
{
    buf_init(&paper->out);
    paper->reply = (struct reply){&paper->out, version};
    return paper;
}

static void assert_wrote(struct paper *paper, struct bytes expected)
{
    if (!bytes_equal(buf_bytes(&paper->out), expected))
        print_error("wrote %.*s\n", (int)paper->out.len, paper->out.data);
    assert_true(bytes_equal(buf_bytes(&paper->out), expected));
    buf_deinit(&paper->out);
}

/* Runs `call` for both versions; `reply` is what it writes to. */
#define ASSERT_WRITES(call, resp2, resp3)                                                          \
    do {                                                                                           \
        struct paper paper;                                                                        \
        struct reply *reply = &fresh(&paper, 2)->reply;                                            \
        call;                                                                                      \
        assert_wrote(&paper, BYTES(resp2));                                                        \
        reply = &fresh(&paper, 3)->reply;                                                          \
        call;                                                                                      \
        assert_wrote(&paper, BYTES(resp3));                                                        \
    } while (0)

#define ASSERT_WRITES_SAME(call, text) ASSERT_WRITES(call, text, text)

static void simple_types_are_the_same_in_both_versions(void **state)
{
    (void)state;
    ASSERT_WRITES_SAME(reply_status(reply, "OK"), "+OK\r\n");
    ASSERT_WRITES_SAME(reply_integer(reply, 0), ":0\r\n");
    ASSERT_WRITES_SAME(reply_integer(reply, -12), ":-12\r\n");
    ASSERT_WRITES_SAME(reply_integer(reply, INT64_MIN), ":-9223372036854775808\r\n");
    ASSERT_WRITES_SAME(reply_array(reply, 0), "*0\r\n");
    ASSERT_WRITES_SAME(reply_array(reply, 1234), "*1234\r\n");
}

static void a_bulk_may_hold_anything(void **state)
{
    (void)state;
    ASSERT_WRITES_SAME(reply_bulk(reply, BYTES("a\r\n\0b")), "$5\r\na\r\n\0b\r\n");
    ASSERT_WRITES_SAME(reply_bulk(reply, (struct bytes){0}), "$0\r\n\r\n");
    ASSERT_WRITES_SAME(reply_bulk_string(reply, "0123456789"), "$10\r\n0123456789\r\n");
    ASSERT_WRITES_SAME(reply_bulk_u64(reply, UINT64_MAX), "$20\r\n18446744073709551615\r\n");
    ASSERT_WRITES_SAME(reply_bulkf(reply, "%d-%s", 7, "x"), "$3\r\n7-x\r\n");
    ASSERT_WRITES_SAME(reply_bulkf(reply, "%s", ""), "$0\r\n\r\n");
}

static void an_error_stays_on_its_line(void **state)
{
    (void)state;
    ASSERT_WRITES_SAME(reply_error(reply, "ERR no %s", "such\r\nthing"), "-ERR no such  thing\r\n");
}

static void what_resp2_has_no_type_for_becomes_something_it_has(void **state)
{
    (void)state;
    ASSERT_WRITES(reply_null(reply), "$-1\r\n", "_\r\n");
    ASSERT_WRITES(reply_null_array(reply), "*-1\r\n", "_\r\n");
    ASSERT_WRITES(reply_bool(reply, true), ":1\r\n", "#t\r\n");
    ASSERT_WRITES(reply_bool(reply, false), ":0\r\n", "#f\r\n");
    ASSERT_WRITES(reply_map(reply, 3), "*6\r\n", "%3\r\n");
    ASSERT_WRITES(reply_set(reply, 3), "*3\r\n", "~3\r\n");
    ASSERT_WRITES(reply_push(reply, 3), "*3\r\n", ">3\r\n");
    ASSERT_WRITES(reply_verbatim(reply, BYTES("a b")), "$3\r\na b\r\n", "=7\r\ntxt:a b\r\n");
}

static void a_double_has_the_shortest_text(void **state)
{
    (void)state;
    ASSERT_WRITES(reply_double(reply, 0.1), "$3\r\n0.1\r\n", ",0.1\r\n");
    ASSERT_WRITES(reply_double(reply, 3), "$1\r\n3\r\n", ",3\r\n");
    ASSERT_WRITES(reply_double(reply, 1.0 / 3), "$18\r\n0.3333333333333333\r\n",
                  ",0.3333333333333333\r\n");
    ASSERT_WRITES(reply_double(reply, -HUGE_VAL), "$4\r\n-inf\r\n", ",-inf\r\n");
    ASSERT_WRITES(reply_double(reply, nan("")), "$3\r\nnan\r\n", ",nan\r\n");
}

static void write_nested(struct reply *reply)
{
    struct reply_deferred outer = reply_deferred_begin(reply);
    struct reply_deferred inner;

    reply_bulk_string(reply, "a");
    inner = reply_deferred_begin(reply);
    reply_integer(reply, 1);
    reply_integer(reply, 2);
    reply_deferred_end_map(reply, inner, 1);
    inner = reply_deferred_begin(reply);
    reply_deferred_end_array(reply, inner, 0);
    reply_deferred_end_array(reply, outer, 3);
    reply_status(reply, "OK");
}

static void a_deferred_length_comes_before_its_elements(void **state)
{
    (void)state;
    ASSERT_WRITES(write_nested(reply), "*3\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n*0\r\n+OK\r\n",
                  "*3\r\n$1\r\na\r\n%1\r\n:1\r\n:2\r\n*0\r\n+OK\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_types_are_the_same_in_both_versions),
        cmocka_unit_test(a_bulk_may_hold_anything),
        cmocka_unit_test(an_error_stays_on_its_line),
        cmocka_unit_test(what_resp2_has_no_type_for_becomes_something_it_has),
        cmocka_unit_test(a_double_has_the_shortest_text),
        cmocka_unit_test(a_deferred_length_comes_before_its_elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
