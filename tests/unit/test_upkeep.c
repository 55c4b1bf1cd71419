#include "storage/upkeep.h"

#include "storage/feed.h"
#include "tests/unit/unit.h"

static struct feed *feed;

static int set_up(void **state)
{
    (void)state;
    feed = feed_create((struct chunk_home){1, 2, 3}, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    feed_unref(feed);
    return 0;
}

static void add(uint64_t ms, size_t bytes)
{
    static const char text[1000];
    (void)feed_append(feed, &(struct entry){{ms, 0}, bytes_of(text, bytes)});
}

static void set_policy(struct policy values)
{
    upkeep_set_policy(feed, policy_create(&values));
}

static void a_feed_that_is_left_alone_has_no_upkeep(void **state)
{
    (void)state;
    add(1, 10);
    assert_null(feed_upkeep(feed));
    assert_null(upkeep_delayed(feed_upkeep(feed)));
    assert_null(upkeep_policy(feed_upkeep(feed)));
    assert_int_equal(upkeep_bytes(feed_upkeep(feed)), 0);
}

static void the_alarm_is_the_first_of_what_is_delayed(void **state)
{
    (void)state;
    (void)upkeep_delay(feed, (struct id){500, 1}, BYTES("a"));
    assert_int_equal(upkeep_settle(feed), 500);
    (void)upkeep_delay(feed, (struct id){900, 2}, BYTES("b"));
    (void)upkeep_delay(feed, (struct id){300, 3}, BYTES("c"));
    assert_int_equal(upkeep_settle(feed), 300);
    (void)upkeep_end_delay(feed, (struct id){300, 3});
    assert_int_equal(upkeep_settle(feed), 300); /* early, until somebody has looked */
    upkeep_quiet(feed, 500);
    assert_int_equal(upkeep_settle(feed), 500);
    (void)upkeep_end_delay(feed, (struct id){500, 1});
    (void)upkeep_end_delay(feed, (struct id){900, 2});
    assert_int_equal(upkeep_settle(feed), 0);
}

static void a_policy_wants_a_look_when_it_is_broken(void **state)
{
    (void)state;
    set_policy((struct policy){.maxlen = 2, .maxage_ms = 1600});
    assert_int_equal(upkeep_settle(feed), 0);
    add(1000, 10);
    assert_int_equal(upkeep_settle(feed), 1000 + 1600 + 100);
    add(2000, 10);
    add(UINT64_MAX, 10);
    assert_int_equal(upkeep_settle(feed), 1);
    (void)feed_trim(feed, (struct id){UINT64_MAX, 0}, 2);
    assert_int_equal(upkeep_settle(feed), 0); /* it never is too old */
}

static void a_hold_puts_the_look_off(void **state)
{
    (void)state;
    set_policy((struct policy){.maxlen = 1});
    add(1, 10);
    add(2, 10);
    assert_int_equal(upkeep_settle(feed), 1);
    upkeep_hold(feed, 7000);
    upkeep_stir(feed);
    assert_int_equal(upkeep_settle(feed), 7000);
    set_policy((struct policy){.maxlen = 1, .acked = 1});
    assert_int_equal(upkeep_settle(feed), 1);
}

static void a_limit_of_bytes_has_what_is_there_weighed(void **state)
{
    (void)state;
    add(1, 100);
    set_policy((struct policy){.maxbytes = 6400});
    const struct ledger *ledger = upkeep_row(feed_upkeep(feed))->ledger;
    assert_int_equal(ledger->unweighed.ms, 1);
    assert_int_equal(upkeep_settle(feed), 1);
    add(2, 200);
    struct buf spans;
    buf_init(&spans);
    ledger_encode_spans(&spans, &(struct span){{1, 0}, 100}, 1);
    assert_int_equal(upkeep_weighed(feed, buf_bytes(&spans)), ERR_OK);
    assert_int_equal(ledger->total, 300);
    assert_int_equal(upkeep_settle(feed), 0);
    set_policy((struct policy){.maxlen = 5});
    assert_null(upkeep_row(feed_upkeep(feed))->ledger);
    buf_deinit(&spans);
}

static void what_is_held_is_looked_at_later_when_nothing_stirs(void **state)
{
    (void)state;
    static const struct {
        uint64_t maxlag_ms;
        uint64_t later_ms;
    } cases[] = {{0, 59000}, {1600, 100}, {86400000, 59000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_policy((struct policy){.maxlen = 1, .acked = 1, .maxlag_ms = cases[i].maxlag_ms});
        add(i * 2 + 1, 10);
        add(i * 2 + 2, 10);
        assert_int_equal(upkeep_settle(feed), 1);
        upkeep_hold(feed, 7000);
        assert_int_equal(upkeep_settle(feed), 7000 + cases[i].later_ms);
        upkeep_stir(feed);
        assert_int_equal(upkeep_settle(feed), 7000);
        upkeep_hold(feed, 9000);
        assert_int_equal(upkeep_settle(feed), 9000 + cases[i].later_ms);
    }
}

static void an_upkeep_reads_back_as_it_was(void **state)
{
    (void)state;
    set_policy((struct policy){.maxbytes = 6400, .maxdeliveries = 3, .deadletter = BYTES("d")});
    add(1, 100);
    (void)upkeep_delay(feed, (struct id){500, 8}, BYTES("a"));
    upkeep_hold(feed, 77);
    struct buf text;
    buf_init(&text);
    upkeep_encode(&text, upkeep_row(feed_upkeep(feed)));
    struct feed *other = feed_create((struct chunk_home){1, 2, 3}, 1);
    assert_int_equal(upkeep_decode(other, buf_bytes(&text)), ERR_OK);
    const struct upkeep_row *row = upkeep_row(feed_upkeep(other));
    assert_int_equal(row->quiet_ms, 500);
    assert_int_equal(row->delayed, 1);
    assert_int_equal(row->delayed_last, 8);
    assert_int_equal(row->held_ms, 77);
    assert_true(row->stirred);
    assert_int_equal(row->ledger->total, 100);
    assert_true(bytes_equal(row->policy->deadletter, BYTES("d")));
    const struct scheduled *first;
    assert_int_equal(schedule_first(row->schedule, &first), ERR_COLD); /* on disk */
    feed_unref(other);
    for (size_t len = 0; len < text.len; len++) {
        other = feed_create((struct chunk_home){1, 2, 3}, 1);
        assert_int_equal(upkeep_decode(other, bytes_of(text.data, len)), ERR_CORRUPT);
        feed_unref(other);
    }
    buf_deinit(&text);
}

static void a_sealed_side_stays_as_it_was(void **state)
{
    (void)state;
    set_policy((struct policy){.maxbytes = 6400});
    add(1, 100);
    (void)upkeep_delay(feed, (struct id){500, 1}, BYTES("a"));
    struct upkeep *upkeep = feed_upkeep(feed);
    feed_turn(feed, 1);
    set_policy((struct policy){.maxlen = 5});
    (void)upkeep_end_delay(feed, (struct id){500, 1});
    assert_int_equal(upkeep->rows[0].policy->maxbytes, 6400);
    assert_int_equal(upkeep->rows[0].ledger->total, 100);
    assert_int_equal(upkeep->rows[0].delayed, 1);
    assert_int_equal(upkeep->rows[1].delayed, 0);
    assert_true(upkeep_folded(upkeep, 0, SIZE_MAX));
}

static void an_alarm_reads_back_as_it_was(void **state)
{
    (void)state;
    struct alarm alarm;
    struct buf value;
    buf_init(&value);
    alarm_encode(&value, 7, BYTES("key"));
    assert_int_equal(alarm_decode(buf_bytes(&value), &alarm), ERR_OK);
    assert_int_equal(alarm.space, 7);
    assert_true(bytes_equal(alarm.key, BYTES("key")));
    assert_int_equal(alarm_decode(BYTES("xy"), &alarm), ERR_CORRUPT);
    buf_deinit(&value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_feed_that_is_left_alone_has_no_upkeep),
        TEST(the_alarm_is_the_first_of_what_is_delayed),
        TEST(a_policy_wants_a_look_when_it_is_broken),
        TEST(a_hold_puts_the_look_off),
        TEST(a_limit_of_bytes_has_what_is_there_weighed),
        TEST(what_is_held_is_looked_at_later_when_nothing_stirs),
        TEST(an_upkeep_reads_back_as_it_was),
        TEST(a_sealed_side_stays_as_it_was),
        TEST(an_alarm_reads_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
