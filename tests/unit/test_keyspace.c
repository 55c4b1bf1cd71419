#include "broker/keyspace.h"

#include "tests/unit/keyspace_fixture.h"

static void make_all_cold(void)
{
    struct sim_ranges_faults faults = {.cold_per_mille = 1000};
    sim_ranges_disk_set_faults(rows, &faults);
    sim_ranges_disk_cool(rows);
}

static enum err find(const char *name, struct object **object)
{
    return keyspace_find(&keyspace, 0, bytes_of_string(name), object);
}

static void a_key_that_nobody_wrote_is_nothing(void **state)
{
    (void)state;
    struct object *object = look_up(0, "key");
    assert_int_equal(object_type(object), OBJECT_NONE);
    assert_ptr_equal(look_up(0, "key"), object);
    assert_ptr_not_equal(look_up(1, "key"), object);
}

static void a_key_is_found_in_memory_and_after_a_restart(void **state)
{
    (void)state;
    append(0, "key", 1);
    assert_int_equal(feed_row(feed_named(0, "key"))->length, 1);
    restart(); /* replayed */
    assert_int_equal(feed_row(feed_named(0, "key"))->length, 1);
    fold();
    restart(); /* from its row */
    assert_int_equal(feed_row(feed_named(0, "key"))->length, 1);
    assert_null(feed_named(1, "key"));
}

static void a_cold_key_is_fetched(void **state)
{
    (void)state;
    append(0, "key", 1);
    fold();
    restart();
    make_all_cold();
    struct object *object;
    assert_int_equal(find("key", &object), ERR_COLD);
    assert_int_equal(find("other", &object), ERR_COLD);
    assert_int_equal(feed_row(feed_named(0, "key"))->length, 1);
    assert_null(feed_named(0, "other"));
}

static void what_was_read_before_a_fold_is_not_taken(void **state)
{
    (void)state;
    restart();
    make_all_cold();
    struct fetch fetch;
    fetch_init(&fetch);
    keyspace_plan(&keyspace, 0, BYTES("key"), &fetch);
    fetch_run(&fetch);
    assert_int_equal(fetch.err, ERR_NOT_FOUND);
    append(0, "key", 1);
    fold();
    (void)table_evict(&keyspace.table, 0, 100);
    assert_int_equal(keyspace_take(&keyspace, 0, BYTES("key"), &fetch), ERR_COLD);
    fetch_deinit(&fetch);
    assert_int_equal(feed_row(feed_named(0, "key"))->length, 1);
}

static void what_was_read_before_a_flush_is_not_taken(void **state)
{
    (void)state;
    append(0, "key", 1);
    fold();
    restart();
    make_all_cold();
    struct fetch fetch;
    fetch_init(&fetch);
    keyspace_plan(&keyspace, 0, BYTES("key"), &fetch);
    fetch_run(&fetch);
    write_op((struct op){.kind = OP_FLUSH, .number = keyspace_next_space(&keyspace)}, NULL);
    assert_int_equal(keyspace_take(&keyspace, 0, BYTES("key"), &fetch), ERR_COLD);
    fetch_deinit(&fetch);
    assert_null(feed_named(0, "key"));
}

static void what_came_into_memory_meanwhile_stays(void **state)
{
    (void)state;
    make_all_cold();
    struct fetch fetch;
    fetch_init(&fetch);
    keyspace_plan(&keyspace, 0, BYTES("key"), &fetch);
    fetch_run(&fetch);
    append(0, "key", 1);
    assert_int_equal(keyspace_take(&keyspace, 0, BYTES("key"), &fetch), ERR_OK);
    fetch_deinit(&fetch);
    assert_int_equal(feed_row(feed_named(0, "key"))->length, 1);
}

static void an_error_of_the_disk_is_told(void **state)
{
    (void)state;
    make_all_cold();
    struct sim_ranges_faults faults = {.cold_per_mille = 1000, .read_fails_per_mille = 1000};
    sim_ranges_disk_set_faults(rows, &faults);
    struct fetch fetch;
    fetch_init(&fetch);
    keyspace_plan(&keyspace, 0, BYTES("key"), &fetch);
    fetch_run(&fetch);
    assert_int_equal(keyspace_take(&keyspace, 0, BYTES("key"), &fetch), ERR_IO);
    fetch_deinit(&fetch);
}

static uint64_t gate(unsigned db, const char *name)
{
    return keyspace_gate(&keyspace, db, look_up(db, name));
}

static void the_gate_of_a_key_is_its_last_write(void **state)
{
    (void)state;
    assert_int_equal(gate(0, "a"), 0);
    uint64_t a = append(0, "a", 1);
    commit();
    uint64_t b = append(0, "b", 1);
    assert_true(b > a);
    assert_int_equal(gate(0, "a"), a);
    assert_int_equal(gate(0, "b"), b);
    commit();
    uint64_t dropped = write_op((struct op){.kind = OP_DROP}, "a");
    assert_int_equal(gate(0, "a"), dropped);
    assert_int_equal(gate(0, "never"), dropped); /* of which keys there are */
    assert_int_equal(gate(1, "never"), 0);
}

static void the_gate_of_a_swapped_key_is_the_swap(void **state)
{
    (void)state;
    append(0, "a", 1);
    commit();
    uint64_t swap = write_op((struct op){.kind = OP_SWAP, .number = 1}, NULL);
    assert_int_equal(gate(1, "a"), swap);
    assert_int_equal(gate(0, "a"), swap);
    assert_int_equal(gate(2, "a"), 0);
}

static void a_dropped_key_leaves_memory_when_it_was_folded(void **state)
{
    (void)state;
    append(0, "key", 1);
    fold();
    assert_int_equal(keyspace.table.map.count, 1);
    write_op((struct op){.kind = OP_DROP}, "key");
    assert_int_equal(keyspace.table.map.count, 1);
    fold();
    assert_int_equal(keyspace.table.map.count, 0);
}

static void clean_keys_can_be_evicted_and_dirty_ones_not(void **state)
{
    (void)state;
    append(0, "a", 1);
    append(0, "b", 1);
    assert_int_equal(table_evict(&keyspace.table, 0, 100), 0);
    fold();
    append(0, "b", 2);
    assert_int_equal(table_evict(&keyspace.table, 0, 100), 1);
    assert_int_equal(feed_row(feed_named(0, "a"))->length, 1);
    assert_int_equal(feed_row(feed_named(0, "b"))->length, 2);
}

struct heard {
    unsigned count;
    enum op_kind kind;
    uint64_t lsn;
    enum object_type type; /* of the object, after the op */
};

static void on_changed(void *context, const struct op *op, uint64_t lsn)
{
    struct heard *heard = context;
    heard->count++;
    heard->kind = op->kind;
    heard->lsn = lsn;
    heard->type = op->object != NULL ? object_type(op->object) : OBJECT_NONE;
}

static void writes_are_told_of_and_replayed_ones_are_not(void **state)
{
    (void)state;
    struct heard heard = {0};
    keyspace.changed = on_changed;
    keyspace.changed_context = &heard;
    uint64_t lsn = append(0, "a", 1);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.kind, OP_APPEND);
    assert_int_equal(heard.lsn, lsn);
    assert_int_equal(heard.type, OBJECT_FEED);
    struct op op = {.kind = OP_DROP, .key = BYTES("a")};
    assert_int_equal(keyspace_replay(&keyspace, &op), ERR_OK);
    assert_int_equal(heard.count, 1);
}

/* Strings, feeds and nothing, dirty and clean, in both stores. */
static void prefetching_changes_nothing_whatever_the_keys_are(void **state)
{
    (void)state;
    const struct bytes keys[] = {BYTES("feed"),         BYTES("folded"),  BYTES("string"),
                                 BYTES("cache:string"), BYTES("nothing"), BYTES("")};
    const unsigned count = sizeof(keys) / sizeof(keys[0]);
    keyspace_prefetch(&keyspace, 0, keys, count);
    append(0, "folded", 1);
    fold();
    append(0, "feed", 1);
    for (unsigned i = 2; i < 4; i++) {
        struct op op = {.kind = OP_SET, .key = keys[i], .data = BYTES("value")};
        (void)keyspace_write(&keyspace, &op);
    }
    struct table before = keyspace.table;
    keyspace_prefetch(&keyspace, 0, keys, count);
    keyspace_prefetch(&keyspace, 0, keys, 0);
    assert_memory_equal(&keyspace.table, &before, sizeof(before));
    assert_int_equal(feed_row(feed_named(0, "feed"))->length, 1);
    assert_int_equal(feed_row(feed_named(0, "folded"))->length, 1);
    assert_int_equal(object_type(look_up(0, "string")), OBJECT_STRING);
    assert_int_equal(object_type(look_up(0, "cache:string")), OBJECT_STRING);
    assert_int_equal(object_type(look_up(0, "nothing")), OBJECT_NONE);
}

static void prefetching_pays_with_a_thousand_keys_of_either_store(void **state)
{
    (void)state;
    for (int i = 0; i <= 2000; i++) {
        char name[32];
        snprintf(name, sizeof(name), i < 1000 ? "%d" : "cache:%d", i);
        struct op op = {.kind = OP_SET, .key = bytes_of_string(name), .data = BYTES("value")};
        assert_false(keyspace_prefetch_pays(&keyspace));
        (void)keyspace_write(&keyspace, &op);
    }
    assert_true(keyspace_prefetch_pays(&keyspace));
    (void)look_up(0, "one more");
    keyspace_forget_memory(&keyspace, 0);
    assert_true(keyspace_prefetch_pays(&keyspace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYSPACE_TEST(a_key_that_nobody_wrote_is_nothing),
        KEYSPACE_TEST(a_key_is_found_in_memory_and_after_a_restart),
        KEYSPACE_TEST(a_cold_key_is_fetched),
        KEYSPACE_TEST(what_was_read_before_a_fold_is_not_taken),
        KEYSPACE_TEST(what_was_read_before_a_flush_is_not_taken),
        KEYSPACE_TEST(what_came_into_memory_meanwhile_stays),
        KEYSPACE_TEST(an_error_of_the_disk_is_told),
        KEYSPACE_TEST(the_gate_of_a_key_is_its_last_write),
        KEYSPACE_TEST(the_gate_of_a_swapped_key_is_the_swap),
        KEYSPACE_TEST(a_dropped_key_leaves_memory_when_it_was_folded),
        KEYSPACE_TEST(clean_keys_can_be_evicted_and_dirty_ones_not),
        KEYSPACE_TEST(writes_are_told_of_and_replayed_ones_are_not),
        KEYSPACE_TEST(prefetching_changes_nothing_whatever_the_keys_are),
        KEYSPACE_TEST(prefetching_pays_with_a_thousand_keys_of_either_store),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
