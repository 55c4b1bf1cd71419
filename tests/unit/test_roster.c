#include "storage/roster.h"

#include "base/alloc.h"
#include "tests/unit/unit.h"

#define NUMBERS 200u

struct member {
    struct roster_entry entry;
    char name[16];
    bool present;
};

static struct member members[NUMBERS];

static void check(const struct roster *roster)
{
    size_t count = 0;
    struct roster_entry *after = NULL;
    for (size_t i = NUMBERS; i > 0; i--) {
        struct member *member = &members[i - 1];
        struct roster_entry *expected = member->present ? &member->entry : NULL;
        assert_ptr_equal(roster_after(roster, member->entry.number), after);
        after = member->present ? &member->entry : after;
        assert_ptr_equal(roster_find(roster, member->entry.name), expected);
        assert_ptr_equal(roster_at(roster, member->entry.number), expected);
        count += member->present;
    }
    assert_ptr_equal(roster_after(roster, 0), after);
    assert_null(roster_after(roster, UINT64_MAX));
    assert_int_equal(roster->count, count);
    for (uint32_t i = 1; i < roster->count; i++) {
        assert_true(bytes_compare(roster->by_name[i - 1]->name, roster->by_name[i]->name) < 0);
        assert_true(roster->by_number[i - 1]->number < roster->by_number[i]->number);
    }
}

static void entries_are_found_by_name_and_by_number(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    struct roster roster = {0};
    for (unsigned i = 0; i < NUMBERS; i++) {
        int len = snprintf(members[i].name, sizeof(members[i].name), "%u", i * 7919 % 1000);
        members[i].entry = (struct roster_entry){i + 1, bytes_of(members[i].name, (size_t)len)};
    }
    check(&roster);
    for (int step = 0; step < 2000; step++) {
        struct member *member = &members[random_below(&random, NUMBERS)];
        if (member->present)
            roster_remove(&roster, &member->entry);
        else
            roster_add(&roster, &member->entry);
        member->present = !member->present;
        if (step % 20 == 0)
            check(&roster);
    }
    roster_deinit(&roster);
    assert_int_equal(roster_bytes(&roster), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_found_by_name_and_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
