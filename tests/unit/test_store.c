#include "storage/store.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

#include <time.h>

#define OBJECTS_MAX 64
/* For what other threads do. */
#define PATIENCE_US 20000000

/* A store on simulated disks; what its hooks were told. */
struct store_case {
    struct disk *disk;
    struct sim_ranges_disk *rows;
    struct ranges *ranges;
    struct store_options options;
    struct store *store;
    struct buf reason;
    uint64_t replayed; /* ops, which are numbered from 1 */
    enum err replay_err;
    size_t cleaned;
    struct object *objects[OBJECTS_MAX];
    size_t object_count;
};

static uint64_t seed;

static enum err replay(void *context, const struct op *op)
{
    struct store_case *test = context;
    assert_int_equal(op->kind, OP_CREATE);
    assert_int_equal(op->number, ++test->replayed);
    return test->replay_err;
}

static void clean(void *context, struct object *object)
{
    struct store_case *test = context;
    assert_true(list_empty(&object->links[0]) && list_empty(&object->links[1]));
    test->cleaned++;
}

static void wake(void *context)
{
    (void)context;
}

static enum err open_store(struct store_case *test)
{
    struct store_hooks hooks = {test, replay, clean, wake};
    assert_int_equal(sim_ranges_open(test->rows, &test->ranges), ERR_OK);
    test->replayed = 0;
    test->reason.len = 0;
    enum err err =
        store_open(test->disk, test->ranges, &test->options, &hooks, &test->reason, &test->store);
    if (err != ERR_OK) {
        test->store = NULL;
        return err;
    }
    return store_recover(test->store, &test->reason);
}

static void close_store(struct store_case *test)
{
    if (test->store != NULL)
        store_close(test->store);
    test->store = NULL;
    ranges_close(test->ranges);
    while (test->object_count > 0)
        object_destroy(test->objects[--test->object_count]);
}

static int set_up(void **state)
{
    struct store_case *test = mem_zalloc(sizeof(*test));
    seed++;
    test->disk = sim_disk_open(seed);
    test->rows = sim_ranges_disk_create(seed);
    test->options = (struct store_options){
        .sync = SYNC_ALWAYS,
        .fold_bytes = 1 << 20,
        .record_bytes = 1 << 16,
        .databases = 4,
        .log = {.extend_bytes = 65536, .segment_bytes = 1 << 20, .recycled_max = 2},
    };
    buf_init(&test->reason);
    assert_int_equal(open_store(test), ERR_OK);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    struct store_case *test = *state;
    close_store(test);
    buf_deinit(&test->reason);
    sim_ranges_disk_destroy(test->rows);
    disk_close(test->disk);
    mem_free(test);
    return 0;
}

static void reopen(struct store_case *test)
{
    close_store(test);
    assert_int_equal(open_store(test), ERR_OK);
}

static uint64_t log_op(struct store_case *test, uint64_t number)
{
    struct op op = {.kind = OP_CREATE, .key = BYTES("key"), .number = number};
    return store_log(test->store, &op);
}

/* One that the next fold writes. */
static struct object *make_dirty(struct store_case *test)
{
    char name[24];
    int len = snprintf(name, sizeof(name), "key%zu", test->object_count);
    uint8_t side = store_side(test->store);
    struct object *object = object_create(1, test->object_count, bytes_of(name, (size_t)len), side);
    struct feed *feed = feed_create((struct chunk_home){1, object->slot, 1}, side);
    *object_state(object) = (struct object_state){.type = OBJECT_FEED, .feed = feed};
    dirty_touch(store_dirty(test->store), object, side);
    test->objects[test->object_count++] = object;
    return object;
}

static void turn(struct store_case *test)
{
    (void)store_poll(test->store);
    (void)store_turn_end(test->store);
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void wait_until_durable(struct store_case *test)
{
    uint64_t until = clock_mono_us() + PATIENCE_US;
    while (store_durable(test->store) < store_last(test->store)) {
        assert_true(clock_mono_us() < until);
        turn(test);
    }
}

static void wait_until_folded(struct store_case *test, uint64_t ticket)
{
    uint64_t until = clock_mono_us() + PATIENCE_US;
    while (!store_folded(test->store, ticket)) {
        assert_true(clock_mono_us() < until);
        turn(test);
    }
}

static void wait_until_failed(struct store_case *test)
{
    uint64_t until = clock_mono_us() + PATIENCE_US;
    while (store_failure(test->store) == ERR_OK) {
        assert_true(clock_mono_us() < until);
        turn(test);
    }
}

static struct store_stats stats_of(struct store_case *test)
{
    struct store_stats stats;
    store_stats(test->store, &stats);
    return stats;
}

static void a_new_store_keeps_its_hash_seed(void **state)
{
    struct store_case *test = *state;
    uint64_t hash_seed = store_catalog(test->store)->hash_seed;
    assert_int_equal(store_catalog(test->store)->count, 4);
    reopen(test);
    assert_int_equal(store_catalog(test->store)->hash_seed, hash_seed);
    assert_int_equal(test->replayed, 0);
}

static void ops_of_one_turn_share_a_record(void **state)
{
    struct store_case *test = *state;
    assert_int_equal(store_last(test->store), 0);
    assert_int_equal(log_op(test, 1), 1);
    assert_int_equal(log_op(test, 2), 1);
    assert_int_equal(store_last(test->store), 1);
    wait_until_durable(test);
    assert_int_equal(log_op(test, 3), 2);
    assert_int_equal(store_last(test->store), 2);
    assert_int_equal(store_durable(test->store), 1);
}

static void what_was_logged_is_replayed_in_order(void **state)
{
    struct store_case *test = *state;
    for (uint64_t i = 1; i <= 100; i++) {
        log_op(test, i);
        if (i % 3 == 0)
            turn(test);
    }
    wait_until_durable(test);
    uint64_t last = store_last(test->store);
    reopen(test);
    assert_int_equal(test->replayed, 100);
    assert_int_equal(store_last(test->store), last);
    assert_int_equal(store_durable(test->store), last);
    assert_int_equal(log_op(test, 101), last + 1);
}

static void what_was_folded_is_not_replayed(void **state)
{
    struct store_case *test = *state;
    log_op(test, 1);
    make_dirty(test);
    assert_false(store_is_clean(test->store));
    wait_until_folded(test, store_fold(test->store));
    assert_true(store_is_clean(test->store));
    assert_int_equal(test->cleaned, 1);
    assert_int_equal(store_view(test->store), 1);
    assert_int_equal(sim_ranges_disk_row_count(test->rows), 2);
    uint64_t last = store_last(test->store);
    reopen(test);
    assert_int_equal(test->replayed, 0);
    assert_int_equal(store_last(test->store), last);
}

static void a_ticket_is_for_everything_up_to_now(void **state)
{
    struct store_case *test = *state;
    make_dirty(test);
    log_op(test, 1);
    uint64_t first = store_fold(test->store);
    (void)store_turn_end(test->store); /* the first is sealed */
    make_dirty(test);
    log_op(test, 2);
    uint64_t second = store_fold(test->store);
    wait_until_folded(test, first);
    assert_int_equal(store_view(test->store), 1);
    assert_false(store_folded(test->store, second));
    wait_until_folded(test, second);
    assert_int_equal(store_view(test->store), 2);
    assert_true(store_is_clean(test->store));
}

static void tickets_before_a_seal_are_one_fold(void **state)
{
    struct store_case *test = *state;
    uint64_t first = store_fold(test->store);
    uint64_t second = store_fold(test->store);
    wait_until_folded(test, second);
    assert_true(store_folded(test->store, first));
    assert_int_equal(store_view(test->store), 1);
}

static void an_object_written_during_a_fold_is_not_clean_after_it(void **state)
{
    struct store_case *test = *state;
    struct object *object = make_dirty(test);
    uint64_t ticket = store_fold(test->store);
    (void)store_turn_end(test->store);
    dirty_touch_feed(store_dirty(test->store), object, store_side(test->store));
    wait_until_folded(test, ticket);
    assert_int_equal(test->cleaned, 0);
    assert_false(store_is_clean(test->store));
    wait_until_folded(test, store_fold(test->store));
    assert_int_equal(test->cleaned, 1);
}

static void a_full_record_stalls_until_it_is_handed_over(void **state)
{
    struct store_case *test = *state;
    for (uint64_t i = 1; !store_stalled(test->store); i++)
        log_op(test, i);
    assert_true(stats_of(test).record_bytes >= test->options.record_bytes);
    turn(test);
    assert_false(store_stalled(test->store));
}

static void a_dirty_set_of_twice_its_size_stalls(void **state)
{
    struct store_case *test = *state;
    store_grew(test->store, 2 * test->options.fold_bytes - 1);
    assert_false(store_stalled(test->store));
    store_grew(test->store, 1);
    assert_true(store_stalled(test->store));
    turn(test); /* seals */
    assert_false(store_stalled(test->store));
    uint64_t until = clock_mono_us() + PATIENCE_US;
    while (stats_of(test).folds == 0 || stats_of(test).folding) {
        assert_true(clock_mono_us() < until);
        turn(test);
    }
}

static void limits_can_be_changed(void **state)
{
    struct store_case *test = *state;
    store_set_limits(test->store, 1000, 1 << 16);
    store_grew(test->store, 2000);
    assert_true(store_stalled(test->store));
    store_set_limits(test->store, 2000, 1 << 16);
    assert_false(store_stalled(test->store));
}

static void a_failed_sync_is_for_good(void **state)
{
    struct store_case *test = *state;
    log_op(test, 1);
    wait_until_durable(test);
    sim_disk_fail(test->disk, SIM_SYNC_FAILS, 0);
    log_op(test, 2);
    wait_until_failed(test);
    assert_int_equal(store_durable(test->store), 1);
    (void)sim_disk_heal(test->disk);
    log_op(test, 3);
    for (int i = 0; i < 20; i++)
        turn(test);
    assert_int_equal(store_failure(test->store), ERR_IO);
    assert_int_equal(store_durable(test->store), 1);
    assert_false(store_turn_end(test->store));
}

static void a_failed_fold_is_for_good_and_loses_nothing(void **state)
{
    struct store_case *test = *state;
    log_op(test, 1);
    make_dirty(test);
    sim_ranges_disk_fail_commit(test->rows, 1, ERR_NO_SPACE);
    uint64_t ticket = store_fold(test->store);
    wait_until_failed(test);
    assert_int_equal(store_failure(test->store), ERR_NO_SPACE);
    assert_true(stats_of(test).fold_failed);
    for (int i = 0; i < 20; i++)
        turn(test);
    assert_false(store_folded(test->store, ticket));
    reopen(test);
    assert_int_equal(test->replayed, 1);
    assert_int_equal(store_failure(test->store), ERR_OK);
}

/* Logs some ops, of which the power may fail; returns the number of those that were durable. */
static uint64_t log_until_the_power_fails(struct store_case *test, struct random *random,
                                          uint64_t *logged)
{
    wait_until_durable(test); /* nobody else uses the disk now */
    uint64_t durable = *logged;
    sim_disk_fail(test->disk, SIM_POWER_FAILS, random_below(random, 15));
    for (uint64_t i = random_below(random, 40); i > 0; i--) {
        bool alone = store_durable(test->store) == store_last(test->store);
        if (alone && store_failure(test->store) == ERR_OK)
            durable = *logged;
        log_op(test, ++*logged);
        if (random_below(random, 3) == 0)
            turn(test);
    }
    return durable;
}

static void what_was_durable_outlives_a_power_cut(void **state)
{
    struct store_case *test = *state;
    struct random random;
    random_init(&random, seed);
    uint64_t logged = 0;
    for (int round = 0; round < 30; round++) {
        uint64_t durable = log_until_the_power_fails(test, &random, &logged);
        close_store(test);
        sim_disk_crash(test->disk);
        assert_int_equal(open_store(test), ERR_OK);
        assert_in_range(test->replayed, durable, logged);
        logged = test->replayed;
    }
}

static void an_error_of_the_replay_ends_the_start(void **state)
{
    struct store_case *test = *state;
    log_op(test, 1);
    wait_until_durable(test);
    close_store(test);
    test->replay_err = ERR_CORRUPT;
    assert_int_equal(open_store(test), ERR_CORRUPT);
    assert_true(bytes_equal(buf_bytes(&test->reason), BYTES("read commit log from record 1")));
}

/* A namespace that a replayed op gives out must not be that of a database that is new. */
static void more_databases_than_before_come_after_the_replay(void **state)
{
    struct store_case *test = *state;
    log_op(test, 1);
    wait_until_durable(test);
    close_store(test);
    test->options.databases = 10;
    struct store_hooks hooks = {test, replay, clean, wake};
    assert_int_equal(sim_ranges_open(test->rows, &test->ranges), ERR_OK);
    test->replayed = 0;
    assert_int_equal(
        store_open(test->disk, test->ranges, &test->options, &hooks, &test->reason, &test->store),
        ERR_OK);
    assert_int_equal(store_catalog(test->store)->next_space, 5);
    assert_int_equal(store_recover(test->store, &test->reason), ERR_OK);
    assert_int_equal(test->replayed, 1);
    assert_int_equal(store_catalog(test->store)->count, 10);
    log_op(test, 1);
    wait_until_durable(test);
    test->options.databases = 2;
    reopen(test);
    assert_int_equal(test->replayed, 1);
    assert_int_equal(store_catalog(test->store)->count, 10);
    assert_int_equal(store_catalog(test->store)->next_space, 11);
}

static void a_catalog_that_cannot_be_read_ends_the_start(void **state)
{
    struct store_case *test = *state;
    close_store(test);
    sim_ranges_disk_set_faults(test->rows,
                               &(struct sim_ranges_faults){.read_fails_per_mille = 1000});
    assert_int_equal(open_store(test), ERR_IO);
    assert_true(bytes_equal(buf_bytes(&test->reason), BYTES("read catalog")));
    sim_ranges_disk_set_faults(test->rows, &(struct sim_ranges_faults){0});
}

static void a_record_is_left_to_grow_while_it_does(void **state)
{
    struct store_case *test = *state;
    assert_false(store_growing(test->store));
    log_op(test, 1);
    assert_true(store_growing(test->store));
    log_op(test, 2);
    assert_true(store_growing(test->store));
    assert_false(store_growing(test->store));
}

static void a_record_of_many_ops_is_not_left_to_grow(void **state)
{
    struct store_case *test = *state;
    for (uint64_t i = 1; i < STORE_GROWING_OPS; i++)
        log_op(test, i);
    assert_true(store_growing(test->store));
    log_op(test, STORE_GROWING_OPS);
    assert_false(store_growing(test->store));
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_new_store_keeps_its_hash_seed),
        STORE_TEST(ops_of_one_turn_share_a_record),
        STORE_TEST(what_was_logged_is_replayed_in_order),
        STORE_TEST(what_was_folded_is_not_replayed),
        STORE_TEST(a_ticket_is_for_everything_up_to_now),
        STORE_TEST(tickets_before_a_seal_are_one_fold),
        STORE_TEST(an_object_written_during_a_fold_is_not_clean_after_it),
        STORE_TEST(a_record_is_left_to_grow_while_it_does),
        STORE_TEST(a_record_of_many_ops_is_not_left_to_grow),
        STORE_TEST(a_full_record_stalls_until_it_is_handed_over),
        STORE_TEST(a_dirty_set_of_twice_its_size_stalls),
        STORE_TEST(limits_can_be_changed),
        STORE_TEST(a_failed_sync_is_for_good),
        STORE_TEST(a_failed_fold_is_for_good_and_loses_nothing),
        STORE_TEST(what_was_durable_outlives_a_power_cut),
        STORE_TEST(an_error_of_the_replay_ends_the_start),
        STORE_TEST(more_databases_than_before_come_after_the_replay),
        STORE_TEST(a_catalog_that_cannot_be_read_ends_the_start),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
