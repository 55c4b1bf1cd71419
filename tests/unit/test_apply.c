#include "broker/apply.h"

#include "tests/unit/keyspace_fixture.h"

static uint64_t keys_in(unsigned db)
{
    return keyspace_database(&keyspace, db)->keys;
}

static void assert_length(unsigned db, const char *name, uint64_t length)
{
    struct feed *feed = feed_named(db, name);
    assert_non_null(feed);
    assert_int_equal(feed_row(feed)->length, length);
}

static void flush(unsigned db)
{
    write_op((struct op){.kind = OP_FLUSH, .db = db, .number = keyspace_next_space(&keyspace)},
             NULL);
}

static void rename_key(const char *from, const char *to)
{
    (void)look_up(0, to);
    write_op((struct op){.kind = OP_RENAME, .key2 = bytes_of_string(to)}, from);
}

static void an_append_may_create_its_feed(void **state)
{
    (void)state;
    uint64_t feed = keyspace_next_feed(&keyspace);
    append(0, "key", 1);
    append(0, "key", 2);
    assert_length(0, "key", 2);
    assert_int_equal(feed_named(0, "key")->home.feed, feed);
    assert_int_equal(keyspace_next_feed(&keyspace), feed + 1);
    assert_int_equal(keys_in(0), 1);
}

static void a_trim_takes_the_oldest(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        append(0, "key", i);
    write_op((struct op){.kind = OP_TRIM, .id = {4, 0}, .number = 3}, "key");
    assert_length(0, "key", 2);
    write_op((struct op){.kind = OP_TRIM, .id = ID_MAX, .number = 2}, "key");
    assert_length(0, "key", 0);
    assert_int_equal(keys_in(0), 1);
}

static void an_erasure_takes_the_entries_it_names(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        append(0, "key", i);
    struct buf ids;
    buf_init(&ids);
    for (uint64_t i = 2; i <= 4; i += 2) {
        buf_put_varint(&ids, i);
        buf_put_varint(&ids, 0);
    }
    write_op((struct op){.kind = OP_ERASE, .id = {1, 0}, .data = buf_bytes(&ids)}, "key");
    assert_length(0, "key", 3);
    assert_int_equal(feed_row(feed_named(0, "key"))->max_deleted_id.ms, 4);
    buf_deinit(&ids);
}

static void a_rename_takes_the_feed_along(void **state)
{
    (void)state;
    append(0, "a", 1);
    fold();
    struct feed *feed = feed_named(0, "a");
    rename_key("a", "b");
    assert_null(feed_named(0, "a"));
    assert_ptr_equal(feed_named(0, "b"), feed);
    assert_int_equal(keys_in(0), 1);
    fold();
    restart();
    assert_null(feed_named(0, "a"));
    assert_length(0, "b", 1);
}

static void a_flush_empties_one_database(void **state)
{
    (void)state;
    append(0, "a", 1);
    append(1, "a", 1);
    fold();
    append(0, "b", 1);
    struct feed *feed = feed_named(0, "a");
    feed_ref(feed);
    flush(0);
    assert_true(feed->dropped);
    feed_unref(feed);
    assert_null(feed_named(0, "a"));
    assert_null(feed_named(0, "b"));
    assert_length(1, "a", 1);
    assert_int_equal(keys_in(0), 0);
    assert_int_equal(keys_in(1), 1);
    fold();
    assert_int_equal(sim_ranges_disk_row_count(rows), 3); /* the catalog, a key, its chunk */
    restart();
    assert_null(feed_named(0, "a"));
    assert_length(1, "a", 1);
}

/* A feed with rows of all kinds: its own, a chunk, a time of expiry, a group with what is pending
 * in it, a delayed entry and its alarm. */
#define ROWS_OF_FEED 7

static void make_feed_of_all(const char *name)
{
    append(0, name, 1);
    uint64_t group = keyspace_next_feed(&keyspace);
    const struct op ops[] = {
        {.kind = OP_GROUP_CREATE, .key2 = BYTES("g"), .number = group, .data = BYTES("\x01")},
        {.kind = OP_CONSUMER_CREATE,
         .key2 = BYTES("c"),
         .number = group,
         .data = BYTES("\x01\x01")},
        {.kind = OP_DELIVER,
         .number = group,
         .id = {1, 0},
         .data = BYTES("\x01\x01\x00\x02\x00\x01\x01\x00")},
        {.kind = OP_SCHEDULE, .id = {5000, 1}, .data = BYTES("fields")},
        {.kind = OP_EXPIRE, .number = 9000},
    };
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
        write_op(ops[i], name);
}

static void a_flush_leaves_no_row_of_any_kind(void **state)
{
    (void)state;
    make_feed_of_all("a");
    fold();
    assert_int_equal(sim_ranges_disk_row_count(rows), 1 + ROWS_OF_FEED);
    append(0, "a", 2);
    make_feed_of_all("b");
    flush(0);
    fold();
    assert_int_equal(sim_ranges_disk_row_count(rows), 1); /* the catalog */
}

static void a_flush_during_a_fold_empties_what_is_being_folded(void **state)
{
    (void)state;
    append(0, "a", 1);
    commit();
    uint64_t ticket = store_fold(keyspace.store);
    (void)store_turn_end(keyspace.store); /* sealed */
    flush(0);
    append(0, "b", 1);
    while (!store_folded(keyspace.store, ticket))
        turn();
    assert_null(feed_named(0, "a"));
    fold();
    restart();
    assert_null(feed_named(0, "a"));
    assert_length(0, "b", 1);
    assert_int_equal(sim_ranges_disk_row_count(rows), 3);
}

static void a_swap_exchanges_two_databases(void **state)
{
    (void)state;
    append(0, "a", 1);
    append(0, "b", 1);
    append(1, "c", 1);
    write_op((struct op){.kind = OP_SWAP, .number = 1}, NULL);
    assert_null(feed_named(0, "a"));
    assert_length(0, "c", 1);
    assert_length(1, "b", 1);
    assert_int_equal(keys_in(0), 1);
    assert_int_equal(keys_in(1), 2);
    fold();
    restart();
    assert_length(0, "c", 1);
    assert_length(1, "a", 1);
}

static void a_swap_exchanges_the_range_rules_of_two_databases(void **state)
{
    (void)state;
    struct buf rule;
    buf_init(&rule);
    key_range_encode(&rule,
                     &(struct key_range){
                         .db = 1, .store = STORE_MEMORY, .prefix = (char[]){'m'}, .prefix_len = 1});
    write_op((struct op){.kind = OP_RANGE_SET, .data = buf_bytes(&rule)}, NULL);
    buf_deinit(&rule);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(keyspace_range(&keyspace, 1, BYTES("m:1"))->store, STORE_MEMORY);
        write_op((struct op){.kind = OP_SWAP, .db = 0, .number = 1}, NULL);
        assert_int_equal(keyspace_range(&keyspace, 0, BYTES("m:1"))->store, STORE_MEMORY);
        assert_int_equal(keyspace_range(&keyspace, 1, BYTES("m:1"))->store, STORE_DURABLE);
        write_op((struct op){.kind = OP_SWAP, .db = 0, .number = 1}, NULL);
        restart();
    }
}

static void a_key_that_was_dropped_and_created_meets_none_of_its_old_entries(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        append(0, "key", i);
    fold();
    write_op((struct op){.kind = OP_DROP}, "key");
    append(0, "key", 2);
    fold();
    restart();
    assert_length(0, "key", 1);
    struct feed_cursor cursor;
    struct entry entry;
    feed_cursor_init(&cursor, feed_named(0, "key"), ranges, ID_MIN, ID_MAX, false);
    assert_int_equal(feed_cursor_next(&cursor, &entry), ERR_OK);
    assert_int_equal(entry.id.ms, 2);
    assert_int_equal(feed_cursor_next(&cursor, &entry), ERR_END);
    feed_cursor_deinit(&cursor);
}

static enum err apply_here(struct op op, const char *name)
{
    op.key = bytes_of_string(name);
    return apply(&keyspace, &op, 0);
}

static void an_op_that_does_not_fit_is_corrupt(void **state)
{
    (void)state;
    append(0, "feed", 5);
    const struct {
        struct op op;
        const char *key;
    } cases[] = {
        {{.kind = OP_APPEND, .id = {1, 0}, .data = BYTES("f")}, "nothing"},
        {{.kind = OP_APPEND, .id = {5, 0}, .data = BYTES("f")}, "feed"},
        {{.kind = OP_APPEND, .number = 9, .id = {6, 0}, .data = BYTES("f")}, "feed"},
        {{.kind = OP_TRIM, .id = ID_MAX, .number = 1}, "nothing"},
        {{.kind = OP_TRIM, .id = ID_MAX, .number = 2}, "feed"},
        {{.kind = OP_ERASE, .id = ID_MIN, .data = BYTES("\x05")}, "feed"},
        {{.kind = OP_ERASE, .id = ID_MIN, .data = BYTES("\x05\x00\x06\x00")}, "feed"},
        {{.kind = OP_ERASE, .id = ID_MIN, .data = BYTES("\x05\x00")}, "nothing"},
        {{.kind = OP_SETID, .id = {9, 0}}, "nothing"},
        {{.kind = OP_DROP}, "nothing"},
        {{.kind = OP_CREATE, .number = 9}, "feed"},
        {{.kind = OP_RENAME, .key2 = BYTES("x")}, "nothing"},
        {{.kind = OP_RENAME, .key2 = BYTES("feed")}, "feed"},
        {{.kind = OP_FLUSH, .number = 1}, ""},
        {{.kind = OP_FLUSH, .number = UINT32_MAX}, ""},
        {{.kind = OP_SWAP, .number = 4}, ""},
        {{.kind = OP_DROP, .db = 4}, "feed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(apply_here(cases[i].op, cases[i].key), ERR_CORRUPT);
    assert_length(0, "feed", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYSPACE_TEST(an_append_may_create_its_feed),
        KEYSPACE_TEST(a_trim_takes_the_oldest),
        KEYSPACE_TEST(an_erasure_takes_the_entries_it_names),
        KEYSPACE_TEST(a_rename_takes_the_feed_along),
        KEYSPACE_TEST(a_flush_empties_one_database),
        KEYSPACE_TEST(a_flush_leaves_no_row_of_any_kind),
        KEYSPACE_TEST(a_flush_during_a_fold_empties_what_is_being_folded),
        KEYSPACE_TEST(a_swap_exchanges_two_databases),
        KEYSPACE_TEST(a_swap_exchanges_the_range_rules_of_two_databases),
        KEYSPACE_TEST(a_key_that_was_dropped_and_created_meets_none_of_its_old_entries),
        KEYSPACE_TEST(an_op_that_does_not_fit_is_corrupt),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
