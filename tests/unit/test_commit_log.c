/* The log over sim_disk, in good times, with damage and with failures. test_commit_log_random.c has
 * the random lives and crashes. */
#include "storage/commit_log.h"

#include "base/codec.h"
#include "base/hmap.h"
#include "storage/commit_segment.h"
#include "tests/sim/log_world.h"
#include "tests/sim/sim_disk.h"
#include "tests/unit/unit.h"

/* --- in good times ------------------------------------------------------------------------- */

static void an_empty_log_goes_on_where_it_is_told(void **state)
{
    (void)state;
    log_close();
    log_open_and_read(7, 6);
    log_append_many(2, 10, true);
    log_close();
    log_open_and_read(7, 8);
}

static void records_are_read_back_in_order(void **state)
{
    (void)state;
    log_append_many(3, 0, false);
    log_append_many(20, 33, false);
    log_append_many(20, 1000, true);
    log_close();
    log_open_and_read(1, 43);
}

static void a_record_may_be_larger_than_a_segment(void **state)
{
    (void)state;
    log_append_many(1, 10, true);
    log_append_many(2, 50000, true);
    log_append_many(1, 10, true);
    log_close();
    log_open_and_read(1, 4);
}

static void a_full_segment_is_followed_by_a_new_one(void **state)
{
    (void)state;
    log_append_many(20, 1000, false);
    assert_false(log_segment_exists(21));
    assert_true(log_segment_exists(1) && log_segment_exists(13));
    assert_int_equal(sim_disk_files(log_world.disk), 2);
    assert_int_equal(commit_log_bytes(log_world.log), 20480 + 16384);
}

static void a_segment_grows_in_steps(void **state)
{
    (void)state;
    assert_int_equal(commit_log_bytes(log_world.log), 4096);
    log_append_many(1, 10, false);
    assert_int_equal(commit_log_bytes(log_world.log), 8192);
    log_append_many(1, 10, false);
    assert_int_equal(commit_log_bytes(log_world.log), 8192);
}

static void reading_begins_with_the_record_that_is_asked_for(void **state)
{
    (void)state;
    log_append_many(50, 1000, true);
    for (uint64_t first = 1; first <= 51; first++) {
        log_close();
        log_open_and_read(first, 50);
    }
}

static void a_log_behind_the_fold_goes_on_after_the_fold(void **state)
{
    (void)state;
    log_append_many(3, 10, true);
    log_close();
    log_open_and_read(10, 9);
    log_append_many(3, 10, true);
    log_close();
    log_open_and_read(10, 12);
}

static void a_log_that_begins_later_is_corrupt(void **state)
{
    (void)state;
    log_append_many(20, 1000, true);
    assert_int_equal(commit_log_release(log_world.log, 20), ERR_OK);
    log_append_many(1, 10, true);
    log_close();
    assert_int_equal(log_open(20), ERR_CORRUPT);
    log_open_and_read(21, 21);
}

static void opening_again_and_again_leaves_no_files(void **state)
{
    (void)state;
    log_append_many(1, 10, true);
    for (unsigned i = 0; i < 10; i++) {
        log_close();
        log_open_and_read(1, 1);
    }
    assert_int_equal(sim_disk_files(log_world.disk), 2);
}

static void an_error_of_the_callback_ends_the_open(void **state)
{
    (void)state;
    log_append_many(3, 10, true);
    log_close();
    log_world.answer = ERR_INVALID;
    assert_int_equal(log_open(1), ERR_INVALID);
    assert_int_equal(log_world.last, 1);
}

static void a_synced_append_syncs_once(void **state)
{
    (void)state;
    log_append_many(1, 10, true);
    uint64_t syncs = sim_disk_syncs(log_world.disk);
    log_append_many(5, 2000, true);
    assert_int_equal(sim_disk_syncs(log_world.disk), syncs + 5);
    assert_int_equal(commit_log_sync(log_world.log), ERR_OK);
    assert_int_equal(sim_disk_syncs(log_world.disk), syncs + 5);
}

/* --- releasing ----------------------------------------------------------------------------- */

static void only_whole_released_segments_go(void **state)
{
    (void)state;
    log_append_many(30, 1000, true);
    assert_int_equal(commit_log_release(log_world.log, 11), ERR_OK);
    assert_true(log_segment_exists(1));
    assert_int_equal(commit_log_release(log_world.log, 12), ERR_OK);
    assert_false(log_segment_exists(1));
    assert_true(log_segment_exists(13));
    log_close();
    log_open_and_read(13, 30);
}

static void releasing_everything_leaves_an_empty_segment(void **state)
{
    (void)state;
    log_append_many(5, 10, true);
    assert_int_equal(commit_log_release(log_world.log, 5), ERR_OK);
    assert_false(log_segment_exists(1));
    assert_true(log_segment_exists(6));
    uint64_t syncs = sim_disk_syncs(log_world.disk);
    assert_int_equal(commit_log_release(log_world.log, 5), ERR_OK);
    assert_int_equal(sim_disk_syncs(log_world.disk), syncs);
}

static void a_release_may_be_ahead_of_the_log(void **state)
{
    (void)state;
    log_append_many(5, 10, true);
    assert_int_equal(commit_log_release(log_world.log, 9), ERR_OK);
    log_append_many(2, 10, true);
    log_close();
    log_open_and_read(6, 7);
}

static void no_more_files_are_kept_than_the_options_say(void **state)
{
    (void)state;
    log_append_many(100, 1000, true);
    assert_int_equal(commit_log_release(log_world.log, 100), ERR_OK);
    assert_int_equal(sim_disk_files(log_world.disk), 1 + log_small.recycled_max);
    log_append_many(13, 1000, true);
    assert_int_equal(sim_disk_files(log_world.disk), 1 + log_small.recycled_max);
}

static void a_file_blown_up_by_one_record_is_not_kept(void **state)
{
    (void)state;
    log_append_many(1, 50000, true);
    assert_int_equal(commit_log_release(log_world.log, 1), ERR_OK);
    assert_int_equal(sim_disk_files(log_world.disk), 1);
}

static void former_records_of_a_recycled_segment_are_not_read(void **state)
{
    (void)state;
    log_append_many(10, 100, true);
    assert_int_equal(commit_log_release(log_world.log, 10), ERR_OK);
    log_append_many(5, 100, true);
    assert_int_equal(commit_log_release(log_world.log, 15), ERR_OK);
    log_append_many(3, 100, true);
    assert_int_equal(sim_disk_files(log_world.disk), 2);
    log_close();
    log_open_and_read(16, 18);
}

/* --- damage -------------------------------------------------------------------------------- */

/* Whole records behind the torn one, just where new ones of the same length will end. */
static void a_torn_record_ends_the_log_for_good(void **state)
{
    (void)state;
    log_append_many(3, LOG_PAGE_LEN, false);
    log_close();
    log_damage(1, log_record_at(1, LOG_PAGE_LEN) + RECORD_HEADER_BYTES);
    log_open_and_read(1, 1);
    log_append_many(1, LOG_PAGE_LEN, false);
    log_close();
    log_open_and_read(1, 2);
}

static void an_empty_last_segment_is_made_anew(void **state)
{
    (void)state;
    log_append_many(1, 100, true);
    assert_int_equal(commit_log_release(log_world.log, 1), ERR_OK);
    log_append_many(3, LOG_PAGE_LEN, false);
    log_close();
    log_damage(2, log_record_at(0, LOG_PAGE_LEN));
    log_open_and_read(2, 1);
    log_append_many(1, LOG_PAGE_LEN, true);
    log_close();
    log_open_and_read(2, 2);
}

static void damage_before_a_synced_point_is_corrupt(void **state)
{
    (void)state;
    log_append_many(6, 100, true);
    log_close();
    log_damage(1, log_record_at(3, 100) + RECORD_HEADER_BYTES + 50);
    assert_int_equal(log_open(1), ERR_CORRUPT);
    assert_int_equal(log_world.last, 3);
}

static void damage_to_the_last_record_looks_like_a_torn_one(void **state)
{
    (void)state;
    log_append_many(6, 100, true);
    log_close();
    log_damage(1, log_record_at(5, 100));
    log_open_and_read(1, 5);
}

static void a_record_of_another_number_ends_the_log(void **state)
{
    (void)state;
    log_append_many(6, 100, false);
    log_close();
    char name[SEGMENT_NAME_BYTES];
    char record[RECORD_HEADER_BYTES + 100];
    struct disk_file *file;
    size_t got;
    segment_name(1, name);
    assert_int_equal(disk_open(log_world.disk, name, &file), ERR_OK);
    assert_int_equal(disk_file_read(file, log_record_at(5, 100), record, sizeof(record), &got),
                     ERR_OK);
    struct bytes part = bytes_of(record, sizeof(record));
    assert_int_equal(disk_file_write(file, log_record_at(4, 100), &part, 1), ERR_OK);
    disk_file_close(file);
    log_open_and_read(1, 4);
}

static void damage_in_a_finished_segment_is_corrupt(void **state)
{
    (void)state;
    log_append_many(6, 100, false);
    log_close();
    log_open_and_read(1, 6);
    log_append_many(1, 100, false);
    log_close();
    log_damage(1, log_record_at(5, 100));
    assert_int_equal(log_open(1), ERR_CORRUPT);
}

static void damage_to_payloads_that_are_not_asked_for_does_not_matter(void **state)
{
    (void)state;
    log_append_many(6, 100, true);
    log_close();
    log_damage(1, log_record_at(3, 100) + RECORD_HEADER_BYTES);
    log_open_and_read(5, 6);
}

static void a_damaged_segment_header_is_corrupt(void **state)
{
    (void)state;
    log_append_many(1, 100, true);
    log_close();
    log_damage(1, 25);
    assert_int_equal(log_open(1), ERR_CORRUPT);
}

static void a_segment_under_a_wrong_name_is_corrupt(void **state)
{
    (void)state;
    log_append_many(1, 100, true);
    log_close();
    char from[SEGMENT_NAME_BYTES];
    char to[SEGMENT_NAME_BYTES];
    segment_name(1, from);
    segment_name(2, to);
    assert_int_equal(disk_rename(log_world.disk, from, to), ERR_OK);
    assert_int_equal(log_open(2), ERR_CORRUPT);
}

static void a_newer_format_is_told(void **state)
{
    (void)state;
    log_close();
    char header[SEGMENT_HEADER_BYTES];
    segment_header_encode(1, 5, header);
    encode_u32(header + 8, 2);
    encode_u64(header + 32, hash_bytes(bytes_of(header, 32), 0));
    char name[SEGMENT_NAME_BYTES];
    segment_name(1, name);
    struct disk_file *file;
    assert_int_equal(disk_open(log_world.disk, name, &file), ERR_OK);
    struct bytes part = bytes_of(header, sizeof(header));
    assert_int_equal(disk_file_write(file, 0, &part, 1), ERR_OK);
    disk_file_close(file);
    assert_int_equal(log_open(1), ERR_TOO_NEW);
}

/* --- failures ------------------------------------------------------------------------------ */

static void a_failed_write_sticks_until_the_next_open(void **state)
{
    (void)state;
    log_append_many(2, 100, true);
    sim_disk_fail(log_world.disk, SIM_WRITE_TORN, 0);
    assert_int_equal(log_append(3000, true), ERR_IO);
    assert_true(sim_disk_heal(log_world.disk));
    log_expect_failed();
    log_close();
    assert_int_equal(log_open(1), ERR_OK);
    assert_in_range(log_world.last, 2, 3); /* what was torn may have been whole already */
    log_append_many(1, 100, true);
}

static void a_failed_sync_sticks_until_the_next_open(void **state)
{
    (void)state;
    log_append_many(2, 100, true);
    sim_disk_fail(log_world.disk, SIM_SYNC_FAILS, 0);
    assert_int_equal(log_append(100, true), ERR_IO);
    assert_true(sim_disk_heal(log_world.disk));
    log_expect_failed();
    log_close();
    log_open_and_read(1, 3);
}

static void what_is_read_back_after_a_failed_sync_is_durable(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t last = commit_log_next(log_world.log) - 1;
        log_append_many(4, 600, false);
        sim_disk_fail(log_world.disk, SIM_SYNC_FAILS, 0);
        assert_int_equal(commit_log_sync(log_world.log), ERR_IO);
        assert_true(sim_disk_heal(log_world.disk));
        log_close();
        log_open_and_read(1, last + 4);
        sim_disk_crash(log_world.disk);
        log_close();
        log_open_and_read(1, last + 4);
    }
}

static void a_full_disk_is_told_and_sticks(void **state)
{
    (void)state;
    log_append_many(2, 100, true);
    sim_disk_limit(log_world.disk, commit_log_bytes(log_world.log));
    log_append_many(10, 100, true);
    enum err err = log_append(5000, true);
    assert_int_equal(err, ERR_NO_SPACE);
    log_expect_failed();
    log_close();
    assert_int_equal(log_open(1), ERR_NO_SPACE);
    sim_disk_limit(log_world.disk, UINT64_MAX);
    log_open_and_read(1, 12);
}

/* The last segment is empty and the log goes on elsewhere: its file changes name and header. */
static void a_crash_while_opening_does_no_harm(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        log_renew();
        log_append_many(1, 100, true);
        assert_int_equal(commit_log_release(log_world.log, 1), ERR_OK);
        log_append_many(2, 100, false);
        log_close();
        log_damage(2, log_record_at(0, 100));
        sim_disk_fail(log_world.disk, SIM_POWER_FAILS, i % 10);
        if (log_open(10) == ERR_OK)
            log_close();
        sim_disk_crash(log_world.disk);
        log_open_and_read(10, 9);
    }
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, log_set_up, log_tear_down)

int main(void)
{
    log_seed = unit_seed();
    const struct CMUnitTest tests[] = {
        LOG_TEST(an_empty_log_goes_on_where_it_is_told),
        LOG_TEST(records_are_read_back_in_order),
        LOG_TEST(a_record_may_be_larger_than_a_segment),
        LOG_TEST(a_full_segment_is_followed_by_a_new_one),
        LOG_TEST(a_segment_grows_in_steps),
        LOG_TEST(reading_begins_with_the_record_that_is_asked_for),
        LOG_TEST(a_log_behind_the_fold_goes_on_after_the_fold),
        LOG_TEST(a_log_that_begins_later_is_corrupt),
        LOG_TEST(opening_again_and_again_leaves_no_files),
        LOG_TEST(an_error_of_the_callback_ends_the_open),
        LOG_TEST(a_synced_append_syncs_once),
        LOG_TEST(only_whole_released_segments_go),
        LOG_TEST(releasing_everything_leaves_an_empty_segment),
        LOG_TEST(a_release_may_be_ahead_of_the_log),
        LOG_TEST(no_more_files_are_kept_than_the_options_say),
        LOG_TEST(a_file_blown_up_by_one_record_is_not_kept),
        LOG_TEST(former_records_of_a_recycled_segment_are_not_read),
        LOG_TEST(a_torn_record_ends_the_log_for_good),
        LOG_TEST(an_empty_last_segment_is_made_anew),
        LOG_TEST(damage_before_a_synced_point_is_corrupt),
        LOG_TEST(damage_to_the_last_record_looks_like_a_torn_one),
        LOG_TEST(damage_in_a_finished_segment_is_corrupt),
        LOG_TEST(a_record_of_another_number_ends_the_log),
        LOG_TEST(damage_to_payloads_that_are_not_asked_for_does_not_matter),
        LOG_TEST(a_damaged_segment_header_is_corrupt),
        LOG_TEST(a_segment_under_a_wrong_name_is_corrupt),
        LOG_TEST(a_newer_format_is_told),
        LOG_TEST(a_failed_write_sticks_until_the_next_open),
        LOG_TEST(a_failed_sync_sticks_until_the_next_open),
        LOG_TEST(what_is_read_back_after_a_failed_sync_is_durable),
        LOG_TEST(a_full_disk_is_told_and_sticks),
        LOG_TEST(a_crash_while_opening_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
