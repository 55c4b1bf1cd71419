#include "base/random.h"
#include "tests/unit/unit.h"

/* From the authors' splitmix64.c and xoshiro256starstar.c, seeded with 0. */
static void the_first_numbers_are_those_of_the_reference(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 0);
    assert_true(random.state[0] == 0xe220a8397b1dcdaf);
    assert_true(random_u64(&random) == 0x99ec5f36cb75f2b4);
    assert_true(random_u64(&random) == 0xbf6e1f784956452a);
    assert_true(random_u64(&random) == 0x1a5f849d4933e6e0);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    struct random c;
    random_init(&a, 7);
    random_init(&b, 7);
    random_init(&c, 8);
    uint64_t first = random_u64(&a);
    assert_true(first == random_u64(&b));
    assert_true(first != random_u64(&c));
}

static void numbers_below_a_bound_are_even(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    unsigned counts[10] = {0};
    for (int i = 0; i < 100000; i++)
        counts[random_below(&random, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9500, 10500);
}

static void a_bound_of_one_leaves_no_choice(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < 100; i++)
        assert_true(random_below(&random, 1) == 0);
    uint64_t bound = ((uint64_t)1 << 63) + 1;
    for (int i = 0; i < 100; i++)
        assert_true(random_below(&random, bound) < bound);
}

static void seeds_differ(void **state)
{
    (void)state;
    assert_true(random_seed() != random_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_numbers_are_those_of_the_reference),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(numbers_below_a_bound_are_even),
        cmocka_unit_test(a_bound_of_one_leaves_no_choice),
        cmocka_unit_test(seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
