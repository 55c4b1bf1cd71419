#include "storage/key_scan.h"

#include "base/codec.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

#define NAMES_MAX 300
#define SPACE     5

static uint64_t seed;
static struct random dice;

/* Object rows of one namespace among chunks and other namespaces; hashes collide. */
struct scan_case {
    struct sim_ranges_disk *disk;
    struct ranges *ranges;
    char names[NAMES_MAX][24];
    uint64_t places[NAMES_MAX];
    size_t count;
};

struct row {
    struct buf key;
    char value[2];
};

static int compare_rows(const void *a, const void *b)
{
    return bytes_compare(buf_bytes(&((const struct row *)a)->key),
                         buf_bytes(&((const struct row *)b)->key));
}

static void add_object(struct scan_case *test, struct row *row, size_t i)
{
    uint16_t slot = (uint16_t)(random_below(&dice, 4) * 5000);
    uint64_t hash = random_below(&dice, 6) << 61 | random_below(&dice, 1 << 16);
    snprintf(test->names[i], sizeof(test->names[i]), "n%zu", i);
    if (random_below(&dice, 10) == 0)
        slot = KEY_SLOTS - 1;
    if (random_below(&dice, 10) == 0)
        hash = UINT64_MAX;
    key_object(&row->key, SPACE, slot, hash, bytes_of_string(test->names[i]));
    row->value[0] = (char)(i % 200 + 1);
    uint64_t upper = hash >> (64 - KEY_HASH_BITS) & ~UINT64_C(0xff);
    test->places[i] = (uint64_t)slot << KEY_HASH_BITS | upper;
}

static void add_other(struct row *row, size_t i)
{
    uint16_t slot = (uint16_t)(random_below(&dice, 5) * 5000 % KEY_SLOTS);
    uint32_t space = SPACE - 1 + (uint32_t)random_below(&dice, 3);
    if (space == SPACE)
        key_chunk(&row->key, (struct chunk_home){SPACE, slot, i}, (struct id){i, i});
    else
        key_object(&row->key, space, slot, random_u64(&dice), BYTES("other"));
}

static void scan_open(struct scan_case *test)
{
    static struct row rows[2 * NAMES_MAX];
    *test = (struct scan_case){.disk = sim_ranges_disk_create(++seed)};
    assert_int_equal(sim_ranges_open(test->disk, &test->ranges), ERR_OK);
    test->count = (size_t)random_below(&dice, NAMES_MAX);
    size_t others = (size_t)random_below(&dice, NAMES_MAX);
    for (size_t i = 0; i < test->count + others; i++) {
        buf_init(&rows[i].key);
        if (i < test->count)
            add_object(test, &rows[i], i);
        else
            add_other(&rows[i], i);
    }
    qsort(rows, test->count + others, sizeof(*rows), compare_rows);
    struct ranges_batch *batch;
    assert_int_equal(ranges_batch_begin(test->ranges, &batch), ERR_OK);
    for (size_t i = 0; i < test->count + others; i++) {
        if (i == 0 || compare_rows(&rows[i - 1], &rows[i]) != 0)
            ranges_batch_put(batch, buf_bytes(&rows[i].key), bytes_of(rows[i].value, 2));
    }
    assert_int_equal(ranges_batch_commit(batch), ERR_OK);
    for (size_t i = 0; i < test->count + others; i++)
        buf_deinit(&rows[i].key);
}

static void scan_close(struct scan_case *test)
{
    ranges_close(test->ranges);
    sim_ranges_disk_destroy(test->disk);
}

/* One call's names: each seen for the first time, at a place in [from, to). */
static size_t check_rows(const struct scan_case *test, struct bytes rows, bool *seen, uint64_t from,
                         uint64_t to)
{
    struct decoder decoder = decoder_of(rows);
    size_t count = 0;
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        struct bytes head = decoder_bytes(&decoder);
        assert_false(decoder.failed);
        assert_true(name.len > 1 && name.data[0] == 'n');
        uint64_t i;
        assert_true(bytes_to_u64(bytes_of(name.data + 1, name.len - 1), &i) && i < test->count);
        assert_int_equal(head.len, 2);
        assert_int_equal((unsigned char)head.data[0], i % 200 + 1);
        assert_false(seen[i]);
        seen[i] = true;
        assert_true(test->places[i] >= from && test->places[i] < to);
        count++;
    }
    return count;
}

static void scan_through(struct scan_case *test, enum tier tier, size_t wanted)
{
    bool seen[NAMES_MAX] = {false};
    uint64_t place = 0;
    size_t total = 0;
    struct buf rows;
    buf_init(&rows);
    while (place < KEY_PLACE_END) {
        uint64_t from = place;
        rows.len = 0;
        enum err err = key_scan(test->ranges, tier, SPACE, &place, wanted, &rows);
        if (err == ERR_COLD) {
            assert_true(place == from && rows.len == 0);
            err = key_scan(test->ranges, TIER_DISK, SPACE, &place, wanted, &rows);
        }
        assert_int_equal(err, ERR_OK);
        assert_true(place > from);
        size_t count = check_rows(test, buf_bytes(&rows), seen, from, place);
        assert_true(count >= wanted || place == KEY_PLACE_END);
        total += count;
    }
    assert_int_equal(total, test->count);
    buf_deinit(&rows);
}

static void every_name_is_seen_once(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct scan_case test;
        scan_open(&test);
        scan_through(&test, TIER_DISK, 1 + (size_t)random_below(&dice, 50));
        struct sim_ranges_faults faults = {.cold_per_mille = 100, .cool_per_mille = 300};
        sim_ranges_disk_set_faults(test.disk, &faults);
        scan_through(&test, TIER_MEMORY, 1 + (size_t)random_below(&dice, 50));
        scan_close(&test);
    }
}

static void a_place_at_the_end_has_nothing(void **state)
{
    (void)state;
    struct scan_case test;
    scan_open(&test);
    static const uint64_t places[] = {KEY_PLACE_END, KEY_PLACE_END + 1, UINT64_MAX};
    struct buf rows;
    buf_init(&rows);
    for (int i = 0; i < 3; i++) {
        uint64_t place = places[i];
        assert_int_equal(key_scan(test.ranges, TIER_DISK, SPACE, &place, 10, &rows), ERR_OK);
        assert_int_equal(place, KEY_PLACE_END);
        assert_int_equal(rows.len, 0);
    }
    buf_deinit(&rows);
    scan_close(&test);
}

static void an_error_changes_nothing(void **state)
{
    (void)state;
    struct scan_case test;
    scan_open(&test);
    sim_ranges_disk_set_faults(test.disk,
                               &(struct sim_ranges_faults){.read_fails_per_mille = 1000});
    struct buf rows;
    buf_init(&rows);
    buf_add_bytes(&rows, BYTES("kept"));
    uint64_t place = 3;
    assert_int_equal(key_scan(test.ranges, TIER_DISK, SPACE, &place, 10, &rows), ERR_IO);
    assert_int_equal(place, 3);
    assert_true(bytes_equal(buf_bytes(&rows), BYTES("kept")));
    buf_deinit(&rows);
    scan_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_seen_once),
        cmocka_unit_test(a_place_at_the_end_has_nothing),
        cmocka_unit_test(an_error_changes_nothing),
    };
    seed = unit_seed();
    random_init(&dice, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
