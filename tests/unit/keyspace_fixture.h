/* keyspace_fixture: a keyspace over a store on simulated disks, for one source file of a test. */
#ifndef WEIR_TESTS_UNIT_KEYSPACE_FIXTURE_H
#define WEIR_TESTS_UNIT_KEYSPACE_FIXTURE_H

#include "base/clock.h"
#include "broker/keyspace.h"
#include "storage/feed_cursor.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

#include <time.h>

/* For what other threads do. */
#define PATIENCE_US 20000000

static struct disk *disk;
static struct sim_ranges_disk *rows;
static struct ranges *ranges;
static struct keyspace keyspace;
static uint64_t seed;

static enum err on_replay(void *context, const struct op *op)
{
    return keyspace_replay(context, op);
}

static void on_clean(void *context, struct object *object)
{
    keyspace_clean(context, object);
}

static void on_wake(void *context)
{
    (void)context;
}

static inline enum err open_keyspace(void)
{
    static const struct store_options options = {
        .sync = SYNC_ALWAYS,
        .fold_bytes = 1 << 20,
        .record_bytes = 1 << 16,
        .databases = 4,
        .log = {.extend_bytes = 65536, .segment_bytes = 1 << 20, .recycled_max = 2},
    };
    static const struct store_hooks hooks = {&keyspace, on_replay, on_clean, on_wake};
    struct buf reason;
    buf_init(&reason);
    assert_int_equal(sim_ranges_open(rows, &ranges), ERR_OK);
    keyspace_init(&keyspace);
    enum err err = store_open(disk, ranges, &options, &hooks, &reason, &keyspace.store);
    assert_int_equal(err, ERR_OK);
    err = store_recover(keyspace.store, &reason);
    keyspace.tier = TIER_MEMORY;
    buf_deinit(&reason);
    return err;
}

static inline void close_keyspace(void)
{
    store_close(keyspace.store);
    keyspace_deinit(&keyspace);
    ranges_close(ranges);
}

static inline int set_up(void **state)
{
    (void)state;
    disk = sim_disk_open(++seed);
    rows = sim_ranges_disk_create(seed);
    assert_int_equal(open_keyspace(), ERR_OK);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    close_keyspace();
    sim_ranges_disk_destroy(rows);
    disk_close(disk);
    return 0;
}

static inline void turn(void)
{
    (void)store_poll(keyspace.store);
    (void)store_turn_end(keyspace.store);
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static inline void commit(void)
{
    uint64_t until = clock_mono_us() + PATIENCE_US;
    while (store_durable(keyspace.store) < store_last(keyspace.store)) {
        assert_true(clock_mono_us() < until);
        turn();
    }
}

static inline void fold(void)
{
    uint64_t until = clock_mono_us() + PATIENCE_US;
    uint64_t ticket = store_fold(keyspace.store);
    while (!store_folded(keyspace.store, ticket)) {
        assert_true(clock_mono_us() < until);
        turn();
    }
}

/* Starts again after `commit`, from the log and the rows. */
static inline void restart(void)
{
    commit();
    close_keyspace();
    assert_int_equal(open_keyspace(), ERR_OK);
}

/* Looks up as a command does: reads when it must. */
static inline struct object *look_up(unsigned db, const char *name)
{
    struct bytes key = bytes_of_string(name);
    struct object *object = NULL;
    enum err err = keyspace_find(&keyspace, db, key, &object);
    if (err == ERR_COLD) {
        struct fetch fetch;
        fetch_init(&fetch);
        keyspace_plan(&keyspace, db, key, &fetch);
        fetch_run(&fetch);
        assert_int_equal(keyspace_take(&keyspace, db, key, &fetch), ERR_OK);
        fetch_deinit(&fetch);
        err = keyspace_find(&keyspace, db, key, &object);
    }
    assert_int_equal(err, ERR_OK);
    return object;
}

static inline struct feed *feed_named(unsigned db, const char *name)
{
    return object_feed(look_up(db, name));
}

static inline uint64_t write_op(struct op op, const char *name)
{
    if (name != NULL) {
        op.key = bytes_of_string(name);
        op.object = look_up(op.db, name);
    }
    return keyspace_write(&keyspace, &op);
}

/* Appends entry ms-0, to a new feed when there is none. */
static inline uint64_t append(unsigned db, const char *name, uint64_t ms)
{
    bool exists = feed_named(db, name) != NULL;
    return write_op((struct op){.kind = OP_APPEND,
                                .db = db,
                                .number = exists ? 0 : keyspace_next_feed(&keyspace),
                                .id = {ms, 0},
                                .data = BYTES("fields")},
                    name);
}

#define KEYSPACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
