/* What the simulated disk may lose and what not: the tests of the log lean on it. */
#include "tests/sim/sim_disk.h"

#include "tests/unit/unit.h"

#define ROUNDS  200
#define SECTORS 16

static uint64_t seed;
static struct random random_;
static struct disk *disk;

static int set_up(void **state)
{
    (void)state;
    random_init(&random_, seed);
    disk = sim_disk_open(random_u64(&random_));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disk_close(disk);
    return 0;
}

static void renew(void)
{
    disk_close(disk);
    disk = sim_disk_open(random_u64(&random_));
}

static struct disk_file *create(const char *name)
{
    struct disk_file *file;
    assert_int_equal(disk_create(disk, name, &file), ERR_OK);
    return file;
}

/* Makes an empty file whose name is durable. */
static struct disk_file *create_durable(const char *name)
{
    struct disk_file *file = create(name);
    assert_int_equal(disk_sync_names(disk), ERR_OK);
    return file;
}

static enum err fill(struct disk_file *file, char byte, size_t count)
{
    char sectors[SECTORS * DISK_SECTOR_BYTES];
    memset(sectors, byte, sizeof(sectors));
    struct bytes parts[] = {bytes_of(sectors, 100),
                            bytes_of(sectors, count * DISK_SECTOR_BYTES - 100)};
    return disk_file_write(file, 0, parts, 2);
}

static void fill_and_sync(struct disk_file *file, char byte)
{
    assert_int_equal(fill(file, byte, SECTORS), ERR_OK);
    assert_int_equal(disk_file_sync(file), ERR_OK);
}

/* How many sectors hold nothing but `byte`; every other one must hold nothing but `other`. */
static unsigned count_sectors(const char *name, char byte, char other)
{
    struct disk_file *file;
    assert_int_equal(disk_open(disk, name, &file), ERR_OK);
    char sector[DISK_SECTOR_BYTES];
    unsigned count = 0;
    size_t got = sizeof(sector);
    for (uint64_t at = 0; got == sizeof(sector); at += sizeof(sector)) {
        assert_int_equal(disk_file_read(file, at, sector, sizeof(sector), &got), ERR_OK);
        for (size_t i = 0; i < got; i++)
            assert_true(sector[i] == sector[0] && (sector[i] == byte || sector[i] == other));
        count += got > 0 && sector[0] == byte;
    }
    disk_file_close(file);
    return count;
}

static bool exists(const char *name)
{
    return sim_disk_size(disk, name) != UINT64_MAX;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    assert_int_equal(fill(file, 'x', 2), ERR_OK);
    uint64_t size;
    assert_int_equal(disk_file_size(file, &size), ERR_OK);
    assert_int_equal(size, 2 * DISK_SECTOR_BYTES);
    disk_file_close(file);
    assert_int_equal(count_sectors("a", 'x', 'x'), 2);
}

static void a_read_ends_where_the_file_does(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    assert_int_equal(fill(file, 'x', 1), ERR_OK);
    char bytes[100];
    size_t got;
    assert_int_equal(disk_file_read(file, 500, bytes, sizeof(bytes), &got), ERR_OK);
    assert_int_equal(got, 12);
    assert_int_equal(disk_file_read(file, 600, bytes, sizeof(bytes), &got), ERR_OK);
    assert_int_equal(got, 0);
    disk_file_close(file);
}

static void what_is_synced_survives_every_crash(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct disk_file *file = create_durable("a");
        fill_and_sync(file, 'x');
        disk_file_close(file);
        sim_disk_crash(disk);
        assert_int_equal(count_sectors("a", 'x', 'x'), SECTORS);
        renew();
    }
}

static void a_crash_keeps_any_part_of_what_is_not_synced(void **state)
{
    (void)state;
    bool none = false, some = false, all = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct disk_file *file = create_durable("a");
        fill_and_sync(file, 'x');
        assert_int_equal(fill(file, 'y', SECTORS), ERR_OK);
        disk_file_close(file);
        sim_disk_crash(disk);
        unsigned count = count_sectors("a", 'y', 'x');
        none |= count == 0;
        some |= count > 0 && count < SECTORS;
        all |= count == SECTORS;
        renew();
    }
    assert_true(none && some && all);
}

static void without_a_crash_nothing_is_lost(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    assert_int_equal(fill(file, 'x', SECTORS), ERR_OK);
    disk_file_close(file);
    assert_int_equal(count_sectors("a", 'x', 'x'), SECTORS);
}

static void a_crash_may_undo_names_that_are_not_synced(void **state)
{
    (void)state;
    bool renamed = false, stayed = false, gone = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        disk_file_close(create_durable("a"));
        assert_int_equal(disk_rename(disk, "a", "b"), ERR_OK);
        assert_int_equal(disk_remove(disk, "b"), ERR_OK);
        sim_disk_crash(disk);
        stayed |= exists("a") && !exists("b");
        renamed |= !exists("a") && exists("b");
        gone |= !exists("a") && !exists("b");
        assert_false(exists("a") && exists("b"));
        renew();
    }
    assert_true(renamed && stayed && gone);
}

static void synced_names_survive_every_crash(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        disk_file_close(create("a"));
        disk_file_close(create("c"));
        assert_int_equal(disk_rename(disk, "a", "b"), ERR_OK);
        assert_int_equal(disk_remove(disk, "c"), ERR_OK);
        assert_int_equal(disk_sync_names(disk), ERR_OK);
        sim_disk_crash(disk);
        assert_true(exists("b"));
        assert_int_equal(sim_disk_files(disk), 1);
        renew();
    }
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

static void a_failing_write_writes_nothing(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    sim_disk_fail(disk, SIM_WRITE_FAILS, 1);
    assert_int_equal(fill(file, 'x', SECTORS), ERR_OK);
    assert_int_equal(fill(file, 'y', SECTORS), ERR_IO);
    assert_true(sim_disk_heal(disk));
    assert_int_equal(count_sectors("a", 'y', 'x'), 0);
    assert_int_equal(fill(file, 'y', SECTORS), ERR_OK);
    disk_file_close(file);
}

static void a_short_write_writes_the_beginning(void **state)
{
    (void)state;
    bool some = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct disk_file *file = create("a");
        sim_disk_fail(disk, SIM_WRITE_SHORT, 0);
        assert_int_equal(fill(file, 'y', SECTORS), ERR_IO);
        uint64_t size;
        assert_int_equal(disk_file_size(file, &size), ERR_OK);
        disk_file_close(file);
        some |= size > 0 && size < SECTORS * DISK_SECTOR_BYTES;
        (void)count_sectors("a", 'y', 'y');
        renew();
    }
    assert_true(some);
}

static void a_torn_write_writes_some_sectors(void **state)
{
    (void)state;
    bool some = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct disk_file *file = create("a");
        fill_and_sync(file, 'x');
        sim_disk_fail(disk, SIM_WRITE_TORN, 0);
        assert_int_equal(fill(file, 'y', SECTORS), ERR_IO);
        disk_file_close(file);
        unsigned count = count_sectors("a", 'y', 'x');
        some |= count > 0 && count < SECTORS;
        renew();
    }
    assert_true(some);
}

static void a_later_sync_does_not_know_what_a_failed_one_dropped(void **state)
{
    (void)state;
    bool lost = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct disk_file *file = create_durable("a");
        fill_and_sync(file, 'x');
        assert_int_equal(fill(file, 'y', SECTORS), ERR_OK);
        sim_disk_fail(disk, SIM_SYNC_FAILS, 0);
        assert_int_equal(disk_file_sync(file), ERR_IO);
        assert_int_equal(disk_file_sync(file), ERR_OK);
        assert_int_equal(count_sectors("a", 'y', 'x'), SECTORS);
        disk_file_close(file);
        sim_disk_crash(disk);
        lost |= count_sectors("a", 'y', 'x') < SECTORS;
        renew();
    }
    assert_true(lost);
}

static void without_power_nothing_works_until_the_crash(void **state)
{
    (void)state;
    struct disk_file *file = create_durable("a");
    sim_disk_fail(disk, SIM_POWER_FAILS, 0);
    assert_int_equal(disk_file_sync(file), ERR_IO);
    struct disk_file *other;
    uint64_t size;
    assert_int_equal(fill(file, 'x', 1), ERR_IO);
    assert_int_equal(disk_file_sync(file), ERR_IO);
    assert_int_equal(disk_sync_names(disk), ERR_IO);
    assert_int_equal(disk_open(disk, "a", &other), ERR_IO);
    assert_int_equal(disk_file_size(file, &size), ERR_IO);
    assert_int_equal(disk_remove(disk, "a"), ERR_IO);
    disk_file_close(file);
    sim_disk_crash(disk);
    assert_int_equal(disk_open(disk, "a", &other), ERR_OK);
    disk_file_close(other);
}

static void space_is_for_growth_only(void **state)
{
    (void)state;
    struct disk_file *file = create("a");
    sim_disk_limit(disk, 2 * DISK_SECTOR_BYTES);
    assert_int_equal(fill(file, 'x', 2), ERR_OK);
    assert_int_equal(fill(file, 'y', 3), ERR_NO_SPACE);
    assert_int_equal(fill(file, 'z', 2), ERR_OK);
    assert_int_equal(count_sectors("a", 'z', 'z'), 2);
    disk_file_close(file);
}

static void damage_is_durable(void **state)
{
    (void)state;
    struct disk_file *file = create_durable("a");
    fill_and_sync(file, 'x');
    sim_disk_damage(disk, "a", 5, 1);
    sim_disk_crash(disk);
    char byte;
    size_t got;
    disk_file_close(file);
    assert_int_equal(disk_open(disk, "a", &file), ERR_OK);
    assert_int_equal(disk_file_read(file, 5, &byte, 1, &got), ERR_OK);
    assert_int_equal(byte, 'x' ^ 1);
    disk_file_close(file);
}

#define DISK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    seed = unit_seed();
    const struct CMUnitTest tests[] = {
        DISK_TEST(what_is_written_is_read),
        DISK_TEST(a_read_ends_where_the_file_does),
        DISK_TEST(what_is_synced_survives_every_crash),
        DISK_TEST(a_crash_keeps_any_part_of_what_is_not_synced),
        DISK_TEST(without_a_crash_nothing_is_lost),
        DISK_TEST(a_crash_may_undo_names_that_are_not_synced),
        DISK_TEST(synced_names_survive_every_crash),
        DISK_TEST(missing_and_existing_names_are_told),
        DISK_TEST(a_failing_write_writes_nothing),
        DISK_TEST(a_short_write_writes_the_beginning),
        DISK_TEST(a_torn_write_writes_some_sectors),
        DISK_TEST(a_later_sync_does_not_know_what_a_failed_one_dropped),
        DISK_TEST(without_power_nothing_works_until_the_crash),
        DISK_TEST(space_is_for_growth_only),
        DISK_TEST(damage_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
