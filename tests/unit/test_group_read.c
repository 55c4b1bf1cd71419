#include "broker/group_read.h"

#include "tests/unit/broker_fixture.h"

static struct random randomness;

static int set_up(void **state)
{
    (void)state;
    uint64_t seed = unit_seed();
    random_init(&randomness, seed);
    int result = set_up_broker(seed);
    (void)ask("XGROUP CREATE k g $ MKSTREAM");
    return result;
}

/* Entries from-0 to to-0, delivered to ann. */
static void deliver(unsigned from, unsigned to)
{
    struct buf lines;
    buf_init(&lines);
    for (unsigned id = from; id <= to; id++)
        buf_addf(&lines, "XADD k %u-0 f v\r\n", id);
    buf_addf(&lines, "XREADGROUP GROUP g ann STREAMS k >\r\n");
    session_feed(client, buf_bytes(&lines));
    buf_deinit(&lines);
    settle();
    take_output(client, &reply);
}

static unsigned pending(void)
{
    const char *text = ask("XPENDING k g");
    return (unsigned)strtoul(strchr(text, ':') + 1, NULL, 10);
}

static void a_claim_takes_what_is_gone_out_of_the_pending_entries(void **state)
{
    (void)state;
    deliver(1, 6);
    (void)ask("XDEL k 1-0 2-0 4-0 6-0");
    assert_non_null(strstr(ask("XREADGROUP GROUP g bob COUNT 1 CLAIM 0 STREAMS k >"), "3-0"));
    assert_int_equal(pending(), 4);
    for (int again = 0; again < 2; again++) {
        const char *claimed = ask("XREADGROUP GROUP g bob CLAIM 0 STREAMS k >");
        assert_true(strstr(claimed, "3-0") != NULL && strstr(claimed, "5-0") != NULL);
        assert_int_equal(pending(), 2);
        restart();
    }
}

static void a_claim_that_finds_only_what_is_gone_finds_nothing(void **state)
{
    (void)state;
    deliver(1, 3);
    (void)ask("XDEL k 1-0 2-0 3-0");
    assert_string_equal(ask("XREADGROUP GROUP g bob CLAIM 1000 STREAMS k >"), "*-1\r\n");
    assert_int_equal(pending(), 3); /* too young */
    pass_ms(1000);
    assert_string_equal(ask("XREADGROUP GROUP g bob CLAIM 1000 STREAMS k >"), "*-1\r\n");
    assert_int_equal(pending(), 0);
}

static void a_reader_that_blocks_with_claim_removes_what_is_gone_first(void **state)
{
    (void)state;
    struct session *reader = session_create(broker, NULL, 2);
    struct buf woken;
    buf_init(&woken);
    deliver(1, 3);
    (void)ask("XDEL k 1-0 2-0 3-0");
    session_feed(reader, BYTES("XREADGROUP GROUP g bob BLOCK 0 CLAIM 0 STREAMS k >\r\n"));
    assert_int_equal(pending(), 0);
    take_output(reader, &woken);
    assert_int_equal(woken.len, 0);
    (void)ask("XADD k 9-0 f v");
    take_output(reader, &woken);
    buf_add(&woken, "", 1);
    assert_non_null(strstr(woken.data, "9-0"));
    session_close(reader);
    buf_deinit(&woken);
}

/* Entries of a long list leave some at a time, cold or not. */
static void many_that_are_gone_leave_with_several_claims(void **state)
{
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        deliver(1, 12000);
        (void)ask("XTRIM k MAXLEN 0");
        fold();
        if (cold) {
            restart();
            sim_ranges_disk_set_faults(
                rows, &(struct sim_ranges_faults){.cold_per_mille = 1000, .cool_per_mille = 500});
        }
        assert_string_equal(ask("XREADGROUP GROUP g bob CLAIM 0 STREAMS k >"), "*-1\r\n");
        assert_int_equal(pending(), 2000);
        assert_string_equal(ask("XREADGROUP GROUP g bob CLAIM 0 STREAMS k >"), "*-1\r\n");
        assert_int_equal(pending(), 0);
        (void)ask("DEL k");
        (void)ask("XGROUP CREATE k g $ MKSTREAM");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_takes_what_is_gone_out_of_the_pending_entries),
        TEST(a_claim_that_finds_only_what_is_gone_finds_nothing),
        TEST(a_reader_that_blocks_with_claim_removes_what_is_gone_first),
        TEST(many_that_are_gone_leave_with_several_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
