#include "storage/expiry_index.h"

#include "base/codec.h"
#include "storage/key_scan.h"
#include "storage/object.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

#define NAMES_MAX 200
#define SPACE     5
#define HASH_SEED 99

static struct random dice;

/* Object rows of a namespace, of which some expire, and what the index must have of them. */
struct world {
    struct sim_ranges_disk *disk;
    struct ranges *ranges;
    uint64_t expiry_ms[NAMES_MAX]; /* of the key named so; 0: never */
    size_t count;
};

static int set_up(void **state)
{
    static struct world world;
    world = (struct world){.disk = sim_ranges_disk_create(random_u64(&dice))};
    assert_int_equal(sim_ranges_open(world.disk, &world.ranges), ERR_OK);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    ranges_close(world->ranges);
    sim_ranges_disk_destroy(world->disk);
    return 0;
}

static void put(struct world *world, struct bytes key, struct bytes value)
{
    struct ranges_batch *batch;
    assert_int_equal(ranges_batch_begin(world->ranges, &batch), ERR_OK);
    ranges_batch_put(batch, key, value);
    assert_int_equal(ranges_batch_commit(batch), ERR_OK);
}

static void put_object(struct world *world, uint32_t space, struct bytes name, uint64_t expiry_ms)
{
    struct buf key, row;
    struct object_state state = {.type = OBJECT_STRING, .value = value_create(BYTES("value"))};
    state.expiry_ms = expiry_ms & OBJECT_EXPIRY_MAX;
    buf_init(&key);
    buf_init(&row);
    key_object(&key, space, key_slot(name), object_hash(HASH_SEED, space, name), name);
    object_row_encode(&row, &state, 0);
    put(world, buf_bytes(&key), buf_bytes(&row));
    object_state_clear(&state);
    buf_deinit(&key);
    buf_deinit(&row);
}

static void put_index(struct world *world, uint32_t space, struct bytes name, uint64_t expiry_ms)
{
    struct buf key;
    buf_init(&key);
    key_expiry(&key, space, expiry_ms, name);
    put(world, buf_bytes(&key), BYTES(""));
    buf_deinit(&key);
}

static struct bytes name_of(size_t i)
{
    static char name[8];
    return bytes_of(name, (size_t)snprintf(name, sizeof(name), "k%zu", i));
}

static size_t number_of(struct bytes name)
{
    int64_t number;
    assert_true(bytes_to_i64(bytes_of(name.data + 1, name.len - 1), &number));
    return (size_t)number;
}

/* Many keys share few times. */
static void put_keys(struct world *world, bool indexed)
{
    world->count = 1 + (size_t)random_below(&dice, NAMES_MAX);
    for (size_t i = 0; i < world->count; i++) {
        world->expiry_ms[i] = random_below(&dice, 3) == 0 ? 0 : 1000 + random_below(&dice, 10);
        put_object(world, SPACE, name_of(i), world->expiry_ms[i]);
        put_object(world, SPACE + 1, name_of(i), 1001);
        if (indexed && world->expiry_ms[i] > 0)
            put_index(world, SPACE, name_of(i), world->expiry_ms[i]);
    }
}

/* Reads to the end, `rows_max` at a time, and compares with the model. */
static void check_reading(struct world *world, uint64_t until_ms, size_t rows_max, size_t bytes_max)
{
    const struct expiry_span span = {SPACE, HASH_SEED, until_ms, rows_max, bytes_max};
    struct buf from, rows;
    size_t due = 0;
    uint64_t beyond_ms = UINT64_MAX, before_ms = 0, next_ms;
    bool seen[NAMES_MAX] = {false};
    buf_init(&from);
    buf_init(&rows);
    key_expiry(&from, SPACE, 0, BYTES(""));
    do {
        rows.len = 0;
        assert_int_equal(expiry_index_read(world->ranges, &span, &from, &rows, &next_ms), ERR_OK);
        struct decoder decoder = decoder_of(buf_bytes(&rows));
        size_t count = 0;
        for (; decoder_left(&decoder) > 0; count++, due++) {
            struct bytes name = decoder_bytes(&decoder);
            uint64_t expiry_ms = object_row_expiry(decoder_bytes(&decoder));
            size_t i = number_of(name);
            assert_true(expiry_ms == world->expiry_ms[i] && expiry_ms <= until_ms && !seen[i]);
            assert_true(before_ms <= expiry_ms);
            before_ms = expiry_ms;
            seen[i] = true;
        }
        assert_in_range(count, next_ms <= until_ms ? 1 : 0, rows_max);
    } while (next_ms <= until_ms);
    for (size_t i = 0; i < world->count; i++) {
        bool is_due = world->expiry_ms[i] > 0 && world->expiry_ms[i] <= until_ms;
        assert_int_equal(seen[i], is_due);
        due -= is_due;
        if (world->expiry_ms[i] > until_ms && world->expiry_ms[i] < beyond_ms)
            beyond_ms = world->expiry_ms[i];
    }
    assert_int_equal(due, 0);
    assert_int_equal(next_ms, beyond_ms);
    buf_deinit(&from);
    buf_deinit(&rows);
}

static void due_keys_come_in_order_each_once_and_some_at_a_time(void **state)
{
    struct world *world = *state;
    put_keys(world, true);
    for (uint64_t until_ms = 999; until_ms <= 1011; until_ms++) {
        check_reading(world, until_ms, 1000, SIZE_MAX);
        check_reading(world, until_ms, 1 + (size_t)random_below(&dice, 9), SIZE_MAX);
        check_reading(world, until_ms, 1000, 1 + (size_t)random_below(&dice, 99));
    }
}

static void a_row_of_the_index_whose_key_is_another_one_by_now_is_passed_over(void **state)
{
    struct world *world = *state;
    world->count = 1;
    world->expiry_ms[0] = 1005;
    put_object(world, SPACE, name_of(0), 1005);
    put_index(world, SPACE, name_of(0), 1005);
    put_index(world, SPACE, name_of(0), 1001);
    put_index(world, SPACE, name_of(1), 1002);
    check_reading(world, 1010, 100, SIZE_MAX);
}

static void a_read_that_fails_leaves_everything_as_it_was(void **state)
{
    struct world *world = *state;
    const struct expiry_span span = {SPACE, HASH_SEED, 2000, 100, 100};
    struct buf from, rows;
    uint64_t next_ms = 7;
    buf_init(&from);
    buf_init(&rows);
    buf_addf(&rows, "before");
    key_expiry(&from, SPACE, 0, BYTES(""));
    put_keys(world, true);
    put_index(world, SPACE, BYTES("first"), 1);
    sim_ranges_disk_set_faults(world->disk,
                               &(struct sim_ranges_faults){.read_fails_per_mille = 1000});
    assert_int_equal(expiry_index_read(world->ranges, &span, &from, &rows, &next_ms), ERR_IO);
    assert_true(bytes_equal(buf_bytes(&rows), BYTES("before")));
    assert_int_equal(next_ms, 7);
    buf_deinit(&from);
    buf_deinit(&rows);
}

static void an_index_is_made_of_object_rows_as_often_as_one_likes(void **state)
{
    struct world *world = *state;
    struct catalog catalog;
    catalog_init(&catalog, SPACE, HASH_SEED);
    put_keys(world, false);
    put_index(world, SPACE, BYTES("left over"), 1001);
    uint64_t sum = 0;
    size_t expire = 0;
    for (size_t i = 0; i < world->count; i++) {
        sum += catalog_expiry(world->expiry_ms[i]);
        expire += world->expiry_ms[i] > 0;
    }
    catalog.databases[SPACE - 1].expires = expire + 1; /* so that it is looked at in any case */
    for (int round = 0; round < 2; round++) {
        assert_int_equal(expiry_index_build(world->ranges, &catalog), ERR_OK);
        assert_int_equal(catalog.databases[SPACE - 1].expiry_sum, sum);
        assert_int_equal(sim_ranges_disk_row_count(world->disk), 2 * world->count + expire);
        check_reading(world, 1004, 7, SIZE_MAX);
    }
    catalog_deinit(&catalog);
}

#define INDEX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEX_TEST(due_keys_come_in_order_each_once_and_some_at_a_time),
        INDEX_TEST(a_row_of_the_index_whose_key_is_another_one_by_now_is_passed_over),
        INDEX_TEST(a_read_that_fails_leaves_everything_as_it_was),
        INDEX_TEST(an_index_is_made_of_object_rows_as_often_as_one_likes),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
