#include "broker/range_move.h"

#include "tests/unit/broker_fixture.h"

#define MANY   300 /* more than one turn carries */
#define A_TURN 20

static uint64_t seed;
static struct session *mover;
static struct buf mover_reply;

static int set_up(void **state)
{
    (void)state;
    buf_init(&mover_reply);
    int result = set_up_broker(++seed);
    mover = session_create(broker, NULL, 2);
    broker->move.keys_max = A_TURN;
    return result;
}

static int clean_up(void **state)
{
    session_close(mover);
    buf_deinit(&mover_reply);
    return tear_down(state);
}

/* Sends a line that may take many turns. */
static void begin(const char *line)
{
    mover_reply.len = 0;
    session_feed(mover, bytes_of_string(line));
    session_feed(mover, BYTES("\r\n"));
}

static const char *end(void)
{
    for (unsigned i = 0; mover_reply.len == 0; i++) {
        assert_true(i < PATIENCE_TURNS);
        turn();
        take_output(mover, &mover_reply);
    }
    buf_add(&mover_reply, "", 1);
    return mover_reply.data;
}

static const char *move(const char *line)
{
    begin(line);
    return end();
}

static void turn_until_carried(uint64_t keys)
{
    for (unsigned i = 0; broker->move.carried < keys; i++) {
        assert_true(i < PATIENCE_TURNS);
        turn();
    }
}

static void crash_and_start_again(void)
{
    session_close(mover);
    restart();
    mover = session_create(broker, NULL, 2);
}

static void fill(const char *prefix, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_string_equal(ask("SET %s%u value-%u", prefix, i, i), "+OK\r\n");
}

static struct object *object_at(const char *name)
{
    struct object *object;
    assert_int_equal(keyspace_find(&broker->keyspace, 0, bytes_of_string(name), &object), ERR_OK);
    return object;
}

static void assert_integer(const char *line, uint64_t wanted)
{
    char text[32];
    snprintf(text, sizeof(text), ":%llu\r\n", (unsigned long long)wanted);
    assert_string_equal(ask("%s", line), text);
}

/* The store that the key's rule says. */
static enum key_store store_of(const char *name)
{
    return keyspace_range(&broker->keyspace, 0, bytes_of_string(name))->store;
}

/* ---- where keys are ---- */

static void keys_go_to_memory_with_their_values_and_times(void **state)
{
    (void)state;
    ask("SET a1 one");
    fold();
    ask("SET a2 two PXAT 900000000000");
    ask("HSET a3 field value");
    ask("SET b other");
    assert_string_equal(move("RANGE.SET 0 a MEMORY MOVE"), "+OK\r\n");
    assert_true(object_at("a1")->in_memory && object_at("a3")->in_memory);
    assert_false(object_at("b")->in_memory);
    assert_string_equal(ask("GET a1"), "$3\r\none\r\n");
    assert_string_equal(ask("HGET a3 field"), "$5\r\nvalue\r\n");
    assert_int_equal(object_expiry(object_at("a2")), 900000000000);
    const struct database *database = keyspace_database(&broker->keyspace, 0);
    assert_int_equal(database->keys, 1);
    assert_int_equal(database->memory_keys, 3);
    assert_int_equal(database->expires, 0);
    assert_int_equal(database->memory_expires, 1);
}

static void keys_come_back_durable(void **state)
{
    (void)state;
    ask("SET a1 one");
    fold();
    assert_string_equal(move("RANGE.SET 0 a MEMORY MOVE"), "+OK\r\n");
    fold();
    ask("SET a1 changed");
    ask("SET a2 two");
    assert_string_equal(move("RANGE.SET 0 a DURABLE MOVE"), "+OK\r\n");
    crash_and_start_again();
    assert_string_equal(ask("GET a1"), "$7\r\nchanged\r\n");
    assert_string_equal(ask("GET a2"), "$3\r\ntwo\r\n");
    assert_integer("DBSIZE", 2);
}

static void keys_that_went_to_memory_are_gone_with_the_process(void **state)
{
    (void)state;
    ask("SET a1 one");
    fold();
    assert_string_equal(move("RANGE.SET 0 a MEMORY MOVE"), "+OK\r\n");
    crash_and_start_again();
    assert_string_equal(ask("GET a1"), "$-1\r\n");
    assert_int_equal(store_of("a1"), STORE_MEMORY);
    assert_integer("DBSIZE", 0);
}

static void deleting_a_rule_takes_its_keys_to_those_that_are_left(void **state)
{
    (void)state;
    ask("RANGE.SET 0 a MEMORY");
    ask("RANGE.SET 0 ab MEMORY");
    ask("MSET a1 one ab1 two");
    assert_string_equal(move("RANGE.DEL 0 ab MOVE"), "+OK\r\n");
    assert_string_equal(ask("GET ab1"), "$3\r\ntwo\r\n");
    assert_true(object_at("ab1")->in_memory);
    assert_int_equal(object_at("ab1")->range, object_at("a1")->range);
    assert_string_equal(move("RANGE.DEL 0 a MOVE"), "+OK\r\n");
    assert_false(object_at("ab1")->in_memory);
    crash_and_start_again();
    assert_string_equal(ask("MGET a1 ab1"), "*2\r\n$3\r\none\r\n$3\r\ntwo\r\n");
    assert_string_equal(move("RANGE.DEL 0 a MOVE"), "-ERR no such range rule\r\n");
}

static void what_memory_shows_waits_until_the_move_is_durable(void **state)
{
    (void)state;
    ask("SET a1 one");
    begin("RANGE.SET 0 a MEMORY MOVE");
    for (unsigned i = 0; range_move_runs(&broker->move) && i < PATIENCE_TURNS; i++)
        turn();
    uint64_t gate = keyspace_gate(&broker->keyspace, 0, object_at("a1"));
    assert_int_equal(gate, store_last(broker->store));
    assert_int_equal(keyspace_gate(&broker->keyspace, 0, object_at("a2")), gate);
    end();
}

/* ---- what cannot move ---- */

static void assert_stays(const char *answer, const char *error)
{
    assert_non_null(strstr(answer, error));
    assert_int_equal(store_of("a1"), STORE_DURABLE);
    assert_false(object_at("a1")->in_memory);
    assert_string_equal(ask("GET a1"), "$3\r\none\r\n");
    assert_false(keyspace_moving(&broker->keyspace));
}

static void a_feed_stays_and_so_do_all(void **state)
{
    (void)state;
    ask("SET a1 one");
    ask("XADD a2 1-1 field value");
    assert_stays(move("RANGE.SET 0 a MEMORY MOVE"), "-ERR feeds live in durable ranges");
    fold();
    broker->options->resident_bytes = 0;
    settle();
    assert_stays(move("RANGE.SET 0 a MEMORY MOVE"), "-ERR feeds live in durable ranges");
    assert_int_equal(broker->keyspace.moves, 0);
}

static void a_feed_that_is_made_while_keys_are_looked_for_counts(void **state)
{
    (void)state;
    ask("SET a1 one");
    fold();
    begin("RANGE.SET 0 a MEMORY MOVE");
    assert_int_equal(broker->move.state, MOVE_LOOKING);
    session_feed(client, BYTES("XADD a0 1-1 field value\r\n"));
    assert_non_null(strstr(end(), "-ERR feeds live in durable ranges"));
    settle();
    take_output(client, &reply);
    assert_stays(mover_reply.data, "-ERR feeds live in durable ranges");
    assert_int_equal(broker->keyspace.moves, 0);
}

static void what_does_not_fit_is_refused_before_anything_moves(void **state)
{
    (void)state;
    ask("SET a1 one");
    fill("a-", 100);
    fold();
    assert_stays(move("RANGE.SET 0 a MEMORY MAXMEMORY 1000 POLICY noeviction MOVE"), "-OOM ");
    assert_int_equal(broker->keyspace.moves, 0);
}

static void keys_go_back_when_the_range_fills_up(void **state)
{
    (void)state;
    ask("SET a1 one");
    fill("a-", MANY);
    fold();
    begin("RANGE.SET 0 a MEMORY MAXMEMORY 20000 POLICY noeviction MOVE");
    assert_stays(end(), "-OOM ");
    assert_int_equal(broker->keyspace.moves, 2);
    for (unsigned i = 100; i < MANY; i += 10)
        assert_string_equal(ask("STRLEN a-%u", i), ":9\r\n");
    assert_integer("DBSIZE", MANY + 1);
    assert_int_equal(broker->keyspace.memory.ranges[2].map.count, 0);
}

static void one_change_of_the_rules_at_a_time(void **state)
{
    (void)state;
    fill("a", MANY);
    begin("RANGE.SET 0 a MEMORY MOVE");
    turn_until_carried(1);
    assert_true(range_move_runs(&broker->move));
    assert_string_equal(ask("RANGE.SET 1 z MEMORY"),
                        "-ERR keys are being moved by another change of the range rules\r\n");
    assert_string_equal(end(), "+OK\r\n");
    assert_string_equal(ask("RANGE.SET 1 z MEMORY"), "+OK\r\n");
    ask("MULTI");
    ask("RANGE.SET 0 a DURABLE MOVE");
    assert_non_null(strstr(ask("EXEC"), "-ERR MOVE takes turns"));
    assert_string_equal(move("RANGE.SET 0 a MEMORY MOVE"), "+OK\r\n");
}

/* ---- in the middle ---- */

static void a_move_goes_on_without_who_asked_for_it(void **state)
{
    (void)state;
    fill("a", MANY);
    begin("RANGE.SET 0 a MEMORY MOVE");
    turn_until_carried(1);
    session_close(mover);
    settle();
    assert_false(range_move_runs(&broker->move));
    assert_int_equal(keyspace_database(&broker->keyspace, 0)->memory_keys, MANY);
    mover = session_create(broker, NULL, 2);
}

static void after_a_crash_what_is_durable_still_goes_to_memory(void **state)
{
    (void)state;
    fill("a", MANY);
    fold();
    begin("RANGE.SET 0 a MEMORY MOVE");
    turn_until_carried(1);
    fold(); /* the catalog on disk knows of the move */
    crash_and_start_again();
    assert_true(range_move_runs(&broker->move) || !keyspace_moving(&broker->keyspace));
    settle();
    assert_false(keyspace_moving(&broker->keyspace));
    const struct database *database = keyspace_database(&broker->keyspace, 0);
    assert_int_equal(database->keys, 0);
    assert_in_range(database->memory_keys, 0, MANY - 1);
    assert_int_equal(store_of("a1"), STORE_MEMORY);
    assert_string_equal(ask("SET a%u again", MANY - 1), "+OK\r\n");
    crash_and_start_again();
    assert_integer("DBSIZE", 0);
}

static void after_a_crash_what_has_become_durable_is_there(void **state)
{
    (void)state;
    ask("RANGE.SET 0 a MEMORY");
    fill("a", MANY);
    begin("RANGE.SET 0 a DURABLE MOVE");
    turn_until_carried(1);
    uint64_t carried = keyspace_database(&broker->keyspace, 0)->keys;
    fold();
    assert_int_equal(store_of("a1"), STORE_DURABLE);
    crash_and_start_again();
    settle();
    assert_false(keyspace_moving(&broker->keyspace));
    assert_in_range(keyspace_database(&broker->keyspace, 0)->keys, carried, MANY);
    assert_int_equal(keyspace_database(&broker->keyspace, 0)->memory_keys, 0);
    assert_int_equal(store_of("a1"), STORE_DURABLE);
}

static void a_key_that_is_made_anew_is_in_the_new_store_at_once(void **state)
{
    (void)state;
    fill("a", MANY);
    begin("RANGE.SET 0 a MEMORY MOVE");
    turn_until_carried(1);
    assert_true(range_move_runs(&broker->move));
    ask("SET afresh value");
    assert_true(object_at("afresh")->in_memory);
    assert_non_null(strstr(ask("XADD afeed * field value"), "-ERR feeds live in durable ranges"));
    ask("XADD bfeed 1-1 field value");
    assert_non_null(strstr(ask("RENAME bfeed a%u", MANY - 1), "-ERR feeds live in durable ranges"));
    end();
    assert_integer("DBSIZE", MANY + 2);
}

static void databases_that_are_swapped_or_flushed_meanwhile_move_all_the_same(void **state)
{
    (void)state;
    fill("a", MANY);
    fold();
    ask("SELECT 1");
    fill("a", 10);
    begin("RANGE.SET * a MEMORY MOVE");
    turn_until_carried(1);
    ask("SWAPDB 0 1");
    assert_integer("DBSIZE", MANY);
    assert_string_equal(end(), "+OK\r\n");
    assert_int_equal(keyspace_database(&broker->keyspace, 0)->memory_keys, 10);
    assert_int_equal(keyspace_database(&broker->keyspace, 1)->memory_keys, MANY);
    begin("RANGE.DEL * a MOVE");
    turn_until_carried(1);
    ask("FLUSHDB");
    assert_string_equal(end(), "+OK\r\n");
    assert_integer("DBSIZE", 0);
    assert_int_equal(keyspace_database(&broker->keyspace, 0)->keys, 10);
}

int main(void)
{
#define MOVE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        MOVE_TEST(keys_go_to_memory_with_their_values_and_times),
        MOVE_TEST(keys_come_back_durable),
        MOVE_TEST(keys_that_went_to_memory_are_gone_with_the_process),
        MOVE_TEST(deleting_a_rule_takes_its_keys_to_those_that_are_left),
        MOVE_TEST(what_memory_shows_waits_until_the_move_is_durable),
        MOVE_TEST(a_feed_stays_and_so_do_all),
        MOVE_TEST(a_feed_that_is_made_while_keys_are_looked_for_counts),
        MOVE_TEST(what_does_not_fit_is_refused_before_anything_moves),
        MOVE_TEST(keys_go_back_when_the_range_fills_up),
        MOVE_TEST(one_change_of_the_rules_at_a_time),
        MOVE_TEST(a_move_goes_on_without_who_asked_for_it),
        MOVE_TEST(after_a_crash_what_is_durable_still_goes_to_memory),
        MOVE_TEST(after_a_crash_what_has_become_durable_is_there),
        MOVE_TEST(a_key_that_is_made_anew_is_in_the_new_store_at_once),
        MOVE_TEST(databases_that_are_swapped_or_flushed_meanwhile_move_all_the_same),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
