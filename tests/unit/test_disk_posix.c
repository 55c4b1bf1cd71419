#include "storage/disk_posix.h"

#include "storage/commit_log.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char root[256];
static char path[300];
static struct disk *disk;

static int set_up(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    (void)snprintf(root, sizeof(root), "%s/weir-disk-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(root) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/log", root);
    assert_int_equal(disk_posix_open(path, &disk), ERR_OK);
    return 0;
}

static void remove_name(void *context, struct bytes name)
{
    (void)context;
    char file[600];
    (void)snprintf(file, sizeof(file), "%s/%.*s", path, (int)name.len, name.data);
    assert_int_equal(unlink(file), 0);
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(disk_list(disk, remove_name, NULL), ERR_OK);
    disk_close(disk);
    return rmdir(path) == 0 && rmdir(root) == 0 ? 0 : -1;
}

static struct disk_file *create(const char *name)
{
    struct disk_file *file;
    assert_int_equal(disk_create(disk, name, &file), ERR_OK);
    return file;
}

static void count_name(void *context, struct bytes name)
{
    unsigned *count = context;
    assert_true(bytes_equal(name, BYTES("a")) || bytes_equal(name, BYTES("c")));
    ++*count;
}

static void a_directory_is_made_once_and_opened_again(void **state)
{
    (void)state;
    disk_file_close(create("a"));
    disk_close(disk);
    assert_int_equal(disk_posix_open(path, &disk), ERR_OK);
    struct disk_file *file;
    assert_int_equal(disk_open(disk, "a", &file), ERR_OK);
    disk_file_close(file);
}

static void a_directory_without_a_parent_is_not_found(void **state)
{
    (void)state;
    char none[400];
    struct disk *other;
    (void)snprintf(none, sizeof(none), "%s/none/log", root);
    assert_int_equal(disk_posix_open(none, &other), ERR_NOT_FOUND);
}

static void names_come_change_and_go(void **state)
{
    (void)state;
    disk_file_close(create("a"));
    disk_file_close(create("b"));
    disk_file_close(create("d"));
    assert_int_equal(disk_rename(disk, "b", "c"), ERR_OK);
    assert_int_equal(disk_remove(disk, "d"), ERR_OK);
    assert_int_equal(disk_sync_names(disk), ERR_OK);
    unsigned count = 0;
    assert_int_equal(disk_list(disk, count_name, &count), ERR_OK);
    assert_int_equal(count, 2);
}

static void missing_and_existing_names_are_told(void **state)
{
    (void)state;
    struct disk_file *file;
    disk_file_close(create("a"));
    assert_int_equal(disk_create(disk, "a", &file), ERR_IO);
    assert_int_equal(disk_open(disk, "b", &file), ERR_NOT_FOUND);
    assert_int_equal(disk_rename(disk, "b", "c"), ERR_NOT_FOUND);
    assert_int_equal(disk_remove(disk, "b"), ERR_NOT_FOUND);
}

static void the_parts_of_a_write_follow_each_other(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    struct bytes parts[] = {BYTES("one"), BYTES(""), BYTES("two"), BYTES("three")};
    assert_int_equal(disk_file_write(file, 5, parts, 4), ERR_OK);
    assert_int_equal(disk_file_sync(file), ERR_OK);
    uint64_t size;
    assert_int_equal(disk_file_size(file, &size), ERR_OK);
    assert_int_equal(size, 16);
    char bytes[32];
    size_t got;
    assert_int_equal(disk_file_read(file, 0, bytes, sizeof(bytes), &got), ERR_OK);
    assert_true(bytes_equal(bytes_of(bytes, got), BYTES("\0\0\0\0\0onetwothree")));
    assert_int_equal(disk_file_read(file, 16, bytes, sizeof(bytes), &got), ERR_OK);
    assert_int_equal(got, 0);
    disk_file_close(file);
}

static void an_empty_write_is_nothing(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    struct bytes parts[] = {BYTES(""), BYTES("")};
    assert_int_equal(disk_file_write(file, 0, parts, 2), ERR_OK);
    uint64_t size;
    assert_int_equal(disk_file_size(file, &size), ERR_OK);
    assert_int_equal(size, 0);
    disk_file_close(file);
}

/* The limit of the process's files cuts the first write short and refuses the second. */
static void a_short_write_goes_on_until_it_fails(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit limit = {6, before.rlim_max};
    struct disk_file *file = create("a");
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct bytes parts[] = {BYTES("1234"), BYTES("5678")};
    enum err err = disk_file_write(file, 0, parts, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(err, ERR_IO);
    char bytes[16];
    size_t got;
    assert_int_equal(disk_file_read(file, 0, bytes, sizeof(bytes), &got), ERR_OK);
    assert_true(bytes_equal(bytes_of(bytes, got), BYTES("123456")));
    disk_file_close(file);
}

static enum err count_record(void *context, uint64_t lsn, struct bytes payload)
{
    uint64_t *last = context;
    assert_int_equal(lsn, *last + 1);
    assert_int_equal(payload.len, lsn * 100);
    *last = lsn;
    return ERR_OK;
}

static void a_commit_log_lives_in_a_real_directory(void **state)
{
    (void)state;
    const struct commit_log_options options = {
        .extend_bytes = 65536, .segment_bytes = 1 << 20, .recycled_max = 2};
    static char payload[100000];
    uint64_t last = 0;
    struct commit_log *log;
    assert_int_equal(commit_log_open(disk, &options, 1, count_record, &last, &log), ERR_OK);
    for (uint64_t lsn = 1; lsn <= 300; lsn++) {
        struct bytes bytes = bytes_of(payload, lsn * 100);
        assert_int_equal(commit_log_append(log, lsn, bytes, lsn % 50 == 0), ERR_OK);
    }
    commit_log_close(log);
    assert_int_equal(commit_log_open(disk, &options, 1, count_record, &last, &log), ERR_OK);
    assert_int_equal(last, 300);
    assert_int_equal(commit_log_release(log, 300), ERR_OK);
    commit_log_close(log);
}

#define DISK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(a_directory_is_made_once_and_opened_again),
        DISK_TEST(a_directory_without_a_parent_is_not_found),
        DISK_TEST(names_come_change_and_go),
        DISK_TEST(missing_and_existing_names_are_told),
        DISK_TEST(the_parts_of_a_write_follow_each_other),
        DISK_TEST(an_empty_write_is_nothing),
        DISK_TEST(a_short_write_goes_on_until_it_fails),
        DISK_TEST(a_commit_log_lives_in_a_real_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
