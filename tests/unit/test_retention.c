#include "broker/retention.h"

#include "tests/unit/broker_fixture.h"

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

static uint64_t length(const char *key)
{
    return strtoull(ask("XLEN %s", key) + 1, NULL, 10);
}

static void add(const char *key, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)ask("XADD %s * f %u", key, i);
}

static void a_policy_is_told_as_it_was_set(void **state)
{
    (void)state;
    assert_string_equal(ask("FEED.POLICY k"), "-ERR no such key\r\n");
    assert_string_equal(ask("FEED.POLICY k MAXAGE 60000 MAXLEN 5"), "+OK\r\n");
    assert_string_equal(ask("FEED.POLICY k maxlen 7 maxage 0 maxlen 9"), "+OK\r\n");
    for (int again = 0; again < 3; again++) {
        assert_string_equal(
            ask("FEED.POLICY k"),
            "*14\r\n$6\r\nmaxage\r\n:0\r\n$8\r\nmaxbytes\r\n:0\r\n$6\r\nmaxlen\r\n:9\r\n"
            "$5\r\nacked\r\n:0\r\n$6\r\nmaxlag\r\n:0\r\n$13\r\nmaxdeliveries\r\n:0\r\n"
            "$10\r\ndeadletter\r\n$-1\r\n");
        if (again == 1)
            fold();
        restart();
    }
    assert_string_equal(ask("XLEN k"), ":0\r\n");
    assert_string_equal(ask("FEED.POLICY k MAXLEN 0"), "+OK\r\n");
    add("k", 20);
    settle();
    assert_int_equal(length("k"), 20);
}

static void a_bad_policy_changes_nothing(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"MAXLEN", "-ERR syntax error\r\n"},
        {"MAXLEN x", "-ERR value is not an integer or out of range\r\n"},
        {"MAXLEN -1", "-ERR MAXLEN is out of range\r\n"},
        {"MAXBYTES 9223372036854775807", "-ERR MAXBYTES is out of range\r\n"},
        {"MAXAGE 3155760000001", "-ERR MAXAGE is out of range\r\n"},
        {"MAXLEN 5 NOSUCH 5", "-ERR syntax error\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(ask("FEED.POLICY k %s", cases[i][0]), cases[i][1]);
    assert_string_equal(ask("EXISTS k"), ":0\r\n");
}

static void an_idle_feed_loses_what_is_too_old(void **state)
{
    (void)state;
    add("k", 10);
    (void)ask("FEED.POLICY k MAXAGE 1600");
    pass_ms(1000);
    add("k", 5);
    pass_ms(500);
    settle();
    assert_int_equal(length("k"), 15);
    pass_ms(200); /* 1700 of age: a 16th more than the policy says */
    settle();
    assert_int_equal(length("k"), 5);
    fold();
    restart();
    assert_int_equal(length("k"), 5);
    close_broker();
    pass_ms(1000);
    open_broker();
    settle();
    assert_int_equal(length("k"), 0);
    assert_string_equal(ask("EXISTS k"), ":1\r\n");
}

static void an_entry_goes_when_it_is_as_old_as_the_policy_says(void **state)
{
    (void)state;
    const unsigned ages_ms[] = {1700, 1600, 1599};
    for (int i = 0; i < 3; i++)
        (void)ask("XADD k %u-0 f v", (unsigned)clock_wall_ms() - ages_ms[i]);
    (void)ask("FEED.POLICY k MAXAGE 1600");
    settle();
    assert_int_equal(length("k"), 1);
}

static void a_feed_keeps_its_length(void **state)
{
    (void)state;
    (void)ask("FEED.POLICY k MAXLEN 10");
    for (int i = 0; i < 100; i++) {
        add("k", 1 + (unsigned)below(5));
        settle();
        assert_true(length("k") <= 10);
        if (below(20) == 0)
            fold();
        if (below(20) == 0)
            restart();
    }
    assert_int_equal(length("k"), 10);
    (void)ask("FEED.POLICY k MAXLEN 3");
    settle();
    assert_int_equal(length("k"), 3);
}

static void a_long_feed_is_trimmed_over_several_turns(void **state)
{
    (void)state;
    add("k", 30000);
    (void)ask("FEED.POLICY k MAXLEN 10");
    uint64_t edits = 0;
    const struct feed *feed = object_feed(
        container_of(hmap_walk(&broker->keyspace.table.map, &(uint64_t){0}, &(bool){false}),
                     struct object, node));
    settle();
    edits = feed->edits;
    assert_int_equal(length("k"), 10);
    assert_in_range(edits, 3, 30);
}

/* An entry of these tests is "*2\r\n$1\r\nf\r\n$1\r\n0\r\n" or a little more. */
static void a_feed_keeps_its_bytes(void **state)
{
    (void)state;
    (void)ask("FEED.POLICY k MAXBYTES 6400");
    for (int i = 0; i < 60; i++) {
        add("k", 1 + (unsigned)below(30));
        settle();
        assert_true(length("k") * 18 <= 6400);
        if (below(10) == 0)
            fold();
        if (below(10) == 0)
            restart();
    }
    assert_in_range(length("k"), 300, 360);
}

static void what_was_there_before_is_weighed(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        (void)ask("DEL k");
        add("k", 2000);
        if (cold) {
            fold();
            restart();
            sim_ranges_disk_set_faults(
                rows, &(struct sim_ranges_faults){.cold_per_mille = 1000, .cool_per_mille = 500});
        }
        (void)ask("FEED.POLICY k MAXBYTES 1000000");
        settle();
        assert_int_equal(length("k"), 2000);
        (void)ask("FEED.POLICY k MAXBYTES 6400");
        settle();
        assert_in_range(length("k"), 280, 330);
    }
}

#define WEIGHED 45000 /* in several turns */

/* Has the server weigh the entries of `large`. */
static void begin_weighing(void)
{
    struct buf lines;
    buf_init(&lines);
    for (int i = 0; i < WEIGHED; i++)
        buf_addf(&lines, "XADD large * f v\r\n");
    buf_addf(&lines, "FEED.POLICY large MAXBYTES 10000000\r\n");
    session_feed(client, buf_bytes(&lines));
    buf_deinit(&lines);
    for (int i = 0; i < PATIENCE_TURNS && broker->caretaker.retention.weighing.feed == NULL; i++)
        turn();
    assert_non_null(broker->caretaker.retention.weighing.feed);
}

static void a_feed_is_weighed_while_others_are_trimmed(void **state)
{
    (void)state;
    const struct weighing *weighing = &broker->caretaker.retention.weighing;
    (void)ask("FEED.POLICY busy MAXLEN 1"); /* looked at before those that were made later */
    begin_weighing();
    for (int i = 0; i < 100 && weighing->feed != NULL; i++) {
        session_feed(client, BYTES("XADD busy * f v\r\nXADD busy * f v\r\n"));
        turn();
    }
    assert_null(weighing->feed);
    settle();
    take_output(client, &reply);
    assert_int_equal(length("busy"), 1);
    assert_non_null(strstr(ask("FEED.INFO large"), "bytes\r\n:810000\r\n"));
}

static void a_feed_that_goes_while_it_is_weighed_is_let_go_of(void **state)
{
    (void)state;
    begin_weighing();
    session_feed(client, BYTES("DEL large\r\n"));
    turn();
    assert_null(broker->caretaker.retention.weighing.feed);
    settle();
    take_output(client, &reply);
}

static void a_plan_is_void_with_its_policy(void **state)
{
    (void)state;
    add("k", 2000);
    fold();
    restart();
    sim_ranges_disk_set_faults(rows, &(struct sim_ranges_faults){.cold_per_mille = 1000});
    session_feed(client, BYTES("FEED.POLICY k MAXLEN 10\r\n"));
    const struct retention *retention = &broker->caretaker.retention;
    for (int i = 0; i < 1000 && !(retention->planned && job_count > 0); i++)
        turn();
    assert_true(retention->planned);
    session_feed(client, BYTES("FEED.POLICY k MAXLEN 0\r\n")); /* while it reads */
    settle();
    take_output(client, &reply);
    uint64_t left = length("k");
    (void)ask("FEED.POLICY k MAXLEN %d", (int)left - 5);
    settle();
    assert_int_equal(length("k"), left - 5);
}

static void a_policy_goes_where_its_feed_goes(void **state)
{
    (void)state;
    (void)ask("FEED.POLICY a MAXLEN 2");
    add("a", 2);
    (void)ask("RENAME a b");
    (void)ask("COPY b c");
    add("b", 5);
    add("c", 5);
    settle();
    assert_int_equal(length("b"), 2);
    assert_int_equal(length("c"), 7);
    (void)ask("XTRIM b MAXLEN 0");
    assert_string_equal(ask("XSETID b 1-1"), "+OK\r\n"); /* a new feed under the old key */
    add("b", 5);
    settle();
    assert_int_equal(length("b"), 2);
    (void)ask("DEL b");
    add("b", 5);
    settle();
    assert_int_equal(length("b"), 5);
}

static void all_that_is_set_holds_through_folds_and_restarts(void **state)
{
    (void)state;
    sim_ranges_disk_set_faults(
        rows, &(struct sim_ranges_faults){.cold_per_mille = 700, .cool_per_mille = 300});
    uint64_t maxlen = 0, maxage = 0;
    for (int i = 0; i < 400; i++) {
        if (below(10) == 0) {
            maxlen = below(50);
            maxage = below(2) * (1 + below(500));
            (void)ask("FEED.POLICY k MAXLEN %u MAXAGE %u", (unsigned)maxlen, (unsigned)maxage);
        }
        add("k", (unsigned)below(20));
        pass_ms(below(40));
        if (below(30) == 0)
            fold();
        if (below(30) == 0)
            restart();
        settle();
        if (maxlen > 0)
            assert_true(length("k") <= maxlen);
        const char *first = ask("XRANGE k - + COUNT 1");
        const char *id = strchr(first, '$');
        if (maxage > 0 && id != NULL)
            assert_true(strtoull(strchr(id, '\n') + 1, NULL, 10) + maxage + maxage / 16 + 1 >
                        clock_wall_ms());
    }
}

/* ---- what groups have not acknowledged ---- */

static void a_group_holds_what_it_has_not_acknowledged(void **state)
{
    (void)state;
    (void)ask("XGROUP CREATE k g 0 MKSTREAM");
    (void)ask("FEED.POLICY k MAXLEN 2 ACKED yes");
    for (int i = 1; i <= 10; i++)
        (void)ask("XADD k %d-0 f v", i);
    settle();
    assert_int_equal(length("k"), 10);
    (void)ask("XREADGROUP GROUP g c COUNT 5 STREAMS k >");
    (void)ask("XACK k g 1-0 2-0 4-0");
    pass_ms(1001);
    settle();
    assert_int_equal(length("k"), 8);
    (void)ask("XACK k g 3-0 5-0");
    pass_ms(1001);
    settle();
    assert_int_equal(length("k"), 5);
    (void)ask("XREADGROUP GROUP g c NOACK STREAMS k >");
    pass_ms(1001);
    settle();
    assert_int_equal(length("k"), 2);
    (void)ask("FEED.POLICY k ACKED no MAXLEN 1");
    settle();
    assert_int_equal(length("k"), 1);
}

/* A look at what stays held is a record: there is none each second. */
static void what_stays_held_is_looked_at_now_and_then(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        (void)ask("XGROUP CREATE k g 0 MKSTREAM");
        (void)ask("FEED.POLICY k MAXLEN 2 ACKED yes");
        add("k", 10);
        settle();
        uint64_t before = store_last(broker->store);
        for (int i = 0; i < 50; i++) {
            pass_ms(1000);
            settle();
        }
        assert_int_equal(store_last(broker->store), before);
        for (int i = 0; i < 100; i++) {
            pass_ms(1000);
            settle();
        }
        assert_in_range(store_last(broker->store) - before, 1, 3);
        if (again) {
            fold();
            restart();
        }
        assert_int_equal(length("k"), 10);
        (void)ask("XREADGROUP GROUP g c NOACK COUNT 4 STREAMS k >");
        pass_ms(1001);
        settle();
        assert_int_equal(length("k"), 6);
        (void)ask("XGROUP DESTROY k g");
        pass_ms(1001);
        settle();
        assert_int_equal(length("k"), 2);
        (void)ask("DEL k");
    }
}

static void a_group_that_is_too_far_behind_is_parked(void **state)
{
    (void)state;
    (void)ask("XGROUP CREATE k slow 0 MKSTREAM");
    (void)ask("XGROUP CREATE k fast 0");
    (void)ask("FEED.POLICY k MAXLEN 2 ACKED yes MAXLAG 5000");
    add("k", 5);
    (void)ask("XREADGROUP GROUP fast c NOACK STREAMS k >");
    pass_ms(4000);
    settle();
    assert_int_equal(length("k"), 5);
    assert_non_null(strstr(ask("FEED.INFO k"), "parked\r\n*0\r\n"));
    pass_ms(2001);
    settle();
    assert_int_equal(length("k"), 2);
    assert_non_null(strstr(ask("FEED.INFO k"), "parked\r\n*1\r\n$4\r\nslow\r\n"));
    /* What came just now is not late, however long the group has been idle. */
    (void)ask("XREADGROUP GROUP slow c NOACK STREAMS k >");
    pass_ms(60000);
    add("k", 5);
    settle();
    assert_int_equal(length("k"), 7 - 2);
    assert_non_null(strstr(ask("FEED.INFO k"), "parked\r\n*0\r\n"));
}

#define MANY_GROUPS 1000

/* The feed `k` with nine entries and many groups that hold from the eighth on. */
static void begin_with_many_groups(void)
{
    struct buf lines;
    buf_init(&lines);
    buf_addf(&lines, "DEL k\r\n");
    for (int i = 0; i < MANY_GROUPS; i++)
        buf_addf(&lines, "XGROUP CREATE k %d 7-0 MKSTREAM\r\n", i);
    for (int id = 1; id <= 9; id++)
        buf_addf(&lines, "XADD k %d-0 f v\r\n", id);
    session_feed(client, buf_bytes(&lines));
    buf_deinit(&lines);
    settle();
    take_output(client, &reply);
}

/* Sets the policy, and turns until some of the groups are asked, and not all. */
static void ask_some_groups(void)
{
    const struct hold *hold = &broker->caretaker.retention.hold;
    session_feed(client, BYTES("FEED.POLICY k MAXLEN 2 ACKED yes\r\n"));
    for (int i = 0; i < 1000 && hold->asked == 0; i++)
        turn();
    assert_non_null(hold->groups);
    assert_non_null(groups_after(hold->groups, hold->asked));
}

static void many_groups_are_asked_over_several_turns(void **state)
{
    (void)state;
    begin_with_many_groups();
    ask_some_groups();
    settle();
    take_output(client, &reply);
    assert_int_equal(length("k"), 2);
}

static void what_groups_hold_anew_while_others_are_asked_stays(void **state)
{
    (void)state;
    static const char *const holds[] = {
        "XGROUP SETID k 0 3-0\r\n",
        "XCLAIM k 0 c 0 4-0 FORCE\r\n",
        "XGROUP CREATE k new 3-0\r\n",
    };
    for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
        begin_with_many_groups();
        ask_some_groups();
        session_feed(client, bytes_of_string(holds[i]));
        settle();
        take_output(client, &reply);
        pass_ms(1001);
        settle();
        assert_int_equal(length("k"), 6);
    }
}

static void groups_that_go_while_others_are_asked_hold_nothing(void **state)
{
    (void)state;
    begin_with_many_groups();
    (void)ask("XGROUP SETID k 999 3-0");
    ask_some_groups();
    session_feed(client, BYTES("XGROUP DESTROY k 0\r\nXGROUP DESTROY k 999\r\n"));
    settle();
    take_output(client, &reply);
    assert_int_equal(length("k"), 2);
}

#define HELD_MAX 400

struct held_group {
    bool acked[HELD_MAX + 1];
    unsigned delivered;
};

static unsigned first_held(const struct held_group *group)
{
    unsigned id = 1;
    while (id <= group->delivered && group->acked[id])
        id++;
    return id;
}

/* The model: what each group has acknowledged. */
static void what_is_removed_is_what_all_groups_have_acknowledged(void **state)
{
    (void)state;
    static struct held_group groups[2];
    unsigned added = 0;
    memset(groups, 0, sizeof(groups));
    (void)ask("XGROUP CREATE k g0 0 MKSTREAM");
    (void)ask("XGROUP CREATE k g1 0");
    (void)ask("FEED.POLICY k MAXLEN 5 ACKED yes");
    sim_ranges_disk_set_faults(
        rows, &(struct sim_ranges_faults){.cold_per_mille = 700, .cool_per_mille = 300});
    for (int i = 0; i < 600; i++) {
        unsigned which = (unsigned)below(2);
        struct held_group *group = &groups[which];
        uint64_t what = below(100);
        if (what < 40 && added < HELD_MAX) {
            (void)ask("XADD k %u-0 f v", ++added);
        } else if (what < 60) {
            (void)ask("XREADGROUP GROUP g%u c COUNT 3 STREAMS k >", which);
            group->delivered = group->delivered + 3 < added ? group->delivered + 3 : added;
        } else if (what < 90 && group->delivered > 0) {
            unsigned id = first_held(group) + (unsigned)below(3);
            (void)ask("XACK k g%u %u-0", which, id);
            if (id <= group->delivered)
                group->acked[id] = true;
        } else if (what < 94) {
            fold();
        } else if (what < 96) {
            restart();
        } else {
            pass_ms(1001);
            settle();
            unsigned a = first_held(&groups[0]), b = first_held(&groups[1]);
            unsigned held = a < b ? a : b;
            unsigned over = added > 5 ? added - 5 : 0;
            assert_int_equal(length("k"), added - (held - 1 < over ? held - 1 : over));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_policy_is_told_as_it_was_set),
        TEST(a_bad_policy_changes_nothing),
        TEST(an_idle_feed_loses_what_is_too_old),
        TEST(an_entry_goes_when_it_is_as_old_as_the_policy_says),
        TEST(a_feed_keeps_its_length),
        TEST(a_long_feed_is_trimmed_over_several_turns),
        TEST(a_feed_keeps_its_bytes),
        TEST(what_was_there_before_is_weighed),
        TEST(a_feed_is_weighed_while_others_are_trimmed),
        TEST(a_feed_that_goes_while_it_is_weighed_is_let_go_of),
        TEST(a_plan_is_void_with_its_policy),
        TEST(a_policy_goes_where_its_feed_goes),
        TEST(all_that_is_set_holds_through_folds_and_restarts),
        TEST(a_group_holds_what_it_has_not_acknowledged),
        TEST(what_stays_held_is_looked_at_now_and_then),
        TEST(a_group_that_is_too_far_behind_is_parked),
        TEST(many_groups_are_asked_over_several_turns),
        TEST(what_groups_hold_anew_while_others_are_asked_stays),
        TEST(groups_that_go_while_others_are_asked_hold_nothing),
        TEST(what_is_removed_is_what_all_groups_have_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
