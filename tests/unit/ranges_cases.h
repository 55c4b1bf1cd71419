/* ranges_cases: what every implementation of ranges must do, as tests that run on each.
 *
 * The including file says how ranges are made (struct ranges_maker) and lists RANGES_CASES in its
 * group. In the random test row number i has the key "k%03u" and the model is an array: the value
 * of row i, or none. */
#ifndef WEIR_TESTS_UNIT_RANGES_CASES_H
#define WEIR_TESTS_UNIT_RANGES_CASES_H

#include "storage/ranges.h"
#include "tests/unit/unit.h"

struct ranges_maker {
    void *(*create)(uint64_t seed);     /* what outlives a close */
    struct ranges *(*open)(void *home); /* cold after a reopening */
    void (*destroy)(void *home);
};

struct ranges_case {
    const struct ranges_maker *maker;
    void *home;
    struct ranges *ranges;
    struct random random;
};

static const struct ranges_maker *cases_maker;

static int case_open(void **state)
{
    struct ranges_case *test = calloc(1, sizeof(*test));
    uint64_t seed = unit_seed();
    random_init(&test->random, seed);
    test->maker = cases_maker;
    test->home = test->maker->create(seed);
    test->ranges = test->maker->open(test->home);
    *state = test;
    return 0;
}

static int case_close(void **state)
{
    struct ranges_case *test = *state;
    ranges_close(test->ranges);
    test->maker->destroy(test->home);
    free(test);
    return 0;
}

static void case_reopen(struct ranges_case *test)
{
    ranges_close(test->ranges);
    test->ranges = test->maker->open(test->home);
}

static struct ranges_batch *begin(struct ranges_case *test)
{
    struct ranges_batch *batch;
    assert_int_equal(ranges_batch_begin(test->ranges, &batch), ERR_OK);
    return batch;
}

static void commit(struct ranges_batch *batch)
{
    assert_int_equal(ranges_batch_commit(batch), ERR_OK);
}

static void put_one(struct ranges_case *test, struct bytes key, struct bytes value)
{
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, key, value);
    commit(batch);
}

static void merge_one(struct ranges_case *test, struct bytes key, struct bytes value)
{
    struct ranges_batch *batch = begin(test);
    ranges_batch_merge(batch, key, value);
    commit(batch);
}

static void assert_bytes(struct bytes have, struct bytes want)
{
    assert_int_equal(have.len, want.len);
    if (want.len > 0)
        assert_memory_equal(have.data, want.data, want.len);
}

static void assert_row(struct ranges_case *test, struct bytes key, struct bytes want)
{
    struct buf value;
    buf_init(&value);
    assert_int_equal(ranges_get(test->ranges, key, TIER_DISK, &value), ERR_OK);
    assert_bytes(buf_bytes(&value), want);
    buf_deinit(&value);
}

static void assert_no_row(struct ranges_case *test, struct bytes key)
{
    struct buf value;
    buf_init(&value);
    assert_int_equal(ranges_get(test->ranges, key, TIER_DISK, &value), ERR_NOT_FOUND);
    assert_int_equal(value.len, 0);
    buf_deinit(&value);
}

static void a_row_is_read_back_and_added_to_the_buffer(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("key"), BYTES("value"));
    struct buf value;
    buf_init(&value);
    buf_add_bytes(&value, BYTES("before "));
    assert_int_equal(ranges_get(test->ranges, BYTES("key"), TIER_DISK, &value), ERR_OK);
    assert_bytes(buf_bytes(&value), BYTES("before value"));
    assert_int_equal(ranges_get(test->ranges, BYTES("other"), TIER_DISK, &value), ERR_NOT_FOUND);
    assert_bytes(buf_bytes(&value), BYTES("before value"));
    buf_deinit(&value);
}

static void keys_and_values_are_any_bytes(void **state)
{
    struct ranges_case *test = *state;
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES(""), BYTES("of the empty key"));
    ranges_batch_put(batch, BYTES("\0\0"), BYTES("of zeroes"));
    ranges_batch_put(batch, BYTES("empty"), BYTES(""));
    ranges_batch_put(batch, BYTES("\377\377"), BYTES("\0\377\0"));
    commit(batch);
    assert_row(test, BYTES(""), BYTES("of the empty key"));
    assert_row(test, BYTES("\0\0"), BYTES("of zeroes"));
    assert_row(test, BYTES("empty"), BYTES(""));
    assert_row(test, BYTES("\377\377"), BYTES("\0\377\0"));
}

static void a_merge_adds_to_the_end_and_a_missing_row_is_empty(void **state)
{
    struct ranges_case *test = *state;
    merge_one(test, BYTES("key"), BYTES("one "));
    assert_row(test, BYTES("key"), BYTES("one "));
    merge_one(test, BYTES("key"), BYTES("two "));
    merge_one(test, BYTES("key"), BYTES(""));
    merge_one(test, BYTES("key"), BYTES("three"));
    assert_row(test, BYTES("key"), BYTES("one two three"));
    case_reopen(test);
    assert_row(test, BYTES("key"), BYTES("one two three"));
    put_one(test, BYTES("key"), BYTES("new "));
    merge_one(test, BYTES("key"), BYTES("end"));
    assert_row(test, BYTES("key"), BYTES("new end"));
}

static void a_deletion_removes_one_row(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("1"));
    put_one(test, BYTES("ab"), BYTES("2"));
    struct ranges_batch *batch = begin(test);
    ranges_batch_delete(batch, BYTES("a"));
    ranges_batch_delete(batch, BYTES("missing"));
    commit(batch);
    assert_no_row(test, BYTES("a"));
    assert_row(test, BYTES("ab"), BYTES("2"));
    merge_one(test, BYTES("a"), BYTES("again"));
    assert_row(test, BYTES("a"), BYTES("again"));
}

static void a_range_deletion_spares_the_rows_of_its_own_batch(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("old"));
    put_one(test, BYTES("b"), BYTES("old"));
    put_one(test, BYTES("c"), BYTES("old"));
    put_one(test, BYTES("d"), BYTES("old"));
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES("b"), BYTES("new"));
    ranges_batch_delete_range(batch, BYTES("a"), BYTES("d"));
    ranges_batch_merge(batch, BYTES("c"), BYTES("merged"));
    commit(batch);
    for (int reopened = 0; reopened < 2; reopened++) {
        assert_no_row(test, BYTES("a"));
        assert_row(test, BYTES("b"), BYTES("new"));
        assert_row(test, BYTES("c"), BYTES("merged"));
        assert_row(test, BYTES("d"), BYTES("old"));
        case_reopen(test);
    }
}

static void a_cut_batch_is_one_batch(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("old"));
    put_one(test, BYTES("f"), BYTES("old"));
    put_one(test, BYTES("m"), BYTES("old"));
    struct ranges_batch *batch = begin(test);
    ranges_batch_cut(batch);
    ranges_batch_put(batch, BYTES("b"), BYTES("new"));
    ranges_batch_cut(batch);
    ranges_batch_cut(batch);
    ranges_batch_put(batch, BYTES("g"), BYTES("new"));
    ranges_batch_delete_range(batch, BYTES("a"), BYTES("n"));
    ranges_batch_cut(batch);
    ranges_batch_put(batch, BYTES("z"), BYTES("new"));
    ranges_batch_cut(batch);
    commit(batch);
    assert_no_row(test, BYTES("a"));
    assert_no_row(test, BYTES("f"));
    assert_no_row(test, BYTES("m"));
    assert_row(test, BYTES("b"), BYTES("new"));
    assert_row(test, BYTES("g"), BYTES("new"));
    assert_row(test, BYTES("z"), BYTES("new"));
}

static void an_empty_range_holds_nothing(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("b"), BYTES("1"));
    struct ranges_batch *batch = begin(test);
    ranges_batch_delete_range(batch, BYTES("b"), BYTES("b"));
    ranges_batch_delete_range(batch, BYTES("c"), BYTES("a"));
    commit(batch);
    assert_row(test, BYTES("b"), BYTES("1"));
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES("c"), BYTES("a"), TIER_DISK);
    assert_int_equal(ranges_iter_seek(iter, BYTES("")), ERR_END);
    assert_int_equal(ranges_iter_seek_prev(iter, BYTES("z")), ERR_END);
    ranges_iter_close(iter);
}

static void a_batch_shows_only_when_it_is_committed(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("old"));
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES("a"), BYTES("new"));
    ranges_batch_put(batch, BYTES("b"), BYTES("new"));
    assert_row(test, BYTES("a"), BYTES("old"));
    assert_no_row(test, BYTES("b"));
    ranges_batch_abort(batch);
    case_reopen(test);
    assert_row(test, BYTES("a"), BYTES("old"));
    assert_no_row(test, BYTES("b"));
}

static void an_empty_batch_commits(void **state)
{
    struct ranges_case *test = *state;
    commit(begin(test));
    put_one(test, BYTES("a"), BYTES("1"));
    commit(begin(test));
    struct ranges_stats stats;
    ranges_stats(test->ranges, &stats);
    assert_int_equal(stats.batches, 1);
    assert_true(stats.disk_bytes > 0);
}

static void an_iterator_keeps_its_view(void **state)
{
    struct ranges_case *test = *state;
    put_one(test, BYTES("a"), BYTES("1"));
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES(""), BYTES("z"), TIER_DISK);
    put_one(test, BYTES("a"), BYTES("2"));
    put_one(test, BYTES("b"), BYTES("2"));
    assert_int_equal(ranges_iter_seek(iter, BYTES("")), ERR_OK);
    assert_bytes(ranges_iter_value(iter), BYTES("1"));
    assert_int_equal(ranges_iter_next(iter), ERR_END);
    ranges_iter_close(iter);
    assert_row(test, BYTES("a"), BYTES("2"));
}

static void seeks_beyond_the_bounds_go_to_the_nearer_bound(void **state)
{
    struct ranges_case *test = *state;
    struct ranges_batch *batch = begin(test);
    ranges_batch_put(batch, BYTES("a"), BYTES("1"));
    ranges_batch_put(batch, BYTES("b"), BYTES("2"));
    ranges_batch_put(batch, BYTES("c"), BYTES("3"));
    ranges_batch_put(batch, BYTES("d"), BYTES("4"));
    commit(batch);
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES("b"), BYTES("d"), TIER_DISK);
    assert_int_equal(ranges_iter_seek(iter, BYTES("a")), ERR_OK);
    assert_bytes(ranges_iter_key(iter), BYTES("b"));
    assert_int_equal(ranges_iter_prev(iter), ERR_END);
    assert_int_equal(ranges_iter_seek(iter, BYTES("d")), ERR_END);
    assert_int_equal(ranges_iter_seek_prev(iter, BYTES("zz")), ERR_OK);
    assert_bytes(ranges_iter_key(iter), BYTES("c"));
    assert_int_equal(ranges_iter_next(iter), ERR_END);
    assert_int_equal(ranges_iter_seek_prev(iter, BYTES("a")), ERR_END);
    assert_int_equal(ranges_iter_seek_prev(iter, BYTES("bb")), ERR_OK);
    assert_bytes(ranges_iter_value(iter), BYTES("2"));
    ranges_iter_close(iter);
}

/* ---- random operations against a model ---- */

#define CASE_ROWS      200
#define CASE_ROUNDS    120
#define CASE_VALUE_MAX 600

struct case_model {
    bool present[CASE_ROWS];
    struct buf values[CASE_ROWS];
};

static struct bytes case_key(unsigned row, char *room)
{
    int len = snprintf(room, 8, "k%03u", row);
    return bytes_of(room, (size_t)len);
}

static struct bytes case_value(struct ranges_case *test, char *room)
{
    /* Some are empty. */
    size_t len =
        (size_t)random_below(&test->random, 5) * random_below(&test->random, CASE_VALUE_MAX / 4);
    for (size_t i = 0; i < len; i++)
        room[i] = (char)random_below(&test->random, 64);
    return bytes_of(room, len);
}

static void model_clear(struct case_model *model, unsigned row)
{
    model->present[row] = false;
    model->values[row].len = 0;
}

static void change_row(struct ranges_case *test, struct case_model *model,
                       struct ranges_batch *batch, unsigned row)
{
    char key_room[8];
    char value_room[CASE_VALUE_MAX];
    struct bytes key = case_key(row, key_room);
    struct bytes value = case_value(test, value_room);
    switch (random_below(&test->random, 4)) {
    case 0:
        ranges_batch_delete(batch, key);
        model_clear(model, row);
        return;
    case 1:
        ranges_batch_put(batch, key, value);
        model_clear(model, row);
        break;
    default:
        ranges_batch_merge(batch, key, value);
    }
    model->present[row] = true;
    buf_add_bytes(&model->values[row], value);
}

static void delete_range(struct ranges_case *test, struct case_model *model,
                         struct ranges_batch *batch)
{
    unsigned lower = (unsigned)random_below(&test->random, CASE_ROWS);
    unsigned upper = lower + (unsigned)random_below(&test->random, 12);
    char lower_room[8];
    char upper_room[8];
    ranges_batch_delete_range(batch, case_key(lower, lower_room), case_key(upper, upper_room));
    for (unsigned row = lower; row < upper && row < CASE_ROWS; row++)
        model_clear(model, row);
}

/* Puts rows first, first + 1 ... below `end`, named as in the random test. */
static void put_rows(struct ranges_case *test, unsigned first, unsigned end)
{
    char room[8];
    struct ranges_batch *batch = begin(test);
    for (unsigned row = first; row < end; row++)
        ranges_batch_put(batch, case_key(row, room), BYTES("value"));
    commit(batch);
}

static void assert_next(struct ranges_iter *iter, enum err err, unsigned row)
{
    char room[8];
    assert_int_equal(err, ERR_OK);
    assert_bytes(ranges_iter_key(iter), case_key(row, room));
}

static void a_long_run_of_deleted_rows_is_passed_in_both_directions(void **state)
{
    struct ranges_case *test = *state;
    put_rows(test, 0, 300);
    struct ranges_batch *batch = begin(test);
    ranges_batch_delete_range(batch, BYTES("k100"), BYTES("k200"));
    ranges_batch_put(batch, BYTES("k150"), BYTES("in the middle"));
    ranges_batch_delete_range(batch, BYTES("k250"), BYTES("l"));
    commit(batch);
    struct ranges_iter *iter = ranges_iter_open(test->ranges, BYTES("k"), BYTES("l"), TIER_DISK);
    assert_next(iter, ranges_iter_seek(iter, BYTES("k099")), 99);
    assert_next(iter, ranges_iter_next(iter), 150);
    assert_bytes(ranges_iter_value(iter), BYTES("in the middle"));
    assert_next(iter, ranges_iter_next(iter), 200);
    assert_next(iter, ranges_iter_prev(iter), 150);
    assert_next(iter, ranges_iter_prev(iter), 99);
    assert_next(iter, ranges_iter_seek(iter, BYTES("k120")), 150);
    assert_next(iter, ranges_iter_seek_prev(iter, BYTES("k180")), 150);
    assert_next(iter, ranges_iter_seek_prev(iter, BYTES("l")), 249);
    assert_int_equal(ranges_iter_next(iter), ERR_END);
    assert_int_equal(ranges_iter_seek(iter, BYTES("k260")), ERR_END);
    ranges_iter_close(iter);
}

static void random_batch(struct ranges_case *test, struct case_model *model)
{
    struct ranges_batch *batch = begin(test);
    for (uint64_t n = random_below(&test->random, 4); n > 1; n--)
        delete_range(test, model, batch);
    uint64_t cuts = random_below(&test->random, 3);
    unsigned step = 1 + (unsigned)random_below(&test->random, 40);
    unsigned row = (unsigned)random_below(&test->random, CASE_ROWS);
    for (; row < CASE_ROWS; row += 1 + (unsigned)random_below(&test->random, step)) {
        if (random_below(&test->random, 10) < cuts)
            ranges_batch_cut(batch);
        change_row(test, model, batch, row);
    }
    commit(batch);
}

/* A memory read may be cold; the disk then warms it. Neither may be wrong. */
static void check_get(struct ranges_case *test, struct case_model *model, unsigned row)
{
    char room[8];
    struct bytes key = case_key(row, room);
    struct buf value;
    buf_init(&value);
    enum tier tier = random_below(&test->random, 4) == 0 ? TIER_DISK : TIER_MEMORY;
    enum err err = ranges_get(test->ranges, key, tier, &value);
    if (err == ERR_COLD && tier == TIER_MEMORY) {
        assert_int_equal(value.len, 0);
        err = ranges_get(test->ranges, key, TIER_DISK, &value);
    }
    assert_int_equal(err, model->present[row] ? ERR_OK : ERR_NOT_FOUND);
    assert_bytes(buf_bytes(&value), buf_bytes(&model->values[row]));
    buf_deinit(&value);
}

/* The model's next row from `row` on in [lower, upper); -1 where there is none. */
static int model_row(const struct case_model *model, int row, int step, int lower, int upper)
{
    while (row >= lower && row < upper && row < CASE_ROWS && !model->present[row])
        row += step;
    return row >= lower && row < upper && row < CASE_ROWS ? row : -1;
}

static void assert_stands(struct ranges_iter *iter, const struct case_model *model, int row)
{
    char room[8];
    assert_bytes(ranges_iter_key(iter), case_key((unsigned)row, room));
    assert_bytes(ranges_iter_value(iter), buf_bytes(&model->values[row]));
}

static enum err seek_to(struct ranges_iter *iter, int row, bool up)
{
    char room[8];
    struct bytes key = case_key((unsigned)row, room);
    return up ? ranges_iter_seek(iter, key) : ranges_iter_seek_prev(iter, key);
}

static void check_walk(struct ranges_case *test, const struct case_model *model)
{
    int lower = (int)random_below(&test->random, CASE_ROWS);
    int upper = lower + 1 + (int)random_below(&test->random, 60);
    enum tier tier = random_below(&test->random, 4) == 0 ? TIER_DISK : TIER_MEMORY;
    char lower_room[8];
    char upper_room[8];
    struct ranges_iter *iter = ranges_iter_open(test->ranges, case_key((unsigned)lower, lower_room),
                                                case_key((unsigned)upper, upper_room), tier);
    bool up = random_below(&test->random, 2) == 0;
    int row = lower + (int)random_below(&test->random, (uint64_t)(upper - lower));
    enum err err = seek_to(iter, row, up);
    if (!up && row >= CASE_ROWS)
        row = CASE_ROWS - 1;
    for (unsigned moves = 0; moves < 80; moves++) {
        row = model_row(model, row, up ? 1 : -1, lower, upper);
        if (err == ERR_COLD && tier == TIER_MEMORY)
            break;
        assert_int_equal(err, row >= 0 ? ERR_OK : ERR_END);
        if (row < 0)
            break;
        assert_stands(iter, model, row);
        if (random_below(&test->random, 8) == 0)
            up = !up;
        err = up ? ranges_iter_next(iter) : ranges_iter_prev(iter);
        row += up ? 1 : -1;
    }
    ranges_iter_close(iter);
}

static void random_operations_agree_with_a_model(void **state)
{
    struct ranges_case *test = *state;
    struct case_model *model = calloc(1, sizeof(*model));
    for (unsigned round = 0; round < CASE_ROUNDS; round++) {
        random_batch(test, model);
        if (random_below(&test->random, 20) == 0)
            case_reopen(test);
        for (unsigned i = 0; i < 40; i++)
            check_get(test, model, (unsigned)random_below(&test->random, CASE_ROWS));
        for (unsigned i = 0; i < 10; i++)
            check_walk(test, model);
    }
    for (unsigned row = 0; row < CASE_ROWS; row++) {
        check_get(test, model, row);
        buf_deinit(&model->values[row]);
    }
    free(model);
}

#define RANGES_CASE(name) cmocka_unit_test_setup_teardown(name, case_open, case_close)
#define RANGES_CASES                                                                               \
    RANGES_CASE(a_row_is_read_back_and_added_to_the_buffer),                                       \
        RANGES_CASE(keys_and_values_are_any_bytes),                                                \
        RANGES_CASE(a_merge_adds_to_the_end_and_a_missing_row_is_empty),                           \
        RANGES_CASE(a_deletion_removes_one_row),                                                   \
        RANGES_CASE(a_range_deletion_spares_the_rows_of_its_own_batch),                            \
        RANGES_CASE(a_cut_batch_is_one_batch), RANGES_CASE(an_empty_range_holds_nothing),          \
        RANGES_CASE(a_batch_shows_only_when_it_is_committed), RANGES_CASE(an_empty_batch_commits), \
        RANGES_CASE(an_iterator_keeps_its_view),                                                   \
        RANGES_CASE(seeks_beyond_the_bounds_go_to_the_nearer_bound),                               \
        RANGES_CASE(a_long_run_of_deleted_rows_is_passed_in_both_directions),                      \
        RANGES_CASE(random_operations_agree_with_a_model)

#endif
