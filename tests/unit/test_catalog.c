#include "storage/catalog.h"

#include "tests/unit/unit.h"

static struct random dice;

static void random_catalog(struct catalog *catalog)
{
    catalog_init(catalog, 1 + (uint32_t)random_below(&dice, 40), random_u64(&dice));
    catalog->fold_lsn = random_u64(&dice) >> random_below(&dice, 64);
    catalog->next_feed = random_u64(&dice) >> random_below(&dice, 64);
    for (uint32_t i = 0; i < catalog->count; i++) {
        if (random_below(&dice, 3) == 0)
            catalog->databases[i].space = catalog->next_space++;
        catalog->databases[i].keys = random_u64(&dice) >> random_below(&dice, 64);
        catalog->databases[i].expires = random_u64(&dice) & catalog->databases[i].keys;
        catalog->databases[i].expiry_sum = random_u64(&dice);
        for (uint64_t j = random_below(&dice, 4); j > 0; j--)
            *catalog_tally(&catalog->databases[i], (unsigned)random_below(&dice, KEY_RANGES_MAX)) =
                (struct tally){1 + random_below(&dice, 1000), random_u64(&dice), j};
    }
    catalog->tallied = random_below(&dice, 4) > 0;
    for (uint64_t i = random_below(&dice, 5); i > 0; i--)
        catalog_appended(catalog, random_below(&dice, 1000));
}

static void check_equal(const struct catalog *a, const struct catalog *b)
{
    assert_int_equal(a->fold_lsn, b->fold_lsn);
    assert_int_equal(a->hash_seed, b->hash_seed);
    assert_int_equal(a->next_feed, b->next_feed);
    assert_int_equal(a->next_space, b->next_space);
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_int_equal(a->databases[i].space, b->databases[i].space);
        assert_int_equal(a->databases[i].keys, b->databases[i].keys);
        assert_int_equal(a->databases[i].expires, b->databases[i].expires);
        assert_int_equal(a->databases[i].expiry_sum, b->databases[i].expiry_sum);
    }
    assert_int_equal(a->appended, b->appended);
    assert_int_equal(a->appended_bytes, b->appended_bytes);
    assert_int_equal(a->tallied, b->tallied);
    for (unsigned rule = 0; rule < KEY_RANGES_MAX && a->tallied; rule++) {
        struct tally x = catalog_tally_sum(a, rule);
        struct tally y = catalog_tally_sum(b, rule);
        assert_memory_equal(&x, &y, sizeof(x));
    }
}

/* Decodes a copy of exactly this size. */
static enum err decode(const char *data, size_t len, struct catalog *out)
{
    char *copy = malloc(len + 1);
    memcpy(copy + 1, data, len);
    enum err err = catalog_decode(bytes_of(copy + 1, len), out);
    free(copy);
    return err;
}

static void databases_have_namespaces_of_their_own(void **state)
{
    (void)state;
    struct catalog catalog;
    catalog_init(&catalog, 3, 5);
    catalog_grow(&catalog, 2);
    assert_int_equal(catalog.count, 3);
    catalog_grow(&catalog, 5);
    assert_int_equal(catalog.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(catalog.databases[i].space, i + 1);
        assert_int_equal(catalog.databases[i].keys, 0);
    }
    assert_int_equal(catalog.next_space, 6);
    catalog_deinit(&catalog);
}

static void a_copy_is_apart(void **state)
{
    (void)state;
    struct catalog catalog, copy;
    random_catalog(&catalog);
    catalog_copy(&copy, &catalog);
    check_equal(&catalog, &copy);
    copy.databases[0].keys++;
    assert_int_not_equal(catalog.databases[0].keys, copy.databases[0].keys);
    catalog_deinit(&catalog);
    catalog_deinit(&copy);
}

static void a_row_is_read_back_and_every_truncation_refused(void **state)
{
    (void)state;
    struct buf row;
    buf_init(&row);
    for (int i = 0; i < 200; i++) {
        struct catalog catalog, read;
        random_catalog(&catalog);
        row.len = 0;
        catalog_encode(&row, &catalog);
        for (size_t len = 0; len < row.len; len++)
            assert_int_equal(decode(row.data, len, &read), ERR_CORRUPT);
        assert_int_equal(decode(row.data, row.len, &read), ERR_OK);
        check_equal(&catalog, &read);
        catalog_deinit(&read);
        catalog_deinit(&catalog);
    }
    buf_deinit(&row);
}

static void garbage_is_refused_or_read_within_its_bounds(void **state)
{
    (void)state;
    struct buf row;
    buf_init(&row);
    for (int i = 0; i < 20000; i++) {
        struct catalog catalog, read;
        random_catalog(&catalog);
        row.len = 0;
        catalog_encode(&row, &catalog);
        for (uint64_t j = 1 + random_below(&dice, 4); j > 0; j--)
            row.data[random_below(&dice, row.len)] = (char)random_u64(&dice);
        enum err err = decode(row.data, row.len, &read);
        assert_true(err == ERR_OK || err == ERR_CORRUPT || err == ERR_TOO_NEW);
        if (err == ERR_OK)
            catalog_deinit(&read);
        catalog_deinit(&catalog);
    }
    buf_deinit(&row);
}

static void a_row_of_before_there_were_range_rules_has_none(void **state)
{
    (void)state;
    struct buf row;
    struct catalog read;
    buf_init(&row);
    buf_put_u16(&row, 2);
    buf_put_u64(&row, 11);    /* fold LSN */
    buf_put_u64(&row, 12);    /* hash seed */
    buf_put_varint(&row, 13); /* next feed */
    buf_put_varint(&row, 14); /* next namespace */
    buf_put_varint(&row, 1);  /* databases */
    buf_put_varint(&row, 5);
    buf_put_varint(&row, 6);
    assert_int_equal(catalog_decode(buf_bytes(&row), &read), ERR_OK);
    assert_int_equal(read.fold_lsn, 11);
    assert_int_equal(read.databases[0].space, 5);
    assert_int_equal(read.databases[0].keys, 6);
    assert_int_equal(read.databases[0].expires, 0);
    assert_int_equal(key_ranges_of(&read.ranges, 0, BYTES("a"))->store, STORE_DURABLE);
    catalog_deinit(&read);
    buf_deinit(&row);
}

static void a_row_of_before_there_were_sums_has_none_and_says_so(void **state)
{
    (void)state;
    struct buf row;
    struct catalog written, read;
    buf_init(&row);
    catalog_init(&written, 1, 12);
    buf_put_u16(&row, 3);
    buf_put_u64(&row, 11);   /* fold LSN */
    buf_put_u64(&row, 12);   /* hash seed */
    buf_put_varint(&row, 1); /* next feed */
    buf_put_varint(&row, 2); /* next namespace */
    buf_put_varint(&row, 1); /* databases */
    buf_put_varint(&row, 1);
    buf_put_varint(&row, 6);
    buf_put_varint(&row, 4);
    key_ranges_encode(&row, &written.ranges);
    assert_int_equal(catalog_decode(buf_bytes(&row), &read), ERR_OK);
    assert_true(read.format < CATALOG_FORMAT_WITH_EXPIRY);
    assert_true(catalog_expires(&read));
    assert_int_equal(read.databases[0].expires, 4);
    assert_int_equal(read.databases[0].expiry_sum, 0);
    assert_false(read.tallied);
    catalog_deinit(&written);
    catalog_deinit(&read);
    buf_deinit(&row);
}

static void sums_of_times_tell_their_mean(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        uint64_t sum = 0, true_sum = 0;
        uint64_t count = 1 + random_below(&dice, 50);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t expiry_ms = 1 + random_below(&dice, UINT64_C(1) << (1 + i % 42));
            sum += catalog_expiry(expiry_ms);
            true_sum += expiry_ms;
        }
        uint64_t mean_ms = catalog_expiry_mean(sum, count);
        assert_in_range(mean_ms + CATALOG_EXPIRY_UNIT_MS, true_sum / count,
                        true_sum / count + 2 * CATALOG_EXPIRY_UNIT_MS);
    }
    assert_int_equal(catalog_expiry(UINT64_MAX), catalog_expiry(CATALOG_EXPIRY_MAX_MS));
}

static void a_newer_format_is_too_new(void **state)
{
    (void)state;
    struct buf row;
    struct catalog catalog;
    buf_init(&row);
    buf_put_u16(&row, CATALOG_FORMAT + 1);
    assert_int_equal(catalog_decode(buf_bytes(&row), &catalog), ERR_TOO_NEW);
    buf_deinit(&row);
}

static void a_namespace_that_was_never_given_out_is_corrupt(void **state)
{
    (void)state;
    static const uint32_t spaces[] = {0, 3, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        struct catalog catalog, read;
        catalog_init(&catalog, 2, 1);
        catalog.databases[1].space = spaces[i];
        struct buf row;
        buf_init(&row);
        catalog_encode(&row, &catalog);
        assert_int_equal(catalog_decode(buf_bytes(&row), &read), ERR_CORRUPT);
        catalog_deinit(&catalog);
        buf_deinit(&row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(databases_have_namespaces_of_their_own),
        cmocka_unit_test(a_copy_is_apart),
        cmocka_unit_test(a_row_is_read_back_and_every_truncation_refused),
        cmocka_unit_test(garbage_is_refused_or_read_within_its_bounds),
        cmocka_unit_test(a_row_of_before_there_were_range_rules_has_none),
        cmocka_unit_test(a_row_of_before_there_were_sums_has_none_and_says_so),
        cmocka_unit_test(sums_of_times_tell_their_mean),
        cmocka_unit_test(a_newer_format_is_too_new),
        cmocka_unit_test(a_namespace_that_was_never_given_out_is_corrupt),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
