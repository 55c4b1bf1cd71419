/* The model is a table of who is in what. */
#include "pubsub/membership.h"

#include <stdio.h>

#include "base/check.h"
#include "tests/unit/unit.h"

#define PEOPLE 300
#define NAMES  40

static struct random rng;
static struct membership membership;
static struct subscriber people[PEOPLE];
static bool in[PEOPLE][ROOM_KIND_COUNT][NAMES];
static struct buf scratch;

static int set_up(void **state)
{
    (void)state;
    membership_init(&membership);
    memset(people, 0, sizeof(people));
    memset(in, 0, sizeof(in));
    buf_init(&scratch);
    return 0;
}

static struct bytes name_of(int name)
{
    static char text[16];
    return bytes_of(text, (size_t)snprintf(text, sizeof(text), "%s%d", name % 2 ? "*" : "", name));
}

static void set(int person, enum room_kind kind, int name, bool wanted)
{
    bool changed = wanted ? membership_join(&membership, &people[person], kind, name_of(name))
                          : membership_leave(&membership, &people[person], kind, name_of(name));
    assert_int_equal(changed, in[person][kind][name] != wanted);
    in[person][kind][name] = wanted;
}

static int tear_down(void **state)
{
    (void)state;
    for (int person = 0; person < PEOPLE; person++) {
        for (int kind = 0; kind < ROOM_KIND_COUNT; kind++) {
            for (int name = 0; name < NAMES; name++)
                set(person, (enum room_kind)kind, name, false);
        }
    }
    membership_deinit(&membership);
    buf_deinit(&scratch);
    return 0;
}

static uint32_t assert_room(enum room_kind kind, int name)
{
    const struct room *room = membership_find(&membership, kind, name_of(name));
    uint32_t members = 0;
    for (int person = 0; person < PEOPLE; person++) {
        members += in[person][kind][name];
        assert_int_equal(membership_has(&membership, &people[person], kind, name_of(name)),
                         in[person][kind][name]);
    }
    assert_int_equal(room != NULL ? room->members.count : 0, members);
    const uint32_t *slots = room != NULL ? number_set_read(&room->members, &scratch) : NULL;
    for (uint32_t i = 0; i < members; i++) {
        long person = membership_at(&membership, slots[i]) - people;
        assert_true(in[person][kind][name]);
    }
    return members;
}

static void assert_all(void)
{
    uint64_t subscriptions = 0;
    uint32_t subscribers = 0;
    for (int kind = 0; kind < ROOM_KIND_COUNT; kind++) {
        for (int name = 0; name < NAMES; name++)
            subscriptions += assert_room((enum room_kind)kind, name);
    }
    for (int person = 0; person < PEOPLE; person++)
        subscribers += people[person].count > 0;
    assert_int_equal(membership.subscriptions, subscriptions);
    assert_int_equal(membership.subscribers, subscribers);
}

static void rooms_of_different_kinds_know_nothing_of_each_other(void **state)
{
    (void)state;
    set(0, ROOM_CHANNEL, 0, true);
    set(1, ROOM_SHARD, 0, true);
    set(2, ROOM_PATTERN, 0, true);
    set(3, ROOM_WATCH, 0, true);
    assert_all();
}

static void joining_twice_or_leaving_twice_changes_nothing(void **state)
{
    (void)state;
    set(0, ROOM_CHANNEL, 0, true);
    set(0, ROOM_CHANNEL, 0, true);
    assert_int_equal(people[0].count, 1);
    set(0, ROOM_CHANNEL, 0, false);
    set(0, ROOM_CHANNEL, 0, false);
    assert_int_equal(people[0].count, 0);
    assert_null(membership_find(&membership, ROOM_CHANNEL, name_of(0)));
}

static void slots_of_those_who_left_are_used_again(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        set(round, ROOM_CHANNEL, 0, true);
        assert_int_equal(people[round].slot, 0);
        set(round, ROOM_CHANNEL, 0, false);
    }
}

static void patterns_are_in_the_index_while_they_have_members(void **state)
{
    struct buf found;
    (void)state;
    buf_init(&found);
    set(0, ROOM_PATTERN, 1, true);
    set(1, ROOM_PATTERN, 1, true);
    set(0, ROOM_PATTERN, 1, false);
    assert_int_equal(membership_match(&membership, BYTES("x1"), &found, &scratch), 1);
    set(1, ROOM_PATTERN, 1, false);
    assert_int_equal(membership_match(&membership, BYTES("x1"), &found, &scratch), 0);
    buf_deinit(&found);
}

static void random_joins_and_leaves_agree_with_the_model(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        bool grows = round % 5 < 3;
        for (int i = 0; i < 1500; i++)
            set((int)random_below(&rng, PEOPLE), (enum room_kind)random_below(&rng, 4),
                (int)(random_below(&rng, NAMES) * random_below(&rng, NAMES) / NAMES),
                (random_below(&rng, 5) > 0) == grows);
        assert_all();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rooms_of_different_kinds_know_nothing_of_each_other),
        TEST(joining_twice_or_leaving_twice_changes_nothing),
        TEST(slots_of_those_who_left_are_used_again),
        TEST(patterns_are_in_the_index_while_they_have_members),
        TEST(random_joins_and_leaves_agree_with_the_model),
    };
    random_init(&rng, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
