#include "storage/id.h"

#include "tests/unit/unit.h"

static struct id random_id(struct random *random)
{
    static const uint64_t edges[] = {0, 1, 9, 10, UINT64_MAX - 1, UINT64_MAX};
    uint64_t parts[2];
    for (int i = 0; i < 2; i++) {
        parts[i] = random_u64(random) >> random_below(random, 64);
        if (random_below(random, 3) == 0)
            parts[i] = edges[random_below(random, 6)];
    }
    return (struct id){parts[0], parts[1]};
}

static void ids_are_ordered_by_milliseconds_then_sequence(void **state)
{
    (void)state;
    struct id a = {1, 9};
    struct id b = {2, 0};
    struct id c = {2, 1};
    assert_true(id_compare(a, b) < 0 && id_compare(b, c) < 0 && id_compare(c, a) > 0);
    assert_int_equal(id_compare(b, b), 0);
    assert_true(id_less(a, b) && id_less(b, c) && !id_less(c, c) && !id_less(c, b));
    assert_true(id_equal(id_max(a, c), c) && id_equal(id_max(c, a), c));
    assert_true(id_equal(id_min(a, c), a) && id_equal(id_min(c, a), a));
    assert_true(id_is_zero(ID_MIN) && !id_is_zero(a));
}

static void the_neighbour_of_a_full_sequence_is_in_the_next_millisecond(void **state)
{
    (void)state;
    struct id id = {4, UINT64_MAX};
    assert_true(id_next(&id));
    assert_true(id_equal(id, (struct id){5, 0}));
    assert_true(id_prev(&id));
    assert_true(id_equal(id, (struct id){4, UINT64_MAX}));
}

static void the_ends_have_one_neighbour(void **state)
{
    (void)state;
    struct id id = ID_MAX;
    assert_false(id_next(&id));
    assert_true(id_equal(id, ID_MAX));
    id = ID_MIN;
    assert_false(id_prev(&id));
    assert_true(id_is_zero(id));
}

static void text_is_read_back_as_the_same_id(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    for (int i = 0; i < 20000; i++) {
        struct id id = random_id(&random);
        char text[ID_TEXT_MAX];
        char expected[64];
        size_t len = id_to_text(id, text);
        int expected_len =
            snprintf(expected, sizeof(expected), "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
        assert_int_equal(len, expected_len);
        assert_memory_equal(text, expected, len);
        struct id back;
        assert_true(id_from_text(bytes_of(text, len), 77, &back));
        assert_true(id_equal(back, id));
    }
}

static void a_missing_sequence_is_the_callers(void **state)
{
    (void)state;
    struct id id;
    assert_true(id_from_text(BYTES("12"), UINT64_MAX, &id));
    assert_true(id_equal(id, (struct id){12, UINT64_MAX}));
}

static void text_that_is_no_id_is_refused_and_leaves_the_id_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "-",
                                        "1-",
                                        "-1",
                                        "1-2-3",
                                        "1--2",
                                        " 1-2",
                                        "1-2 ",
                                        "+1",
                                        "01",
                                        "1-02",
                                        "a",
                                        "1-a",
                                        "18446744073709551616",
                                        "1-18446744073709551616",
                                        "*",
                                        "1-*"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct id id = {3, 4};
        assert_false(id_from_text(bytes_of_string(texts[i]), 0, &id));
        assert_true(id_equal(id, (struct id){3, 4}));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_ordered_by_milliseconds_then_sequence),
        cmocka_unit_test(the_neighbour_of_a_full_sequence_is_in_the_next_millisecond),
        cmocka_unit_test(the_ends_have_one_neighbour),
        cmocka_unit_test(text_is_read_back_as_the_same_id),
        cmocka_unit_test(a_missing_sequence_is_the_callers),
        cmocka_unit_test(text_that_is_no_id_is_refused_and_leaves_the_id_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
