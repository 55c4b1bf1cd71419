#include "broker/blocking.h"

#include "broker/broker_internal.h"
#include "tests/unit/unit.h"

#define SESSIONS 4

static struct broker broker;
static struct session sessions[SESSIONS];
static struct blocking blocked[SESSIONS];
static int resumed[16]; /* which sessions, in order */
static size_t resumed_count;
static bool waits_again; /* what a resumed command does: wait on, or end */

void session_resume(struct session *session)
{
    size_t at = (size_t)(session - sessions);
    assert_true(resumed_count < sizeof(resumed) / sizeof(*resumed));
    resumed[resumed_count++] = (int)at;
    if (waits_again)
        blocking_start(&blocked[at], NULL, 0, 0);
    else
        blocking_stop(&blocked[at]);
}

static int set_up(void **state)
{
    (void)state;
    broker = (struct broker){0};
    waiters_init(&broker.waiters);
    list_init(&broker.blocked);
    list_init(&broker.ready);
    heap_init(&broker.deadlines);
    resumed_count = 0;
    waits_again = false;
    for (unsigned i = 0; i < SESSIONS; i++) {
        sessions[i] = (struct session){.broker = &broker, .id = i + 1};
        blocking_init(&blocked[i], &sessions[i], NULL);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS; i++)
        blocking_stop(&blocked[i]);
    assert_true(list_empty(&broker.blocked) && list_empty(&broker.ready));
    assert_null(heap_first(&broker.deadlines));
    waiters_deinit(&broker.waiters);
    heap_deinit(&broker.deadlines);
    return 0;
}

static void start(int at, const char *key, uint64_t deadline_us)
{
    struct bytes name = bytes_of_string(key);
    blocking_start(&blocked[at], &name, 1, deadline_us);
}

static void assert_resumed(const int *order, size_t count)
{
    assert_int_equal(resumed_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(resumed[i], order[i]);
    resumed_count = 0;
}

static void a_signal_wakes_those_of_its_key_in_their_order(void **state)
{
    (void)state;
    start(2, "a", 0);
    start(0, "b", 0);
    start(1, "a", 0);
    blocking_signal(&broker, 0, BYTES("a"));
    assert_resumed(NULL, 0); /* not inside the command that signals */
    blocking_serve(&broker);
    assert_resumed((int[]){2, 1}, 2);
    assert_int_equal(blocked[2].end, BLOCKING_SIGNALLED);
    assert_int_equal(blocked[0].end, BLOCKING_WAITS);
}

static void the_same_key_of_another_database_is_another(void **state)
{
    (void)state;
    sessions[1].db = 1;
    start(0, "a", 0);
    start(1, "a", 0);
    blocking_signal(&broker, 1, BYTES("a"));
    blocking_serve(&broker);
    assert_resumed((int[]){1}, 1);
}

static void two_signals_wake_once(void **state)
{
    (void)state;
    struct bytes keys[] = {BYTES("a"), BYTES("b"), BYTES("a")};
    blocking_start(&blocked[0], keys, 3, 0);
    blocking_signal(&broker, 0, BYTES("a"));
    blocking_signal(&broker, 0, BYTES("b"));
    blocking_serve(&broker);
    assert_resumed((int[]){0}, 1);
}

static void who_waits_again_keeps_its_place(void **state)
{
    (void)state;
    start(0, "a", 0);
    start(1, "a", 0);
    waits_again = true;
    blocking_signal(&broker, 0, BYTES("a"));
    blocking_serve(&broker);
    assert_resumed((int[]){0, 1}, 2);
    waits_again = false;
    blocking_signal(&broker, 0, BYTES("a"));
    blocking_serve(&broker);
    assert_resumed((int[]){0, 1}, 2);
}

static void deadlines_wake_in_order_when_they_have_come(void **state)
{
    (void)state;
    start(0, "a", 300);
    start(1, "a", 100);
    start(2, "a", 200);
    start(3, "a", 0);
    blocking_expire(&broker, 99);
    assert_resumed(NULL, 0);
    blocking_expire(&broker, 200);
    assert_resumed((int[]){1, 2}, 2);
    assert_int_equal(blocked[1].end, BLOCKING_TIMED_OUT);
    blocking_expire(&broker, 1000);
    assert_resumed((int[]){0}, 1);
}

static void who_was_signalled_does_not_time_out(void **state)
{
    (void)state;
    start(0, "a", 100);
    blocking_signal(&broker, 0, BYTES("a"));
    blocking_expire(&broker, 200);
    assert_resumed((int[]){0}, 1);
    assert_int_equal(blocked[0].end, BLOCKING_SIGNALLED);
}

static void stopping_takes_out_of_everything(void **state)
{
    (void)state;
    start(0, "a", 100);
    blocking_signal(&broker, 0, BYTES("a"));
    blocking_stop(&blocked[0]);
    blocking_stop(&blocked[0]);
    blocking_serve(&broker);
    blocking_expire(&broker, 200);
    assert_resumed(NULL, 0);
    assert_true(waiters_empty(&broker.waiters));
}

static void a_swapped_database_wakes_all_of_it(void **state)
{
    (void)state;
    sessions[1].db = 1;
    start(0, "a", 0);
    start(1, "a", 0);
    start(2, "b", 0);
    blocking_signal_all(&broker, 0);
    blocking_serve(&broker);
    assert_resumed((int[]){0, 2}, 2);
}

static void a_client_is_unblocked_by_its_id(void **state)
{
    (void)state;
    start(0, "a", 0);
    start(1, "a", 0);
    assert_false(broker_unblock(&broker, 3, false));
    assert_true(broker_unblock(&broker, 2, true));
    assert_false(broker_unblock(&broker, 2, true));
    assert_true(broker_unblock(&broker, 1, false));
    blocking_serve(&broker);
    assert_resumed((int[]){1, 0}, 2);
    assert_int_equal(blocked[1].end, BLOCKING_UNBLOCKED);
    assert_int_equal(blocked[0].end, BLOCKING_TIMED_OUT);
}

#define BLOCKING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCKING_TEST(a_signal_wakes_those_of_its_key_in_their_order),
        BLOCKING_TEST(the_same_key_of_another_database_is_another),
        BLOCKING_TEST(two_signals_wake_once),
        BLOCKING_TEST(who_waits_again_keeps_its_place),
        BLOCKING_TEST(deadlines_wake_in_order_when_they_have_come),
        BLOCKING_TEST(who_was_signalled_does_not_time_out),
        BLOCKING_TEST(stopping_takes_out_of_everything),
        BLOCKING_TEST(a_swapped_database_wakes_all_of_it),
        BLOCKING_TEST(a_client_is_unblocked_by_its_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
