#include "pubsub/rooms.h"

#include <stdio.h>

#include "tests/unit/unit.h"

#define ROOMS 5000u

static struct rooms rooms;

static int set_up(void **state)
{
    (void)state;
    rooms_init(&rooms, 7);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rooms_deinit(&rooms);
    return 0;
}

static void a_room_is_made_once_and_found_by_name_and_number(void **state)
{
    (void)state;
    assert_null(rooms_find(&rooms, BYTES("a")));
    struct room *room = rooms_make(&rooms, BYTES("a"));
    assert_ptr_equal(rooms_make(&rooms, BYTES("a")), room);
    assert_ptr_equal(rooms_find(&rooms, BYTES("a")), room);
    assert_ptr_equal(rooms_at(&rooms, room->number), room);
    assert_true(bytes_equal(room_name(room), BYTES("a")));
    rooms_drop(&rooms, room);
    assert_null(rooms_find(&rooms, BYTES("a")));
}

static void names_may_be_empty_and_hold_anything(void **state)
{
    (void)state;
    struct room *empty = rooms_make(&rooms, BYTES(""));
    struct room *binary = rooms_make(&rooms, BYTES("\0\r\n"));
    assert_ptr_equal(rooms_find(&rooms, BYTES("")), empty);
    assert_ptr_equal(rooms_find(&rooms, BYTES("\0\r\n")), binary);
    assert_null(rooms_find(&rooms, BYTES("\0\r")));
    rooms_drop(&rooms, empty);
    rooms_drop(&rooms, binary);
}

static void numbers_of_dropped_rooms_are_used_again(void **state)
{
    char name[16];
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < ROOMS; i++) {
            int len = snprintf(name, sizeof(name), "%u:%u", round, i);
            assert_true(rooms_make(&rooms, bytes_of(name, (size_t)len))->number < ROOMS);
        }
        assert_int_equal(rooms_count(&rooms), ROOMS);
        for (uint32_t number = 0; number < ROOMS; number++)
            rooms_drop(&rooms, rooms_at(&rooms, number));
    }
}

static void a_walk_meets_every_room_in_order(void **state)
{
    (void)state;
    struct room *a = rooms_make(&rooms, BYTES("a"));
    struct room *b = rooms_make(&rooms, BYTES("b"));
    struct room *c = rooms_make(&rooms, BYTES("c"));
    rooms_drop(&rooms, b);
    assert_ptr_equal(rooms_from(&rooms, 0), a);
    assert_ptr_equal(rooms_from(&rooms, a->number + 1), c);
    assert_null(rooms_from(&rooms, c->number + 1));
    rooms_drop(&rooms, a);
    rooms_drop(&rooms, c);
    assert_null(rooms_from(&rooms, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_room_is_made_once_and_found_by_name_and_number),
        TEST(names_may_be_empty_and_hold_anything),
        TEST(numbers_of_dropped_rooms_are_used_again),
        TEST(a_walk_meets_every_room_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
