#include "broker/range_move.h"

#include "tests/unit/keyspace_fixture.h"

#define NO_LIMIT UINT64_MAX

static const struct key_range to_memory = {
    .db = 0, .store = STORE_MEMORY, .prefix = (char[]){'a'}, .prefix_len = 1};
static const struct key_range to_disk = {
    .db = 0, .store = STORE_DURABLE, .prefix = (char[]){'a'}, .prefix_len = 1};

static void set(const char *name, struct bytes value, uint64_t expiry_ms)
{
    write_op((struct op){.kind = OP_SET, .number = expiry_ms, .data = value}, name);
}

/* What RANGE.SET does where nothing has to be read. */
static enum err move(const struct key_range *rule, uint64_t bytes_max)
{
    struct range_change change;
    struct range_move range_move;
    assert_int_equal(range_change_init(&change, &keyspace, rule, false), ERR_OK);
    range_move_init(&range_move);
    enum err err = range_move_collect(&range_move, &change, bytes_max);
    if (err == ERR_OK)
        range_move_write(&range_move, &change);
    range_move_deinit(&range_move);
    range_change_deinit(&change);
    return err;
}

static void assert_value(const char *name, bool in_memory, struct bytes value)
{
    struct object *object = look_up(0, name);
    assert_int_equal(object_type(object), OBJECT_STRING);
    assert_int_equal(object->in_memory, in_memory);
    assert_true(bytes_equal(value_bytes(object_state(object)->value), value));
}

static void keys_go_to_memory_with_their_values_and_times(void **state)
{
    (void)state;
    set("a1", BYTES("one"), 0);
    fold();
    set("a2", BYTES("two"), 12345);
    set("b", BYTES("other"), 0);
    assert_int_equal(move(&to_memory, NO_LIMIT), ERR_OK);
    assert_value("a1", true, BYTES("one"));
    assert_value("a2", true, BYTES("two"));
    assert_int_equal(object_expiry(look_up(0, "a2")), 12345);
    assert_value("b", false, BYTES("other"));
    const struct database *database = keyspace_database(&keyspace, 0);
    assert_int_equal(database->keys, 1);
    assert_int_equal(database->memory_keys, 2);
    assert_int_equal(database->expires, 0);
    assert_int_equal(database->memory_expires, 1);
}

static void keys_come_back_durable(void **state)
{
    (void)state;
    set("a1", BYTES("one"), 12345);
    fold();
    assert_int_equal(move(&to_memory, NO_LIMIT), ERR_OK);
    fold();
    set("a1", BYTES("changed"), 0);
    set("a2", BYTES("two"), 0);
    assert_int_equal(move(&to_disk, NO_LIMIT), ERR_OK);
    restart();
    assert_value("a1", false, BYTES("changed"));
    assert_value("a2", false, BYTES("two"));
    assert_int_equal(keyspace_database(&keyspace, 0)->keys, 2);
}

static void keys_that_went_to_memory_are_gone_with_the_process(void **state)
{
    (void)state;
    set("a1", BYTES("one"), 0);
    fold();
    assert_int_equal(move(&to_memory, NO_LIMIT), ERR_OK);
    restart();
    assert_int_equal(object_type(look_up(0, "a1")), OBJECT_NONE);
    assert_int_equal(keyspace_range(&keyspace, 0, BYTES("a1"))->store, STORE_MEMORY);
    assert_int_equal(keyspace_database(&keyspace, 0)->keys, 0);
}

static void what_memory_shows_waits_until_the_move_is_durable(void **state)
{
    (void)state;
    set("a1", BYTES("one"), 0);
    assert_int_equal(move(&to_memory, NO_LIMIT), ERR_OK);
    assert_int_equal(keyspace_gate(&keyspace, 0, look_up(0, "a1")), store_last(keyspace.store));
}

static void a_feed_or_too_much_stays_and_nothing_has_changed(void **state)
{
    (void)state;
    set("a1", BYTES("some bytes that are more than twenty"), 0);
    assert_int_equal(move(&to_memory, 20), ERR_FULL);
    append(0, "a2", 1);
    assert_int_equal(move(&to_memory, NO_LIMIT), ERR_RANGE);
    assert_value("a1", false, BYTES("some bytes that are more than twenty"));
    assert_int_equal(keyspace_range(&keyspace, 0, BYTES("a1"))->store, STORE_DURABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYSPACE_TEST(keys_go_to_memory_with_their_values_and_times),
        KEYSPACE_TEST(keys_come_back_durable),
        KEYSPACE_TEST(keys_that_went_to_memory_are_gone_with_the_process),
        KEYSPACE_TEST(what_memory_shows_waits_until_the_move_is_durable),
        KEYSPACE_TEST(a_feed_or_too_much_stays_and_nothing_has_changed),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
