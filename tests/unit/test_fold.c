#include "storage/fold.h"

#include "tests/sim/feed_world.h"
#include "tests/unit/unit.h"

static uint64_t seed;

static int set_up(void **state)
{
    static struct feed_world world;
    feed_world_init(&world, ++seed);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    feed_world_deinit(*state);
    return 0;
}

static void append_many(struct feed_world *world, struct feed_key *key, uint64_t count)
{
    if (!key->now.exists)
        feed_world_create(world, key);
    for (uint64_t i = 0; i < count; i++)
        feed_world_append(world, key, (struct id){key->now.last_id.ms + 1, 0}, 100);
}

static void a_feed_outlives_folds_that_grow_its_last_chunk(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = &world->keys[0];
    for (int i = 0; i < 30; i++) {
        append_many(world, key, 3);
        feed_world_fold_all(world);
        feed_world_reload(world);
    }
    feed_world_check(world, key);
    /* The catalog, the object, and chunks of 4 KB. */
    assert_in_range(sim_ranges_disk_row_count(world->disk), 4, 5);
}

static void a_dropped_feed_leaves_no_rows(void **state)
{
    struct feed_world *world = *state;
    append_many(world, &world->keys[0], 500);
    feed_world_fold_all(world);
    assert_true(sim_ranges_disk_row_count(world->disk) > 10);
    feed_world_drop(world, &world->keys[0]);
    feed_world_fold_all(world);
    assert_int_equal(sim_ranges_disk_row_count(world->disk), 1);
}

static void a_feed_dropped_while_it_is_folded_leaves_no_rows(void **state)
{
    struct feed_world *world = *state;
    append_many(world, &world->keys[0], 500);
    feed_world_fold(world);
    feed_world_drop(world, &world->keys[0]);
    feed_world_fold_all(world);
    assert_int_equal(sim_ranges_disk_row_count(world->disk), 1);
}

static void trimming_drops_whole_chunks_from_disk(void **state)
{
    struct feed_world *world = *state;
    append_many(world, &world->keys[0], 500);
    feed_world_fold_all(world);
    size_t before = sim_ranges_disk_row_count(world->disk);
    feed_world_trim(world, &world->keys[0], 250);
    feed_world_fold_all(world);
    size_t after = sim_ranges_disk_row_count(world->disk);
    assert_in_range(after, before / 2, before / 2 + 2);
    feed_world_trim(world, &world->keys[0], 250);
    feed_world_fold_all(world);
    assert_int_equal(sim_ranges_disk_row_count(world->disk), 2);
}

static void a_chunk_of_which_all_is_deleted_goes(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = &world->keys[0];
    append_many(world, key, 500);
    feed_world_fold_all(world);
    size_t before = sim_ranges_disk_row_count(world->disk);
    struct id ids[200];
    for (size_t i = 0; i < 200; i++)
        ids[i] = key->now.entries[i + 100].id;
    feed_world_erase(world, key, ids, 200);
    feed_world_fold_all(world);
    assert_in_range(sim_ranges_disk_row_count(world->disk), before - 5, before - 3);
    feed_world_check(world, key);
}

static void deletions_meet_the_piece_that_continues_their_chunk(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = &world->keys[0];
    append_many(world, key, 10);
    feed_world_fold_all(world);
    feed_world_erase(world, key, (struct id[]){{3, 0}, {10, 0}}, 2);
    append_many(world, key, 5);
    feed_world_fold_all(world);
    feed_world_reload(world);
    feed_world_check(world, key);
    assert_int_equal(sim_ranges_disk_row_count(world->disk), 3);
}

static void a_failed_commit_leaves_the_fold_before(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = &world->keys[0];
    append_many(world, key, 10);
    feed_world_fold_all(world);
    append_many(world, key, 10);
    feed_world_fold(world);
    sim_ranges_disk_fail_commit(world->disk, 1, ERR_NO_SPACE);
    uint8_t sealed = world->side ^ 1;
    size_t rows = sim_ranges_disk_row_count(world->disk);
    assert_int_equal(fold_write(world->ranges, &world->sides[sealed], sealed), ERR_NO_SPACE);
    assert_int_equal(sim_ranges_disk_row_count(world->disk), rows);
    feed_world_check(world, key);
}

static void a_read_that_fails_is_the_folds_error(void **state)
{
    struct feed_world *world = *state;
    append_many(world, &world->keys[0], 100);
    feed_world_fold_all(world);
    feed_world_erase(world, &world->keys[0], (struct id[]){{3, 0}}, 1);
    feed_world_fold(world);
    sim_ranges_disk_set_faults(world->disk,
                               &(struct sim_ranges_faults){.read_fails_per_mille = 1000});
    uint8_t sealed = world->side ^ 1;
    assert_int_equal(fold_write(world->ranges, &world->sides[sealed], sealed), ERR_IO);
}

static void one_history(uint64_t of, unsigned steps)
{
    struct feed_world world;
    feed_world_init(&world, of);
    struct sim_ranges_faults faults = {.cold_per_mille = 300, .cool_per_mille = 200};
    sim_ranges_disk_set_faults(world.disk, &faults);
    feed_world_keep_chunks(&world);
    for (unsigned i = 0; i < steps; i++) {
        if (random_below(&world.random, 4) == 0)
            feed_world_fold(&world);
        else
            feed_world_change(&world);
        if (random_below(&world.random, 20) == 0)
            feed_world_reload(&world);
        if (random_below(&world.random, 8) == 0)
            feed_world_check(&world, &world.keys[random_below(&world.random, FEED_WORLD_KEYS)]);
    }
    feed_world_fold_all(&world);
    feed_world_reload(&world);
    for (int i = 0; i < FEED_WORLD_KEYS; i++) {
        feed_world_check(&world, &world.keys[i]);
        if (world.keys[i].now.exists)
            feed_world_drop(&world, &world.keys[i]);
    }
    feed_world_fold_all(&world);
    assert_int_equal(sim_ranges_disk_row_count(world.disk), 1);
    feed_world_deinit(&world);
}

static void feeds_are_what_their_models_say_in_every_state_of_a_fold(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 60; i++)
        one_history(seed + 1000 + i, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_feed_outlives_folds_that_grow_its_last_chunk, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_dropped_feed_leaves_no_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_dropped_while_it_is_folded_leaves_no_rows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(trimming_drops_whole_chunks_from_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chunk_of_which_all_is_deleted_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deletions_meet_the_piece_that_continues_their_chunk, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_commit_leaves_the_fold_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_read_that_fails_is_the_folds_error, set_up, tear_down),
        cmocka_unit_test(feeds_are_what_their_models_say_in_every_state_of_a_fold),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
