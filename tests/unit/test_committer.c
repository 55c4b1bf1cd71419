#include "storage/committer.h"

#include "base/clock.h"
#include "tests/sim/sim_disk.h"
#include "tests/unit/unit.h"

#include <semaphore.h>
#include <time.h>

#define PATIENCE_US 20000000

static const struct commit_log_options options = {
    .extend_bytes = 65536,
    .segment_bytes = 1 << 20,
    .recycled_max = 2,
};

static uint64_t seed;
static struct disk *disk;
static struct commit_log *log_;
static struct committer *committer;
static struct buf payload;
static sem_t reports;

static enum err count_record(void *context, uint64_t lsn, struct bytes bytes)
{
    uint64_t *last = context;
    assert_int_equal(lsn, *last + 1);
    assert_true(bytes.len >= 1);
    *last = lsn;
    return ERR_OK;
}

static uint64_t open_log(void)
{
    uint64_t last = 0;
    assert_int_equal(commit_log_open(disk, &options, 1, count_record, &last, &log_), ERR_OK);
    return last;
}

static int set_up(void **state)
{
    (void)state;
    disk = sim_disk_open(seed);
    buf_init(&payload);
    assert_int_equal(sem_init(&reports, 0, 0), 0);
    assert_int_equal(open_log(), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    commit_log_close(log_);
    disk_close(disk);
    buf_deinit(&payload);
    return sem_destroy(&reports);
}

static void on_report(void *context)
{
    (void)sem_post(context);
}

static void start(enum sync_mode mode)
{
    assert_int_equal(committer_start(log_, mode, on_report, &reports, &committer), ERR_OK);
}

static void wait_for_report(void)
{
    while (sem_wait(&reports) != 0)
        ;
}

static void submit(uint64_t lsn, size_t len)
{
    memset(buf_reserve(&payload, len), 'x', len);
    payload.len += len;
    committer_submit(committer, lsn, &payload);
    assert_int_equal(payload.len, 0);
}

static void submit_and_wait(uint64_t lsn)
{
    submit(lsn, 100);
    wait_for_report();
    assert_false(committer_busy(committer));
}

static uint64_t reported(enum err err)
{
    uint64_t lsn;
    assert_int_equal(committer_report(committer, &lsn), err);
    return lsn;
}

static uint64_t syncs(void)
{
    struct committer_stats stats;
    committer_stats(committer, &stats);
    return stats.syncs;
}

static void sleep_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static void wait_for_syncs(uint64_t count)
{
    uint64_t until_us = clock_mono_us() + PATIENCE_US;
    while (syncs() < count) {
        assert_true(clock_mono_us() < until_us);
        sleep_ms(5);
    }
}

/* What a crash leaves of the log. */
static uint64_t crash_and_count(void)
{
    commit_log_close(log_);
    sim_disk_crash(disk);
    return open_log();
}

static void records_are_reported_in_order_when_they_are_durable(void **state)
{
    (void)state;
    start(SYNC_ALWAYS);
    assert_int_equal(reported(ERR_OK), 0);
    for (uint64_t lsn = 1; lsn <= 300; lsn++) {
        submit_and_wait(lsn);
        assert_int_equal(reported(ERR_OK), lsn);
    }
    struct committer_stats stats;
    committer_stats(committer, &stats);
    assert_int_equal(stats.records, 300);
    assert_int_equal(stats.bytes, 30000);
    assert_int_equal(stats.syncs, 300);
    assert_int_equal(stats.log_bytes, 65536);
    assert_true(stats.sync_us_max <= stats.sync_us);
    assert_int_equal(committer_stop(committer), ERR_OK);
    assert_int_equal(crash_and_count(), 300);
}

static void buffers_take_turns(void **state)
{
    (void)state;
    start(SYNC_NO);
    submit_and_wait(1);
    submit(2, 1000);
    wait_for_report();
    const char *first = payload.data;
    submit_and_wait(3);
    assert_ptr_not_equal(payload.data, first);
    submit_and_wait(4);
    assert_ptr_equal(payload.data, first);
    assert_int_equal(committer_stop(committer), ERR_OK);
}

static void a_large_buffer_is_trimmed(void **state)
{
    (void)state;
    start(SYNC_NO);
    submit(1, (size_t)9 << 20);
    wait_for_report();
    submit_and_wait(2);
    assert_in_range(payload.cap, 1, (size_t)4 << 20);
    assert_int_equal(committer_stop(committer), ERR_OK);
}

static void everysec_reports_at_once_and_syncs_later(void **state)
{
    (void)state;
    uint64_t begun_us = clock_mono_us();
    start(SYNC_EVERYSEC);
    for (uint64_t lsn = 1; lsn <= 10; lsn++)
        submit_and_wait(lsn);
    assert_int_equal(reported(ERR_OK), 10);
    bool synced = syncs() > 0;
    bool held_up = clock_mono_us() - begun_us >= 1000000;
    assert_true(!synced || held_up);
    wait_for_syncs(1);
    sleep_ms(1100);
    assert_true(syncs() == 1 || held_up);
    assert_int_equal(committer_stop(committer), ERR_OK);
    assert_int_equal(crash_and_count(), 10);
}

static void a_stricter_mode_syncs_what_came_before(void **state)
{
    (void)state;
    start(SYNC_NO);
    submit_and_wait(1);
    sleep_ms(50);
    assert_int_equal(syncs(), 0);
    committer_set_mode(committer, SYNC_EVERYSEC);
    wait_for_syncs(1);
    wait_for_report();
    committer_set_mode(committer, SYNC_ALWAYS);
    submit_and_wait(2);
    assert_int_equal(syncs(), 2);
    assert_int_equal(committer_stop(committer), ERR_OK);
}

static void stopping_finishes_and_syncs_the_record_in_flight(void **state)
{
    (void)state;
    static const enum sync_mode modes[] = {SYNC_ALWAYS, SYNC_EVERYSEC, SYNC_NO};
    for (uint64_t i = 0; i < 30; i++) {
        start(modes[i % 3]);
        submit(i + 1, 5000);
        assert_int_equal(committer_stop(committer), ERR_OK);
        assert_int_equal(crash_and_count(), i + 1);
    }
}

static void stopping_an_idle_committer_is_fine(void **state)
{
    (void)state;
    start(SYNC_ALWAYS);
    assert_false(committer_busy(committer));
    assert_int_equal(committer_stop(committer), ERR_OK);
}

static void a_failed_sync_is_reported_and_nothing_after_it(void **state)
{
    (void)state;
    sim_disk_fail(disk, SIM_SYNC_FAILS, 1);
    start(SYNC_ALWAYS);
    submit_and_wait(1);
    assert_int_equal(reported(ERR_OK), 1);
    for (uint64_t lsn = 2; lsn < 5; lsn++) {
        submit_and_wait(lsn);
        assert_int_equal(reported(ERR_IO), 1);
    }
    committer_release(committer, 1);
    wait_for_report();
    assert_int_equal(committer_stop(committer), ERR_IO);
}

static void a_late_sync_that_fails_is_reported_too(void **state)
{
    (void)state;
    sim_disk_fail(disk, SIM_SYNC_FAILS, 0);
    start(SYNC_EVERYSEC);
    submit_and_wait(1);
    assert_int_equal(reported(ERR_OK), 1);
    wait_for_report();
    assert_int_equal(reported(ERR_IO), 1);
    assert_int_equal(committer_stop(committer), ERR_IO);
}

static void released_records_go_after_the_record_in_flight(void **state)
{
    (void)state;
    start(SYNC_ALWAYS);
    submit(1, (size_t)1 << 20);
    wait_for_report();
    submit(2, (size_t)1 << 20);
    committer_release(committer, 1);
    wait_for_report();
    wait_for_report();
    struct committer_stats stats;
    committer_stats(committer, &stats);
    assert_in_range(stats.log_bytes, 1, (uint64_t)3 << 20);
    assert_int_equal(reported(ERR_OK), 2);
    assert_int_equal(committer_stop(committer), ERR_OK);
    uint64_t last = 1;
    commit_log_close(log_);
    assert_int_equal(commit_log_open(disk, &options, 2, count_record, &last, &log_), ERR_OK);
    assert_int_equal(last, 2);
}

#define COMMITTER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    seed = unit_seed();
    const struct CMUnitTest tests[] = {
        COMMITTER_TEST(records_are_reported_in_order_when_they_are_durable),
        COMMITTER_TEST(buffers_take_turns),
        COMMITTER_TEST(a_large_buffer_is_trimmed),
        COMMITTER_TEST(everysec_reports_at_once_and_syncs_later),
        COMMITTER_TEST(a_stricter_mode_syncs_what_came_before),
        COMMITTER_TEST(stopping_finishes_and_syncs_the_record_in_flight),
        COMMITTER_TEST(stopping_an_idle_committer_is_fine),
        COMMITTER_TEST(a_failed_sync_is_reported_and_nothing_after_it),
        COMMITTER_TEST(a_late_sync_that_fails_is_reported_too),
        COMMITTER_TEST(released_records_go_after_the_record_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
