#include "base/alloc.h"

#include <string.h>

#include "tests/unit/unit.h"

static void nothing_at_all_is_still_memory(void **state)
{
    (void)state;
    void *memory = mem_alloc(0);
    assert_non_null(memory);
    memory = mem_realloc(memory, 0);
    assert_non_null(memory);
    mem_free(memory);
    memory = mem_copy(NULL, 0);
    assert_non_null(memory);
    mem_free(memory);
    mem_free(NULL);
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    char *memory = mem_zalloc(4096);
    for (int i = 0; i < 4096; i++)
        assert_int_equal(memory[i], 0);
    mem_free(memory);
}

static void a_copy_and_its_growth_keep_the_bytes(void **state)
{
    (void)state;
    char *memory = mem_copy("weir", 4);
    memory = mem_realloc(memory, 100000);
    assert_memory_equal(memory, "weir", 4);
    mem_free(memory);
}

static void the_usable_size_is_at_least_what_was_asked(void **state)
{
    (void)state;
    for (size_t size = 1; size < 5000; size = size * 3 / 2 + 1) {
        void *memory = mem_alloc(size);
        assert_true(mem_usable(memory) >= size);
        assert_true(mem_rounded(size) >= size && mem_rounded(size) <= mem_usable(memory));
        mem_free(memory);
    }
}

static void memory_in_use_is_counted_where_the_allocator_counts(void **state)
{
    (void)state;
    bool counts = strncmp(mem_allocator(), "jemalloc-", 9) == 0;
    size_t before = mem_used();
    char *memory = mem_alloc((size_t)10 << 20);
    memset(memory, 1, (size_t)10 << 20);
    size_t during = mem_used();
    mem_free(memory);
    if (counts)
        assert_true(during >= before + ((size_t)10 << 20));
    else
        assert_int_equal(during, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_at_all_is_still_memory),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(a_copy_and_its_growth_keep_the_bytes),
        cmocka_unit_test(the_usable_size_is_at_least_what_was_asked),
        cmocka_unit_test(memory_in_use_is_counted_where_the_allocator_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
