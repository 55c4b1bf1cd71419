/* A group's pending entries beside a plain map, under random ops, seals, folds and restarts. */
#include "storage/pending_cursor.h"

#include "base/random.h"
#include "storage/group_op.h"
#include "tests/unit/keyspace_fixture.h"

#define SLOTS     6000u
#define CONSUMERS 6u

struct slot {
    uint32_t consumer; /* 0: not pending */
    uint64_t delivered_ms;
    uint64_t deliveries;
};

static struct {
    struct random random;
    struct slot slots[SLOTS];
    bool consumers[CONSUMERS + 1]; /* by number; never used again */
    uint32_t next_consumer;
    size_t delivered; /* slots before this one were */
    uint64_t now_ms;
} test;

static struct id id_of(size_t slot)
{
    return (struct id){1000 + slot / 4, slot % 4};
}

static size_t slot_of(struct id id)
{
    return (id.ms - 1000) * 4 + id.seq;
}

static struct object *groups_object(void)
{
    struct object *object = look_up(0, "feed");
    enum err err = keyspace_groups(&keyspace, object);
    if (err == ERR_COLD) {
        struct fetch fetch;
        fetch_init(&fetch);
        keyspace_groups_plan(&keyspace, object, &fetch);
        fetch_run(&fetch);
        assert_int_equal(keyspace_groups_take(&keyspace, object, &fetch), ERR_OK);
        fetch_deinit(&fetch);
        err = ERR_OK;
    }
    assert_int_equal(err, ERR_OK);
    return object;
}

static struct group *the_group(void)
{
    struct groups *groups = object_feed(groups_object())->groups;
    return groups != NULL ? groups_find(groups, BYTES("g")) : NULL;
}

static void write_group_op(enum op_kind kind, struct bytes name, struct id id, struct buf *data)
{
    struct group *group = the_group();
    struct op op = {.kind = kind,
                    .key2 = name,
                    .number = group != NULL ? group->entry.number : keyspace_next_feed(&keyspace),
                    .id = id};
    if (data != NULL)
        op.data = buf_bytes(data);
    (void)write_op(op, "feed");
}

static void begin(void)
{
    memset(&test, 0, sizeof(test));
    random_init(&test.random, unit_seed());
    test.next_consumer = 1;
    test.now_ms = 1000000;
    append(0, "feed", 1);
    struct buf data;
    buf_init(&data);
    buf_put_varint(&data, 0);
    write_group_op(OP_GROUP_CREATE, BYTES("g"), ID_MIN, &data);
    buf_deinit(&data);
}

static void create_consumer(void)
{
    if (test.next_consumer > CONSUMERS)
        return;
    struct buf data;
    buf_init(&data);
    buf_put_varint(&data, test.next_consumer);
    buf_put_varint(&data, test.now_ms);
    char name[] = {'c', (char)('0' + test.next_consumer)};
    write_group_op(OP_CONSUMER_CREATE, bytes_of(name, 2), ID_MIN, &data);
    test.consumers[test.next_consumer++] = true;
    buf_deinit(&data);
}

static void delete_consumer(uint32_t consumer)
{
    struct buf data;
    buf_init(&data);
    buf_put_varint(&data, consumer);
    write_group_op(OP_CONSUMER_DELETE, BYTES(""), ID_MIN, &data);
    buf_deinit(&data);
    test.consumers[consumer] = false;
    for (size_t i = 0; i < SLOTS; i++) {
        if (test.slots[i].consumer == consumer)
            test.slots[i] = (struct slot){0};
    }
}

/* One that is there, or 0. */
static uint32_t a_consumer(void)
{
    uint32_t consumer = 1 + (uint32_t)random_below(&test.random, CONSUMERS);
    return test.consumers[consumer] ? consumer : 0;
}

static void deliver(uint32_t consumer)
{
    struct buf data;
    struct id ids[400];
    size_t count = 0;
    size_t wanted = random_below(&test.random, 400);
    for (; count < wanted && test.delivered < SLOTS; test.delivered++) {
        if (random_below(&test.random, 8) == 0)
            continue; /* a hole */
        test.slots[test.delivered] = (struct slot){consumer, test.now_ms, 1};
        ids[count++] = id_of(test.delivered);
    }
    buf_init(&data);
    group_op_put(&data, &(struct group_op){consumer, test.now_ms, GROUP_OP_ACTIVE, 0});
    group_op_put_ids(&data, ids, count);
    write_group_op(OP_DELIVER, BYTES(""), count > 0 ? ids[count - 1] : ID_MIN, &data);
    buf_deinit(&data);
}

/* Some slots, near each other or not, with where they are pending. */
static void choose(struct pending_set *set, bool pending_only)
{
    size_t from = random_below(&test.random, test.delivered + 1);
    size_t count = random_below(&test.random, random_below(&test.random, 10) == 0 ? 3000 : 100);
    size_t step = 1 + random_below(&test.random, 3) * random_below(&test.random, 40);
    for (size_t i = 0; i < count && from < test.delivered; i++, from += step) {
        const struct slot *slot = &test.slots[from];
        bool added;
        if (pending_only && slot->consumer == 0)
            continue;
        struct pending *item = pending_set_put(set, id_of(from), &added);
        item->consumer = slot->consumer;
        item->delivered_ms = test.now_ms - random_below(&test.random, 5000);
        item->deliveries = slot->deliveries + 1;
    }
}

static void acknowledge(void)
{
    struct pending_set set = {0};
    struct pending_place place;
    struct buf data;
    buf_init(&data);
    choose(&set, true);
    group_op_put_acks(&data, &set);
    write_group_op(OP_ACK, BYTES(""), ID_MIN, &data);
    const struct pending *item = pending_set_seek(&set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(&set, &place))
        test.slots[slot_of(item->id)] = (struct slot){0};
    buf_deinit(&data);
    pending_set_deinit(&set);
}

static void claim(uint32_t consumer)
{
    struct pending_set set = {0};
    struct pending_place place;
    struct buf data;
    buf_init(&data);
    choose(&set, random_below(&test.random, 4) > 0);
    group_op_put(&data, &(struct group_op){consumer, test.now_ms, 0, 0});
    group_op_put_claims(&data, &set, test.now_ms);
    write_group_op(OP_CLAIM, BYTES(""), ID_MIN, &data);
    const struct pending *item = pending_set_seek(&set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(&set, &place))
        test.slots[slot_of(item->id)] =
            (struct slot){consumer, item->delivered_ms, item->deliveries};
    buf_deinit(&data);
    pending_set_deinit(&set);
}

/* The next entry, with whatever reading that takes. */
static enum err next(struct pending_cursor *cursor, struct pending *out)
{
    enum err err = pending_cursor_next(cursor, out);
    for (int i = 0; err == ERR_COLD; i++) {
        struct fetch fetch;
        assert_true(i < 3);
        fetch_init(&fetch);
        pending_cursor_pause(cursor);
        pending_cursor_plan(cursor, &fetch);
        fetch_run(&fetch);
        assert_int_equal(pending_cursor_take(cursor, &fetch), ERR_OK);
        fetch_deinit(&fetch);
        err = pending_cursor_next(cursor, out);
    }
    return err;
}

static void check_item(const struct pending *item, size_t slot)
{
    assert_int_equal(slot_of(item->id), slot);
    assert_int_equal(item->consumer, test.slots[slot].consumer);
    assert_true(item->delivered_ms == test.slots[slot].delivered_ms);
    assert_true(item->deliveries == test.slots[slot].deliveries);
}

static void check_walk(size_t from, size_t to, bool reverse)
{
    struct pending_cursor cursor;
    struct pending item;
    pending_cursor_init(&cursor, the_group(), ranges, id_of(from), id_of(to), reverse);
    for (size_t i = from; i <= to; i++) {
        size_t slot = reverse ? to - (i - from) : i;
        if (test.slots[slot].consumer == 0)
            continue;
        assert_int_equal(next(&cursor, &item), ERR_OK);
        check_item(&item, slot);
        if (random_below(&test.random, 500) == 0)
            pending_cursor_pause(&cursor);
    }
    assert_int_equal(next(&cursor, &item), ERR_END);
    pending_cursor_deinit(&cursor);
}

static void check_find(size_t slot)
{
    struct pending item;
    enum err err = pending_find(the_group(), ranges, id_of(slot), &item);
    if (err == ERR_COLD)
        return;
    assert_int_equal(err, test.slots[slot].consumer != 0 ? ERR_OK : ERR_NOT_FOUND);
    if (err == ERR_OK)
        check_item(&item, slot);
}

static void check_counters(void)
{
    uint64_t counts[CONSUMERS + 1] = {0};
    uint64_t all = 0;
    const struct group_state *state = group_state(the_group());
    for (size_t i = 0; i < SLOTS; i++) {
        counts[test.slots[i].consumer]++;
        all += test.slots[i].consumer != 0;
    }
    assert_int_equal(state->pending, all);
    for (uint32_t i = 1; i <= CONSUMERS; i++) {
        const struct consumer *consumer = group_state_consumer(state, i);
        assert_int_equal(consumer != NULL, test.consumers[i]);
        if (consumer != NULL)
            assert_int_equal(consumer->pending, counts[i]);
    }
}

static void check(void)
{
    size_t from = random_below(&test.random, SLOTS);
    size_t to = from + random_below(&test.random, SLOTS - from);
    check_counters();
    check_walk(from, to, false);
    check_walk(from, to, true);
    for (int i = 0; i < 30; i++)
        check_find(random_below(&test.random, SLOTS));
}

static void change(void)
{
    uint32_t consumer = a_consumer();
    switch (random_below(&test.random, 20)) {
    case 0:
        create_consumer();
        break;
    case 1:
        if (consumer != 0 && random_below(&test.random, 8) == 0)
            delete_consumer(consumer);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        if (consumer != 0)
            deliver(consumer);
        break;
    case 7:
    case 8:
    case 9:
        if (consumer != 0)
            claim(consumer);
        break;
    default:
        acknowledge();
    }
    test.now_ms += random_below(&test.random, 1000);
}

static void every_walk_shows_what_a_plain_map_has(void **state)
{
    (void)state;
    begin();
    for (int step = 0; step < 600; step++) {
        change();
        unsigned chance = (unsigned)random_below(&test.random, 60);
        if (chance == 0)
            fold();
        else if (chance == 1)
            restart();
        else if (chance < 8)
            turn(); /* a fold may be under way */
        else if (chance == 8)
            (void)store_fold(keyspace.store);
        if (step % 5 == 0)
            check();
    }
    check_walk(0, SLOTS - 1, false);
    fold();
    check_walk(0, SLOTS - 1, true);
    restart();
    check_walk(0, SLOTS - 1, false);
}

static void what_is_acknowledged_before_a_fold_leaves_nothing(void **state)
{
    (void)state;
    begin();
    create_consumer();
    struct pending_set set = {0};
    struct buf data;
    buf_init(&data);
    test.delivered = 0;
    deliver(1);
    for (size_t i = 0; i < test.delivered; i++) {
        bool added;
        if (test.slots[i].consumer != 0)
            pending_set_put(&set, id_of(i), &added)->consumer = 1;
    }
    group_op_put_acks(&data, &set);
    write_group_op(OP_ACK, BYTES(""), ID_MIN, &data);
    assert_true(pending_set_empty(&group_state(the_group())->changes));
    buf_deinit(&data);
    pending_set_deinit(&set);
}

static void a_destroyed_group_leaves_no_rows(void **state)
{
    (void)state;
    begin();
    create_consumer();
    for (int i = 0; i < 10; i++)
        deliver(1);
    fold();
    write_group_op(OP_GROUP_DESTROY, BYTES(""), ID_MIN, NULL);
    fold();
    assert_null(the_group());
    struct buf lower, upper;
    buf_init(&lower);
    buf_init(&upper);
    struct chunk_home home = feed_groups_home(object_feed(groups_object()));
    key_group(&lower, home, 0);
    key_pending_end(&upper, home, UINT64_MAX - 1);
    struct ranges_iter *iter =
        ranges_iter_open(ranges, buf_bytes(&lower), buf_bytes(&upper), TIER_DISK);
    assert_int_equal(ranges_iter_seek(iter, buf_bytes(&lower)), ERR_END);
    ranges_iter_close(iter);
    buf_deinit(&lower);
    buf_deinit(&upper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYSPACE_TEST(every_walk_shows_what_a_plain_map_has),
        KEYSPACE_TEST(what_is_acknowledged_before_a_fold_leaves_nothing),
        KEYSPACE_TEST(a_destroyed_group_leaves_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
