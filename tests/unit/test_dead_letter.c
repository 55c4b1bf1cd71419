#include "broker/dead_letter.h"

#include "tests/unit/broker_fixture.h"

static struct random randomness;

static int set_up(void **state)
{
    (void)state;
    uint64_t seed = unit_seed();
    random_init(&randomness, seed);
    int result = set_up_broker(seed);
    (void)ask("XGROUP CREATE k g $ MKSTREAM");
    (void)ask("FEED.POLICY k MAXDELIVERIES 2 DEADLETTER dead");
    return result;
}

static void deliver(const char *id)
{
    (void)ask("XADD k %s f v", id);
    (void)ask("XREADGROUP GROUP g ann STREAMS k >");
}

static void assert_begins(const char *text, const char *start)
{
    assert_memory_equal(text, start, strlen(start));
}

static void assert_pending(unsigned count)
{
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "*4\r\n:%u\r\n", count);
    assert_begins(ask("XPENDING k g"), expected);
}

/* The one dead letter there is, but for its id. */
static void assert_dead(const char *id, const char *consumer, unsigned deliveries)
{
    char expected[256];
    (void)snprintf(expected, sizeof(expected),
                   "*12\r\n$6\r\norigin\r\n$1\r\nk\r\n$2\r\nid\r\n$3\r\n%s\r\n$5\r\ngroup\r\n"
                   "$1\r\ng\r\n$8\r\nconsumer\r\n$%zu\r\n%s\r\n$10\r\ndeliveries\r\n$1\r\n%u\r\n"
                   "$1\r\nf\r\n$1\r\nv\r\n",
                   id, strlen(consumer), consumer, deliveries);
    const char *fields = strstr(ask("XRANGE dead - +"), "*12\r\n");
    assert_non_null(fields);
    assert_string_equal(fields, expected);
}

static void a_claim_too_many_is_a_dead_letter(void **state)
{
    (void)state;
    deliver("1-1");
    assert_begins(ask("XCLAIM k g bob 0 1-1"), "*1\r\n*2\r\n$3\r\n1-1");
    assert_string_equal(ask("XCLAIM k g cay 0 1-1 1-1"), "*0\r\n");
    assert_pending(0);
    assert_dead("1-1", "bob", 2);
    assert_string_equal(ask("XLEN k"), ":1\r\n");
}

static void so_it_is_with_xautoclaim(void **state)
{
    (void)state;
    deliver("1-1");
    deliver("1-2");
    (void)ask("XCLAIM k g bob 0 1-1");
    assert_string_equal(ask("XAUTOCLAIM k g cay 0 0 JUSTID"),
                        "*3\r\n$3\r\n0-0\r\n*2\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n*0\r\n");
    assert_begins(ask("XAUTOCLAIM k g cay 0 0"), "*3\r\n$3\r\n0-0\r\n*1\r\n*2\r\n$3\r\n1-2");
    assert_pending(1);
    assert_dead("1-1", "cay", 2);
}

static void so_it_is_with_a_consumers_history(void **state)
{
    (void)state;
    deliver("1-1");
    (void)ask("XREADGROUP GROUP g ann STREAMS k 0");
    assert_string_equal(ask("XREADGROUP GROUP g ann STREAMS k 0"), "*1\r\n*2\r\n$1\r\nk\r\n*0\r\n");
    assert_pending(0);
    assert_dead("1-1", "ann", 2);
}

static void so_it_is_with_a_reader_that_claims_and_finds_nothing_else(void **state)
{
    (void)state;
    deliver("1-1");
    (void)ask("XCLAIM k g bob 0 1-1");
    assert_string_equal(ask("XREADGROUP GROUP g cay CLAIM 0 STREAMS k >"), "*-1\r\n");
    assert_pending(0);
    assert_dead("1-1", "bob", 2);
}

static void nothing_dies_without_a_policy(void **state)
{
    (void)state;
    (void)ask("FEED.POLICY k MAXDELIVERIES 0 DEADLETTER \"\"");
    deliver("1-1");
    for (int i = 0; i < 5; i++)
        assert_begins(ask("XCLAIM k g bob 0 1-1"), "*1\r\n");
    assert_pending(1);
    assert_string_equal(ask("EXISTS dead"), ":0\r\n");
}

static void without_a_feed_for_it_a_dead_entry_only_leaves(void **state)
{
    (void)state;
    (void)ask("FEED.POLICY k MAXDELIVERIES 1 DEADLETTER \"\"");
    deliver("1-1");
    assert_string_equal(ask("XCLAIM k g bob 0 1-1"), "*0\r\n");
    assert_pending(0);
    assert_string_equal(ask("EXISTS dead"), ":0\r\n");
}

static void a_dead_letter_wakes_who_waits_for_it_and_survives(void **state)
{
    (void)state;
    struct session *reader = session_create(broker, NULL, 2);
    struct buf woken;
    buf_init(&woken);
    deliver("1-1");
    (void)ask("XADD dead 5-5 a b");
    fold();
    restart();
    session_close(reader);
    reader = session_create(broker, NULL, 2);
    session_feed(reader, BYTES("XREAD BLOCK 0 STREAMS dead $\r\n"));
    assert_string_equal(ask("XNACK k g FATAL IDS 1 1-1"), ":1\r\n");
    take_output(reader, &woken);
    assert_true(woken.len > 0);
    restart();
    session_close(reader);
    buf_deinit(&woken);
    assert_dead("1-1", "ann", 1);
    assert_pending(0);
}

/* Until the key can take them, in any way to deliver. */
static void a_dead_letter_without_a_place_stays_pending(void **state)
{
    (void)state;
    static const char *const claims[][2] = {
        {"XCLAIM k g cay 0 1-1 2-1", "*1\r\n*2\r\n$3\r\n2-1\r\n"},
        {"XAUTOCLAIM k g cay 0 0", "*3\r\n$3\r\n0-0\r\n*1\r\n*2\r\n$3\r\n2-1\r\n"},
        {"XREADGROUP GROUP g cay CLAIM 0 STREAMS k >",
         "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*4\r\n$3\r\n2-1\r\n"},
        {"XREADGROUP GROUP g bob STREAMS k 0", "*1\r\n*2\r\n$1\r\nk\r\n*0\r\n"},
        {"XNACK k g FATAL IDS 1 1-1", ":1\r\n"},
    };
    static const char *const places[] = {"SET dead text", "HSET dead f v",
                                         "XADD dead 18446744073709551615-18446744073709551615 f v"};
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        for (size_t place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
            (void)ask("DEL k dead");
            (void)ask("XGROUP CREATE k g $ MKSTREAM");
            (void)ask("FEED.POLICY k MAXDELIVERIES 2 DEADLETTER dead");
            deliver("1-1");
            deliver("2-1");
            (void)ask("XCLAIM k g bob 0 1-1");
            (void)ask("%s", places[place]);
            fold();
            restart();
            assert_begins(ask("%s", claims[i][0]), claims[i][1]);
            assert_pending(2);
            assert_non_null(strstr(ask("FEED.INFO k"), "$5\r\nstuck\r\n*1\r\n$1\r\ng\r\n"));
            (void)ask("DEL dead");
            (void)ask("XCLAIM k g cay 0 1-1");
            assert_pending(1);
            assert_string_equal(ask("XLEN dead"), ":1\r\n");
            assert_non_null(strstr(ask("FEED.INFO k"), "$5\r\nstuck\r\n*0\r\n"));
        }
    }
}

/* ---- XNACK ---- */

static uint64_t deliveries_of(const char *id)
{
    const char *row = ask("XPENDING k g %s %s 1", id, id);
    assert_begins(row, "*1\r\n");
    return strtoull(strrchr(row, ':') + 1, NULL, 10);
}

static void what_is_given_back_is_there_for_others_at_once(void **state)
{
    (void)state;
    deliver("1-1");
    assert_string_equal(ask("XAUTOCLAIM k g bob 5000 0"), "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n");
    assert_string_equal(ask("XNACK k g SILENT IDS 2 1-1 9-9"), ":1\r\n");
    assert_int_equal(deliveries_of("1-1"), 0);
    assert_begins(ask("XAUTOCLAIM k g bob 5000 0"), "*3\r\n$3\r\n0-0\r\n*1\r\n*2\r\n$3\r\n1-1");
    assert_int_equal(deliveries_of("1-1"), 1);
    assert_string_equal(ask("XNACK k g FAIL IDS 1 1-1"), ":1\r\n");
    assert_int_equal(deliveries_of("1-1"), 1);
}

static void a_delay_holds_for_every_way_to_deliver(void **state)
{
    (void)state;
    deliver("1-1");
    assert_string_equal(ask("XNACK k g FAIL DELAY 1000 IDS 1 1-1"), ":1\r\n");
    for (int folded = 0; folded < 2; folded++) {
        assert_string_equal(ask("XCLAIM k g bob 0 1-1"), "*0\r\n");
        assert_string_equal(ask("XAUTOCLAIM k g bob 0 0"), "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n");
        assert_string_equal(ask("XREADGROUP GROUP g ann STREAMS k 0"),
                            "*1\r\n*2\r\n$1\r\nk\r\n*0\r\n");
        fold();
        restart();
        pass_ms(400);
    }
    pass_ms(200);
    assert_begins(ask("XCLAIM k g bob 0 1-1"), "*1\r\n");
}

static void a_fatal_one_without_a_policy_has_all_the_deliveries_there_are(void **state)
{
    (void)state;
    (void)ask("FEED.POLICY k MAXDELIVERIES 0 DEADLETTER \"\"");
    deliver("1-1");
    assert_string_equal(ask("XNACK k g FATAL IDS 1 1-1"), ":1\r\n");
    assert_int_equal(deliveries_of("1-1"), INT64_MAX);
    (void)ask("XCLAIM k g bob 0 1-1");
    assert_int_equal(deliveries_of("1-1"), INT64_MAX);
}

static void entries_of_several_consumers_are_given_back_together(void **state)
{
    (void)state;
    for (int i = 1; i <= 9; i++) {
        (void)ask("XADD k %d-0 f v", i);
        (void)ask("XREADGROUP GROUP g c%d STREAMS k >", i % 3);
    }
    (void)ask("XDEL k 5-0");
    assert_string_equal(ask("XNACK k g FAIL IDS 4 9-0 1-0 3-0 2-0"), ":4\r\n");
    assert_string_equal(ask("XNACK k g FATAL IDS 2 4-0 5-0"), ":2\r\n");
    assert_pending(7);
    assert_string_equal(ask("XLEN dead"), ":1\r\n");
}

static void bad_input_changes_nothing(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"XNACK k g SOFTLY IDS 1 1-1", "-ERR syntax error\r\n"},
        {"XNACK k g FAIL IDS x 1-1", "-ERR value is not an integer or out of range\r\n"},
        {"XNACK k g FAIL IDS 0 1-1",
         "-ERR Number of IDs must be a positive integer, and match the IDs\r\n"},
        {"XNACK k g FAIL IDS 2 1-1",
         "-ERR Number of IDs must be a positive integer, and match the IDs\r\n"},
        {"XNACK k g FAIL IDS 1 1-1 2-2", "-ERR syntax error\r\n"},
        {"XNACK k g FAIL IDS 1 nonsense",
         "-ERR Invalid stream ID specified as stream command argument\r\n"},
        {"XNACK k g FAIL DELAY -1 IDS 1 1-1", "-ERR DELAY is out of range\r\n"},
        {"XNACK k g FAIL DELAY 5 DELAY 5 6", "-ERR syntax error\r\n"},
        {"FEED.POLICY k DEADLETTER k", "-ERR a feed cannot be its own dead-letter feed\r\n"},
        {"FEED.POLICY k MAXDELIVERIES 0", "-ERR DEADLETTER needs MAXDELIVERIES\r\n"},
        {"FEED.POLICY k MAXLAG 5", "-ERR MAXLAG needs ACKED yes\r\n"},
        {"FEED.POLICY k ACKED maybe", "-ERR ACKED is yes or no\r\n"},
    };
    deliver("1-1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(ask("%s", cases[i][0]), cases[i][1]);
    assert_begins(ask("XNACK k nog FAIL IDS 1 1-1"), "-NOGROUP");
    assert_begins(ask("XNACK nok g FAIL IDS 1 1-1"), "-NOGROUP");
    assert_int_equal(deliveries_of("1-1"), 1);
}

/* Each entry ends once: acknowledged, dead, or pending with no more deliveries than allowed. */
static void no_entry_is_lost_or_doubled_through_folds_and_restarts(void **state)
{
    (void)state;
    unsigned acked = 0, added = 0;
    sim_ranges_disk_set_faults(
        rows, &(struct sim_ranges_faults){.cold_per_mille = 600, .cool_per_mille = 300});
    for (int i = 0; i < 600; i++) {
        unsigned id = 1 + (unsigned)random_below(&randomness, added + 1);
        switch (random_below(&randomness, 9)) {
        case 0:
        case 1:
            (void)ask("XADD k %u-0 f v", ++added);
            (void)ask("XREADGROUP GROUP g ann STREAMS k >");
            break;
        case 2:
            acked += ask("XACK k g %u-0", id)[1] == '1';
            break;
        case 3:
            (void)ask("XCLAIM k g bob 0 %u-0", id);
            break;
        case 4:
            (void)ask("XAUTOCLAIM k g cay 0 %u-0 COUNT 3", id);
            break;
        case 5:
            (void)ask("XNACK k g %s IDS 2 %u-0 %u-0", id % 2 == 0 ? "SILENT" : "FATAL", id, id + 1);
            break;
        case 6:
            (void)ask("XREADGROUP GROUP g bob COUNT 2 STREAMS k 0");
            break;
        case 7:
            fold();
            break;
        default:
            restart();
        }
    }
    uint64_t dead = strtoull(ask("XLEN dead") + 1, NULL, 10);
    uint64_t pending = strtoull(strchr(ask("XPENDING k g"), ':') + 1, NULL, 10);
    assert_int_equal(acked + dead + pending, added);
    assert_true(dead > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_too_many_is_a_dead_letter),
        TEST(so_it_is_with_xautoclaim),
        TEST(so_it_is_with_a_consumers_history),
        TEST(so_it_is_with_a_reader_that_claims_and_finds_nothing_else),
        TEST(nothing_dies_without_a_policy),
        TEST(without_a_feed_for_it_a_dead_entry_only_leaves),
        TEST(a_dead_letter_wakes_who_waits_for_it_and_survives),
        TEST(a_dead_letter_without_a_place_stays_pending),
        TEST(what_is_given_back_is_there_for_others_at_once),
        TEST(a_delay_holds_for_every_way_to_deliver),
        TEST(a_fatal_one_without_a_policy_has_all_the_deliveries_there_are),
        TEST(entries_of_several_consumers_are_given_back_together),
        TEST(bad_input_changes_nothing),
        TEST(no_entry_is_lost_or_doubled_through_folds_and_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
