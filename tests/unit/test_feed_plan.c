#include "storage/feed_plan.h"

#include "tests/sim/feed_world.h"
#include "tests/unit/unit.h"

static uint64_t seed;

/* What a plan must come to. */
struct truth {
    uint64_t removed;
    struct id first;
};

static bool too_old(const struct trim *trim, uint64_t left, struct id id)
{
    return trim->kind == TRIM_MAXLEN ? left > trim->maxlen : id_less(id, trim->minid);
}

/* Exact trimming of a feed, and of `added` behind it when not NULL. */
static struct truth trim_truth(const struct feed_model *model, const struct trim *trim,
                               const struct id *added)
{
    uint64_t total = model->count + (added != NULL ? 1 : 0);
    for (uint64_t removed = 0; removed < total; removed++) {
        struct id id = removed < model->count ? model->entries[removed].id : *added;
        if (!too_old(trim, total - removed, id))
            return (struct truth){removed, id};
    }
    return (struct truth){total, ID_MAX};
}

static struct trim random_trim(struct feed_world *world, const struct feed_model *model)
{
    struct trim trim = {.kind = TRIM_MINID, .approximate = random_below(&world->random, 2)};
    if (random_below(&world->random, 2)) {
        trim.kind = TRIM_MAXLEN;
        trim.maxlen = random_below(&world->random, model->count + 5);
        if (random_below(&world->random, 3) == 0)
            trim.maxlen = random_below(&world->random, 3);
    } else if (model->count > 0) {
        trim.minid = model->entries[random_below(&world->random, model->count)].id;
        trim.minid.seq += random_below(&world->random, 2);
        if (random_below(&world->random, 8) == 0)
            trim.minid = ID_MAX;
    }
    if (trim.approximate && random_below(&world->random, 2))
        trim.limit = 1 + random_below(&world->random, 200);
    return trim;
}

static bool same_place(struct chunk_place a, struct chunk_place b)
{
    return a.where == b.where && id_equal(a.base, b.base);
}

static void check_rules(struct feed_world *world, struct feed_key *key, const struct trim *trim,
                        const struct trim_plan *plan, struct truth exact, const struct id *added,
                        bool folded)
{
    const struct feed_model *model = &key->now;
    assert_true(plan->removed <= exact.removed);
    if (trim->limit > 0)
        assert_true(plan->removed <= trim->limit);
    uint64_t total = model->count + (added != NULL ? 1 : 0);
    if (plan->removed == 0)
        return;
    if (plan->removed == total) {
        assert_true(id_equal(plan->first, ID_MAX));
        return;
    }
    bool is_added = plan->removed == model->count;
    struct id first = is_added ? *added : model->entries[plan->removed].id;
    assert_true(id_equal(plan->first, first));
    if (!is_added && !folded) {
        struct id before = model->entries[plan->removed - 1].id;
        assert_false(
            same_place(feed_world_place(world, key, before), feed_world_place(world, key, first)));
    }
}

/* `folded`: chunks may have grown together since the plan was begun, or lie on a shelf, where they
 * end elsewhere than the rows do. */
static void check_trim(struct feed_world *world, struct feed_key *key, const struct trim *trim,
                       const struct trim_plan *plan, const struct id *added, bool folded)
{
    struct truth exact = trim_truth(&key->now, trim, added);
    if (trim->approximate) {
        check_rules(world, key, trim, plan, exact, added, folded);
        return;
    }
    assert_int_equal(plan->removed, exact.removed);
    if (key->now.count > 0 || added != NULL)
        assert_true(id_equal(plan->first, exact.first) || exact.removed == 0);
}

static void apply_trim(struct feed_world *world, struct feed_key *key, const struct trim_plan *plan,
                       const struct id *added)
{
    if (added != NULL)
        feed_world_append(world, key, *added, 50);
    if (plan->removed > 0)
        feed_world_trim(world, key, plan->removed);
}

static void erase_one(struct feed_world *world, struct feed_key *key)
{
    struct id id = key->now.entries[random_below(&world->random, key->now.count)].id;
    feed_world_erase(world, key, &id, 1);
}

/* A few changes that others make while a plan waits. The key stays. */
static void meddle(struct feed_world *world, struct feed_key *key, bool appends)
{
    for (uint64_t i = random_below(&world->random, 4); i > 0; i--) {
        uint64_t dice = random_below(&world->random, 10);
        if (dice < 4)
            feed_world_fold(world);
        else if (dice < 7 && appends)
            feed_world_append_random(world, key);
        else if (dice < 8 && key->now.count > 0)
            feed_world_trim(world, key, 1 + random_below(&world->random, key->now.count) / 3);
        else if (dice < 9 && key->now.count > 0)
            erase_one(world, key);
    }
}

/* Has the plan's cursor fetch, with changes before and after it. */
static void fetch_disturbed(struct feed_world *world, struct feed_key *key,
                            struct feed_cursor *cursor, bool appends, uint64_t entries_max)
{
    struct fetch fetch;
    fetch_init(&fetch);
    feed_cursor_plan(cursor, &fetch, entries_max);
    uint64_t view = world->view;
    meddle(world, key, appends);
    fetch_run(&fetch);
    meddle(world, key, appends);
    if (view == world->view)
        assert_int_equal(feed_cursor_take(cursor, &fetch), ERR_OK);
    fetch_deinit(&fetch);
}

static void one_trim(struct feed_world *world, struct feed_key *key)
{
    struct trim trim = random_trim(world, &key->now);
    struct trim_plan plan;
    struct id id = key->now.last_id;
    id.ms += 1 + random_below(&world->random, 2);
    const struct id *added = random_below(&world->random, 2) ? &id : NULL;
    uint64_t steps = world->fold_steps;
    bool cached = world->cache.limit > 0;
    trim_plan_init(&plan, feed_of(key), world->ranges, &trim);
    if (added != NULL)
        trim_plan_add(&plan, id);
    enum err err;
    while ((err = trim_plan_step(&plan)) == ERR_COLD)
        fetch_disturbed(world, key, &plan.cursor, added == NULL, UINT64_MAX);
    assert_int_equal(err, ERR_OK);
    check_trim(world, key, &trim, &plan, added,
               cached || world->cache.limit > 0 || world->fold_steps != steps);
    apply_trim(world, key, &plan, added);
    trim_plan_deinit(&plan);
}

/* Ids that are there, some that are not, some twice. */
static size_t random_ids(struct feed_world *world, const struct feed_model *model, struct id *ids,
                         size_t max)
{
    size_t count = 1 + (size_t)random_below(&world->random, max);
    size_t at = model->count > 0 ? (size_t)random_below(&world->random, model->count) : 0;
    bool from_the_first = random_below(&world->random, 3) == 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t dice = random_below(&world->random, 10);
        ids[i] = ID_MIN;
        if (model->count > 0)
            ids[i] = model->entries[(from_the_first ? i : at + i * dice) % model->count].id;
        if (dice == 9)
            ids[i].seq += random_below(&world->random, 2);
        if (dice == 8)
            ids[i] = (struct id){random_u64(&world->random), 0};
        ids[i] = id_min(ids[i], model->last_id); /* others may append while the plan waits */
    }
    return count;
}

static bool contains(const struct id *ids, size_t count, struct id id)
{
    for (size_t i = 0; i < count; i++) {
        if (id_equal(ids[i], id))
            return true;
    }
    return false;
}

static void check_erase(const struct feed_model *model, const struct erase_plan *plan,
                        const struct id *ids, size_t count)
{
    const struct id *found = (const struct id *)(const void *)plan->found.data;
    size_t found_count = plan->found.len / sizeof(*found);
    size_t expected = 0;
    struct id first = ID_MIN;
    for (size_t i = 0; i < model->count; i++) {
        struct id id = model->entries[i].id;
        bool goes = contains(ids, count, id);
        assert_int_equal(contains(found, found_count, id), goes);
        expected += goes;
        if (!goes && id_is_zero(first))
            first = id;
    }
    assert_int_equal(found_count, expected);
    assert_true(id_equal(plan->first, first));
}

static void one_erase(struct feed_world *world, struct feed_key *key)
{
    struct id ids[40];
    size_t count = random_ids(world, &key->now, ids, 40);
    struct erase_plan plan;
    erase_plan_init(&plan, feed_of(key), world->ranges, ids, count);
    enum err err;
    while ((err = erase_plan_step(&plan)) == ERR_COLD)
        fetch_disturbed(world, key, &plan.cursor, true, 1);
    assert_int_equal(err, ERR_OK);
    check_erase(&key->now, &plan, ids, count);
    if (plan.found.len > 0)
        feed_world_erase(world, key, (const struct id *)(const void *)plan.found.data,
                         plan.found.len / sizeof(struct id));
    erase_plan_deinit(&plan);
}

static void one_history(uint64_t of, unsigned cold_per_mille)
{
    struct feed_world world;
    feed_world_init(&world, of);
    world.fields_max = 300;
    struct sim_ranges_faults faults = {.cold_per_mille = cold_per_mille, .cool_per_mille = 300};
    sim_ranges_disk_set_faults(world.disk, &faults);
    feed_world_keep_chunks(&world);
    struct feed_key *key = &world.keys[0];
    feed_world_create(&world, key);
    for (unsigned i = 0; i < 250; i++) {
        uint64_t dice = random_below(&world.random, 10);
        for (uint64_t j = random_below(&world.random, 60); dice < 3 && j > 0; j--)
            feed_world_append_random(&world, key);
        if (dice < 5)
            feed_world_fold(&world);
        else if (dice < 8)
            one_trim(&world, key);
        else
            one_erase(&world, key);
    }
    feed_world_check(&world, key);
    feed_world_deinit(&world);
}

static void plans_come_to_what_a_naive_computation_does(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 80; i++)
        one_history(seed + i, i % 3 == 0 ? 1000 : (unsigned)(i % 3) * 200);
}

static struct feed_key *fill(struct feed_world *world, uint64_t count)
{
    struct feed_key *key = &world->keys[0];
    feed_world_create(world, key);
    for (uint64_t i = 1; i <= count; i++)
        feed_world_append(world, key, (struct id){i, 0}, 100);
    return key;
}

static void make_cold(struct feed_world *world)
{
    sim_ranges_disk_set_faults(
        world->disk, &(struct sim_ranges_faults){.cold_per_mille = 1000, .cool_per_mille = 999});
}

static void fetch_undisturbed(struct feed_cursor *cursor)
{
    struct fetch fetch;
    fetch_init(&fetch);
    feed_cursor_plan(cursor, &fetch, UINT64_MAX);
    fetch_run(&fetch);
    assert_int_equal(feed_cursor_take(cursor, &fetch), ERR_OK);
    fetch_deinit(&fetch);
}

static void trimming_to_nothing_reads_nothing(void **state)
{
    (void)state;
    struct feed_world world;
    feed_world_init(&world, seed);
    struct feed_key *key = fill(&world, 500);
    feed_world_fold_all(&world);
    make_cold(&world);
    struct trim trim = {.kind = TRIM_MAXLEN};
    struct trim_plan plan;
    trim_plan_init(&plan, feed_of(key), world.ranges, &trim);
    assert_int_equal(trim_plan_step(&plan), ERR_OK);
    assert_int_equal(plan.removed, 500);
    trim_plan_deinit(&plan);
    feed_world_deinit(&world);
}

static void trimming_an_entry_at_a_time_reads_each_chunk_once(void **state)
{
    (void)state;
    struct feed_world world;
    feed_world_init(&world, seed);
    struct feed_key *key = fill(&world, 1000);
    feed_world_fold_all(&world);
    make_cold(&world);
    unsigned fetches = 0;
    for (uint64_t i = 0; i < 800; i++) {
        struct trim trim = {.kind = TRIM_MAXLEN, .maxlen = 1000};
        struct id added = {2000 + i, 0};
        struct trim_plan plan;
        trim_plan_init(&plan, feed_of(key), world.ranges, &trim);
        trim_plan_add(&plan, added);
        while (trim_plan_step(&plan) == ERR_COLD) {
            fetch_undisturbed(&plan.cursor);
            fetches++;
        }
        assert_int_equal(plan.removed, 1);
        apply_trim(&world, key, &plan, &added);
        trim_plan_deinit(&plan);
    }
    /* 800 of 106 bytes, in chunks of 4 KB. */
    assert_in_range(fetches, 18, 60);
    feed_world_deinit(&world);
}

static void an_append_while_everything_is_trimmed_stays(void **state)
{
    (void)state;
    struct feed_world world;
    feed_world_init(&world, seed);
    struct feed_key *key = fill(&world, 100);
    feed_world_fold_all(&world);
    make_cold(&world);
    struct trim trim = {.kind = TRIM_MINID, .minid = {1000, 0}};
    struct trim_plan plan;
    trim_plan_init(&plan, feed_of(key), world.ranges, &trim);
    assert_int_equal(trim_plan_step(&plan), ERR_COLD);
    feed_world_append(&world, key, (struct id){2000, 0}, 10);
    do
        fetch_undisturbed(&plan.cursor);
    while (trim_plan_step(&plan) == ERR_COLD);
    assert_int_equal(plan.removed, 100);
    assert_true(id_equal(plan.first, (struct id){2000, 0}));
    apply_trim(&world, key, &plan, NULL);
    feed_world_check(&world, key);
    trim_plan_deinit(&plan);
    feed_world_deinit(&world);
}

static void the_limit_counts_the_entry_that_is_added(void **state)
{
    (void)state;
    struct feed_world world;
    feed_world_init(&world, seed);
    struct feed_key *key = fill(&world, 10);
    struct trim trim = {.kind = TRIM_MINID, .approximate = true, .minid = {1000, 0}, .limit = 10};
    struct id added = {20, 0};
    struct trim_plan plan;
    trim_plan_init(&plan, feed_of(key), world.ranges, &trim);
    trim_plan_add(&plan, added);
    assert_int_equal(trim_plan_step(&plan), ERR_OK);
    assert_int_equal(plan.removed, 10);
    assert_true(id_equal(plan.first, added));
    trim_plan_deinit(&plan);
    feed_world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trimming_to_nothing_reads_nothing),
        cmocka_unit_test(trimming_an_entry_at_a_time_reads_each_chunk_once),
        cmocka_unit_test(an_append_while_everything_is_trimmed_stays),
        cmocka_unit_test(the_limit_counts_the_entry_that_is_added),
        cmocka_unit_test(plans_come_to_what_a_naive_computation_does),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
