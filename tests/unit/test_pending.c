#include "storage/pending.h"

#include "tests/unit/unit.h"

#define SLOTS 3000u

/* The model: what each of some ids has; consumer 0: the set has no item. */
static uint32_t model[SLOTS];

static struct id id_of(size_t slot)
{
    return (struct id){slot / 3, slot % 3};
}

static size_t slot_of(struct id id)
{
    return id.ms * 3 + id.seq;
}

static void put(struct pending_set *set, size_t slot, uint32_t consumer)
{
    bool added;
    struct pending *item = pending_set_put(set, id_of(slot), &added);
    assert_int_equal(added, model[slot] == 0);
    item->consumer = consumer;
    model[slot] = consumer;
}

static void take_out(struct pending_set *set, size_t slot)
{
    pending_set_remove(set, id_of(slot));
    model[slot] = 0;
}

static size_t next_slot(size_t slot)
{
    while (slot < SLOTS && model[slot] == 0)
        slot++;
    return slot;
}

static void check_seeks(const struct pending_set *set, size_t slot)
{
    struct pending_place place;
    size_t next = next_slot(slot);
    const struct pending *item = pending_set_seek(set, id_of(slot), &place);
    assert_int_equal(item == NULL, next == SLOTS);
    if (item != NULL)
        assert_int_equal(slot_of(item->id), next);
    item = pending_set_seek_prev(set, id_of(slot), &place);
    size_t before = slot + 1;
    while (before > 0 && model[before - 1] == 0)
        before--;
    assert_int_equal(item == NULL, before == 0);
    if (item != NULL)
        assert_int_equal(slot_of(item->id), before - 1);
}

static void check(const struct pending_set *set)
{
    struct pending_place place;
    size_t slot = next_slot(0);
    size_t count = 0;
    const struct pending *item = pending_set_seek(set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(set, &place)) {
        assert_int_equal(slot_of(item->id), slot);
        assert_int_equal(item->consumer, model[slot]);
        slot = next_slot(slot + 1);
        count++;
    }
    assert_int_equal(slot, SLOTS);
    assert_int_equal(pending_set_count(set), count);
    assert_int_equal(pending_set_empty(set), count == 0);
}

static void a_set_has_what_a_plain_array_has(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    struct pending_set set = {0};
    memset(model, 0, sizeof(model));
    for (int step = 0; step < 60000; step++) {
        size_t slot = random_below(&random, SLOTS);
        bool shrinking = step / 5000 % 2 == 1;
        if (random_below(&random, 10) < (shrinking ? 2u : 6u))
            put(&set, slot, 1 + (uint32_t)random_below(&random, 5));
        else
            take_out(&set, slot);
        const struct pending *item = pending_set_find(&set, id_of(slot));
        assert_int_equal(item != NULL ? item->consumer : 0, model[slot]);
        if (step % 50 == 0)
            check_seeks(&set, random_below(&random, SLOTS));
        if (step % 1000 == 0)
            check(&set);
    }
    pending_set_deinit(&set);
}

static void what_is_delivered_and_acknowledged_in_order_needs_no_more_memory(void **state)
{
    (void)state;
    struct pending_set set = {0};
    bool added;
    (void)pending_set_grown(&set);
    size_t grown = 0;
    for (uint64_t ms = 1; ms < 200000; ms++) {
        pending_set_put(&set, (struct id){ms, 0}, &added)->consumer = 1;
        if (ms > 1000)
            pending_set_remove(&set, (struct id){ms - 1000, 0});
        grown += pending_set_grown(&set);
    }
    assert_true(grown < 100000);
    pending_set_deinit(&set);
}

static void a_block_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    struct pending items[100];
    struct id id = {random_u64(&random) >> 1, random_u64(&random) >> 1};
    struct id base = id;
    struct buf block;
    buf_init(&block);
    struct pending last = {.id = base};
    for (size_t i = 0; i < 100; i++) {
        items[i] = (struct pending){.id = id,
                                    .delivered_ms = random_u64(&random),
                                    .deliveries = random_u64(&random),
                                    .consumer = 1 + (uint32_t)random_below(&random, UINT32_MAX)};
        pending_write(&block, &last, &items[i]);
        bool same_ms = random_below(&random, 2) == 0;
        id = (struct id){id.ms + (same_ms ? 0 : random_below(&random, 1000) + 1),
                         same_ms ? id.seq + 1 : random_below(&random, 10)};
    }
    struct decoder decoder = decoder_of(buf_bytes(&block));
    struct pending item = {.id = base};
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(pending_read(&decoder, &item), ERR_OK);
        assert_true(id_equal(item.id, items[i].id));
        assert_true(item.delivered_ms == items[i].delivered_ms);
        assert_true(item.deliveries == items[i].deliveries);
        assert_int_equal(item.consumer, items[i].consumer);
    }
    assert_int_equal(pending_read(&decoder, &item), ERR_END);
    buf_deinit(&block);
}

static void a_block_that_was_cut_is_damaged(void **state)
{
    (void)state;
    struct buf block;
    buf_init(&block);
    struct pending last = {.id = {5, 1}};
    pending_write(
        &block, &last,
        &(struct pending){.id = {5, 7}, .delivered_ms = 99, .deliveries = 3, .consumer = 2});
    for (size_t len = 1; len < block.len; len++) {
        struct decoder decoder = decoder_of(bytes_of(block.data, len));
        struct pending item = {.id = {5, 1}};
        assert_int_equal(pending_read(&decoder, &item), ERR_CORRUPT);
    }
    buf_deinit(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_has_what_a_plain_array_has),
        cmocka_unit_test(what_is_delivered_and_acknowledged_in_order_needs_no_more_memory),
        cmocka_unit_test(a_block_reads_back_as_it_was_written),
        cmocka_unit_test(a_block_that_was_cut_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
