#include "storage/tally.h"

#include "tests/unit/unit.h"

/* The object of a row, and what both say that the key takes. */
static struct tally tally_both_ways(struct object_state state, struct bytes name)
{
    struct buf row;
    struct tally tally;
    struct object *object = object_create(1, 2, name, 0);
    *object_state(object) = state;
    buf_init(&row);
    object_row_encode(&row, &state, 0);
    assert_int_equal(tally_of_row(name, buf_bytes(&row), &tally), ERR_OK);
    struct tally same = tally_of(object);
    assert_memory_equal(&tally, &same, sizeof(tally));
    object_destroy(object);
    buf_deinit(&row);
    return tally;
}

static void a_string_takes_its_name_and_its_value(void **state)
{
    (void)state;
    struct object_state string = {.type = OBJECT_STRING, .value = value_create(BYTES("value"))};
    struct tally tally = tally_both_ways(string, BYTES("name"));
    assert_int_equal(tally.keys, 1);
    assert_int_equal(tally.bytes, 9);
    assert_int_equal(tally.entries, 0);
}

static void a_time_of_expiry_takes_nothing(void **state)
{
    (void)state;
    struct object_state string = {
        .type = OBJECT_STRING, .expiry_ms = 1234567, .value = value_create(BYTES("value"))};
    assert_int_equal(tally_both_ways(string, BYTES("name")).bytes, 9);
}

static void a_hash_takes_its_name_and_its_fields(void **state)
{
    (void)state;
    struct object_state hash = {.type = OBJECT_HASH, .hash = hash_create()};
    hash_set(hash.hash, BYTES("field"), BYTES("value"));
    size_t packed_bytes = hash.hash->packed_bytes;
    assert_int_equal(tally_both_ways(hash, BYTES("n")).bytes, 1 + packed_bytes);
}

static void a_feed_has_entries(void **state)
{
    (void)state;
    struct feed *feed = feed_create((struct chunk_home){1, 3, 7}, 0);
    feed_row(feed)->length = 300;
    struct tally tally =
        tally_both_ways((struct object_state){.type = OBJECT_FEED, .feed = feed}, BYTES("name"));
    assert_int_equal(tally.keys, 1);
    assert_int_equal(tally.bytes, 4);
    assert_int_equal(tally.entries, 300);
}

static void no_key_takes_nothing(void **state)
{
    (void)state;
    struct object *object = object_create(1, 2, BYTES("name"), 0);
    struct tally tally = tally_of(object);
    assert_int_equal(tally.keys + tally.bytes + tally.entries, 0);
    object_destroy(object);
}

static void a_damaged_row_is_told(void **state)
{
    (void)state;
    struct tally tally;
    assert_int_equal(tally_of_row(BYTES("name"), BYTES(""), &tally), ERR_CORRUPT);
    assert_int_equal(tally_of_row(BYTES("name"), BYTES("\x7f"), &tally), ERR_CORRUPT);
    assert_int_equal(tally_of_row(BYTES("name"), BYTES("\x01\x02"), &tally), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_takes_its_name_and_its_value),
        cmocka_unit_test(a_time_of_expiry_takes_nothing),
        cmocka_unit_test(a_hash_takes_its_name_and_its_fields),
        cmocka_unit_test(a_feed_has_entries),
        cmocka_unit_test(no_key_takes_nothing),
        cmocka_unit_test(a_damaged_row_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
