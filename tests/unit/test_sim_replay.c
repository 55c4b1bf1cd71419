/* The same objects, whether they were just written, folded, replayed from the log or loaded from
 * what was folded. */
#include "storage/feed_cursor.h"
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

#ifdef WEIR_DEBUG
#define WORLDS 20
#else
#define WORLDS 80
#endif
#define ROUNDS_PER_WORLD 4
#define RANGES_PER_FEED  6

static uint64_t seed;

static struct feed *feed_of(unsigned db, unsigned key)
{
    struct keyspace *keyspace = &world.broker->keyspace;
    struct object *object;
    char name[3];
    snprintf(name, sizeof(name), "k%u", key % 10);
    keyspace->tier = TIER_DISK;
    assert_int_equal(keyspace_find(keyspace, db, bytes_of(name, 2), &object), ERR_OK);
    keyspace->tier = TIER_MEMORY;
    return object_feed(object);
}

static void assert_id(struct id is, struct id expected)
{
    assert_int_equal(is.ms, expected.ms);
    assert_int_equal(is.seq, expected.seq);
}

/* As a session and a reader do it together. */
static enum err next_entry(struct feed_cursor *cursor, struct entry *entry)
{
    enum err err = feed_cursor_next(cursor, entry);
    while (err == ERR_COLD) {
        struct fetch fetch;
        fetch_init(&fetch);
        feed_cursor_plan(cursor, &fetch, 1 + random_below(&world.random, 20));
        fetch_run(&fetch);
        assert_int_equal(feed_cursor_take(cursor, &fetch), ERR_OK);
        fetch_deinit(&fetch);
        err = feed_cursor_next(cursor, entry);
    }
    return err;
}

static void assert_entry(const struct entry *entry, const struct model_entry *expected)
{
    struct buf fields;
    buf_init(&fields);
    model_fields(expected->token, &fields);
    assert_id(entry->id, expected->id);
    assert_true(bytes_equal(entry->fields, buf_bytes(&fields)));
    buf_deinit(&fields);
}

/* Walks `limit` entries of [from, to] beside the model. */
static void compare_range(struct feed *feed, const struct model_stream *stream, struct id from,
                          struct id to, bool reverse, uint64_t limit)
{
    struct feed_cursor cursor;
    struct entry entry;
    enum err err = ERR_OK;
    feed_cursor_init(&cursor, feed, world.ranges, from, to, reverse);
    for (size_t i = 0; i < stream->count && limit > 0; i++) {
        const struct model_entry *expected = &stream->entries[reverse ? stream->count - 1 - i : i];
        if (id_less(expected->id, from) || id_less(to, expected->id))
            continue;
        err = next_entry(&cursor, &entry);
        assert_int_equal(err, ERR_OK);
        assert_entry(&entry, expected);
        limit--;
    }
    if (limit > 0)
        assert_int_equal(next_entry(&cursor, &entry), ERR_END);
    feed_cursor_deinit(&cursor);
}

static struct id some_id(const struct model_stream *stream)
{
    uint64_t dice = random_below(&world.random, 10);
    if (dice == 0 || stream->count == 0)
        return dice % 2 == 0 ? ID_MIN : ID_MAX;
    struct id id = stream->entries[random_below(&world.random, stream->count)].id;
    id.seq += dice == 1;
    return id;
}

static void compare_feed(struct feed *feed, const struct model_stream *stream)
{
    struct feed_row *row = feed_row(feed);
    assert_id(row->last_id, stream->last);
    assert_id(row->first_id, stream->count > 0 ? stream->entries[0].id : ID_MIN);
    assert_id(row->max_deleted_id, stream->max_deleted);
    assert_int_equal(row->length, stream->count);
    assert_int_equal(row->entries_added, stream->added);
    for (unsigned i = 0; i < 2; i++)
        compare_range(feed, stream, ID_MIN, ID_MAX, i > 0, UINT64_MAX);
    for (unsigned i = 0; i < RANGES_PER_FEED; i++) {
        struct id a = some_id(stream);
        struct id b = some_id(stream);
        uint64_t limit = world_chance(50) ? 1 + random_below(&world.random, 20) : UINT64_MAX;
        compare_range(feed, stream, id_min(a, b), id_max(a, b), world_chance(50), limit);
    }
}

static void compare_objects(void)
{
    for (unsigned db = 0; db < MODEL_DBS; db++) {
        uint64_t keys = 0;
        for (unsigned key = 0; key < MODEL_KEYS; key++) {
            const struct model_stream *stream = &world.model.streams[db][key];
            struct feed *feed = feed_of(db, key);
            assert_int_equal(feed != NULL, stream->exists);
            keys += stream->exists;
            if (feed != NULL)
                compare_feed(feed, stream);
        }
        assert_int_equal(keyspace_database(&world.broker->keyspace, db)->keys, keys);
    }
}

static void write_some(void)
{
    for (uint64_t turns = random_below(&world.random, 150); turns > 0; turns--) {
        world_send_some();
        world_turn();
    }
    world_settle();
}

static void compare_all_ways(void)
{
    write_some();
    compare_objects();
    if (world_chance(50)) {
        world_crash_and_restart(); /* replayed, on top of the folds so far */
        compare_objects();
        write_some();
    }
    world_fold();
    compare_objects();
    if (world_chance(50)) {
        write_some(); /* on top of what was folded */
        compare_objects();
    }
    world_close_and_restart(world_chance(50));
    compare_objects();
}

static void run_worlds(const struct world_setup *setup)
{
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, setup);
        for (unsigned round = 0; round < ROUNDS_PER_WORLD; round++)
            compare_all_ways();
        world_end();
    }
}

static void objects_are_the_same_written_folded_and_replayed(void **state)
{
    (void)state;
    run_worlds(&(struct world_setup){
        .clients = 2,
        .fold_bytes = UINT64_C(1) << 30,
        .resident_bytes = 2000,
        .record_bytes = 10000,
        .read_percent = 5,
        .long_percent = 30,
        .copies = true,
    });
}

static void objects_are_the_same_with_many_folds_and_cold_reads(void **state)
{
    (void)state;
    run_worlds(&(struct world_setup){
        .clients = 2,
        .fold_bytes = 4000,
        .resident_bytes = 2000,
        .record_bytes = 10000,
        .read_percent = 5,
        .long_percent = 30,
        .faults = {.cold_per_mille = 400, .cool_per_mille = 300},
    });
}

static void nothing_is_left_on_disk_of_what_was_dropped(void **state)
{
    const struct model_command flush = {.kind = MODEL_FLUSHALL};
    (void)state;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, &(struct world_setup){
                                  .clients = 1,
                                  .fold_bytes = 3000,
                                  .resident_bytes = 2000,
                                  .record_bytes = 10000,
                                  .long_percent = 30,
                                  .copies = true,
                              });
        write_some();
        world_fold();
        for (unsigned key = 0; key < MODEL_KEYS && world_chance(50); key++) {
            struct model_command drop = {.kind = MODEL_DEL, .db = world.clients[0].db, .key = key};
            assert_true(world_send(&world.clients[0], &drop));
        }
        assert_true(world_send(&world.clients[0], &flush));
        world_settle();
        world_fold();
        assert_int_equal(sim_ranges_disk_row_count(world.ranges_disk), 1); /* the catalog */
        world_end();
    }
}

static void nothing_is_left_of_keys_that_were_deleted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORLDS; i++) {
        world_begin(seed + i, &(struct world_setup){
                                  .clients = 1,
                                  .fold_bytes = 3000,
                                  .resident_bytes = 2000,
                                  .record_bytes = 10000,
                                  .long_percent = 30,
                                  .copies = true,
                              });
        write_some();
        for (unsigned at = 0; at < MODEL_DBS * MODEL_KEYS; at++) {
            struct model_command select = {.kind = MODEL_SELECT, .db2 = at % MODEL_DBS};
            struct model_command drop = {
                .kind = MODEL_DEL, .db = at % MODEL_DBS, .key = at / MODEL_DBS};
            assert_true(world_send(&world.clients[0], &select));
            assert_true(world_send(&world.clients[0], &drop));
        }
        world_settle();
        world_fold();
        assert_int_equal(sim_ranges_disk_row_count(world.ranges_disk), 1);
        world_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_the_same_written_folded_and_replayed),
        cmocka_unit_test(objects_are_the_same_with_many_folds_and_cold_reads),
        cmocka_unit_test(nothing_is_left_on_disk_of_what_was_dropped),
        cmocka_unit_test(nothing_is_left_of_keys_that_were_deleted),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
