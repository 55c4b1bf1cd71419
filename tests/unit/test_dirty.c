/* What folds make of dirty sets is in test_fold.c. */
#include "storage/dirty.h"

#include "tests/unit/unit.h"

static struct dirty sides[2];
static struct object *object;

static int set_up(void **state)
{
    (void)state;
    dirty_init(&sides[0]);
    dirty_init(&sides[1]);
    object = object_create(1, 2, BYTES("key"), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        while (!list_empty(&sides[side].objects))
            list_remove(sides[side].objects.next);
        dirty_deinit(&sides[side]);
    }
    object_destroy(object);
    return 0;
}

static struct feed *make_feed(uint8_t side)
{
    dirty_touch(&sides[side], object, side);
    struct feed *feed = feed_create((struct chunk_home){1, object->slot, 9}, side);
    *object_state(object) = (struct object_state){.type = OBJECT_FEED, .feed = feed};
    return feed;
}

static void a_new_set_is_empty(void **state)
{
    (void)state;
    assert_true(dirty_is_empty(&sides[0]));
}

static void an_object_joins_a_set_once(void **state)
{
    (void)state;
    dirty_touch(&sides[0], object, 0);
    dirty_touch(&sides[0], object, 0);
    assert_int_equal(sides[0].count, 1);
    assert_int_equal(sides[0].bytes, DIRTY_OBJECT_BYTES + 3);
    assert_false(dirty_is_empty(&sides[0]));
}

static void a_clean_object_takes_its_state_to_the_other_side(void **state)
{
    (void)state;
    struct feed *feed = make_feed(0);
    assert_true(dirty_release(&sides[0], object, 0));
    assert_true(object->persisted);
    assert_ptr_equal(dirty_touch_feed(&sides[1], object, 1), feed);
    assert_int_equal(feed->refs, 1);
    assert_int_equal(feed->side, 1);
    assert_null(object->states[0].feed);
    assert_int_equal(sides[0].count, 0);
    assert_int_equal(sides[1].count, 1);
}

static void a_sealed_object_that_is_written_is_in_both_sets(void **state)
{
    (void)state;
    struct feed *feed = make_feed(0);
    dirty_touch_feed(&sides[1], object, 1);
    assert_int_equal(feed->refs, 2);
    assert_ptr_equal(object->states[0].feed, feed);
    assert_false(dirty_release(&sides[0], object, 0));
    assert_int_equal(feed->refs, 1);
    assert_true(object->persisted);
    assert_true(dirty_release(&sides[1], object, 1));
}

static void what_a_dropped_feed_may_have_on_disk_is_noted(void **state)
{
    (void)state;
    make_feed(0);
    dirty_touch(&sides[1], object, 1); /* sealed: the folder may be writing it */
    struct feed *feed = object_feed(object);
    feed_ref(feed);
    dirty_drop(&sides[1], object, 1);
    assert_int_equal(sides[1].dropped_feeds.len, sizeof(struct chunk_home));
    assert_true(feed->dropped);
    assert_int_equal(object_type(object), OBJECT_NONE);
    assert_int_equal(object->states[0].type, OBJECT_FEED);
    assert_false(dirty_release(&sides[0], object, 0));
    assert_true(object->persisted);
    assert_true(dirty_release(&sides[1], object, 1));
    assert_false(object->persisted);
    feed_unref(feed);
}

static void a_feed_that_never_left_memory_is_dropped_without_a_note(void **state)
{
    (void)state;
    make_feed(0);
    dirty_drop(&sides[0], object, 0);
    assert_int_equal(sides[0].dropped_feeds.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_set_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_object_joins_a_set_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clean_object_takes_its_state_to_the_other_side, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_sealed_object_that_is_written_is_in_both_sets, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_dropped_feed_may_have_on_disk_is_noted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_feed_that_never_left_memory_is_dropped_without_a_note,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
