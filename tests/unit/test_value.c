#include "storage/value.h"

#include "tests/unit/unit.h"

static struct random dice;

static void a_value_has_the_bytes_it_was_given(void **state)
{
    (void)state;
    struct value *value = value_create(BYTES("a\0b"));
    assert_true(bytes_equal(value_bytes(value), BYTES("a\0b")));
    assert_true(value_size(value) >= 3);
    value_unref(value);
}

static void who_shares_a_value_does_not_see_changes(void **state)
{
    (void)state;
    struct value *value = value_create(BYTES("shared"));
    value_ref(value);
    struct value *other = value_splice(value, 0, BYTES("S"));
    assert_ptr_not_equal(other, value);
    assert_true(bytes_equal(value_bytes(value), BYTES("shared")));
    assert_true(bytes_equal(value_bytes(other), BYTES("Shared")));
    value_ref(other);
    struct value *third = value_replace(other, BYTES("Sharee"));
    assert_true(bytes_equal(value_bytes(other), BYTES("Shared")));
    value_unref(value);
    value_unref(other);
    value_unref(third);
}

static void an_overwritten_value_stays_where_it_is_if_the_room_suits(void **state)
{
    (void)state;
    struct value *value = value_create(BYTES("0123456789"));
    assert_ptr_equal(value_replace(value, BYTES("9876543210")), value);
    assert_true(bytes_equal(value_bytes(value), BYTES("9876543210")));
    value_unref(value);
}

static void a_value_takes_what_its_length_takes_whatever_it_was(void **state)
{
    (void)state;
    struct value *value = value_create(BYTES("a"));
    char data[4096] = {0};
    for (int i = 0; i < 2000; i++) {
        struct bytes bytes = bytes_of(data, (size_t)random_below(&dice, sizeof(data)));
        bool part = random_below(&dice, 4) == 0;
        value = part ? value_splice(value, 0, bytes) : value_replace(value, bytes);
        struct value *fresh = value_create(value_bytes(value));
        if (part)
            assert_true(value_size(value) >= value_size(fresh));
        else
            assert_int_equal(value_size(value), value_size(fresh));
        value_unref(fresh);
    }
    value_unref(value);
}

/* Beside a plain array. */
static void splices_write_where_they_should(void **state)
{
    (void)state;
    char model[4096] = {0};
    size_t len = 0;
    struct value *value = value_create(BYTES(""));
    for (int i = 0; i < 5000; i++) {
        char data[64];
        size_t count = (size_t)random_below(&dice, sizeof(data));
        size_t offset = (size_t)random_below(&dice, sizeof(model) - sizeof(data));
        for (size_t j = 0; j < count; j++)
            data[j] = (char)random_u64(&dice);
        value = value_splice(value, offset, bytes_of(data, count));
        memcpy(model + offset, data, count);
        len = offset + count > len ? offset + count : len;
        if (offset > len)
            len = offset;
        assert_true(bytes_equal(value_bytes(value), bytes_of(model, len)));
    }
    value_unref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_the_bytes_it_was_given),
        cmocka_unit_test(who_shares_a_value_does_not_see_changes),
        cmocka_unit_test(an_overwritten_value_stays_where_it_is_if_the_room_suits),
        cmocka_unit_test(a_value_takes_what_its_length_takes_whatever_it_was),
        cmocka_unit_test(splices_write_where_they_should),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
