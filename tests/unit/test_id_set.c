#include "storage/id_set.h"

#include "tests/unit/unit.h"

#define MS_MAX  64
#define SEQ_MAX 64

static void an_empty_set_owns_no_memory(void **state)
{
    (void)state;
    struct id_set set = {0};
    assert_false(id_set_has(&set, (struct id){1, 1}));
    id_set_sorted(&set, NULL);
    assert_null(set.slots);
    assert_true(id_set_add(&set, (struct id){1, 1}));
    id_set_deinit(&set);
    assert_null(set.slots);
    assert_false(id_set_has(&set, (struct id){1, 1}));
    id_set_deinit(&set);
}

/* The model: a table of all ids that the test uses. */
static void a_set_has_what_was_added(void **state)
{
    (void)state;
    static bool model[MS_MAX][SEQ_MAX];
    struct random random;
    random_init(&random, unit_seed());
    struct id_set set = {0};
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        struct id id = {random_below(&random, MS_MAX), 1 + random_below(&random, SEQ_MAX - 1)};
        bool *there = &model[id.ms][id.seq];
        assert_int_equal(id_set_has(&set, id), *there);
        if (random_below(&random, 2))
            continue;
        assert_int_equal(id_set_add(&set, id), !*there);
        count += !*there;
        *there = true;
        assert_int_equal(set.count, count);
    }
    struct id *sorted = malloc(count * sizeof(*sorted));
    id_set_sorted(&set, sorted);
    size_t at = 0;
    for (uint64_t ms = 0; ms < MS_MAX; ms++) {
        for (uint64_t seq = 0; seq < SEQ_MAX; seq++) {
            if (model[ms][seq])
                assert_true(id_equal(sorted[at++], (struct id){ms, seq}));
        }
    }
    assert_int_equal(at, count);
    free(sorted);
    id_set_deinit(&set);
}

/* Ids of one feed come in runs: the same millisecond, or the same sequence number. */
static void runs_of_ids_do_not_collide_much(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct id_set set = {0};
        for (uint64_t i = 1; i <= 100000; i++)
            id_set_add(&set, kind == 0 ? (struct id){1700000000000, i} : (struct id){i, 0});
        for (uint64_t i = 1; i <= 100000; i++)
            assert_true(
                id_set_has(&set, kind == 0 ? (struct id){1700000000000, i} : (struct id){i, 0}));
        size_t longest = 0;
        size_t run = 0;
        for (size_t i = 0; i < (size_t)1 << set.bits; i++) {
            run = id_is_zero(set.slots[i]) ? 0 : run + 1;
            longest = run > longest ? run : longest;
        }
        assert_in_range(longest, 1, 2000);
        id_set_deinit(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_owns_no_memory),
        cmocka_unit_test(a_set_has_what_was_added),
        cmocka_unit_test(runs_of_ids_do_not_collide_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
