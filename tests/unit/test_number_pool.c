#include "pubsub/number_pool.h"

#include "tests/unit/unit.h"

static void numbers_are_dense_and_come_back(void **state)
{
    struct number_pool pool;
    (void)state;
    number_pool_init(&pool);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(number_pool_take(&pool), i);
    number_pool_return(&pool, 3);
    number_pool_return(&pool, 1);
    assert_int_equal(number_pool_take(&pool), 1);
    assert_int_equal(number_pool_take(&pool), 3);
    assert_int_equal(number_pool_take(&pool), 5);
    number_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_dense_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
