#include "storage/fetch.h"

#include "base/codec.h"
#include "storage/key_scan.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

struct fixture {
    struct sim_ranges_disk *disk;
    struct ranges *ranges;
    struct fetch fetch;
};

/* Rows "b" to "f", each with its key ten times for a value. */
static int fixture_open(void **state)
{
    struct fixture *test = calloc(1, sizeof(*test));
    test->disk = sim_ranges_disk_create(1);
    assert_int_equal(sim_ranges_open(test->disk, &test->ranges), ERR_OK);
    struct ranges_batch *batch;
    assert_int_equal(ranges_batch_begin(test->ranges, &batch), ERR_OK);
    for (char key = 'b'; key <= 'f'; key++) {
        char value[10];
        memset(value, key, sizeof(value));
        ranges_batch_put(batch, bytes_of(&key, 1), bytes_of(value, sizeof(value)));
    }
    assert_int_equal(ranges_batch_commit(batch), ERR_OK);
    fetch_init(&test->fetch);
    test->fetch.ranges = test->ranges;
    *state = test;
    return 0;
}

static int fixture_close(void **state)
{
    struct fixture *test = *state;
    fetch_deinit(&test->fetch);
    ranges_close(test->ranges);
    sim_ranges_disk_destroy(test->disk);
    free(test);
    return 0;
}

static void run_scan(struct fixture *test, enum fetch_kind kind, struct bytes lower,
                     struct bytes upper, struct bytes from)
{
    fetch_reset(&test->fetch);
    test->fetch.kind = kind;
    buf_add_bytes(&test->fetch.lower, lower);
    buf_add_bytes(&test->fetch.upper, upper);
    buf_add_bytes(&test->fetch.from, from);
    fetch_run(&test->fetch);
}

/* The rows are those with the one-letter keys of `keys`, in that order. */
static void assert_rows(struct fixture *test, const char *keys, bool complete)
{
    assert_int_equal(test->fetch.err, ERR_OK);
    assert_int_equal(test->fetch.complete, complete);
    struct decoder decoder = decoder_of(buf_bytes(&test->fetch.rows));
    for (; *keys != '\0'; keys++) {
        struct bytes key = decoder_bytes(&decoder);
        assert_int_equal(key.len, 1);
        assert_int_equal(key.data[0], *keys);
        struct bytes value = decoder_bytes(&decoder);
        assert_int_equal(value.len, 10);
        assert_int_equal(value.data[9], *keys);
    }
    assert_false(decoder.failed);
    assert_int_equal(decoder_left(&decoder), 0);
}

static void no_limits(struct fixture *test)
{
    test->fetch.rows_max = 100;
    test->fetch.bytes_max = 1000;
}

static void get_brings_the_row_of_the_key(void **state)
{
    struct fixture *test = *state;
    buf_add_bytes(&test->fetch.lower, BYTES("c"));
    fetch_run(&test->fetch);
    assert_rows(test, "c", false);
    fetch_reset(&test->fetch);
    buf_add_bytes(&test->fetch.lower, BYTES("cc"));
    fetch_run(&test->fetch);
    assert_int_equal(test->fetch.err, ERR_NOT_FOUND);
    assert_int_equal(test->fetch.rows.len, 0);
}

static void a_scan_brings_the_rows_between_its_bounds(void **state)
{
    struct fixture *test = *state;
    no_limits(test);
    run_scan(test, FETCH_SCAN, BYTES("c"), BYTES("f"), BYTES(""));
    assert_rows(test, "cde", true);
    run_scan(test, FETCH_SCAN_REVERSE, BYTES("c"), BYTES("f"), BYTES(""));
    assert_rows(test, "edc", true);
    run_scan(test, FETCH_SCAN, BYTES("g"), BYTES("z"), BYTES(""));
    assert_rows(test, "", true);
    run_scan(test, FETCH_SCAN_REVERSE, BYTES("a"), BYTES("b"), BYTES(""));
    assert_rows(test, "", true);
}

static void a_scan_stops_at_its_limits_and_says_whether_there_is_more(void **state)
{
    struct fixture *test = *state;
    no_limits(test);
    test->fetch.rows_max = 2;
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES(""));
    assert_rows(test, "bc", false);
    run_scan(test, FETCH_SCAN_REVERSE, BYTES("a"), BYTES("z"), BYTES(""));
    assert_rows(test, "fe", false);
    test->fetch.rows_max = 5;
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES(""));
    assert_rows(test, "bcdef", true);
    test->fetch.bytes_max = 30;
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES(""));
    assert_rows(test, "bc", false);
}

static void a_scan_brings_one_row_whatever_its_limits(void **state)
{
    struct fixture *test = *state;
    test->fetch.rows_max = 0;
    test->fetch.bytes_max = 0;
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES(""));
    assert_rows(test, "b", false);
}

static void from_begins_at_the_last_row_that_is_not_above_it(void **state)
{
    struct fixture *test = *state;
    no_limits(test);
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES("dd"));
    assert_rows(test, "def", true);
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES("e"));
    assert_rows(test, "ef", true);
    run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES("aa"));
    assert_rows(test, "bcdef", true);
    run_scan(test, FETCH_SCAN_REVERSE, BYTES("a"), BYTES("z"), BYTES("dd"));
    assert_rows(test, "dcb", true);
    run_scan(test, FETCH_SCAN_REVERSE, BYTES("a"), BYTES("z"), BYTES("aa"));
    assert_rows(test, "", true);
}

static void an_error_brings_no_rows(void **state)
{
    struct fixture *test = *state;
    no_limits(test);
    struct sim_ranges_faults faults = {.read_fails_per_mille = 400};
    sim_ranges_disk_set_faults(test->disk, &faults);
    unsigned failed = 0;
    for (unsigned i = 0; i < 100; i++) {
        run_scan(test, FETCH_SCAN, BYTES("a"), BYTES("z"), BYTES(""));
        if (test->fetch.err == ERR_OK) {
            assert_rows(test, "bcdef", true);
            continue;
        }
        failed++;
        assert_int_equal(test->fetch.err, ERR_IO);
        assert_int_equal(test->fetch.rows.len, 0);
        assert_false(test->fetch.complete);
    }
    assert_in_range(failed, 1, 100);
}

static void keys_are_scanned_from_a_place(void **state)
{
    struct fixture *test = *state;
    no_limits(test);
    test->fetch.kind = FETCH_KEYS;
    test->fetch.space = 7;
    test->fetch.place = 0;
    fetch_run(&test->fetch);
    assert_int_equal(test->fetch.err, ERR_OK);
    assert_int_equal(test->fetch.place, KEY_PLACE_END);
    assert_int_equal(test->fetch.rows.len, 0);
}

#define FETCH_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FETCH_TEST(get_brings_the_row_of_the_key),
        FETCH_TEST(a_scan_brings_the_rows_between_its_bounds),
        FETCH_TEST(a_scan_stops_at_its_limits_and_says_whether_there_is_more),
        FETCH_TEST(a_scan_brings_one_row_whatever_its_limits),
        FETCH_TEST(from_begins_at_the_last_row_that_is_not_above_it),
        FETCH_TEST(an_error_brings_no_rows),
        FETCH_TEST(keys_are_scanned_from_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
