#include "storage/object.h"

#include "base/alloc.h"
#include "tests/unit/unit.h"

static struct random dice;

static uint64_t random_number(void)
{
    return random_u64(&dice) >> random_below(&dice, 64);
}

static struct id random_id(void)
{
    return (struct id){random_number(), random_number()};
}

static struct object *create(const char *name)
{
    struct bytes bytes = bytes_of_string(name);
    return object_create(3, object_hash(1, 3, bytes), bytes, 1);
}

static struct object *create_feed(void)
{
    struct object *object = create("feed");
    struct chunk_home home = {3, (uint16_t)random_below(&dice, KEY_SLOTS), random_number()};
    struct feed *feed = feed_create(home, 1);
    *feed_row(feed) = (struct feed_row){.last_id = random_id(),
                                        .first_id = random_id(),
                                        .max_deleted_id = random_id(),
                                        .length = random_number(),
                                        .entries_added = random_number(),
                                        .chunk_base = random_id(),
                                        .chunk_bytes = (uint32_t)random_number()};
    *object_state(object) = (struct object_state){.type = OBJECT_FEED, .feed = feed};
    return object;
}

static void a_new_object_is_nothing(void **state)
{
    (void)state;
    struct object *object = create("name");
    assert_int_equal(object_type(object), OBJECT_NONE);
    assert_null(object_feed(object));
    assert_true(bytes_equal(object_name(object), BYTES("name")));
    assert_int_equal(object->slot, key_slot(BYTES("name")));
    assert_false(object->persisted);
    assert_true(object_bytes(object) >= sizeof(*object) + 4);
    object_destroy(object);
}

static void an_empty_key_is_a_key(void **state)
{
    (void)state;
    struct object *object = create("");
    assert_int_equal(object_name(object).len, 0);
    object_destroy(object);
}

static void equal_names_of_two_namespaces_have_two_hashes(void **state)
{
    (void)state;
    assert_int_not_equal(object_hash(1, 1, BYTES("a")), object_hash(1, 2, BYTES("a")));
    assert_int_equal(object_hash(9, 1, BYTES("a")), object_hash(9, 1, BYTES("a")));
}

static void check_equal(struct object *a, struct object *b)
{
    const struct feed_row *x = feed_row(object_feed(a));
    const struct feed_row *y = feed_row(object_feed(b));
    assert_int_equal(object_feed(a)->home.feed, object_feed(b)->home.feed);
    assert_int_equal(object_feed(a)->home.slot, object_feed(b)->home.slot);
    assert_int_equal(object_feed(a)->home.space, object_feed(b)->home.space);
    assert_true(id_equal(x->last_id, y->last_id));
    assert_true(id_equal(x->first_id, y->first_id));
    assert_true(id_equal(x->max_deleted_id, y->max_deleted_id));
    assert_int_equal(x->length, y->length);
    assert_int_equal(x->entries_added, y->entries_added);
    assert_true(id_equal(x->chunk_base, y->chunk_base));
    assert_int_equal(x->chunk_bytes, y->chunk_bytes);
}

/* Decodes a copy of exactly this size. */
static enum err decode(struct object *object, const char *data, size_t len)
{
    char *copy = malloc(len + 1);
    memcpy(copy + 1, data, len);
    enum err err = object_row_decode(object, bytes_of(copy + 1, len));
    free(copy);
    return err;
}

static void a_row_is_read_back_and_every_truncation_refused(void **state)
{
    (void)state;
    struct buf row;
    buf_init(&row);
    for (int i = 0; i < 300; i++) {
        struct object *object = create_feed();
        row.len = 0;
        object_row_encode(&row, object_state(object), 1);
        struct object *read = create("feed");
        for (size_t len = 0; len < row.len; len++) {
            assert_int_equal(decode(read, row.data, len), ERR_CORRUPT);
            assert_int_equal(object_type(read), OBJECT_NONE);
        }
        assert_int_equal(decode(read, row.data, row.len), ERR_OK);
        assert_true(read->persisted && object_feed(read)->on_disk);
        check_equal(object, read);
        object_destroy(object);
        object_destroy(read);
    }
    buf_deinit(&row);
}

static void garbage_is_refused_or_read_within_its_bounds(void **state)
{
    (void)state;
    struct buf row;
    buf_init(&row);
    for (int i = 0; i < 30000; i++) {
        struct object *object = create_feed();
        row.len = 0;
        object_row_encode(&row, object_state(object), 1);
        for (uint64_t j = 1 + random_below(&dice, 4); j > 0; j--)
            row.data[random_below(&dice, row.len)] = (char)random_u64(&dice);
        struct object *read = create("feed");
        enum err err = decode(read, row.data, row.len);
        assert_true(err == ERR_OK || err == ERR_CORRUPT);
        assert_int_equal(object_type(read) != OBJECT_NONE, err == ERR_OK);
        object_destroy(object);
        object_destroy(read);
    }
    buf_deinit(&row);
}

static void bytes_behind_a_row_are_corrupt(void **state)
{
    (void)state;
    struct object *object = create_feed();
    struct buf row;
    buf_init(&row);
    object_row_encode(&row, object_state(object), 1);
    buf_put_u8(&row, 0);
    struct object *read = create("feed");
    assert_int_equal(object_row_decode(read, buf_bytes(&row)), ERR_CORRUPT);
    object_destroy(object);
    object_destroy(read);
    buf_deinit(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_object_is_nothing),
        cmocka_unit_test(an_empty_key_is_a_key),
        cmocka_unit_test(equal_names_of_two_namespaces_have_two_hashes),
        cmocka_unit_test(a_row_is_read_back_and_every_truncation_refused),
        cmocka_unit_test(garbage_is_refused_or_read_within_its_bounds),
        cmocka_unit_test(bytes_behind_a_row_are_corrupt),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
