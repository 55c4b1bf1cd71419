#include "base/buf.h"
#include "tests/unit/unit.h"

static void an_empty_buffer_owns_no_memory(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    assert_null(buf.data);
    assert_int_equal(buf_bytes(&buf).len, 0);
    buf_add(&buf, NULL, 0);
    buf_consume(&buf, 0);
    buf_reset(&buf, 0);
    assert_null(buf.data);
    buf_deinit(&buf);
}

static void what_was_added_is_there_in_order(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    for (int i = 0; i < 10000; i++) {
        char byte = (char)i;
        buf_add(&buf, &byte, 1);
    }
    assert_int_equal(buf.len, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf.data[i], (char)i);
    buf_deinit(&buf);
}

static void growth_doubles_and_a_big_wish_is_met_at_once(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_reserve(&buf, 1);
    size_t first = buf.cap;
    buf.len = first;
    buf_reserve(&buf, 1);
    assert_int_equal(buf.cap, 2 * first);
    buf_reserve(&buf, 100000);
    assert_true(buf.cap >= first + 100000);
    buf_deinit(&buf);
}

static void formatting_works_at_every_amount_of_room(void **state)
{
    (void)state;
    for (size_t room = 0; room < 20; room++) {
        struct buf buf;
        buf_init(&buf);
        buf_reserve(&buf, 64);
        memset(buf.data, 'x', buf.cap);
        buf.len = buf.cap - room;
        size_t before = buf.len;
        buf_addf(&buf, "%s=%d", "length", 42);
        assert_int_equal(buf.len, before + 9);
        assert_memory_equal(buf.data + before, "length=42", 9);
        buf_deinit(&buf);
    }
}

static void formatting_does_not_grow_when_it_fits(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_addf(&buf, "%s", "first");
    size_t cap = buf.cap;
    buf_addf(&buf, "%0*d", (int)(cap - buf.len - 1), 7);
    assert_int_equal(buf.cap, cap);
    assert_int_equal(buf.len, cap - 1);
    buf_deinit(&buf);
}

static void reset_gives_back_what_is_above_keep(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_reserve(&buf, 5000);
    buf_add_bytes(&buf, BYTES("content"));
    buf_reset(&buf, 1000);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.cap, 1000);
    buf_reset(&buf, 2000);
    assert_int_equal(buf.cap, 1000);
    buf_reset(&buf, 0);
    assert_int_equal(buf.cap, 0);
    assert_null(buf.data);
    buf_deinit(&buf);
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_add_bytes(&buf, BYTES("abcdef"));
    buf_consume(&buf, 2);
    assert_true(bytes_equal(buf_bytes(&buf), BYTES("cdef")));
    buf_consume(&buf, 4);
    assert_int_equal(buf.len, 0);
    buf_deinit(&buf);
}

static void integers_are_put_most_significant_byte_first(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_put_u8(&buf, 0x01);
    buf_put_u16(&buf, 0x0203);
    buf_put_u32(&buf, 0x04050607);
    buf_put_u64(&buf, 0x08090a0b0c0d0e0f);
    buf_put_varint(&buf, 300);
    buf_put_bytes(&buf, BYTES("xy"));
    struct bytes expected = BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                                  "\xac\x02\x02xy");
    assert_true(bytes_equal(buf_bytes(&buf), expected));
    buf_deinit(&buf);
}

static void quotes_leave_printable_text_only(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf);
    buf_add_quoted(&buf, BYTES("a \"b\"\\\n\x00\xff"));
    assert_true(bytes_equal(buf_bytes(&buf), BYTES("\"a \\\"b\\\"\\\\\\n\\x00\\xff\"")));
    buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_owns_no_memory),
        cmocka_unit_test(what_was_added_is_there_in_order),
        cmocka_unit_test(growth_doubles_and_a_big_wish_is_met_at_once),
        cmocka_unit_test(formatting_works_at_every_amount_of_room),
        cmocka_unit_test(formatting_does_not_grow_when_it_fits),
        cmocka_unit_test(reset_gives_back_what_is_above_keep),
        cmocka_unit_test(consuming_moves_the_rest_to_the_front),
        cmocka_unit_test(integers_are_put_most_significant_byte_first),
        cmocka_unit_test(quotes_leave_printable_text_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
