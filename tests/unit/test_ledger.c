#include "storage/ledger.h"

#include "tests/unit/unit.h"

#define ENTRIES 3000

static struct random randomness;
static uint64_t sizes[ENTRIES + 1]; /* by id: ms is 1 to ENTRIES */

static int set_up(void **state)
{
    (void)state;
    random_init(&randomness, unit_seed());
    return 0;
}

static struct ledger *recoded(struct ledger *ledger)
{
    struct buf row;
    struct ledger *copy = NULL;
    buf_init(&row);
    ledger_encode(&row, ledger);
    assert_int_equal(ledger_decode(buf_bytes(&row), &copy), ERR_OK);
    assert_int_equal(copy->total, ledger->total);
    assert_int_equal(copy->count, ledger->count);
    buf_deinit(&row);
    ledger_destroy(ledger);
    return copy;
}

static uint64_t sum(uint64_t from, uint64_t to)
{
    uint64_t bytes = 0;
    for (uint64_t i = from; i <= to; i++)
        bytes += sizes[i];
    return bytes;
}

/* The model: the sizes of all entries. */
static void what_stays_is_the_limit_less_a_64th(void **state)
{
    (void)state;
    const uint64_t max = 64000, size_max = 1000;
    struct ledger *ledger = ledger_create(max, ID_MIN);
    uint64_t first = 1;
    for (uint64_t i = 1; i <= ENTRIES; i++) {
        sizes[i] = 1 + random_below(&randomness, size_max);
        ledger_add(ledger, (struct id){i, 0}, sizes[i]);
        struct id stays = ledger_first(ledger, max);
        if (random_below(&randomness, 20) == 0)
            ledger = recoded(ledger);
        if (id_is_zero(stays)) {
            assert_true(sum(first, i) <= max + max / LEDGER_SPANS + size_max);
            continue;
        }
        first = stays.ms + 1; /* {ms, 1} is the first id that may stay */
        ledger_forget(ledger, stays);
        assert_int_equal(ledger->total, sum(first, i));
        assert_in_range(ledger->total, max - 3 * (max / LEDGER_SPANS + size_max), max);
    }
    assert_in_range(ledger->count, LEDGER_SPANS / 4, 2 * LEDGER_SPANS);
    ledger_destroy(ledger);
}

static void too_many_spans_become_fewer(void **state)
{
    (void)state;
    struct ledger *ledger = ledger_create(6400, ID_MIN);
    for (uint64_t i = 1; i <= 100000; i++)
        ledger_add(ledger, (struct id){i, 0}, 50);
    assert_in_range(ledger->count, 1, 2 * LEDGER_SPANS);
    assert_int_equal(ledger->total, 5000000);
    struct id stays = ledger_first(ledger, 6400);
    assert_true(stays.ms > 50000);
    ledger_destroy(ledger);
}

static void the_newest_span_stays(void **state)
{
    (void)state;
    struct ledger *ledger = ledger_create(100, ID_MIN);
    ledger_add(ledger, (struct id){1, 0}, 5000);
    assert_true(id_is_zero(ledger_first(ledger, 100)));
    ledger_add(ledger, (struct id){2, 0}, 5000);
    assert_true(id_equal(ledger_first(ledger, 100), (struct id){1, 1}));
    ledger_destroy(ledger);
}

static void what_is_weighed_later_comes_before(void **state)
{
    (void)state;
    struct ledger *ledger = ledger_create(64, (struct id){5, 0});
    struct buf spans;
    buf_init(&spans);
    ledger_add(ledger, (struct id){6, 0}, 10);
    ledger_encode_spans(&spans, (const struct span[]){{{2, 0}, 7}, {{5, 0}, 8}}, 2);
    assert_int_equal(ledger_weighed(ledger, buf_bytes(&spans)), ERR_OK);
    assert_true(id_is_zero(ledger->unweighed));
    assert_int_equal(ledger->total, 25);
    assert_int_equal(ledger->count, 3);
    ledger_destroy(ledger);
    buf_deinit(&spans);
}

static void damage_is_told(void **state)
{
    (void)state;
    struct ledger *ledger = ledger_create(64, ID_MIN);
    ledger_add(ledger, (struct id){6, 0}, 10);
    assert_int_equal(ledger_weighed(ledger, BYTES("\x06\x00\x01")), ERR_CORRUPT);
    assert_int_equal(ledger_weighed(ledger, BYTES("\x02\x00")), ERR_CORRUPT);
    assert_int_equal(ledger_weighed(ledger, BYTES("\x02\x00\x01\x02\x00\x01")), ERR_CORRUPT);
    assert_int_equal(ledger->total, 10);
    ledger_destroy(ledger);
    assert_int_equal(ledger_decode(BYTES(""), &ledger), ERR_CORRUPT);
    assert_int_equal(ledger_decode(BYTES("\x00\x00\x00"), &ledger), ERR_CORRUPT);
    assert_int_equal(ledger_decode(BYTES("\x01\x00\x00\x05\x00"), &ledger), ERR_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_stays_is_the_limit_less_a_64th),
        TEST(too_many_spans_become_fewer),
        TEST(the_newest_span_stays),
        TEST(what_is_weighed_later_comes_before),
        TEST(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
