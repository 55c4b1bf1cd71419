#include "pubsub/waiters.h"

#include "tests/unit/unit.h"

#define WAITERS 100
#define KEYS    6

static struct bytes name_of(size_t key)
{
    static const char *const names[KEYS / 2] = {"", "a", "b"};
    return bytes_of_string(names[key / 2]);
}

static uint32_t scope_of(size_t key)
{
    return (uint32_t)(key % 2);
}

static void nobody_waits_at_first(void **state)
{
    (void)state;
    struct waiters waiters;
    waiters_init(&waiters);
    assert_true(waiters_empty(&waiters));
    assert_null(waiters_first(&waiters, 0, BYTES("a")));
    struct waiter waiter = {0};
    waiters_remove(&waiters, &waiter);
    waiters_deinit(&waiters);
}

static void equal_names_of_two_databases_are_two_keys(void **state)
{
    (void)state;
    struct waiters waiters;
    struct waiter a = {0};
    struct waiter b = {0};
    waiters_init(&waiters);
    waiters_add(&waiters, 0, BYTES("key"), NULL, &a);
    waiters_add(&waiters, 1, BYTES("key"), NULL, &b);
    assert_ptr_equal(waiters_first(&waiters, 0, BYTES("key")), &a);
    assert_ptr_equal(waiters_first(&waiters, 1, BYTES("key")), &b);
    assert_null(waiters_next(&a));
    waiters_remove(&waiters, &a);
    waiters_remove(&waiters, &b);
    waiters_deinit(&waiters);
}

static void a_name_is_copied(void **state)
{
    (void)state;
    struct waiters waiters;
    struct waiter waiter = {0};
    char name[] = "key";
    waiters_init(&waiters);
    waiters_add(&waiters, 0, bytes_of(name, 3), NULL, &waiter);
    name[0] = 'x';
    assert_ptr_equal(waiters_first(&waiters, 0, BYTES("key")), &waiter);
    assert_true(bytes_equal(waiter_name(&waiter), BYTES("key")));
    assert_int_equal(waiter_scope(&waiter), 0);
    waiters_remove(&waiters, &waiter);
    waiters_deinit(&waiters);
}

/* The model: of each waiter its key and when it came. */
static void waiters_stand_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    static struct waiter waiting[WAITERS];
    static size_t keys[WAITERS];
    static uint64_t came[WAITERS]; /* 0: it does not wait */
    struct waiters waiters;
    waiters_init(&waiters);
    for (uint64_t now = 1; now < 20000; now++) {
        size_t i = (size_t)random_below(&random, WAITERS);
        if (came[i] > 0) {
            waiters_remove(&waiters, &waiting[i]);
            came[i] = 0;
        } else {
            keys[i] = (size_t)random_below(&random, KEYS);
            waiters_add(&waiters, scope_of(keys[i]), name_of(keys[i]), NULL, &waiting[i]);
            came[i] = now;
        }
        size_t key = (size_t)random_below(&random, KEYS);
        size_t left = 0;
        for (size_t j = 0; j < WAITERS; j++)
            left += came[j] > 0 && keys[j] == key;
        uint64_t last = 0;
        struct waiter *waiter = waiters_first(&waiters, scope_of(key), name_of(key));
        for (; waiter != NULL; waiter = waiters_next(waiter), left--) {
            size_t at = (size_t)(waiter - waiting);
            assert_true(keys[at] == key && came[at] > last);
            last = came[at];
        }
        assert_int_equal(left, 0);
    }
    for (size_t i = 0; i < WAITERS; i++)
        waiters_remove(&waiters, &waiting[i]);
    assert_true(waiters_empty(&waiters));
    waiters_deinit(&waiters);
}

static void only_the_first_of_a_line_is_met(void **state)
{
    (void)state;
    struct waiters waiters;
    struct waiter one[4] = {0};
    struct waiter other = {0};
    struct waiter alone = {0};
    struct bytes g = BYTES("g");
    struct bytes h = BYTES("h");
    waiters_init(&waiters);
    for (size_t i = 0; i < 3; i++)
        waiters_add(&waiters, 0, BYTES("key"), &g, &one[i]);
    waiters_add(&waiters, 0, BYTES("key"), NULL, &alone);
    waiters_add(&waiters, 0, BYTES("key"), &h, &other);
    assert_ptr_equal(waiters_first(&waiters, 0, BYTES("key")), &one[0]);
    assert_ptr_equal(waiters_next(&one[0]), &alone);
    assert_ptr_equal(waiters_next(&alone), &other);
    assert_null(waiters_next(&other));

    assert_ptr_equal(waiters_line_next(&one[0]), &one[1]);
    assert_ptr_equal(waiters_line_next(&one[1]), &one[2]);
    assert_null(waiters_line_next(&one[2]));
    waiters_remove(&waiters, &one[1]); /* from the middle: nobody notices */
    assert_ptr_equal(waiters_line_first(&waiters, 0, BYTES("key"), g), &one[0]);
    waiters_remove(&waiters, &one[0]); /* the next one takes its place */
    assert_ptr_equal(waiters_first(&waiters, 0, BYTES("key")), &one[2]);
    assert_ptr_equal(waiters_next(&one[2]), &alone);
    waiters_remove(&waiters, &one[2]);
    assert_null(waiters_line_first(&waiters, 0, BYTES("key"), g));
    assert_ptr_equal(waiters_first(&waiters, 0, BYTES("key")), &alone);
    waiters_remove(&waiters, &alone);
    waiters_remove(&waiters, &other);
    assert_true(waiters_empty(&waiters));
    waiters_deinit(&waiters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits_at_first),
        cmocka_unit_test(equal_names_of_two_databases_are_two_keys),
        cmocka_unit_test(a_name_is_copied),
        cmocka_unit_test(only_the_first_of_a_line_is_met),
        cmocka_unit_test(waiters_stand_in_the_order_in_which_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
