#include "cache/table.h"

#include "tests/unit/unit.h"

#define OBJECTS 200

static struct random dice;
static struct table table;

static int set_up(void **state)
{
    (void)state;
    table_init(&table);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    table_deinit(&table);
    return 0;
}

/* Few hashes, so that they collide. */
static uint64_t hash_of(uint32_t number)
{
    return (uint64_t)(number % 7) << 61;
}

static struct bytes name_of(uint32_t number, char *room)
{
    return bytes_of(room, (size_t)snprintf(room, 16, "key%u", number));
}

static struct object *find(uint32_t space, uint32_t number)
{
    char room[16];
    return table_find(&table, space, hash_of(number), name_of(number, room));
}

static struct object *insert(uint32_t space, uint32_t number)
{
    char room[16];
    struct object *object = object_create(space, hash_of(number), name_of(number, room), 0);
    table_insert(&table, object);
    return object;
}

static void give_feed(struct object *object)
{
    struct chunk_home home = {object->space, object->slot, 1};
    *object_state(object) =
        (struct object_state){.type = OBJECT_FEED, .feed = feed_create(home, 0)};
}

static void an_object_is_found_by_namespace_and_name(void **state)
{
    (void)state;
    struct object *a = insert(1, 3);
    struct object *b = insert(2, 3);
    insert(1, 10); /* the same hash */
    assert_ptr_equal(find(1, 3), a);
    assert_ptr_equal(find(2, 3), b);
    assert_null(find(3, 3));
    assert_null(find(1, 17));
    table_remove(&table, a);
    assert_null(find(1, 3));
    object_destroy(a);
}

static void objects_that_are_not_clean_stay(void **state)
{
    (void)state;
    insert(1, 1);
    table_clean(&table, insert(1, 2));
    assert_int_equal(table_evict(&table, 0, 100), 1);
    assert_non_null(find(1, 1));
    assert_null(find(1, 2));
    assert_int_equal(table.clean_bytes, 0);
}

static void an_object_whose_feed_is_in_use_stays(void **state)
{
    (void)state;
    struct object *object = insert(1, 1);
    give_feed(object);
    struct feed *feed = object_feed(object);
    feed_ref(feed);
    table_clean(&table, object);
    table_clean(&table, insert(1, 2));
    assert_int_equal(table_evict(&table, 0, 100), 1);
    assert_ptr_equal(find(1, 1), object);
    feed_unref(feed);
    assert_int_equal(table_evict(&table, 0, 100), 1);
    assert_null(find(1, 1));
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        table_clean(&table, insert(1, i));
    table_used(&table, find(1, 0));
    table_used(&table, find(1, 2));
    static const uint32_t order[] = {1, 3, 4, 0, 2};
    for (int i = 0; i < 5; i++) {
        assert_non_null(find(1, order[i]));
        assert_int_equal(table_evict(&table, 0, 1), 1);
        assert_null(find(1, order[i]));
    }
}

static void eviction_stops_at_the_budget(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        table_clean(&table, insert(1, i));
    size_t each = table.clean_bytes / 10;
    assert_int_equal(table_evict(&table, table.clean_bytes, 100), 0);
    assert_int_equal(table_evict(&table, 4 * each, 100), 6);
    assert_int_equal(table.clean_bytes, 4 * each);
}

/* The model: which objects there are, and when each was last used. */
static void random_use_leaves_the_most_recently_used(void **state)
{
    (void)state;
    static bool there[OBJECTS];
    static bool clean[OBJECTS];
    static uint64_t used[OBJECTS];
    for (uint64_t now = 1; now < 30000; now++) {
        uint32_t i = (uint32_t)random_below(&dice, OBJECTS);
        struct object *object = find(1, i);
        assert_int_equal(object != NULL, there[i]);
        uint64_t action = random_below(&dice, 10);
        if (!there[i]) {
            insert(1, i);
            there[i] = true;
            clean[i] = false;
        } else if (action < 4 && !clean[i]) {
            table_clean(&table, object);
            clean[i] = true;
            used[i] = now;
        } else if (action < 6) {
            table_unclean(&table, object);
            clean[i] = false;
        } else if (action < 9) {
            table_used(&table, object);
            used[i] = now;
        } else if (table_evict(&table, 0, 1) == 1) {
            uint32_t oldest = OBJECTS;
            for (uint32_t j = 0; j < OBJECTS; j++) {
                if (there[j] && clean[j] && (oldest == OBJECTS || used[j] < used[oldest]))
                    oldest = j;
            }
            assert_int_not_equal(oldest, OBJECTS);
            assert_null(find(1, oldest));
            there[oldest] = false;
        }
    }
    size_t bytes = 0;
    for (uint32_t i = 0; i < OBJECTS; i++)
        bytes += there[i] && clean[i] ? object_bytes(find(1, i)) : 0;
    assert_int_equal(table.clean_bytes, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_found_by_namespace_and_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(objects_that_are_not_clean_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_object_whose_feed_is_in_use_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_recently_used_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(eviction_stops_at_the_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_use_leaves_the_most_recently_used, set_up,
                                        tear_down),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
