#include "broker/expiry.h"

#include "base/codec.h"
#include "storage/key.h"
#include "storage/object.h"
#include "tests/unit/broker_fixture.h"

static struct random dice;

static int set_up(void **state)
{
    (void)state;
    return set_up_broker(random_u64(&dice));
}

static uint64_t keys(void)
{
    const struct database *database = keyspace_database(&broker->keyspace, 0);
    return database->keys + database->memory_keys;
}

/* Cycles come by themselves. */
static void pass_cycles(int count)
{
    for (int cycle = 0; cycle < count; cycle++) {
        pass_ms(EXPIRY_PERIOD_US / 1000);
        settle();
    }
}

static void wait_for_keys(uint64_t count)
{
    for (int cycle = 0; cycle < 100 && keys() != count; cycle++)
        pass_cycles(1);
    assert_int_equal(keys(), count);
}

static void a_key_is_gone_when_its_time_has_come_and_not_before(void **state)
{
    (void)state;
    const char *const names[] = {"durable", "cache:1"};
    for (int i = 0; i < 2; i++) {
        (void)ask("SET %s v PX 50", names[i]);
        pass_ms(49);
        assert_string_equal(ask("GET %s", names[i]), "$1\r\nv\r\n");
        pass_ms(1);
        assert_string_equal(ask("GET %s", names[i]), "$-1\r\n");
        assert_int_equal(keys(), 0);
    }
    assert_int_equal(broker->expiry.expired_keys, 2);
}

static void keys_that_nobody_asks_for_go_too(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        (void)ask("SET durable:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
        (void)ask("SET cache:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
    }
    (void)ask("SET for-ever v");
    wait_for_keys(201);
    assert_int_equal(broker->expiry.expired_keys, 400);
    assert_string_equal(ask("EXISTS durable:0 cache:0 for-ever durable:1"), ":3\r\n");
}

static void keys_that_only_lie_on_disk_go_too(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        (void)ask("SET key:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
    fold();
    restart();
    wait_for_keys(100);
    fold();
    restart();
    assert_int_equal(keys(), 100);
}

static void an_overwritten_key_keeps_to_its_new_time(void **state)
{
    (void)state;
    (void)ask("SET a v PX 50");
    (void)ask("SET b v PX 50");
    fold();
    (void)ask("SET a v");
    (void)ask("PEXPIRE b 100000");
    pass_ms(1000);
    settle();
    wait_for_keys(2);
    assert_string_equal(ask("EXISTS a b"), ":2\r\n");
}

static void while_writes_are_paused_keys_are_hidden_and_stay(void **state)
{
    (void)state;
    (void)ask("SET a v PX 50");
    (void)ask("SET cache:a v PX 50");
    assert_string_equal(ask("CLIENT PAUSE 1000 WRITE"), "+OK\r\n");
    pass_ms(500);
    settle();
    assert_string_equal(ask("EXISTS a cache:a"), ":0\r\n");
    assert_int_equal(keys(), 2);
    assert_int_equal(expiry_deadline(broker), 0);
    pass_ms(500);
    wait_for_keys(0);
}

static void nothing_is_due_where_no_key_expires(void **state)
{
    (void)state;
    (void)ask("SET a v");
    (void)ask("SET cache:a v");
    assert_int_equal(expiry_deadline(broker), 0);
    (void)ask("PEXPIRE cache:a 1000");
    assert_int_not_equal(expiry_deadline(broker), 0);
    (void)ask("PERSIST cache:a");
    assert_int_equal(expiry_deadline(broker), 0);
}

static void idle_keys_wake_nobody_before_their_time(void **state)
{
    (void)state;
    uint64_t start_us = clock_mono_us();
    (void)ask("SET folded v PX 5000");
    fold();
    (void)ask("SET unfolded v PX 7000");
    pass_cycles(5);
    assert_int_equal(expiry_deadline(broker), start_us + 5000000);
    pass_ms(5000);
    pass_cycles(5);
    assert_int_equal(keys(), 1);
    assert_int_equal(expiry_deadline(broker), start_us + 7000000);
    pass_ms(2000);
    pass_cycles(5);
    assert_int_equal(keys(), 0);
    assert_int_equal(expiry_deadline(broker), 0);
}

static void far_more_cold_keys_than_a_reader_reads_at_a_time_go(void **state)
{
    (void)state;
    for (int i = 0; i < 2500; i++)
        (void)ask("SET key:%d v PXAT %llu", i, (unsigned long long)clock_wall_ms() + 100000);
    fold();
    restart();
    pass_ms(100000);
    wait_for_keys(0);
    assert_int_equal(broker->expiry.expired_keys, 2500);
}

static void keys_of_a_database_that_was_flushed_or_swapped_meanwhile_are_right(void **state)
{
    (void)state;
    for (int db = 0; db < 3; db++) {
        (void)ask("SELECT %d", db);
        (void)ask("SET a v PX 500");
        (void)ask("SET b v");
    }
    fold();
    restart();
    pass_ms(500);
    expiry_run(broker);
    assert_int_equal(job_count, 1); /* a reader is on its way */
    assert_string_equal(ask("FLUSHDB"), "+OK\r\n");
    assert_string_equal(ask("SWAPDB 1 2"), "+OK\r\n");
    for (int db = 1; db < 3; db++) {
        (void)ask("SELECT %d", db);
        pass_cycles(20);
        assert_string_equal(ask("DBSIZE"), ":1\r\n");
    }
    assert_int_equal(broker->expiry.expired_keys, 2);
}

static void a_renamed_key_goes_at_its_time_also_when_no_fold_comes(void **state)
{
    (void)state;
    (void)ask("SET a v PX 5000");
    fold();
    restart();
    pass_cycles(5);
    (void)ask("RENAME a b");
    pass_ms(5000);
    wait_for_keys(0);
}

static void the_mean_time_to_live_is_told(void **state)
{
    (void)state;
    struct keyspace_info info;
    (void)ask("SET a v PX 1000000");
    (void)ask("SET b v PX 3000000");
    (void)ask("SET cache:c v PX 2000000");
    (void)ask("SET d v");
    broker_keyspace_info(broker, 0, &info);
    assert_int_equal(info.expires, 3);
    assert_in_range(info.avg_ttl_ms, 2000000 - 64, 2000000 + 64);
    (void)ask("PERSIST b");
    (void)ask("DEL cache:c");
    fold();
    restart();
    broker_keyspace_info(broker, 0, &info);
    assert_int_equal(info.expires, 1);
    assert_in_range(info.avg_ttl_ms, 1000000 - 64, 1000000 + 64);
    (void)ask("FLUSHALL");
    broker_keyspace_info(broker, 0, &info);
    assert_int_equal(info.avg_ttl_ms, 0);
}

/* ---- the index ---- */

struct census {
    size_t objects; /* rows of keys that expire */
    size_t index;
    uint64_t object_sum; /* of the index's rows that these should have */
    uint64_t index_sum;
};

static void count_row(struct census *census, struct bytes key, struct bytes value)
{
    struct object_key object;
    uint64_t expiry_ms = object_row_expiry(value);
    if (key_object_parse(key, &object) == ERR_OK && expiry_ms > 0) {
        struct buf row;
        buf_init(&row);
        key_expiry(&row, object.space, expiry_ms, object.name);
        census->objects++;
        census->object_sum += hash_bytes(buf_bytes(&row), 1);
        buf_deinit(&row);
    }
    if ((unsigned char)key.data[6] == KEY_EXPIRY) {
        census->index++;
        census->index_sum += hash_bytes(key, 1);
    }
}

/* All rows on disk, as they are at some moment. */
static struct census take_census(void)
{
    struct census census = {0};
    struct ranges_iter *iter = ranges_iter_open(ranges, BYTES(""), BYTES("\xff"), TIER_DISK);
    enum err err = ranges_iter_seek(iter, BYTES(""));
    for (; err == ERR_OK; err = ranges_iter_next(iter))
        count_row(&census, ranges_iter_key(iter), ranges_iter_value(iter));
    assert_int_equal(err, ERR_END);
    ranges_iter_close(iter);
    return census;
}

static void check_index(void)
{
    struct census census = take_census();
    assert_int_equal(census.index, census.objects);
    assert_int_equal(census.index_sum, census.object_sum);
}

static void put_row(struct bytes key, struct bytes value)
{
    struct ranges_batch *batch;
    assert_int_equal(ranges_batch_begin(ranges, &batch), ERR_OK);
    ranges_batch_put(batch, key, value);
    assert_int_equal(ranges_batch_commit(batch), ERR_OK);
}

/* What a server left that knew of no index. */
static void write_format_3(void)
{
    struct catalog catalog;
    struct buf key, end, row;
    struct ranges_batch *batch;
    buf_init(&key);
    buf_init(&end);
    buf_init(&row);
    assert_int_equal(sim_ranges_open(rows, &ranges), ERR_OK);
    key_system(&key, BYTES("catalog"));
    assert_int_equal(ranges_get(ranges, buf_bytes(&key), TIER_DISK, &row), ERR_OK);
    assert_int_equal(catalog_decode(buf_bytes(&row), &catalog), ERR_OK);
    row.len = 0;
    buf_put_u16(&row, 3);
    buf_put_u64(&row, catalog.fold_lsn);
    buf_put_u64(&row, catalog.hash_seed);
    buf_put_varint(&row, catalog.next_feed);
    buf_put_varint(&row, catalog.next_space);
    buf_put_varint(&row, catalog.count);
    for (uint32_t db = 0; db < catalog.count; db++) {
        buf_put_varint(&row, catalog.databases[db].space);
        buf_put_varint(&row, catalog.databases[db].keys);
        buf_put_varint(&row, catalog.databases[db].expires);
    }
    key_ranges_encode(&row, &catalog.ranges);
    put_row(buf_bytes(&key), buf_bytes(&row));
    key_expiry(&key, 1, 0, BYTES(""));
    key_expiry(&end, 1, UINT64_MAX, BYTES(""));
    assert_int_equal(ranges_batch_begin(ranges, &batch), ERR_OK);
    ranges_batch_delete_range(batch, buf_bytes(&key), buf_bytes(&end));
    assert_int_equal(ranges_batch_commit(batch), ERR_OK);
    ranges_close(ranges);
    catalog_deinit(&catalog);
    buf_deinit(&key);
    buf_deinit(&end);
    buf_deinit(&row);
}

static void a_database_of_before_there_was_an_index_gets_one(void **state)
{
    (void)state;
    struct keyspace_info info;
    for (int i = 0; i < 300; i++)
        (void)ask("SET key:%d v PX %d", i, i % 3 == 0 ? 1000000 : 50);
    fold();
    close_broker();
    write_format_3();
    open_broker();
    check_index();
    assert_int_equal(take_census().index, 300);
    wait_for_keys(100);
    broker_keyspace_info(broker, 0, &info);
    assert_in_range(info.avg_ttl_ms, 900000, 1000000);
}

/* ---- random histories ---- */

#define DBS   2
#define NAMES 12

struct key_model {
    bool exists;
    uint64_t expiry_ms; /* 0: never */
};

static struct key_model model[DBS][NAMES];
static unsigned selected;

static uint64_t below(uint64_t n)
{
    return random_below(&dice, n);
}

static bool refused(const char *answer)
{
    return answer[0] == '-';
}

/* Keys whose time has come are none. */
static uint64_t count_model(unsigned db)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        struct key_model *key = &model[db][i];
        if (key->expiry_ms > 0 && key->expiry_ms <= clock_wall_ms())
            *key = (struct key_model){0};
        count += key->exists;
    }
    return count;
}

static void write_value(struct key_model *key, unsigned name)
{
    switch (below(4)) {
    case 0:
        (void)ask("SET k%u v", name);
        *key = (struct key_model){true, 0};
        break;
    case 1:
        (void)ask("SET k%u v KEEPTTL", name);
        key->exists = true;
        break;
    case 2:
        key->exists |= !refused(ask("HSET k%u f v", name));
        break;
    default:
        key->exists |= !refused(ask("XADD k%u * f v", name));
        break;
    }
}

static void write_time(struct key_model *key, unsigned name)
{
    uint64_t ttl_ms = 1 + below(below(4) == 0 ? 100000 : 1000);
    switch (below(4)) {
    case 0:
        (void)ask("SET k%u v PX %" PRIu64, name, ttl_ms);
        *key = (struct key_model){true, clock_wall_ms() + ttl_ms};
        break;
    case 1:
        (void)ask("PERSIST k%u", name);
        key->expiry_ms = 0;
        break;
    default:
        (void)ask("PEXPIRE k%u %" PRIu64, name, ttl_ms);
        if (key->exists)
            key->expiry_ms = clock_wall_ms() + ttl_ms;
        break;
    }
}

static void move_key(struct key_model *key, unsigned name)
{
    unsigned other = (name + 1 + (unsigned)below(NAMES - 1)) % NAMES;
    unsigned db = (unsigned)below(DBS);
    switch (below(3)) {
    case 0:
        (void)ask("DEL k%u", name);
        *key = (struct key_model){0};
        break;
    case 1:
        if (refused(ask("RENAME k%u k%u", name, other)))
            break;
        model[selected][other] = *key;
        *key = (struct key_model){0};
        break;
    default:
        if (ask("COPY k%u k%u DB %u REPLACE", name, other, db)[1] == '1')
            model[db][other] = *key;
        break;
    }
}

static void move_database(void)
{
    struct key_model swapped[NAMES];
    if (below(3) == 0) {
        (void)ask("FLUSHDB");
        memset(model[selected], 0, sizeof(model[selected]));
    } else {
        (void)ask("SWAPDB 0 1");
        memcpy(swapped, model[0], sizeof(swapped));
        memcpy(model[0], model[1], sizeof(swapped));
        memcpy(model[1], swapped, sizeof(swapped));
    }
}

static void some_step(void)
{
    unsigned name = (unsigned)below(NAMES);
    struct key_model *key = &model[selected][name];
    uint64_t kind = below(100);
    (void)count_model(selected);
    if (kind < 25)
        write_value(key, name);
    else if (kind < 50)
        write_time(key, name);
    else if (kind < 65)
        move_key(key, name);
    else if (kind < 67)
        move_database();
    else if (kind < 75)
        (void)ask("SELECT %u", selected = (unsigned)below(DBS));
    else if (kind < 80)
        fold();
    else if (kind < 85)
        (void)ask("BGSAVE");
    else if (kind < 95)
        pass_ms(below(300));
    else if (kind == 99)
        restart(), (void)ask("SELECT %u", selected);
    else
        settle();
}

/* Whatever is due goes within some cycles, and nothing else does. */
static void check_keys(void)
{
    for (unsigned db = 0; db < DBS; db++) {
        const struct database *database = keyspace_database(&broker->keyspace, db);
        for (int cycle = 0; cycle < 20 && database->keys != count_model(db); cycle++)
            pass_cycles(1);
        assert_int_equal(database->keys, count_model(db));
        (void)ask("SELECT %u", db);
        for (unsigned i = 0; i < NAMES; i++) {
            const char *expected = model[db][i].exists ? ":1\r\n" : ":0\r\n";
            assert_string_equal(ask("EXISTS k%u", i), expected);
        }
    }
    (void)ask("SELECT %u", selected);
}

static void one_history(unsigned steps)
{
    memset(model, 0, sizeof(model));
    selected = 0;
    options.resident_bytes = below(2) == 0 ? 0 : options.resident_bytes;
    for (unsigned step = 0; step < steps; step++) {
        some_step();
        if (step % 16 == 0)
            check_index();
        if (step % 64 == 0)
            check_keys();
    }
    for (unsigned db = 0; db < DBS; db++) {
        for (unsigned i = 0; i < NAMES; i++)
            model[db][i].exists &= model[db][i].expiry_ms == 0;
    }
    pass_ms(200000);
    check_keys();
    fold();
    assert_int_equal(take_census().index, 0);
    check_index();
}

static void random_histories_leave_what_should_live_and_nothing_in_the_index(void **state)
{
    for (int round = 0; round < 4; round++) {
        one_history(300);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up_broker(random_u64(&dice)), 0);
    }
}

#define EXPIRY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPIRY_TEST(a_key_is_gone_when_its_time_has_come_and_not_before),
        EXPIRY_TEST(keys_that_nobody_asks_for_go_too),
        EXPIRY_TEST(keys_that_only_lie_on_disk_go_too),
        EXPIRY_TEST(an_overwritten_key_keeps_to_its_new_time),
        EXPIRY_TEST(while_writes_are_paused_keys_are_hidden_and_stay),
        EXPIRY_TEST(nothing_is_due_where_no_key_expires),
        EXPIRY_TEST(idle_keys_wake_nobody_before_their_time),
        EXPIRY_TEST(far_more_cold_keys_than_a_reader_reads_at_a_time_go),
        EXPIRY_TEST(keys_of_a_database_that_was_flushed_or_swapped_meanwhile_are_right),
        EXPIRY_TEST(a_renamed_key_goes_at_its_time_also_when_no_fold_comes),
        EXPIRY_TEST(the_mean_time_to_live_is_told),
        EXPIRY_TEST(a_database_of_before_there_was_an_index_gets_one),
        EXPIRY_TEST(random_histories_leave_what_should_live_and_nothing_in_the_index),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
