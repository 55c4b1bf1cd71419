#include "storage/schedule.h"

#include "base/codec.h"

#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

#define MS_MAX  300
#define SEQ_MAX 4
#define STEPS   30000

static const struct chunk_home home = {.space = 1, .slot = 7, .feed = 9};

/* The model: the value of each id that lives, 0 where none does. */
typedef uint32_t model[MS_MAX][SEQ_MAX];

static struct random randomness;
static struct sim_ranges_disk *disk;
static struct ranges *ranges;
static struct schedule schedule;
static uint8_t side;
static bool sealed;  /* the other side waits for its fold */
static bool written; /* and has been written */
static model live, at_seal, on_disk;

static uint64_t below(uint64_t bound)
{
    return random_below(&randomness, bound);
}

static int set_up(void **state)
{
    (void)state;
    uint64_t seed = unit_seed();
    random_init(&randomness, seed);
    disk = sim_ranges_disk_create(seed);
    assert_int_equal(sim_ranges_open(disk, &ranges), ERR_OK);
    schedule_init(&schedule, KEY_DELAYED, home, false);
    side = 0;
    sealed = written = false;
    memset(live, 0, sizeof(live));
    memset(on_disk, 0, sizeof(on_disk));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    schedule_deinit(&schedule);
    ranges_close(ranges);
    sim_ranges_disk_destroy(disk);
    return 0;
}

static struct id random_id(void)
{
    return (struct id){1 + below(MS_MAX - 1), below(SEQ_MAX)};
}

static uint32_t value_of(const struct scheduled *row)
{
    struct decoder decoder = decoder_of(scheduled_data(row));
    return decoder_u32(&decoder);
}

static void add(struct id id)
{
    static uint32_t values;
    struct buf data;
    buf_init(&data);
    buf_put_u32(&data, ++values);
    assert_true(schedule_add(&schedule, side, id, buf_bytes(&data)) > 0);
    buf_deinit(&data);
    live[id.ms][id.seq] = values;
}

static void take_away(struct id id)
{
    (void)schedule_remove(&schedule, side, id);
    live[id.ms][id.seq] = 0;
}

static void change(void)
{
    struct id id = random_id();
    if (live[id.ms][id.seq] != 0)
        take_away(id);
    else
        add(id);
}

static bool has_row(struct id id, uint32_t *value)
{
    struct buf key, row;
    buf_init(&key);
    buf_init(&row);
    key_timed(&key, KEY_DELAYED, home, id);
    enum err err = ranges_get(ranges, buf_bytes(&key), TIER_DISK, &row);
    struct decoder decoder = decoder_of(buf_bytes(&row));
    if (err == ERR_OK)
        *value = decoder_u32(&decoder);
    buf_deinit(&key);
    buf_deinit(&row);
    return err == ERR_OK;
}

static void check_find(struct id id)
{
    const struct scheduled *row;
    uint32_t value = 0;
    enum err err = schedule_find(&schedule, id, &row);
    if (err == ERR_OK)
        value = value_of(row);
    else if (err == ERR_COLD)
        (void)has_row(id, &value);
    assert_int_equal(value, live[id.ms][id.seq]);
}

static void load(void)
{
    struct fetch fetch;
    fetch_init(&fetch);
    schedule_plan(&schedule, ranges, &fetch);
    fetch_run(&fetch);
    while (below(2))
        change(); /* while the reader reads */
    assert_int_equal(schedule_take(&schedule, &fetch), ERR_OK);
    fetch_deinit(&fetch);
}

static void check_first(void)
{
    const struct scheduled *row = NULL;
    enum err err;
    while ((err = schedule_first(&schedule, &row)) == ERR_COLD)
        load();
    for (uint64_t ms = 0; ms < MS_MAX; ms++) {
        for (uint64_t seq = 0; seq < SEQ_MAX; seq++) {
            if (live[ms][seq] == 0)
                continue;
            assert_int_equal(err, ERR_OK);
            assert_true(id_equal(row->id, (struct id){ms, seq}));
            assert_int_equal(value_of(row), live[ms][seq]);
            return;
        }
    }
    assert_int_equal(err, ERR_END);
}

/* The next step of a fold, one of three. */
static void fold_on(void)
{
    if (!sealed) {
        memcpy(at_seal, live, sizeof(live));
        side ^= 1;
        sealed = true;
    } else if (!written) {
        struct ranges_batch *batch;
        struct buf key;
        buf_init(&key);
        assert_int_equal(ranges_batch_begin(ranges, &batch), ERR_OK);
        schedule_write(&schedule, side ^ 1, batch, &key);
        assert_int_equal(ranges_batch_commit(batch), ERR_OK);
        buf_deinit(&key);
        memcpy(on_disk, at_seal, sizeof(on_disk));
        written = true;
    } else {
        schedule_folded(&schedule, side ^ 1);
        while (!schedule_sweep(&schedule, 10))
            ;
        sealed = written = false;
    }
}

static void restart(void)
{
    schedule_deinit(&schedule);
    schedule_init(&schedule, KEY_DELAYED, home, true);
    memcpy(live, on_disk, sizeof(live));
    sealed = written = false;
}

/* The model: a table of all ids. */
static void rows_live_as_they_were_told_through_folds_and_restarts(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = below(100);
        if (what < 60)
            change();
        else if (what < 85)
            check_find(random_id());
        else if (what < 95)
            check_first();
        else if (what < 99)
            fold_on();
        else if (below(4) == 0)
            restart();
    }
}

static void what_is_due_comes_in_order(void **state)
{
    (void)state;
    size_t added = 0;
    for (; added < 700; added++) {
        struct id id = random_id();
        if (live[id.ms][id.seq] == 0)
            add(id);
        if (below(100) == 0)
            fold_on();
    }
    const struct scheduled *row;
    struct id last = ID_MIN;
    enum err err;
    while ((err = schedule_first(&schedule, &row)) != ERR_END) {
        if (err == ERR_COLD) {
            struct fetch fetch;
            fetch_init(&fetch);
            schedule_plan(&schedule, ranges, &fetch);
            fetch_run(&fetch);
            assert_int_equal(schedule_take(&schedule, &fetch), ERR_OK);
            fetch_deinit(&fetch);
            continue;
        }
        assert_true(id_less(last, row->id));
        last = row->id;
        take_away(last);
        if (below(100) == 0)
            fold_on();
    }
    assert_int_equal(schedule.loaded.map.count, 0);
}

static void what_comes_and_goes_between_two_folds_never_reaches_the_disk(void **state)
{
    (void)state;
    for (uint64_t ms = 1; ms < MS_MAX; ms++)
        add((struct id){ms, 1});
    for (uint64_t ms = 1; ms < MS_MAX; ms++)
        take_away((struct id){ms, 1});
    for (int i = 0; i < 3; i++)
        fold_on();
    assert_int_equal(sim_ranges_disk_row_count(disk), 0);
    assert_int_equal(schedule.removed[0].count, 0);
}

static void memory_holds_a_part_of_what_is_on_disk(void **state)
{
    (void)state;
    for (uint64_t ms = 1; ms < MS_MAX; ms++) {
        for (uint64_t seq = 0; seq < SEQ_MAX; seq++)
            add((struct id){ms, seq});
    }
    for (int i = 0; i < 3; i++)
        fold_on();
    assert_int_equal(schedule.loaded.map.count, 0);
    check_first();
    assert_in_range(schedule.loaded.map.count, 1, 256);
    assert_int_equal(schedule_bytes(&schedule),
                     sizeof(schedule) +
                         schedule.loaded.map.count * (sizeof(struct scheduled) + sizeof(uint32_t)));
}

static void a_damaged_key_is_told(void **state)
{
    (void)state;
    struct fetch fetch;
    fetch_init(&fetch);
    buf_put_bytes(&fetch.rows, BYTES("no key of this schedule"));
    buf_put_bytes(&fetch.rows, BYTES("value"));
    assert_int_equal(schedule_take(&schedule, &fetch), ERR_CORRUPT);
    fetch.err = ERR_IO;
    assert_int_equal(schedule_take(&schedule, &fetch), ERR_IO);
    fetch_deinit(&fetch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_live_as_they_were_told_through_folds_and_restarts),
        TEST(what_is_due_comes_in_order),
        TEST(what_comes_and_goes_between_two_folds_never_reaches_the_disk),
        TEST(memory_holds_a_part_of_what_is_on_disk),
        TEST(a_damaged_key_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
