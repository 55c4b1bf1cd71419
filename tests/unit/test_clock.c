#include "base/clock.h"

#include <time.h>

#include "tests/unit/unit.h"

static void wall_time_is_unix_time_in_both_units(void **state)
{
    (void)state;
    uint64_t before_s = (uint64_t)time(NULL);
    uint64_t ms = clock_wall_ms();
    uint64_t us = clock_wall_us();
    uint64_t after_s = (uint64_t)time(NULL);
    assert_in_range(ms / 1000, before_s - 1, after_s + 1);
    assert_in_range(us / 1000, ms, ms + 10000);
}

static void monotonic_time_never_goes_back_and_goes_on(void **state)
{
    (void)state;
    uint64_t start = clock_mono_us();
    uint64_t last = start;
    while (last - start < 2000) {
        uint64_t now = clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_unix_time_in_both_units),
        cmocka_unit_test(monotonic_time_never_goes_back_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
