#include "storage/feed_cursor.h"

#include "tests/sim/feed_world.h"
#include "tests/unit/unit.h"

#define WALKS 4
/* Far above what a walk of these feeds takes, fetches included. */
#define FETCHES_MAX 3000

/* A cursor and where it stands, as a command would have it: it may wait for a fetch. */
struct walk {
    struct feed_cursor cursor;
    struct feed_key *key;
    struct feed *feed;
    bool open;
    struct id from; /* what is left, by the model */
    struct id to;
    bool nothing_left;
    struct fetch fetch;
    bool waiting;
    bool fetched;
    uint64_t view; /* when it was planned */
    unsigned fetches;
};

static uint64_t seed;

static void walk_open(struct walk *walk, struct feed_world *world, struct feed_key *key,
                      struct id from, struct id to, bool reverse)
{
    *walk = (struct walk){.key = key, .feed = feed_of(key), .open = true, .from = from, .to = to};
    walk->nothing_left = id_less(to, from);
    feed_cursor_init(&walk->cursor, walk->feed, world->ranges, from, to, reverse);
    fetch_init(&walk->fetch);
}

static void walk_close(struct walk *walk)
{
    if (!walk->open)
        return;
    feed_cursor_deinit(&walk->cursor);
    fetch_deinit(&walk->fetch);
    walk->open = false;
}

/* The entry that must come next; NULL: the end. */
static const struct model_entry *expected(const struct walk *walk)
{
    const struct feed_model *model = &walk->key->now;
    if (walk->nothing_left || walk->feed->dropped)
        return NULL;
    if (!walk->cursor.reverse) {
        size_t at = feed_model_find(model, walk->from);
        bool is = at < model->count && !id_less(walk->to, model->entries[at].id);
        return is ? &model->entries[at] : NULL;
    }
    size_t beyond = feed_model_find(model, walk->to);
    if (beyond < model->count && id_equal(model->entries[beyond].id, walk->to))
        beyond++;
    bool is = beyond > 0 && !id_less(model->entries[beyond - 1].id, walk->from);
    return is ? &model->entries[beyond - 1] : NULL;
}

static void move_past(struct walk *walk, struct id id)
{
    struct id *end = walk->cursor.reverse ? &walk->to : &walk->from;
    *end = id;
    walk->nothing_left = walk->cursor.reverse ? !id_prev(end) : !id_next(end);
    walk->nothing_left |= id_less(walk->to, walk->from);
}

static void plan(struct feed_world *world, struct walk *walk)
{
    assert_true(++walk->fetches < FETCHES_MAX);
    feed_cursor_plan(&walk->cursor, &walk->fetch, 1 + random_below(&world->random, 20));
    walk->waiting = true;
    walk->fetched = false;
    walk->view = world->view;
}

static void take(struct feed_world *world, struct walk *walk)
{
    walk->waiting = false;
    if (walk->view == world->view) /* else it asks again */
        assert_int_equal(feed_cursor_take(&walk->cursor, &walk->fetch), ERR_OK);
}

/* One turn: up to `count` entries. False: the walk is over. */
static bool walk_turn(struct feed_world *world, struct walk *walk, unsigned count)
{
    if (walk->waiting)
        take(world, walk);
    if (walk->cursor.reverse && count > 0) /* what is appended from now on is not walked */
        walk->to = id_min(walk->to, walk->key->now.last_id);
    for (unsigned i = 0; i < count; i++) {
        struct entry entry;
        enum err err = feed_cursor_next(&walk->cursor, &entry);
        if (err == ERR_COLD) {
            plan(world, walk);
            return true;
        }
        const struct model_entry *next = expected(walk);
        assert_int_equal(err, next != NULL ? ERR_OK : ERR_END);
        if (next == NULL)
            return false;
        feed_world_check_entry(world, next, &entry);
        move_past(walk, entry.id);
    }
    feed_cursor_pause(&walk->cursor);
    return true;
}

static void walk_to_the_end(struct feed_world *world, struct walk *walk)
{
    while (walk_turn(world, walk, 7)) {
        if (walk->waiting)
            fetch_run(&walk->fetch);
    }
    walk_close(walk);
}

static struct id random_id(struct feed_world *world, const struct feed_model *model)
{
    uint64_t dice = random_below(&world->random, 8);
    if (dice == 0)
        return ID_MIN;
    if (dice == 1 || model->count == 0)
        return ID_MAX;
    struct id id = model->entries[random_below(&world->random, model->count)].id;
    if (dice == 2)
        id_next(&id);
    if (dice == 3)
        id_prev(&id);
    return id;
}

/* ---- by hand ---- */

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

static void make_cold(struct feed_world *world)
{
    feed_world_fold_all(world);
    struct sim_ranges_faults faults = {.cold_per_mille = 1000, .cool_per_mille = 999};
    sim_ranges_disk_set_faults(world->disk, &faults);
}

static struct feed_key *fill(struct feed_world *world, uint64_t count, uint32_t len)
{
    struct feed_key *key = &world->keys[0];
    feed_world_create(world, key);
    for (uint64_t i = 1; i <= count; i++)
        feed_world_append(world, key, (struct id){i, 0}, len);
    return key;
}

static void an_empty_interval_ends_at_once(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 10, 10);
    struct walk walk;
    walk_open(&walk, world, key, (struct id){5, 0}, (struct id){4, 0}, false);
    assert_false(walk_turn(world, &walk, 1));
    walk_close(&walk);
}

static void entries_larger_than_a_slice_are_walked_cold(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 8, 600000);
    make_cold(world);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct walk walk;
        walk_open(&walk, world, key, ID_MIN, ID_MAX, reverse);
        walk_to_the_end(world, &walk);
    }
}

static void cold_chunks_of_which_all_is_deleted_are_passed(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 400, 400);
    make_cold(world);
    struct id ids[300];
    for (uint64_t i = 0; i < 300; i++)
        ids[i] = (struct id){i + 51, 0};
    feed_world_erase(world, key, ids, 300);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct walk walk;
        walk_open(&walk, world, key, ID_MIN, ID_MAX, reverse);
        walk_to_the_end(world, &walk);
    }
}

static void what_is_appended_during_a_fetch_is_walked_too(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 20, 100);
    make_cold(world);
    struct walk walk;
    walk_open(&walk, world, key, ID_MIN, ID_MAX, false);
    assert_true(walk_turn(world, &walk, 1));
    assert_true(walk.waiting);
    feed_world_append(world, key, (struct id){21, 0}, 100);
    fetch_run(&walk.fetch);
    walk_to_the_end(world, &walk);
}

static void a_walk_goes_on_after_a_pause_among_fetched_rows(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 200, 100);
    make_cold(world);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct walk walk;
        walk_open(&walk, world, key, ID_MIN, ID_MAX, reverse);
        while (walk_turn(world, &walk, 3)) { /* pauses after every third entry */
            if (walk.waiting)
                fetch_run(&walk.fetch);
        }
        walk_close(&walk);
    }
}

static void a_walk_that_ends_between_two_entries_does_not_read_on(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 5000, 100);
    make_cold(world);
    for (int reverse = 0; reverse < 2; reverse++) {
        struct walk walk;
        walk_open(&walk, world, key, (struct id){2500, 1}, (struct id){2510, 1}, reverse);
        while (walk_turn(world, &walk, 100))
            fetch_run(&walk.fetch);
        assert_in_range(walk.fetches, 1, 3);
        walk_close(&walk);
    }
}

static void a_dropped_feed_ends_a_walk(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 20, 100);
    struct walk walk;
    walk_open(&walk, world, key, ID_MIN, ID_MAX, false);
    assert_true(walk_turn(world, &walk, 5));
    feed_world_drop(world, key);
    assert_false(walk_turn(world, &walk, 5));
    walk_close(&walk);
}

static void a_failed_fetch_is_the_cursors_error(void **state)
{
    struct feed_world *world = *state;
    struct feed_key *key = fill(world, 20, 100);
    make_cold(world);
    struct walk walk;
    walk_open(&walk, world, key, ID_MIN, ID_MAX, false);
    assert_true(walk_turn(world, &walk, 1));
    sim_ranges_disk_set_faults(world->disk,
                               &(struct sim_ranges_faults){.read_fails_per_mille = 1000});
    fetch_run(&walk.fetch);
    assert_int_equal(feed_cursor_take(&walk.cursor, &walk.fetch), ERR_IO);
    walk_close(&walk);
}

/* ---- at random ---- */

static void step(struct feed_world *world, struct walk *walks)
{
    struct walk *walk = &walks[random_below(&world->random, WALKS)];
    struct feed_key *key = &world->keys[random_below(&world->random, FEED_WORLD_KEYS)];
    if (!walk->open && key->now.exists) {
        struct id from = random_id(world, &key->now);
        struct id to = random_id(world, &key->now);
        bool swap = id_less(to, from) && random_below(&world->random, 8) > 0;
        walk_open(walk, world, key, swap ? to : from, swap ? from : to,
                  random_below(&world->random, 2));
        return;
    }
    if (!walk->open)
        return;
    if (walk->waiting && !walk->fetched) {
        fetch_run(&walk->fetch);
        walk->fetched = true;
        return;
    }
    unsigned count = (unsigned)random_below(&world->random, 60);
    if (!walk_turn(world, walk, count) || random_below(&world->random, 200) == 0)
        walk_close(walk);
}

/* A renamed feed's walks go on with its new key. */
static void follow_renames(struct feed_world *world, struct walk *walks)
{
    for (int i = 0; i < WALKS; i++) {
        for (int k = 0; walks[i].open && k < FEED_WORLD_KEYS; k++) {
            if (feed_of(&world->keys[k]) == walks[i].feed)
                walks[i].key = &world->keys[k];
        }
    }
}

static void one_history(uint64_t of, unsigned cold_per_mille)
{
    struct feed_world world;
    struct walk walks[WALKS] = {0};
    feed_world_init(&world, of);
    struct sim_ranges_faults faults = {.cold_per_mille = cold_per_mille, .cool_per_mille = 300};
    sim_ranges_disk_set_faults(world.disk, &faults);
    feed_world_keep_chunks(&world);
    for (unsigned i = 0; i < 1200; i++) {
        uint64_t dice = random_below(&world.random, 10);
        if (dice == 0)
            feed_world_fold(&world);
        else if (dice == 1)
            feed_world_change(&world);
        else
            step(&world, walks);
        follow_renames(&world, walks);
    }
    for (int i = 0; i < WALKS; i++)
        walk_close(&walks[i]);
    feed_world_deinit(&world);
}

static void walks_show_what_is_live_while_the_feed_changes(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 80; i++)
        one_history(seed + 1000 + i, i % 3 == 0 ? 1000 : (unsigned)(i % 3) * 200);
}

#define HAND_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HAND_TEST(an_empty_interval_ends_at_once),
        HAND_TEST(entries_larger_than_a_slice_are_walked_cold),
        HAND_TEST(cold_chunks_of_which_all_is_deleted_are_passed),
        HAND_TEST(what_is_appended_during_a_fetch_is_walked_too),
        HAND_TEST(a_walk_goes_on_after_a_pause_among_fetched_rows),
        HAND_TEST(a_walk_that_ends_between_two_entries_does_not_read_on),
        HAND_TEST(a_dropped_feed_ends_a_walk),
        HAND_TEST(a_failed_fetch_is_the_cursors_error),
        cmocka_unit_test(walks_show_what_is_live_while_the_feed_changes),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
