/* What a feed does over folds and on disk is in test_fold.c and test_feed_cursor.c. */
#include "storage/feed.h"

#include "tests/unit/unit.h"

static const struct chunk_home home = {1, 2, 3};

static void append(struct feed *feed, uint64_t ms)
{
    struct entry entry = {{ms, 0}, BYTES("fields")};
    feed_append(feed, &entry);
}

static struct feed *create_with(uint64_t count)
{
    struct feed *feed = feed_create(home, 0);
    for (uint64_t i = 1; i <= count; i++)
        append(feed, i);
    return feed;
}

static struct id ms(uint64_t value)
{
    return (struct id){value, 0};
}

static void assert_row(struct feed *feed, uint64_t length, struct id first, struct id last)
{
    const struct feed_row *row = feed_row(feed);
    assert_int_equal(row->length, length);
    assert_true(id_equal(row->first_id, first));
    assert_true(id_equal(row->last_id, last));
}

static void a_new_feed_is_empty(void **state)
{
    (void)state;
    struct feed *feed = feed_create(home, 1);
    assert_row(feed, 0, ID_MIN, ID_MIN);
    assert_true(id_equal(feed_disk_last(feed), ID_MIN));
    feed_unref(feed);
}

static void the_last_reference_frees_a_feed(void **state)
{
    (void)state;
    struct feed *feed = create_with(3);
    feed_ref(feed);
    feed_unref(feed);
    assert_row(feed, 3, ms(1), ms(3));
    feed_unref(feed);
}

static void appending_counts(void **state)
{
    (void)state;
    struct feed *feed = create_with(5);
    assert_row(feed, 5, ms(1), ms(5));
    assert_int_equal(feed_row(feed)->entries_added, 5);
    assert_true(id_equal(feed_disk_last(feed), ID_MIN));
    feed_unref(feed);
}

static void trimming_moves_the_first_id_and_voids_plans(void **state)
{
    (void)state;
    struct feed *feed = create_with(5);
    uint64_t edits = feed->edits;
    feed_trim(feed, ms(3), 2);
    assert_row(feed, 3, ms(3), ms(5));
    assert_int_equal(feed_row(feed)->entries_added, 5);
    assert_true(id_is_zero(feed_row(feed)->max_deleted_id));
    assert_int_not_equal(feed->edits, edits);
    feed_unref(feed);
}

static void a_feed_trimmed_to_nothing_keeps_its_last_id(void **state)
{
    (void)state;
    struct feed *feed = create_with(5);
    feed_trim(feed, ID_MAX, 5);
    assert_row(feed, 0, ID_MIN, ms(5));
    assert_int_equal(feed_row(feed)->chunk_bytes, 0);
    append(feed, 9);
    assert_row(feed, 1, ms(9), ms(9));
    assert_true(id_equal(feed_row(feed)->chunk_base, ms(9)));
    feed_unref(feed);
}

static void erasing_notes_the_greatest_deleted_id(void **state)
{
    (void)state;
    struct feed *feed = create_with(5);
    struct id ids[] = {ms(4), ms(1)};
    feed_erase(feed, ids, 2, ms(2));
    assert_row(feed, 3, ms(2), ms(5));
    assert_true(id_equal(feed_row(feed)->max_deleted_id, ms(4)));
    struct id rest[] = {ms(2), ms(3), ms(5)};
    feed_erase(feed, rest, 3, ID_MIN);
    assert_row(feed, 0, ID_MIN, ms(5));
    feed_unref(feed);
}

static void the_sealed_side_stays_as_it_was(void **state)
{
    (void)state;
    struct feed *feed = create_with(5);
    feed_turn(feed, 1);
    append(feed, 6);
    struct id id = ms(2);
    feed_erase(feed, &id, 1, ms(1));
    feed_trim(feed, ms(3), 1);
    assert_row(feed, 4, ms(3), ms(6));
    assert_int_equal(feed->rows[0].length, 5);
    assert_true(id_equal(feed->rows[0].last_id, ms(5)));
    assert_true(feed_deleted(feed, ms(2)));
    assert_false(feed_deleted(feed, ms(3)));
    assert_true(id_equal(feed_disk_last(feed), ID_MIN));
    feed_folded(feed, 0);
    assert_true(id_equal(feed_disk_last(feed), ms(5)));
    feed_unref(feed);
}

static void a_chunk_goes_on_over_a_turn(void **state)
{
    (void)state;
    struct feed *feed = create_with(5);
    feed_turn(feed, 1);
    append(feed, 6);
    assert_true(feed->tails[1].pieces[0].merge);
    assert_true(id_equal(feed->tails[1].pieces[0].base, ms(1)));
    feed_unref(feed);
}

static void the_head_follows_trimming_or_is_forgotten(void **state)
{
    (void)state;
    struct feed *feed = create_with(50);
    for (uint64_t i = 1; i <= 40; i++)
        feed_head_add(&feed->head, ms(i));
    feed_trim(feed, ms(10), 9);
    assert_int_equal(feed->head.count - feed->head.at, 31);
    assert_true(id_equal(feed->head.ids[feed->head.at], ms(10)));
    feed_trim(feed, ms(45), 35);
    assert_int_equal(feed->head.count, 0);
    feed_head_add(&feed->head, ms(45));
    struct id id = ms(47);
    feed_erase(feed, &id, 1, ms(45));
    assert_int_equal(feed->head.count, 0);
    feed_unref(feed);
}

static void bytes_are_counted(void **state)
{
    (void)state;
    struct feed *feed = feed_create(home, 0);
    size_t before = feed_bytes(feed);
    feed_head_add(&feed->head, ms(1));
    assert_true(feed_bytes(feed) > before);
    assert_int_equal(feed_tail_bytes(feed), 0);
    append(feed, 1);
    assert_true(feed_tail_bytes(feed) > 6);
    feed_unref(feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_feed_is_empty),
        cmocka_unit_test(the_last_reference_frees_a_feed),
        cmocka_unit_test(appending_counts),
        cmocka_unit_test(trimming_moves_the_first_id_and_voids_plans),
        cmocka_unit_test(a_feed_trimmed_to_nothing_keeps_its_last_id),
        cmocka_unit_test(erasing_notes_the_greatest_deleted_id),
        cmocka_unit_test(the_sealed_side_stays_as_it_was),
        cmocka_unit_test(a_chunk_goes_on_over_a_turn),
        cmocka_unit_test(the_head_follows_trimming_or_is_forgotten),
        cmocka_unit_test(bytes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
