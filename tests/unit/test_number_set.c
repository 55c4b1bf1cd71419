/* The model is an array of flags. */
#include "pubsub/number_set.h"

#include "tests/unit/unit.h"

#define NUMBERS 200000u
#define SETS    5

static struct random rng;
static struct number_set sets[SETS];
static bool model[SETS][NUMBERS];
static struct buf scratch;
static struct buf copy;

static int set_up(void **state)
{
    (void)state;
    memset(sets, 0, sizeof(sets));
    memset(model, 0, sizeof(model));
    buf_init(&scratch);
    buf_init(&copy);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < SETS; i++)
        number_set_deinit(&sets[i]);
    buf_deinit(&scratch);
    buf_deinit(&copy);
    return 0;
}

static void assert_is(const struct number_set *set, const bool *flags)
{
    const uint32_t *numbers = number_set_read(set, &scratch);
    uint32_t count = 0;
    for (uint32_t number = 0; number < NUMBERS; number++) {
        if (!flags[number])
            continue;
        assert_true(count < set->count);
        assert_int_equal(numbers[count++], number);
    }
    assert_int_equal(set->count, count);
}

static void change(int at, uint32_t number, bool in)
{
    bool changed = in ? number_set_add(&sets[at], number) : number_set_remove(&sets[at], number);
    assert_int_equal(changed, model[at][number] != in);
    assert_int_equal(number_set_has(&sets[at], number), in);
    model[at][number] = in;
}

static void zeros_are_an_empty_set(void **state)
{
    (void)state;
    assert_is(&sets[0], model[0]);
    assert_false(number_set_has(&sets[0], 0));
    assert_false(number_set_remove(&sets[0], 0));
}

static void it_grows_through_all_its_forms_and_shrinks_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3 * NUMBER_SET_ARRAY_MAX; i++) {
        change(0, i * 977 % NUMBERS, true);
        assert_is(&sets[0], model[0]);
    }
    for (uint32_t i = 0; i < 3 * NUMBER_SET_ARRAY_MAX; i++) {
        change(0, i * 977 % NUMBERS, false);
        assert_is(&sets[0], model[0]);
    }
}

static void the_greatest_number_is_one_like_others(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200; i++)
        assert_true(number_set_add(&sets[0], UINT32_MAX - i));
    assert_false(number_set_add(&sets[0], UINT32_MAX));
    for (uint32_t i = 0; i < 200; i++)
        assert_true(number_set_remove(&sets[0], UINT32_MAX - i));
    assert_int_equal(sets[0].count, 0);
}

static void a_copy_stays_when_the_set_changes(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2 * NUMBER_SET_ARRAY_MAX; count++) {
        number_set_add(&sets[0], count);
        uint32_t whole = sets[0].count;
        const uint32_t *numbers = number_set_copy(&sets[0], &copy);
        for (uint32_t i = 0; i < whole; i++)
            assert_true(number_set_remove(&sets[0], numbers[i]));
        for (uint32_t i = 0; i < whole; i++) {
            assert_int_equal(numbers[i], i + 1);
            assert_true(number_set_add(&sets[0], numbers[i]));
        }
    }
}

static void random_changes_agree_with_the_model(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        uint32_t span = 1 + (uint32_t)random_below(&rng, round % 3 == 0 ? NUMBERS : 300);
        bool grows = random_below(&rng, 2) == 0;
        for (int i = 0; i < 400; i++)
            change(1, (uint32_t)random_below(&rng, span), (random_below(&rng, 4) > 0) == grows);
        assert_is(&sets[1], model[1]);
    }
}

static bool by_rule(enum number_rule rule, const int *which, size_t count, uint32_t number)
{
    bool in = model[which[0]][number];
    for (size_t i = 1; i < count; i++) {
        bool other = model[which[i]][number];
        in = rule == NUMBER_UNION ? in || other : rule == NUMBER_INTER ? in && other : in && !other;
    }
    return in;
}

static void sets_of_any_size_combine_by_every_rule(void **state)
{
    static bool expected[NUMBERS];
    (void)state;
    for (int i = 0; i < SETS; i++) {
        for (int n = (int)random_below(&rng, i % 2 == 0 ? 60 : 5000); n > 0; n--)
            change(i, (uint32_t)random_below(&rng, 6000), true);
    }
    for (int round = 0; round < 60; round++) {
        enum number_rule rule = (enum number_rule)(round % 3);
        size_t count = 1 + random_below(&rng, 4);
        const struct number_set *chosen[4];
        int which[4];
        for (size_t i = 0; i < count; i++) {
            which[i] = (int)random_below(&rng, SETS);
            chosen[i] = &sets[which[i]];
        }
        for (uint32_t number = 0; number < NUMBERS; number++)
            expected[number] = by_rule(rule, which, count, number);
        struct number_set out = {0};
        number_set_combine(&out, rule, chosen, count);
        assert_is(&out, expected);
        number_set_deinit(&out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(zeros_are_an_empty_set),
        TEST(it_grows_through_all_its_forms_and_shrinks_back),
        TEST(the_greatest_number_is_one_like_others),
        TEST(a_copy_stays_when_the_set_changes),
        TEST(random_changes_agree_with_the_model),
        TEST(sets_of_any_size_combine_by_every_rule),
    };
    random_init(&rng, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
