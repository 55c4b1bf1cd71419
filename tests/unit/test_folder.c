#include "storage/folder.h"

#include <semaphore.h>

#include "storage/key.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

static struct sim_ranges_disk *disk;
static struct ranges *ranges;
static struct folder *folder;
static struct dirty dirty;
static sem_t done;

static void on_done(void *context)
{
    assert_ptr_equal(context, &done);
    sem_post(&done);
}

static int set_up(void **state)
{
    (void)state;
    disk = sim_ranges_disk_create(1);
    assert_int_equal(sim_ranges_open(disk, &ranges), ERR_OK);
    dirty_init(&dirty);
    catalog_init(&dirty.catalog, 1, 2);
    sem_init(&done, 0, 0);
    assert_int_equal(folder_start(ranges, on_done, &done, &folder), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (folder != NULL)
        folder_stop(folder);
    folder = NULL;
    sem_destroy(&done);
    dirty_deinit(&dirty);
    ranges_close(ranges);
    sim_ranges_disk_destroy(disk);
    return 0;
}

static enum err fold(void)
{
    enum err result = ERR_COUNT;
    folder_submit(folder, &dirty, 0);
    while (sem_wait(&done) != 0)
        ;
    assert_true(folder_poll(folder, &result));
    return result;
}

static void nothing_is_done_before_something_is_submitted(void **state)
{
    (void)state;
    enum err result = ERR_COUNT;
    assert_false(folder_poll(folder, &result));
    assert_int_equal(result, ERR_COUNT);
}

static void a_fold_is_written_and_told_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fold(), ERR_OK);
        enum err result;
        assert_false(folder_poll(folder, &result));
    }
    assert_int_equal(sim_ranges_disk_row_count(disk), 1);
}

static void a_failed_fold_tells_why(void **state)
{
    (void)state;
    sim_ranges_disk_fail_commit(disk, 1, ERR_NO_SPACE);
    assert_int_equal(fold(), ERR_NO_SPACE);
    assert_int_equal(sim_ranges_disk_row_count(disk), 0);
}

static void stopping_waits_for_the_fold_under_way(void **state)
{
    (void)state;
    folder_submit(folder, &dirty, 0);
    folder_stop(folder);
    folder = NULL;
    assert_int_equal(sim_ranges_disk_row_count(disk), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_done_before_something_is_submitted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fold_is_written_and_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_fold_tells_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_waits_for_the_fold_under_way, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
