#include "tests/sim/sim_ranges.h"

#include <pthread.h>

#include "tests/unit/ranges_cases.h"

static const struct sim_ranges_faults no_faults = {0};

static void *sim_create(uint64_t seed)
{
    struct sim_ranges_disk *disk = sim_ranges_disk_create(seed);
    struct sim_ranges_faults faults = {.cold_per_mille = 500, .cool_per_mille = 100};
    sim_ranges_disk_set_faults(disk, &faults);
    return disk;
}

static struct ranges *sim_open(void *home)
{
    struct ranges *ranges;
    assert_int_equal(sim_ranges_open(home, &ranges), ERR_OK);
    return ranges;
}

static void sim_destroy(void *home)
{
    sim_ranges_disk_destroy(home);
}

static const struct ranges_maker sim_maker = {sim_create, sim_open, sim_destroy};

static enum err get_memory(struct ranges_case *test, struct bytes key)
{
    struct buf value;
    buf_init(&value);
    enum err err = ranges_get(test->ranges, key, TIER_MEMORY, &value);
    buf_deinit(&value);
    return err;
}

static void a_disk_is_opened_once_at_a_time(void **state)
{
    struct ranges_case *test = *state;
    struct ranges *second = NULL;
    assert_int_equal(sim_ranges_open(test->home, &second), ERR_LOCKED);
    assert_null(second);
}

static void a_planned_commit_fails_and_leaves_nothing(void **state)
{
    struct ranges_case *test = *state;
    sim_ranges_disk_fail_commit(test->home, 2, ERR_NO_SPACE);
    put_one(test, BYTES("a"), BYTES("1"));
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES("a"), BYTES("2"));
    assert_int_equal(ranges_batch_commit(batch), ERR_NO_SPACE);
    assert_row(test, BYTES("a"), BYTES("1"));
    put_one(test, BYTES("b"), BYTES("3"));
    assert_int_equal(sim_ranges_disk_row_count(test->home), 2);
}

static void commits_fail_by_chance(void **state)
{
    struct ranges_case *test = *state;
    struct sim_ranges_faults faults = {.commit_fails_per_mille = 500, .commit_err = ERR_NO_SPACE};
    sim_ranges_disk_set_faults(test->home, &faults);
    unsigned failed = 0;
    for (unsigned i = 0; i < 200; i++) {
        struct ranges_batch *batch = begin(test);
        ranges_batch_merge(batch, BYTES("a"), BYTES("x"));
        failed += ranges_batch_commit(batch) == ERR_NO_SPACE;
    }
    assert_in_range(failed, 50, 150);
    struct buf value;
    buf_init(&value);
    assert_int_equal(ranges_get(test->ranges, BYTES("a"), TIER_DISK, &value), ERR_OK);
    assert_int_equal(value.len, 200 - failed);
    buf_deinit(&value);
}

static void a_cut_loses_what_is_committed_after_it_and_nothing_else(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("1"));
    sim_ranges_disk_cut(test->home);
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES("b"), BYTES("2"));
    assert_int_equal(ranges_batch_commit(batch), ERR_IO);
    case_reopen(test);
    assert_row(test, BYTES("a"), BYTES("1"));
    assert_no_row(test, BYTES("b"));
    put_one(test, BYTES("b"), BYTES("3"));
    assert_row(test, BYTES("b"), BYTES("3"));
}

static void a_disk_read_warms_what_it_touched(void **state)
{
    struct ranges_case *test = *state;
    struct sim_ranges_faults faults = {.cold_per_mille = 1000};
    sim_ranges_disk_set_faults(test->home, &faults);
    put_one(test, BYTES("b"), BYTES("1"));
    assert_int_equal(get_memory(test, BYTES("b")), ERR_COLD);
    assert_int_equal(get_memory(test, BYTES("a")), ERR_COLD);
    assert_row(test, BYTES("b"), BYTES("1"));
    assert_int_equal(get_memory(test, BYTES("b")), ERR_OK);
    assert_int_equal(get_memory(test, BYTES("a")), ERR_NOT_FOUND);
    assert_int_equal(get_memory(test, BYTES("c")), ERR_COLD);
    put_one(test, BYTES("b"), BYTES("2"));
    assert_int_equal(get_memory(test, BYTES("b")), ERR_COLD);
    assert_row(test, BYTES("b"), BYTES("2"));
    case_reopen(test);
    assert_int_equal(get_memory(test, BYTES("b")), ERR_COLD);
}

static void a_fetched_read_gets_through_in_the_end(void **state)
{
    struct ranges_case *test = *state;
    struct sim_ranges_faults faults = {.cold_per_mille = 1000, .cool_per_mille = 500};
    sim_ranges_disk_set_faults(test->home, &faults);
    put_one(test, BYTES("a"), BYTES("1"));
    unsigned tries = 0;
    while (get_memory(test, BYTES("a")) == ERR_COLD) {
        assert_row(test, BYTES("a"), BYTES("1"));
        assert_true(++tries < 100);
    }
    assert_true(tries > 0);
}

static void disk_reads_fail_by_chance(void **state)
{
    struct ranges_case *test = *state;
    struct sim_ranges_faults faults = {.read_fails_per_mille = 1000};
    put_one(test, BYTES("a"), BYTES("1"));
    sim_ranges_disk_set_faults(test->home, &faults);
    struct buf value;
    buf_init(&value);
    assert_int_equal(ranges_get(test->ranges, BYTES("a"), TIER_DISK, &value), ERR_IO);
    assert_int_equal(value.len, 0);
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES(""), BYTES("b"), TIER_DISK);
    assert_int_equal(ranges_iter_seek(iter, BYTES("")), ERR_IO);
    sim_ranges_disk_set_faults(test->home, &no_faults);
    assert_int_equal(ranges_iter_seek(iter, BYTES("")), ERR_OK);
    ranges_iter_close(iter);
    buf_deinit(&value);
}

static void *read_much(void *context)
{
    struct ranges *ranges = context;
    for (unsigned i = 0; i < 300; i++) {
        struct ranges_iter *iter = ranges_iter_open(ranges, BYTES(""), BYTES("z"), TIER_DISK);
        struct bytes value = BYTES("");
        size_t rows = 0;
        for (enum err err = ranges_iter_seek(iter, BYTES("")); err == ERR_OK; rows++) {
            struct bytes here = ranges_iter_value(iter);
            if (rows > 0 && !bytes_equal(here, value))
                return "a half batch";
            value = here;
            err = ranges_iter_next(iter);
        }
        ranges_iter_close(iter);
        if (rows != 0 && rows != 3)
            return "rows are missing";
    }
    return NULL;
}

static void readers_see_whole_batches_beside_a_writer(void **state)
{
    struct ranges_case *test = *state;
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_much, test->ranges), 0);
    for (uint64_t i = 0; i < 300; i++) {
        struct ranges_batch *batch = begin(test);
        struct bytes value = bytes_of(&i, sizeof(i));
        ranges_batch_put(batch, BYTES("a"), value);
        ranges_batch_put(batch, BYTES("b"), value);
        ranges_batch_put(batch, BYTES("c"), value);
        commit(batch);
    }
    for (unsigned i = 0; i < 2; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

int main(void)
{
    cases_maker = &sim_maker;
    const struct CMUnitTest tests[] = {
        RANGES_CASES,
        RANGES_CASE(a_disk_is_opened_once_at_a_time),
        RANGES_CASE(a_planned_commit_fails_and_leaves_nothing),
        RANGES_CASE(commits_fail_by_chance),
        RANGES_CASE(a_cut_loses_what_is_committed_after_it_and_nothing_else),
        RANGES_CASE(a_disk_read_warms_what_it_touched),
        RANGES_CASE(a_fetched_read_gets_through_in_the_end),
        RANGES_CASE(disk_reads_fail_by_chance),
        RANGES_CASE(readers_see_whole_batches_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
