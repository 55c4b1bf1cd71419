/* Random lives of a log over sim_disk, ended by kills and crashes. The model is the list of
 * payloads that were appended, with two bounds: what a sync has covered must be read back, and
 * nothing beyond what was appended may be. */
#include "storage/commit_log.h"

#include "storage/commit_segment.h"
#include "tests/sim/log_world.h"
#include "tests/sim/sim_disk.h"
#include "tests/unit/unit.h"

#define LIVES   4000
#define DAMAGES 400

/* --- random lives -------------------------------------------------------------------------- */

/* What the next open may read back. */
struct bounds {
    uint64_t folded;   /* it will be asked for what follows */
    uint64_t synced;   /* at least this */
    uint64_t appended; /* at most this */
    bool exact;        /* nothing was lost or failed: exactly that */
};

static size_t random_len(void)
{
    switch (random_below(&log_world.random, 20)) {
    case 0:
        return (size_t)random_below(&log_world.random, 8);
    case 1:
    case 2:
        return (size_t)random_below(&log_world.random, 6000);
    case 3:
    case 4:
        return LOG_PAGE_LEN;
    case 5:
        return (size_t)random_below(&log_world.random, LOG_WORLD_PAYLOAD_MAX);
    default:
        return (size_t)random_below(&log_world.random, 300);
    }
}

static enum err random_append(struct bounds *bounds, unsigned sync_percent)
{
    bool sync = random_below(&log_world.random, 100) < sync_percent;
    uint64_t lsn = commit_log_next(log_world.log);
    enum err err = log_append(random_len(), sync);
    bounds->appended = lsn;
    if (err == ERR_OK && sync)
        bounds->synced = lsn;
    return err;
}

static enum err random_release(struct bounds *bounds)
{
    uint64_t next = commit_log_next(log_world.log);
    bounds->folded += random_below(&log_world.random, next - bounds->folded);
    return commit_log_release(log_world.log, bounds->folded);
}

static enum err random_operation(struct bounds *bounds, unsigned sync_percent)
{
    uint64_t pick = random_below(&log_world.random, 16);
    if (pick == 0)
        return random_release(bounds);
    if (pick > 1)
        return random_append(bounds, sync_percent);
    enum err err = commit_log_sync(log_world.log);
    if (err == ERR_OK)
        bounds->synced = bounds->appended;
    return err;
}

static void random_fault(void)
{
    if (random_below(&log_world.random, 2) == 0)
        return;
    enum sim_fault fault = (enum sim_fault)random_below(&log_world.random, SIM_POWER_FAILS + 1);
    sim_disk_fail(log_world.disk, fault, random_below(&log_world.random, 40));
}

/* Ends with the log closed, by a kill (nothing is lost) or a crash. */
static void random_life(struct bounds *bounds)
{
    static const unsigned sync_percents[] = {0, 5, 50, 100};
    unsigned sync_percent = sync_percents[random_below(&log_world.random, 4)];
    bounds->exact = true;
    random_fault();
    enum err err = ERR_OK;
    uint64_t operations = random_below(&log_world.random, 40);
    for (uint64_t i = 0; err == ERR_OK && i < operations; i++)
        err = random_operation(bounds, sync_percent);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_IO);
        log_expect_failed();
        bounds->exact = false;
    }
    log_close();
}

static void crash(struct bounds *bounds)
{
    sim_disk_crash(log_world.disk);
    bounds->exact = false;
}

/* The power has failed, or fails now, or all goes on as it was. */
static void random_end(struct bounds *bounds)
{
    struct disk_file *none;
    bool off = disk_open(log_world.disk, "none", &none) == ERR_IO;
    if (off || random_below(&log_world.random, 2) == 0)
        crash(bounds);
    else
        sim_disk_heal(log_world.disk);
}

static void check_bounds(const struct bounds *bounds)
{
    uint64_t appended = bounds->appended > bounds->folded ? bounds->appended : bounds->folded;
    assert_true(log_world.last >= bounds->synced);
    assert_true(log_world.last <= appended);
    if (bounds->exact)
        assert_int_equal(log_world.last, appended);
}

static void random_open(struct bounds *bounds)
{
    random_fault();
    enum err err;
    while ((err = log_open(bounds->folded + 1)) != ERR_OK) {
        assert_int_equal(err, ERR_IO);
        random_end(bounds);
        if (random_below(&log_world.random, 2) == 0)
            random_fault();
    }
    check_bounds(bounds);
    assert_int_equal(commit_log_next(log_world.log), log_world.last + 1);
    assert_true(sim_disk_files(log_world.disk) <= 100);
    bounds->appended = log_world.last;
    bounds->synced = log_world.last;
}

static void random_lives_keep_the_invariants(void **state)
{
    (void)state;
    struct bounds bounds = {0};
    for (unsigned i = 0; i < LIVES; i++) {
        random_life(&bounds);
        random_end(&bounds);
        random_open(&bounds);
        if (commit_log_next(log_world.log) > LOG_WORLD_RECORDS_MAX - 100) {
            log_renew();
            bounds = (struct bounds){0};
        }
    }
}

/* Appends `count` synced records and closes; returns the last segment's first LSN. */
static uint64_t write_synced_log(uint64_t count)
{
    uint64_t last_first = 1;
    for (uint64_t lsn = 1; lsn <= count; lsn++) {
        assert_int_equal(log_append(random_len(), true), ERR_OK);
        if (log_segment_exists(lsn))
            last_first = lsn;
    }
    log_close();
    return last_first;
}

/* Damages a byte somewhere in the log; returns the first LSN of the segment. */
static uint64_t damage_somewhere(uint64_t last_first)
{
    uint64_t first = 1 + random_below(&log_world.random, last_first);
    while (!log_segment_exists(first))
        first--;
    char name[SEGMENT_NAME_BYTES];
    segment_name(first, name);
    log_damage(first, random_below(&log_world.random, sim_disk_size(log_world.disk, name)));
    return first;
}

/* The log is refused or read whole or, where its last record is hit, read but for that. */
static void random_damage_never_shortens_what_was_known_to_be_synced(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (unsigned i = 0; i < DAMAGES; i++) {
        uint64_t count = 1 + random_below(&log_world.random, 30);
        uint64_t last_first = write_synced_log(count);
        uint64_t hit = damage_somewhere(last_first);
        enum err err = log_open(1);
        if (err == ERR_OK)
            assert_true(log_world.last >= count - (hit == last_first ? 1 : 0));
        else
            assert_int_equal(err, ERR_CORRUPT);
        refused += err == ERR_CORRUPT;
        log_renew();
    }
    assert_true(refused > DAMAGES / 20);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, log_set_up, log_tear_down)

int main(void)
{
    log_seed = unit_seed();
    const struct CMUnitTest tests[] = {
        LOG_TEST(random_lives_keep_the_invariants),
        LOG_TEST(random_damage_never_shortens_what_was_known_to_be_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
