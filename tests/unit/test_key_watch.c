#include "broker/key_watch.h"

#include "broker/broker_internal.h"
#include "broker/transaction.h"
#include "tests/unit/unit.h"

#define SESSIONS 3

static struct broker broker;
static struct session sessions[SESSIONS];
static struct transaction transactions[SESSIONS];
static size_t room; /* how much more transactions may keep */

/* The swapped databases' keys, by the last letter of their names. */
static struct object *nothing;
static struct object *something;
static uint64_t now_ms;

uint64_t broker_now_ms(struct broker *of)
{
    (void)of;
    return now_ms;
}

bool transaction_has_room(struct session *session, size_t bytes)
{
    (void)session;
    if (bytes > room)
        return false;
    room -= bytes;
    return true;
}

enum err keyspace_find(struct keyspace *keyspace, unsigned db, struct bytes key,
                       struct object **out)
{
    (void)keyspace;
    (void)db;
    if (bytes_equal(key, BYTES("cold")))
        return ERR_COLD;
    *out = nothing;
    return ERR_OK;
}

static int set_up(void **state)
{
    (void)state;
    broker = (struct broker){0};
    key_watches_init(&broker.watches);
    nothing = object_create(0, 0, BYTES("x"), 0);
    something = object_create(0, 0, BYTES("y"), 0);
    *object_state(something) =
        (struct object_state){.type = OBJECT_STRING, .value = value_create(BYTES("v"))};
    now_ms = 1000;
    room = 100000;
    for (size_t i = 0; i < SESSIONS; i++) {
        transactions[i] = (struct transaction){0};
        list_init(&transactions[i].watches);
        sessions[i] = (struct session){.broker = &broker, .transaction = &transactions[i]};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < SESSIONS; i++) {
        key_watch_end(&sessions[i]);
        assert_int_equal(transactions[i].bytes, 0);
    }
    key_watches_deinit(&broker.watches);
    object_destroy(nothing);
    object_destroy(something);
    return 0;
}

static void watch(int at, const char *key, bool exists)
{
    const struct object *object = exists ? something : nothing;
    assert_true(key_watch_add(&sessions[at], bytes_of_string(key), object));
}

static void change(enum op_kind kind, unsigned db, const char *key, const char *key2)
{
    struct op op = {
        .kind = kind, .db = db, .key = bytes_of_string(key), .key2 = bytes_of_string(key2)};
    key_watch_changed(&broker, &op, 7);
}

static void a_change_touches_those_who_watch_its_key(void **state)
{
    (void)state;
    watch(0, "a", true);
    watch(1, "a", true);
    watch(1, "b", true);
    watch(2, "b", true);
    change(OP_APPEND, 0, "c", "");
    assert_false(transactions[0].touched);
    change(OP_DROP, 0, "a", "");
    assert_true(transactions[0].touched);
    assert_int_equal(transactions[0].touched_lsn, 7);
    assert_true(transactions[1].touched);
    assert_false(transactions[2].touched);
}

static void a_key_counts_as_changed_from_the_moment_it_expires(void **state)
{
    (void)state;
    watch(0, "forever", true);
    object_state(something)->expiry_ms = 1500;
    watch(0, "a", true);
    key_watch_expire(&sessions[0]);
    assert_false(transactions[0].touched);
    now_ms = 1500;
    key_watch_expire(&sessions[0]);
    assert_true(transactions[0].touched);
    assert_int_equal(transactions[0].touched_lsn, 0);
}

static void the_same_name_in_another_database_is_another_key(void **state)
{
    (void)state;
    sessions[0].db = 1;
    watch(0, "a", true);
    change(OP_APPEND, 0, "a", "");
    assert_false(transactions[0].touched);
    change(OP_APPEND, 1, "a", "");
    assert_true(transactions[0].touched);
}

static void a_rename_touches_both_names(void **state)
{
    (void)state;
    watch(0, "from", true);
    watch(1, "to", false);
    change(OP_RENAME, 0, "from", "to");
    assert_true(transactions[0].touched);
    assert_true(transactions[1].touched);
}

static void a_flush_touches_the_keys_that_were_there(void **state)
{
    (void)state;
    watch(0, "a", true);
    watch(1, "b", false);
    sessions[2].db = 1;
    watch(2, "a", true);
    change(OP_FLUSH, 0, "", "");
    assert_true(transactions[0].touched);
    assert_false(transactions[1].touched);
    assert_false(transactions[2].touched);
}

static void a_swap_touches_what_was_there_and_what_may_be_there_now(void **state)
{
    (void)state;
    watch(0, "a", true);
    watch(1, "a", false);
    watch(2, "cold", false);
    change(OP_SWAP, 0, "", "");
    assert_true(transactions[0].touched);
    assert_false(transactions[1].touched);
    assert_true(transactions[2].touched);
}

static void groups_and_what_they_deliver_do_not_count(void **state)
{
    (void)state;
    watch(0, "a", true);
    change(OP_GROUP_CREATE, 0, "a", "group");
    change(OP_DELIVER, 0, "a", "");
    change(OP_ACK, 0, "a", "");
    change(OP_SETID, 0, "a", "");
    change(OP_WEIGHED, 0, "a", "");
    assert_false(transactions[0].touched);
    change(OP_TRIM, 0, "a", "");
    assert_true(transactions[0].touched);
}

static void watching_twice_is_watching_once(void **state)
{
    (void)state;
    watch(0, "a", true);
    size_t bytes = transactions[0].bytes;
    watch(0, "a", true);
    assert_int_equal(transactions[0].watch_count, 1);
    assert_int_equal(broker.watches.sessions, 1);
    assert_int_equal(key_watches_count(&broker.watches), 1);
    assert_int_equal(transactions[0].bytes, bytes);
}

static void who_watches_no_more_is_not_touched(void **state)
{
    (void)state;
    watch(0, "a", true);
    watch(0, "b", true);
    watch(1, "b", true);
    change(OP_APPEND, 0, "b", "");
    key_watch_end(&sessions[0]);
    assert_false(transactions[0].touched);
    change(OP_APPEND, 0, "a", "");
    assert_false(transactions[0].touched);
    assert_true(transactions[1].touched);
    assert_int_equal(broker.watches.sessions, 1);
    key_watch_end(&sessions[1]);
    key_watch_end(&sessions[1]);
    assert_int_equal(broker.watches.sessions, 0);
    assert_true(key_watches_empty(&broker.watches));
}

static void range_rules_are_no_keys(void **state)
{
    (void)state;
    watch(0, "", true);
    change(OP_RANGE_SET, 0, "", "");
    change(OP_RANGE_DELETE, 0, "", "");
    assert_false(transactions[0].touched);
}

static void a_watch_that_finds_no_room_is_none(void **state)
{
    (void)state;
    room = 10;
    assert_false(key_watch_add(&sessions[0], BYTES("a"), something));
    assert_true(key_watches_empty(&broker.watches));
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(a_change_touches_those_who_watch_its_key),
        WATCH_TEST(a_key_counts_as_changed_from_the_moment_it_expires),
        WATCH_TEST(the_same_name_in_another_database_is_another_key),
        WATCH_TEST(a_rename_touches_both_names),
        WATCH_TEST(a_flush_touches_the_keys_that_were_there),
        WATCH_TEST(a_swap_touches_what_was_there_and_what_may_be_there_now),
        WATCH_TEST(groups_and_what_they_deliver_do_not_count),
        WATCH_TEST(watching_twice_is_watching_once),
        WATCH_TEST(who_watches_no_more_is_not_touched),
        WATCH_TEST(range_rules_are_no_keys),
        WATCH_TEST(a_watch_that_finds_no_room_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
