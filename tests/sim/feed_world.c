#include "tests/sim/feed_world.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/fold.h"
#include "tests/unit/unit.h"

#define SPACE     7
#define HASH_SEED 42

static const char *const names[FEED_WORLD_KEYS] = {"a", "b{a}", "c"};

void feed_world_init(struct feed_world *world, uint64_t seed)
{
    *world = (struct feed_world){.next_feed = 1, .fields_max = 700};
    random_init(&world->random, seed);
    world->disk = sim_ranges_disk_create(seed + 1);
    assert_int_equal(sim_ranges_open(world->disk, &world->ranges), ERR_OK);
    chunk_cache_init(&world->cache, 0);
    dirty_init(&world->sides[0]);
    dirty_init(&world->sides[1]);
    buf_init(&world->fields);
    for (int i = 0; i < FEED_WORLD_KEYS; i++) {
        struct bytes name = bytes_of_string(names[i]);
        uint64_t hash = object_hash(HASH_SEED, SPACE, name);
        world->keys[i].object = object_create(SPACE, hash, name, 0);
    }
}

void feed_world_deinit(struct feed_world *world)
{
    for (int side = 0; side < 2; side++) {
        while (!list_empty(&world->sides[side].objects))
            list_remove(world->sides[side].objects.next);
        dirty_deinit(&world->sides[side]);
    }
    for (int i = 0; i < FEED_WORLD_KEYS; i++) {
        object_destroy(world->keys[i].object);
        mem_free(world->keys[i].now.entries);
        mem_free(world->keys[i].sealed.entries);
    }
    chunk_cache_deinit(&world->cache);
    buf_deinit(&world->fields);
    ranges_close(world->ranges);
    sim_ranges_disk_destroy(world->disk);
}

void feed_world_keep_chunks(struct feed_world *world)
{
    static const size_t limits[] = {0, 3000, 20000, 1 << 20};
    size_t dice = (size_t)random_below(&world->random, sizeof(limits) / sizeof(limits[0]));
    chunk_cache_set_limit(&world->cache, limits[dice]);
}

/* ---- the model ---- */

static void model_clear(struct feed_model *model)
{
    struct model_entry *entries = model->entries;
    size_t cap = model->cap;
    *model = (struct feed_model){.entries = entries, .cap = cap};
}

static void model_copy(struct feed_model *to, const struct feed_model *from)
{
    mem_free(to->entries);
    *to = *from;
    to->cap = from->count + 1;
    to->entries = mem_alloc(to->cap * sizeof(*to->entries));
    memcpy(to->entries, from->entries == NULL ? (void *)to : from->entries,
           from->count * sizeof(*to->entries));
}

static void model_append(struct feed_model *model, struct model_entry entry)
{
    if (model->count == model->cap) {
        model->cap = 2 * model->cap + 16;
        model->entries = mem_realloc(model->entries, model->cap * sizeof(*model->entries));
    }
    model->entries[model->count++] = entry;
    model->last_id = entry.id;
    model->entries_added++;
}

static void model_remove(struct feed_model *model, size_t at, size_t count)
{
    memmove(model->entries + at, model->entries + at + count,
            (model->count - at - count) * sizeof(*model->entries));
    model->count -= count;
}

size_t feed_model_find(const struct feed_model *model, struct id id)
{
    size_t low = 0;
    size_t high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_less(model->entries[middle].id, id))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct bytes fields_of(struct feed_world *world, const struct model_entry *entry)
{
    world->fields.len = 0;
    char *at = buf_reserve(&world->fields, entry->len);
    for (uint32_t i = 0; i < entry->len; i++)
        at[i] = (char)(entry->seed * 31 + i * 7);
    world->fields.len = entry->len;
    return buf_bytes(&world->fields);
}

void feed_world_check_entry(struct feed_world *world, const struct model_entry *expected,
                            const struct entry *entry)
{
    assert_int_equal(entry->id.ms, expected->id.ms);
    assert_int_equal(entry->id.seq, expected->id.seq);
    assert_true(bytes_equal(entry->fields, fields_of(world, expected)));
}

/* ---- changes ---- */

static void touch(struct feed_world *world, struct feed_key *key)
{
    dirty_touch(&world->sides[world->side], key->object, world->side);
}

static struct feed *touch_feed(struct feed_world *world, struct feed_key *key)
{
    return dirty_touch_feed(&world->sides[world->side], key->object, world->side);
}

void feed_world_create(struct feed_world *world, struct feed_key *key)
{
    touch(world, key);
    struct chunk_home home = {SPACE, key->object->slot, world->next_feed++};
    struct feed *feed = feed_create(home, world->side);
    feed->shelf.cache = &world->cache;
    *object_state(key->object) = (struct object_state){.type = OBJECT_FEED, .feed = feed};
    model_clear(&key->now);
    key->now.exists = true;
}

void feed_world_append(struct feed_world *world, struct feed_key *key, struct id id, uint32_t len)
{
    struct model_entry entry = {id, (uint32_t)random_u64(&world->random), len};
    struct feed *feed = touch_feed(world, key);
    size_t size = feed_append(feed, &(struct entry){id, fields_of(world, &entry)});
    assert_in_range(size, len + 3, len + 3 * VARINT_MAX);
    model_append(&key->now, entry);
}

static uint32_t random_len(struct feed_world *world)
{
    uint64_t dice = random_below(&world->random, 100);
    if (dice < 2)
        return 1 + (uint32_t)random_below(&world->random, 30 * world->fields_max);
    uint64_t bound = dice < 50 ? 60 : world->fields_max;
    return 1 + (uint32_t)random_below(&world->random, bound);
}

void feed_world_append_random(struct feed_world *world, struct feed_key *key)
{
    if (!key->now.exists)
        feed_world_create(world, key);
    struct id id = key->now.last_id;
    uint64_t dice = random_below(&world->random, 10);
    if (dice < 5)
        id.seq += 1 + random_below(&world->random, 3);
    else
        id = (struct id){id.ms + 1 + (dice < 9 ? 0 : random_below(&world->random, 1000000)),
                         random_below(&world->random, 2) * 5};
    feed_world_append(world, key, id, random_len(world));
}

void feed_world_trim(struct feed_world *world, struct feed_key *key, size_t count)
{
    bool all = count == key->now.count;
    struct id first = all ? ID_MAX : key->now.entries[count].id;
    feed_trim(touch_feed(world, key), first, count);
    model_remove(&key->now, 0, count);
}

void feed_world_erase(struct feed_world *world, struct feed_key *key, const struct id *ids,
                      size_t count)
{
    struct feed_model *model = &key->now;
    for (size_t i = 0; i < count; i++) {
        size_t at = feed_model_find(model, ids[i]);
        assert_true(at < model->count && id_equal(model->entries[at].id, ids[i]));
        model_remove(model, at, 1);
        model->max_deleted_id = id_max(model->max_deleted_id, ids[i]);
    }
    struct id first = model->count > 0 ? model->entries[0].id : ID_MIN;
    feed_erase(touch_feed(world, key), ids, count, first);
}

static void erase_random(struct feed_world *world, struct feed_key *key)
{
    struct feed_model *model = &key->now;
    struct id ids[40];
    size_t count = 0;
    size_t at = (size_t)random_below(&world->random, model->count);
    bool run = random_below(&world->random, 3) == 0; /* whole chunks may go */
    size_t step = 1 + (run ? 0 : (size_t)random_below(&world->random, 5));
    size_t wanted = 1 + (size_t)random_below(&world->random, run ? 40 : 6);
    for (; at < model->count && count < wanted; at += step)
        ids[count++] = model->entries[at].id;
    feed_world_erase(world, key, ids, count);
}

void feed_world_raise_last_id(struct feed_world *world, struct feed_key *key)
{
    struct feed_model *model = &key->now;
    model->last_id.ms += random_below(&world->random, 3);
    model->entries_added += random_below(&world->random, 3);
    feed_set(touch_feed(world, key), model->last_id, model->entries_added, model->max_deleted_id);
}

void feed_world_drop(struct feed_world *world, struct feed_key *key)
{
    touch(world, key);
    dirty_drop(&world->sides[world->side], key->object, world->side);
    model_clear(&key->now);
}

void feed_world_rename(struct feed_world *world, struct feed_key *from, struct feed_key *to)
{
    touch_feed(world, from);
    touch(world, to);
    *object_state(to->object) = *object_state(from->object);
    *object_state(from->object) = (struct object_state){.type = OBJECT_NONE};
    struct feed_model model = to->now;
    to->now = from->now;
    from->now = model;
    model_clear(&from->now);
}

static void change_feed(struct feed_world *world, struct feed_key *key)
{
    uint64_t dice = random_below(&world->random, 100);
    struct feed_model *model = &key->now;
    struct feed_key *other = &world->keys[random_below(&world->random, FEED_WORLD_KEYS)];
    if (dice < 55)
        feed_world_append_random(world, key);
    else if (dice < 70 && model->count > 0)
        erase_random(world, key);
    else if (dice < 80 && model->count > 0)
        feed_world_trim(world, key, 1 + (size_t)random_below(&world->random, model->count / 4 + 1));
    else if (dice < 81)
        feed_world_trim(world, key, model->count);
    else if (dice < 84)
        feed_world_raise_last_id(world, key);
    else if (dice < 86)
        feed_world_drop(world, key);
    else if (dice < 92 && !other->now.exists)
        feed_world_rename(world, key, other);
    else
        for (int i = 0; i < 30; i++)
            feed_world_append_random(world, key);
}

void feed_world_change(struct feed_world *world)
{
    struct feed_key *key = &world->keys[random_below(&world->random, FEED_WORLD_KEYS)];
    if (key->now.exists)
        change_feed(world, key);
    else
        feed_world_append_random(world, key);
}

/* ---- folds ---- */

static void seal(struct feed_world *world)
{
    struct dirty *dirty = &world->sides[world->side];
    catalog_init(&dirty->catalog, 1, HASH_SEED);
    for (int i = 0; i < FEED_WORLD_KEYS; i++)
        model_copy(&world->keys[i].sealed, &world->keys[i].now);
    world->side ^= 1;
    world->fold = WORLD_SEALED;
}

static void release_one(struct feed_world *world)
{
    uint8_t side = world->side ^ 1;
    struct dirty *dirty = &world->sides[side];
    if (!list_empty(&dirty->objects)) {
        struct object *object = container_of(dirty->objects.next, struct object, links[side]);
        bool clean = dirty_release(dirty, object, side);
        assert_int_equal(clean, list_empty(&object->links[side ^ 1]));
        return;
    }
    assert_int_equal(dirty->count, 0);
    dirty_deinit(dirty);
    dirty_init(dirty);
    world->fold = WORLD_IDLE;
}

void feed_world_fold(struct feed_world *world)
{
    world->fold_steps++;
    switch (world->fold) {
    case WORLD_IDLE:
        seal(world);
        break;
    case WORLD_SEALED:
        assert_int_equal(fold_write(world->ranges, &world->sides[world->side ^ 1], world->side ^ 1),
                         ERR_OK);
        world->fold = WORLD_WRITTEN;
        break;
    case WORLD_WRITTEN:
        world->view++;
        world->fold = WORLD_RELEASING;
        break;
    case WORLD_RELEASING:
        release_one(world);
        break;
    }
}

void feed_world_fold_all(struct feed_world *world)
{
    while (world->fold != WORLD_IDLE)
        feed_world_fold(world);
    do
        feed_world_fold(world);
    while (world->fold != WORLD_IDLE);
}

/* The object that the row of `object` makes; returns owned. */
static struct object *load(struct feed_world *world, const struct object *object)
{
    struct object *loaded =
        object_create(SPACE, object->node.hash, object_name(object), world->side);
    struct buf key, row;
    buf_init(&key);
    buf_init(&row);
    key_object(&key, SPACE, object->slot, object->node.hash, object_name(object));
    enum err err = ranges_get(world->ranges, buf_bytes(&key), TIER_DISK, &row);
    if (err == ERR_OK) {
        assert_int_equal(object_row_decode(loaded, buf_bytes(&row)), ERR_OK);
        object_feed(loaded)->shelf.cache = &world->cache;
    } else {
        assert_int_equal(err, ERR_NOT_FOUND);
    }
    buf_deinit(&key);
    buf_deinit(&row);
    return loaded;
}

void feed_world_reload(struct feed_world *world)
{
    for (int i = 0; i < FEED_WORLD_KEYS; i++) {
        struct feed_key *key = &world->keys[i];
        struct object *object = key->object;
        if (!list_empty(&object->links[0]) || !list_empty(&object->links[1]))
            continue;
        if (feed_of(key) != NULL && feed_of(key)->refs > 1)
            continue;
        key->object = load(world, object);
        object_destroy(object);
    }
}

/* ---- checks ---- */

static enum err next_or_fetch(struct feed_cursor *cursor, struct entry *entry)
{
    enum err err;
    while ((err = feed_cursor_next(cursor, entry)) == ERR_COLD) {
        struct fetch fetch;
        fetch_init(&fetch);
        feed_cursor_plan(cursor, &fetch, 3);
        fetch_run(&fetch);
        assert_int_equal(feed_cursor_take(cursor, &fetch), ERR_OK);
        fetch_deinit(&fetch);
    }
    return err;
}

static void check_entries(struct feed_world *world, struct feed *feed,
                          const struct feed_model *model, bool reverse)
{
    struct feed_cursor cursor;
    feed_cursor_init(&cursor, feed, world->ranges, ID_MIN, ID_MAX, reverse);
    struct entry entry;
    for (size_t i = 0; i < model->count; i++) {
        assert_int_equal(next_or_fetch(&cursor, &entry), ERR_OK);
        feed_world_check_entry(world, &model->entries[reverse ? model->count - 1 - i : i], &entry);
    }
    assert_int_equal(next_or_fetch(&cursor, &entry), ERR_END);
    feed_cursor_deinit(&cursor);
}

static void check_feed(struct feed_world *world, struct feed *feed, const struct feed_model *model)
{
    assert_int_equal(feed != NULL, model->exists);
    if (feed == NULL)
        return;
    const struct feed_row *row = feed_row(feed);
    struct id first = model->count > 0 ? model->entries[0].id : ID_MIN;
    assert_int_equal(row->length, model->count);
    assert_int_equal(row->entries_added, model->entries_added);
    assert_true(id_equal(row->last_id, model->last_id));
    assert_true(id_equal(row->max_deleted_id, model->max_deleted_id));
    assert_true(id_equal(row->first_id, first));
    check_entries(world, feed, model, false);
    check_entries(world, feed, model, true);
}

/* What a restart would find: right between a fold's commit and the next seal. */
static void check_disk(struct feed_world *world, struct feed_key *key)
{
    struct object *loaded = load(world, key->object);
    check_feed(world, object_feed(loaded), &key->sealed);
    object_destroy(loaded);
}

void feed_world_check(struct feed_world *world, struct feed_key *key)
{
    check_feed(world, feed_of(key), &key->now);
    if (world->fold == WORLD_WRITTEN || world->fold == WORLD_RELEASING)
        check_disk(world, key);
}

static bool place_in_tail(const struct tail *tail, struct id id, struct id *base)
{
    if (tail_empty(tail))
        return false;
    const struct piece *piece = &tail->pieces[tail_find(tail, id)];
    *base = piece->base;
    return !id_less(id, piece->first);
}

struct chunk_place feed_world_place(struct feed_world *world, struct feed_key *key, struct id id)
{
    struct feed *feed = feed_of(key);
    struct chunk_place place = {.where = 2};
    if (place_in_tail(&feed->tails[feed->side], id, &place.base))
        return place;
    place.where = 1;
    if (place_in_tail(&feed->tails[feed->side ^ 1], id, &place.base))
        return place;
    place.where = 0;
    struct buf lower, upper;
    buf_init(&lower);
    buf_init(&upper);
    key_chunk(&lower, feed->home, ID_MIN);
    key_chunk_end(&upper, feed->home);
    struct ranges_iter *iter =
        ranges_iter_open(world->ranges, buf_bytes(&lower), buf_bytes(&upper), TIER_DISK);
    key_chunk(&lower, feed->home, id);
    assert_int_equal(ranges_iter_seek_prev(iter, buf_bytes(&lower)), ERR_OK);
    assert_int_equal(key_chunk_base(ranges_iter_key(iter), feed->home, &place.base), ERR_OK);
    ranges_iter_close(iter);
    buf_deinit(&lower);
    buf_deinit(&upper);
    return place;
}
