#include "storage/group_op.h"

#include "tests/unit/unit.h"

#define ITEMS 500u

/* Random changes, ascending; about half of them where the one before was. */
static void fill(struct random *random, struct pending_set *set, uint64_t now_ms)
{
    struct id id = {random_below(random, 1000), random_below(random, 1000)};
    uint32_t owner = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        bool added;
        if (random_below(random, 2) == 0)
            owner = (uint32_t)random_below(random, 4);
        bool same_ms = random_below(random, 2) == 0;
        id = (struct id){id.ms + (same_ms ? 0 : 1 + random_below(random, 1 << 20)),
                         same_ms ? id.seq + 1 : random_below(random, 1 << 10)};
        struct pending *item = pending_set_put(set, id, &added);
        item->consumer = owner;
        item->delivered_ms = now_ms + random_below(random, 10000) - 5000;
        item->deliveries = random_below(random, 100);
    }
}

static void check(const struct pending_set *set, const struct buf *data, bool claims,
                  uint64_t now_ms)
{
    struct group_changes changes;
    struct pending_place place;
    struct pending change;
    group_changes_init(&changes, decoder_of(buf_bytes(data)), claims, now_ms);
    const struct pending *item = pending_set_seek(set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(set, &place)) {
        assert_int_equal(group_changes_next(&changes, &change), ERR_OK);
        assert_true(id_equal(change.id, item->id));
        assert_int_equal(change.consumer, item->consumer);
        if (claims) {
            assert_true(change.delivered_ms == item->delivered_ms);
            assert_true(change.deliveries == item->deliveries);
        }
    }
    assert_int_equal(group_changes_next(&changes, &change), ERR_END);
}

static void changes_read_back_as_they_were_written(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    struct pending_set set = {0};
    struct buf data;
    buf_init(&data);
    fill(&random, &set, 1000000);
    group_op_put_acks(&data, &set);
    check(&set, &data, false, 0);
    data.len = 0;
    group_op_put_claims(&data, &set, 1000000);
    check(&set, &data, true, 1000000);
    buf_deinit(&data);
    pending_set_deinit(&set);
}

static void entries_of_one_millisecond_take_two_bytes_each(void **state)
{
    (void)state;
    struct id ids[100];
    struct buf data;
    buf_init(&data);
    for (size_t i = 0; i < 100; i++)
        ids[i] = (struct id){1700000000000, i};
    group_op_put_ids(&data, ids, 100);
    assert_in_range(data.len, 200, 216);
    buf_deinit(&data);
}

static void a_head_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct group_op op;
    struct group_op head = {7, 123456, GROUP_OP_NOACK, UINT64_MAX};
    struct buf data;
    buf_init(&data);
    group_op_put(&data, &head);
    struct decoder decoder = decoder_of(buf_bytes(&data));
    assert_int_equal(group_op_take(&decoder, &op), ERR_OK);
    assert_int_equal(decoder_left(&decoder), 0);
    assert_int_equal(op.consumer, 7);
    assert_true(op.now_ms == 123456);
    assert_int_equal(op.flags, GROUP_OP_NOACK);
    assert_true(op.entries_read == UINT64_MAX);
    buf_deinit(&data);
}

static void data_that_was_cut_is_damaged(void **state)
{
    (void)state;
    struct id ids[] = {{1, 1}, {2, 300}};
    struct buf data;
    buf_init(&data);
    group_op_put_ids(&data, ids, 2);
    for (size_t len = 1; len < data.len; len++) {
        struct group_changes changes;
        struct pending change;
        enum err err;
        group_changes_init(&changes, decoder_of(bytes_of(data.data, len)), false, 0);
        while ((err = group_changes_next(&changes, &change)) == ERR_OK)
            continue;
        assert_int_equal(err, ERR_CORRUPT);
    }
    buf_deinit(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_read_back_as_they_were_written),
        cmocka_unit_test(entries_of_one_millisecond_take_two_bytes_each),
        cmocka_unit_test(a_head_reads_back_as_it_was_written),
        cmocka_unit_test(data_that_was_cut_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
