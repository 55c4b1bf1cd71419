#include "storage/ranges_rocks.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/logger.h"
#include "tests/unit/ranges_cases.h"
#include "tests/unit/rocks_home.h"

static const struct ranges_maker rocks_maker = {rocks_home_create, rocks_home_open,
                                                rocks_home_destroy};

/* Neither the rows' blocks nor the tables fit in memory. */
static void *tiny_create(uint64_t seed)
{
    struct rocks_home *home = rocks_home_create(seed);
    home->options.block_cache_bytes = 64u << 10;
    home->options.open_files_max = 20;
    return home;
}

static const struct ranges_maker tiny_maker = {tiny_create, rocks_home_open, rocks_home_destroy};

static int tiny_open(void **state)
{
    cases_maker = &tiny_maker;
    int result = case_open(state);
    cases_maker = &rocks_maker;
    return result;
}

static enum err open_again(struct rocks_home *home, struct buf *reason)
{
    struct ranges *ranges = NULL;
    enum err err = ranges_rocks_open(&home->options, reason, &ranges);
    if (err == ERR_OK)
        ranges_close(ranges);
    return err;
}

static unsigned files_in_ingest(struct rocks_home *home)
{
    char path[ROCKS_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/ingest", home->path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    unsigned count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void it_is_locked_while_this_process_has_it_open(void **state)
{
    struct ranges_case *test = *state;
    struct buf reason;
    buf_init(&reason);
    assert_int_equal(open_again(test->home, &reason), ERR_LOCKED);
    assert_true(reason.len > 0);
    buf_deinit(&reason);
}

/* A fresh process: RocksDB's threads do not survive a fork. */
static void it_is_locked_while_another_process_has_it_open(void **state)
{
    struct ranges_case *test = *state;
    struct rocks_home *home = test->home;
    ranges_close(test->ranges);
    char lock_path[ROCKS_PATH_MAX + 16];
    snprintf(lock_path, sizeof(lock_path), "%s/LOCK", home->path);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        bool locked = fcntl(open(lock_path, O_RDWR), F_SETLK, &lock) == 0;
        if (write(ready[1], locked ? "y" : "n", 1) == 1)
            pause();
        _exit(0);
    }
    char locked = 0;
    assert_int_equal(read(ready[0], &locked, 1), 1);
    assert_int_equal(locked, 'y');
    struct buf reason;
    buf_init(&reason);
    assert_int_equal(open_again(home, &reason), ERR_LOCKED);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    buf_deinit(&reason);
    test->ranges = rocks_home_open(home);
}

static void what_cannot_be_opened_says_why(void **state)
{
    struct ranges_case *test = *state;
    struct rocks_home *home = test->home;
    ranges_close(test->ranges);
    struct buf reason;
    buf_init(&reason);

    char path[ROCKS_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/no/parent", home->root);
    home->options.path = path;
    assert_int_equal(open_again(home, &reason), ERR_IO);
    assert_true(reason.len > 0);

    home->options.path = home->path;
    snprintf(path, sizeof(path), "%s/CURRENT", home->path);
    int current = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(current, "nonsense\n", 9), 9);
    close(current);
    assert_int_equal(open_again(home, &reason), ERR_CORRUPT);
    buf_deinit(&reason);

    nftw(home->path, rocks_home_remove, 8, FTW_DEPTH | FTW_PHYS);
    test->ranges = rocks_home_open(home);
}

static void an_unreadable_directory_is_denied(void **state)
{
    struct ranges_case *test = *state;
    struct rocks_home *home = test->home;
    if (geteuid() == 0)
        skip();
    ranges_close(test->ranges);
    assert_int_equal(chmod(home->path, 0), 0);
    struct buf reason;
    buf_init(&reason);
    assert_int_equal(open_again(home, &reason), ERR_DENIED);
    buf_deinit(&reason);
    assert_int_equal(chmod(home->path, 0755), 0);
    test->ranges = rocks_home_open(home);
}

static enum err get_memory(struct ranges_case *test, struct bytes key)
{
    struct buf value;
    buf_init(&value);
    enum err err = ranges_get(test->ranges, key, TIER_MEMORY, &value);
    buf_deinit(&value);
    return err;
}

static void rows_are_cold_after_a_reopening_until_the_disk_was_read(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("1"));
    case_reopen(test);
    assert_int_equal(get_memory(test, BYTES("a")), ERR_COLD);
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES(""), BYTES("z"), TIER_MEMORY);
    assert_int_equal(ranges_iter_seek(iter, BYTES("")), ERR_COLD);
    assert_int_equal(ranges_iter_seek_prev(iter, BYTES("z")), ERR_COLD);
    ranges_iter_close(iter);
    assert_row(test, BYTES("a"), BYTES("1"));
    assert_int_equal(get_memory(test, BYTES("a")), ERR_OK);
    assert_int_equal(get_memory(test, BYTES("b")), ERR_NOT_FOUND);
    iter = ranges_iter_open(test->ranges, BYTES(""), BYTES("z"), TIER_MEMORY);
    assert_int_equal(ranges_iter_seek(iter, BYTES("")), ERR_OK);
    assert_int_equal(ranges_iter_next(iter), ERR_END);
    ranges_iter_close(iter);
}

#define SPREAD_FILES 60
#define SPREAD_ROWS  8
#define SPREAD_VALUE 3000

static struct bytes spread_key(unsigned file, unsigned row, char *room)
{
    int len = snprintf(room, 16, "f%02u r%u", file, row);
    return bytes_of(room, (size_t)len);
}

/* Files that do not overlap, so that they stay apart, and above them one that merges to some rows
 * of each: a read of those needs both. */
static void spread(struct ranges_case *test)
{
    char room[16];
    char value[SPREAD_VALUE];
    for (unsigned file = 0; file < SPREAD_FILES; file++) {
        struct ranges_batch *batch = begin(test);
        for (unsigned row = 0; row < SPREAD_ROWS; row += 2) {
            memset(value, (int)(file + row), sizeof(value));
            ranges_batch_put(batch, spread_key(file, row, room), bytes_of(value, sizeof(value)));
        }
        commit(batch);
    }
    struct ranges_batch *batch = begin(test);
    for (unsigned file = 0; file < SPREAD_FILES; file++)
        ranges_batch_merge(batch, spread_key(file, 2, room), BYTES("merged"));
    commit(batch);
}

static void assert_spread_value(struct bytes value, unsigned file, unsigned row)
{
    assert_int_equal(value.len, SPREAD_VALUE + (row == 2 ? 6 : 0));
    for (size_t i = 0; i < SPREAD_VALUE; i++)
        assert_int_equal((unsigned char)value.data[i], file + row);
    if (row == 2)
        assert_memory_equal(value.data + SPREAD_VALUE, "merged", 6);
}

/* Reads a row in either tier; true when it was cold. */
static bool spread_read(struct ranges_case *test, struct buf *value)
{
    char room[16];
    unsigned file = (unsigned)random_below(&test->random, SPREAD_FILES);
    unsigned row = (unsigned)random_below(&test->random, SPREAD_ROWS);
    enum tier tier = random_below(&test->random, 3) == 0 ? TIER_DISK : TIER_MEMORY;
    struct bytes key = spread_key(file, row, room);
    value->len = 0;
    enum err err = ranges_get(test->ranges, key, tier, value);
    if (tier == TIER_MEMORY && err == ERR_COLD)
        return true;
    assert_int_equal(err, row % 2 == 0 ? ERR_OK : ERR_NOT_FOUND);
    if (err == ERR_OK)
        assert_spread_value(buf_bytes(value), file, row);
    return false;
}

/* Walks from a row; true when it came to a cold one. */
static bool spread_walk(struct ranges_case *test)
{
    char room[16];
    unsigned file = (unsigned)random_below(&test->random, SPREAD_FILES);
    unsigned row = 2 * (unsigned)random_below(&test->random, SPREAD_ROWS / 2);
    bool up = random_below(&test->random, 2) == 0;
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES("f"), BYTES("g"), TIER_MEMORY);
    struct bytes key = spread_key(file, row, room);
    enum err err = up ? ranges_iter_seek(iter, key) : ranges_iter_seek_prev(iter, key);
    unsigned at = file * SPREAD_ROWS + row;
    while (err == ERR_OK) {
        assert_bytes(ranges_iter_key(iter), spread_key(at / SPREAD_ROWS, at % SPREAD_ROWS, room));
        assert_spread_value(ranges_iter_value(iter), at / SPREAD_ROWS, at % SPREAD_ROWS);
        at += up ? 2u : -2u;
        err = up ? ranges_iter_next(iter) : ranges_iter_prev(iter);
    }
    ranges_iter_close(iter);
    if (err == ERR_END)
        assert_int_equal(at, up ? SPREAD_FILES * SPREAD_ROWS : -2u);
    else
        assert_int_equal(err, ERR_COLD);
    return err == ERR_COLD;
}

/* Most tables are not open, and the cache holds a few blocks. */
static void memory_never_answers_what_the_disk_would_not(void **state)
{
    struct ranges_case *test = *state;
    spread(test);
    struct buf value;
    buf_init(&value);
    unsigned cold_reads = 0;
    unsigned cold_walks = 0;
    for (unsigned i = 0; i < 4000; i++) {
        if (i % 1000 == 0)
            case_reopen(test);
        cold_reads += spread_read(test, &value);
        cold_walks += spread_walk(test);
    }
    assert_in_range(cold_reads, 100, 3900);
    assert_in_range(cold_walks, 100, 4000);
    buf_deinit(&value);
}

static void leftovers_of_a_crash_are_removed(void **state)
{
    struct ranges_case *test = *state;
    struct rocks_home *home = test->home;
    char path[ROCKS_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/ingest/7.sst", home->path);
    int left = open(path, O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(left, "half", 4), 4);
    close(left);
    case_reopen(test);
    assert_int_equal(files_in_ingest(home), 0);
    put_one(test, BYTES("a"), BYTES("1"));
    assert_int_equal(files_in_ingest(home), 0);
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES("a"), BYTES("2"));
    assert_int_equal(files_in_ingest(home), 1);
    ranges_batch_abort(batch);
    assert_int_equal(files_in_ingest(home), 0);
}

static void fill(struct ranges_case *test, struct ranges_batch *batch, unsigned rows)
{
    char value[1024];
    char key[16];
    for (unsigned i = 0; i < rows; i++) {
        for (size_t at = 0; at < sizeof(value); at += sizeof(uint64_t)) {
            uint64_t noise = random_u64(&test->random);
            memcpy(value + at, &noise, sizeof(noise));
        }
        int len = snprintf(key, sizeof(key), "%08u", i);
        ranges_batch_put(batch, bytes_of(key, (size_t)len), bytes_of(value, sizeof(value)));
    }
}

static void a_batch_that_cannot_be_written_leaves_nothing(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("1"));
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    struct rlimit small = {1u << 20, usual.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    logger_set_level(LOG_NOTHING);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct ranges_batch *batch = begin(test);
    fill(test, batch, 8192);
    enum err err = ranges_batch_commit(batch);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    logger_set_level(LOG_NOTICE);
    signal(SIGXFSZ, handler);
    assert_int_equal(err, ERR_IO);
    assert_int_equal(files_in_ingest(test->home), 0);
    assert_no_row(test, BYTES("00000000"));
    assert_row(test, BYTES("a"), BYTES("1"));
    put_one(test, BYTES("a"), BYTES("2"));
    assert_row(test, BYTES("a"), BYTES("2"));
}

static void writing_keeps_the_pace_that_it_was_given(void **state)
{
    struct ranges_case *test = *state;
    struct rocks_home *home = test->home;
    home->options.write_bytes_per_second = 16u << 20;
    case_reopen(test);
    uint64_t begun_us = clock_mono_us();
    struct ranges_batch *batch = begin(test);
    fill(test, batch, 6 << 10);
    commit(batch);
    assert_true(clock_mono_us() - begun_us >= 250000);
    struct ranges_stats stats;
    ranges_stats(test->ranges, &stats);
    assert_in_range(stats.disk_bytes, 6u << 20, 8u << 20);
}

static void compaction_joins_files_without_changing_rows(void **state)
{
    struct ranges_case *test = *state;
    struct buf want;
    buf_init(&want);
    for (unsigned i = 0; i < 40; i++) {
        char piece[8];
        int len = snprintf(piece, sizeof(piece), "%u ", i);
        struct ranges_batch *batch = begin(test);
        ranges_batch_put(batch, BYTES("a"), bytes_of(piece, (size_t)len));
        ranges_batch_merge(batch, BYTES("m"), bytes_of(piece, (size_t)len));
        if (i == 20)
            ranges_batch_delete_range(batch, BYTES("m"), BYTES("n"));
        commit(batch);
        if (i == 20)
            want.len = 0;
        buf_add(&want, piece, (size_t)len);
    }
    assert_row(test, BYTES("a"), BYTES("39 "));
    assert_row(test, BYTES("m"), buf_bytes(&want));
    case_reopen(test);
    assert_row(test, BYTES("m"), buf_bytes(&want));
    buf_deinit(&want);
}

int main(void)
{
    cases_maker = &rocks_maker;
    const struct CMUnitTest tests[] = {
        RANGES_CASES,
        RANGES_CASE(it_is_locked_while_this_process_has_it_open),
        RANGES_CASE(it_is_locked_while_another_process_has_it_open),
        RANGES_CASE(what_cannot_be_opened_says_why),
        RANGES_CASE(an_unreadable_directory_is_denied),
        RANGES_CASE(rows_are_cold_after_a_reopening_until_the_disk_was_read),
        RANGES_CASE(leftovers_of_a_crash_are_removed),
        RANGES_CASE(a_batch_that_cannot_be_written_leaves_nothing),
        RANGES_CASE(writing_keeps_the_pace_that_it_was_given),
        RANGES_CASE(compaction_joins_files_without_changing_rows),
        cmocka_unit_test_setup_teardown(memory_never_answers_what_the_disk_would_not, tiny_open,
                                        case_close),
        cmocka_unit_test_setup_teardown(random_operations_agree_with_a_model, tiny_open,
                                        case_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
