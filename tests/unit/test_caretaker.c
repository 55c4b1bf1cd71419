#include "broker/caretaker.h"

#include "tests/unit/broker_fixture.h"

#define KEYS   3
#define STEPS  3000
#define VALUES 4000

static struct random randomness;

static int set_up(void **state)
{
    (void)state;
    uint64_t seed = unit_seed();
    random_init(&randomness, seed);
    return set_up_broker(seed);
}

static uint64_t below(uint64_t bound)
{
    return random_below(&randomness, bound);
}

/* ---- one thing at a time ---- */

static void an_entry_is_added_when_it_is_due(void **state)
{
    (void)state;
    assert_string_equal(ask("XADD k DELAY 100 * f v"), "$9\r\n1000100-1\r\n");
    assert_string_equal(ask("XLEN k"), ":0\r\n");
    pass_ms(99);
    settle();
    assert_string_equal(ask("XLEN k"), ":0\r\n");
    pass_ms(1);
    settle();
    assert_string_equal(ask("XRANGE k - +"),
                        "*1\r\n*2\r\n$9\r\n1000100-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
}

static void equal_times_keep_their_order(void **state)
{
    (void)state;
    (void)ask("XADD k AT 1000050 * f 1");
    (void)ask("XADD k AT 1000050 * f 2");
    (void)ask("XADD k AT 1000049 * f 0");
    pass_ms(50);
    settle();
    assert_string_equal(ask("XRANGE k - +"),
                        "*3\r\n*2\r\n$9\r\n1000050-0\r\n*2\r\n$1\r\nf\r\n$1\r\n0\r\n"
                        "*2\r\n$9\r\n1000050-1\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n"
                        "*2\r\n$9\r\n1000050-2\r\n*2\r\n$1\r\nf\r\n$1\r\n2\r\n");
}

static void a_time_that_has_passed_is_now(void **state)
{
    (void)state;
    (void)ask("XADD k AT 5 * f v");
    settle();
    assert_string_equal(ask("XLEN k"), ":1\r\n");
    (void)ask("XADD k DELAY 0 * f v");
    settle();
    assert_string_equal(ask("XLEN k"), ":2\r\n");
}

static void what_became_due_while_nothing_ran_is_added_at_the_start(void **state)
{
    (void)state;
    for (int folded = 0; folded < 2; folded++) {
        (void)ask("XADD k DELAY 100 * f v");
        if (folded)
            fold();
        close_broker();
        pass_ms(5000);
        open_broker();
        settle();
        assert_string_equal(ask("XLEN k"), folded ? ":2\r\n" : ":1\r\n");
    }
}

static void a_blocked_reader_wakes(void **state)
{
    (void)state;
    struct session *reader = session_create(broker, NULL, 2);
    struct buf woken;
    buf_init(&woken);
    session_feed(reader, BYTES("XREAD BLOCK 0 STREAMS k $\r\n"));
    (void)ask("XADD k DELAY 100 * f v");
    take_output(reader, &woken);
    assert_int_equal(woken.len, 0);
    pass_ms(100);
    settle();
    take_output(reader, &woken);
    assert_true(woken.len > 0);
    session_close(reader);
    buf_deinit(&woken);
}

static void a_handle_takes_its_entry_back_once(void **state)
{
    (void)state;
    for (int folded = 0; folded < 2; folded++) {
        (void)ask("XADD k AT 2000000 * f v");
        if (folded) {
            fold();
            restart();
        }
        assert_string_equal(ask("FEED.CANCEL k 2000000-%d", folded + 1), ":1\r\n");
        assert_string_equal(ask("FEED.CANCEL k 2000000-%d", folded + 1), ":0\r\n");
        assert_string_equal(ask("FEED.CANCEL k 2000000-9"), ":0\r\n");
        assert_string_equal(ask("FEED.CANCEL nokey 2000000-1"), ":0\r\n");
    }
    pass_ms(2000000);
    settle();
    assert_string_equal(ask("XLEN k"), ":0\r\n");
}

static void a_bad_handle_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "5",    "5-",   "a-1",  "0-1",
                                      "5-0", "05-1", "-1-1", "5-1x", "99999999999999999999-1"};
    (void)ask("XADD k DELAY 100 * f v");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_string_equal(ask("FEED.CANCEL k \"%s\"", bad[i]),
                            "-ERR invalid handle of a delayed entry\r\n");
    assert_string_equal(ask("FEED.CANCEL k 1000000-1"),
                        "-ERR the delayed entry is due already\r\n");
    pass_ms(100);
    assert_string_equal(ask("FEED.CANCEL k 1000100-1"),
                        "-ERR the delayed entry is due already\r\n");
    settle();
    assert_string_equal(ask("XLEN k"), ":1\r\n");
}

static void bad_delays_change_nothing(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"DELAY x *", "-ERR value is not an integer or out of range\r\n"},
        {"DELAY -1 *", "-ERR DELAY is out of range\r\n"},
        {"DELAY 3155760000001 *", "-ERR DELAY is out of range\r\n"},
        {"AT 0 *", "-ERR AT is out of range\r\n"},
        {"AT 9223372036854775807 *", "-ERR AT is out of range\r\n"},
        {"DELAY 1 5-1",
         "-ERR DELAY and AT need the id *: the entry gets its id when it is due\r\n"},
        {"DELAY 1 5-*",
         "-ERR DELAY and AT need the id *: the entry gets its id when it is due\r\n"},
        {"DELAY 1 AT 5 *",
         "-ERR syntax error, DELAY and AT can be given once, and one of them only\r\n"},
        {"MAXLEN 5 DELAY 1 *",
         "-ERR DELAY and AT cannot be combined with MAXLEN and MINID: use FEED.POLICY\r\n"},
        {"NOMKSTREAM DELAY 1 *", "$-1\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(ask("XADD k %s f v", cases[i][0]), cases[i][1]);
    assert_string_equal(ask("EXISTS k"), ":0\r\n");
    assert_string_equal(ask("DBSIZE"), ":0\r\n");
}

static void a_feed_takes_its_delayed_entries_with_it(void **state)
{
    (void)state;
    for (int folded = 0; folded < 2; folded++) {
        (void)ask("FLUSHALL");
        (void)ask("XADD a DELAY 100 * f v");
        (void)ask("XADD b DELAY 100 * f v");
        (void)ask("XADD c DELAY 100 * f v");
        if (folded) {
            fold();
            restart();
        }
        (void)ask("RENAME a d");
        (void)ask("DEL b");
        assert_string_equal(ask("COPY c e"), ":1\r\n");
        (void)ask("XADD b DELAY 500 * f v");
        pass_ms(200);
        settle();
        assert_string_equal(ask("XLEN d"), ":1\r\n");
        assert_string_equal(ask("XLEN b"), ":0\r\n");
        assert_string_equal(ask("XLEN c"), ":1\r\n");
        assert_string_equal(ask("XLEN e"), ":0\r\n");
    }
}

static void nothing_is_left_of_what_was_deleted(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        (void)ask("XADD k%d DELAY 100 * f v", i % 4);
    fold();
    restart();
    (void)ask("DEL k0");
    (void)ask("FLUSHDB");
    fold();
    pass_ms(1000);
    settle();
    fold();
    assert_int_equal(sim_ranges_disk_row_count(rows), 1); /* the catalog */
}

static void a_feed_that_expires_takes_its_delayed_entries_with_it(void **state)
{
    (void)state;
    (void)ask("XADD k DELAY 500 * f v");
    assert_string_equal(ask("PEXPIRE k 100"), ":1\r\n");
    fold();
    pass_ms(200);
    settle();
    assert_string_equal(ask("EXISTS k"), ":0\r\n");
    (void)ask("XADD k * f new");
    pass_ms(1000);
    settle();
    assert_string_equal(ask("XLEN k"), ":1\r\n");
}

static void databases_are_told_apart(void **state)
{
    (void)state;
    (void)ask("XADD k DELAY 100 * f v");
    fold();
    restart();
    (void)ask("SWAPDB 0 1");
    pass_ms(100);
    settle();
    assert_string_equal(ask("EXISTS k"), ":0\r\n");
    (void)ask("SELECT 1");
    assert_string_equal(ask("XLEN k"), ":1\r\n");
}

static void a_failed_read_is_tried_again(void **state)
{
    (void)state;
    (void)ask("XADD k DELAY 100 * f v");
    fold();
    restart();
    pass_ms(100);
    sim_ranges_disk_set_faults(
        rows, &(struct sim_ranges_faults){.cold_per_mille = 1000, .read_fails_per_mille = 1000});
    for (int i = 0; i < 20; i++)
        turn();
    sim_ranges_disk_set_faults(rows, &(struct sim_ranges_faults){0});
    pass_ms(2000);
    settle();
    assert_string_equal(ask("XLEN k"), ":1\r\n");
}

static void many_due_at_once_take_several_turns(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        (void)ask("XADD k AT 1000500 * f %d", i);
    pass_ms(500 + 5000);
    unsigned turns = 0;
    for (uint64_t length = 0; length < 2000; turns++) {
        turn();
        uint64_t now = feed_row(object_feed(container_of(hmap_walk(&broker->keyspace.table.map,
                                                                   &(uint64_t){0}, &(bool){false}),
                                                         struct object, node)))
                           ->length;
        assert_true(now - length <= 512);
        length = now;
    }
    assert_true(turns >= 4);
}

/* ---- beside a model ---- */

/* What was delayed: where, and what became of it. */
struct delayed {
    struct id handle;
    unsigned key;
    bool pending;
};

static struct delayed delayed[VALUES];
static unsigned count;
static struct buf entries[KEYS]; /* values in order, a u32 each */

static void model_pass(void)
{
    uint64_t now_ms = clock_wall_ms();
    for (;;) {
        struct delayed *first = NULL;
        for (unsigned i = 0; i < count; i++) {
            struct delayed *one = &delayed[i];
            if (one->pending && one->handle.ms <= now_ms &&
                (first == NULL || id_less(one->handle, first->handle)))
                first = one;
        }
        if (first == NULL)
            return;
        first->pending = false;
        buf_put_u32(&entries[first->key], (uint32_t)(first - delayed));
    }
}

static void compare_key(unsigned key)
{
    struct buf expected;
    struct decoder decoder = decoder_of(buf_bytes(&entries[key]));
    const char *at = ask("XRANGE k%u - +", key);
    buf_init(&expected);
    while (decoder_left(&decoder) > 0) {
        char value[16];
        int len = snprintf(value, sizeof(value), "%u", decoder_u32(&decoder));
        buf_addf(&expected, "\r\n$1\r\nf\r\n$%d\r\n%s\r\n%c", len, value, '\0');
        at = strstr(at, expected.data);
        assert_non_null(at);
        at += strlen(expected.data);
        expected.len = 0;
    }
    buf_deinit(&expected);
    assert_null(strstr(at, "$1\r\nf\r\n$"));
}

static void compare(void)
{
    settle();
    model_pass();
    for (unsigned key = 0; key < KEYS; key++)
        compare_key(key);
}

static void delay_one(void)
{
    unsigned key = (unsigned)below(KEYS);
    const char *handle = ask("XADD k%u DELAY %u * f %u", key, (unsigned)below(400), count);
    assert_int_equal(handle[0], '$');
    const char *text = strchr(handle, '\n') + 1;
    struct id id;
    assert_true(id_from_text(bytes_of(text, strcspn(text, "\r")), 0, &id));
    delayed[count++] = (struct delayed){id, key, true};
}

static void cancel_one(void)
{
    if (count == 0)
        return;
    struct delayed *one = &delayed[count - 1 - below(count < 50 ? count : 50)];
    bool due = one->handle.ms <= clock_wall_ms();
    const char *answer =
        ask("FEED.CANCEL k%u %" PRIu64 "-%" PRIu64, one->key, one->handle.ms, one->handle.seq);
    assert_int_equal(answer[0], due ? '-' : ':');
    if (!due) {
        assert_int_equal(answer[1], one->pending ? '1' : '0');
        one->pending = false;
    }
}

static void entries_come_as_a_model_says_through_folds_and_restarts(void **state)
{
    (void)state;
    count = 0;
    for (unsigned key = 0; key < KEYS; key++)
        buf_init(&entries[key]);
    sim_ranges_disk_set_faults(
        rows, &(struct sim_ranges_faults){.cold_per_mille = 500, .cool_per_mille = 300});
    for (int i = 0; i < STEPS && count < VALUES; i++) {
        uint64_t what = below(100);
        if (what < 60)
            delay_one();
        else if (what < 75)
            cancel_one();
        else if (what < 95)
            pass_ms(below(60));
        else if (what < 97)
            fold();
        else if (what < 98)
            restart();
        else
            compare();
        settle();
        model_pass();
    }
    pass_ms(1000);
    compare();
    for (unsigned key = 0; key < KEYS; key++)
        buf_deinit(&entries[key]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_is_added_when_it_is_due),
        TEST(equal_times_keep_their_order),
        TEST(a_time_that_has_passed_is_now),
        TEST(what_became_due_while_nothing_ran_is_added_at_the_start),
        TEST(a_blocked_reader_wakes),
        TEST(a_handle_takes_its_entry_back_once),
        TEST(a_bad_handle_is_told),
        TEST(bad_delays_change_nothing),
        TEST(a_feed_takes_its_delayed_entries_with_it),
        TEST(nothing_is_left_of_what_was_deleted),
        TEST(a_feed_that_expires_takes_its_delayed_entries_with_it),
        TEST(databases_are_told_apart),
        TEST(a_failed_read_is_tried_again),
        TEST(many_due_at_once_take_several_turns),
        TEST(entries_come_as_a_model_says_through_folds_and_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
