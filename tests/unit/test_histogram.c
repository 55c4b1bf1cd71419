#include "bench/histogram.h"

#include "tests/unit/unit.h"

#define VALUES 20000

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Of all sizes: as many in each power of two. */
static uint64_t random_value(struct random *random)
{
    return random_u64(random) >> (64 - HISTOGRAM_BITS + random_below(random, HISTOGRAM_BITS));
}

/* The least value that `fraction` of all do not exceed. */
static uint64_t quantile_of(const uint64_t *sorted, size_t count, double fraction)
{
    size_t rank = (size_t)(fraction * (double)count);
    if ((double)rank < fraction * (double)count)
        rank++;
    return sorted[rank == 0 ? 0 : rank - 1];
}

static void an_empty_one_says_zero(void **state)
{
    (void)state;
    static struct histogram histogram;
    assert_int_equal(histogram_quantile(&histogram, 0), 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram_quantile(&histogram, 1), 0);
}

static void quantiles_are_those_of_a_sorted_array_but_for_one_percent(void **state)
{
    (void)state;
    static const double fractions[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    static struct histogram histogram;
    static uint64_t values[VALUES];
    struct random random;
    random_init(&random, unit_seed());
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = random_value(&random);
        histogram_add(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
        uint64_t truth = quantile_of(values, VALUES, fractions[i]);
        uint64_t told = histogram_quantile(&histogram, fractions[i]);
        assert_true(told >= truth);
        assert_true(told - truth <= truth / 128);
    }
    assert_int_equal(histogram.total, VALUES);
    assert_int_equal(histogram_quantile(&histogram, 1), values[VALUES - 1]);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct histogram histogram;
    for (uint64_t i = 0; i < 256; i++)
        histogram_add(&histogram, i);
    for (uint64_t i = 1; i <= 256; i++)
        assert_int_equal(histogram_quantile(&histogram, (double)i / 256), i - 1);
}

static void what_is_too_great_counts_as_the_greatest(void **state)
{
    (void)state;
    static struct histogram histogram;
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, HISTOGRAM_MAX);
    assert_int_equal(histogram_quantile(&histogram, 0.5), HISTOGRAM_MAX);
    assert_int_equal(histogram.total, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_says_zero),
        cmocka_unit_test(quantiles_are_those_of_a_sorted_array_but_for_one_percent),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(what_is_too_great_counts_as_the_greatest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
