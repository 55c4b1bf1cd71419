#include "broker/group_read.h"

#include "tests/unit/broker_fixture.h"

static int set_up(void **state)
{
    (void)state;
    int result = set_up_broker(unit_seed());
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

/* A session that reads, and what it has been sent. */
struct reader {
    struct session *session;
    struct buf received;
};

static void begin_reading(struct reader *reader, const char *command)
{
    reader->session = session_create(broker, NULL, 2);
    buf_init(&reader->received);
    session_feed(reader->session, bytes_of_string(command));
}

static void end_reading(struct reader *reader)
{
    session_close(reader->session);
    buf_deinit(&reader->received);
}

/* One fetch of whoever waits for one. */
static void read_once(void)
{
    struct read_job *job = jobs[0];
    memmove(jobs, jobs + 1, --job_count * sizeof(struct read_job *));
    read_job_run(job);
    read_job_done(job);
}

/* Runs commands between all fetches until the reader has got through. Its reply is valid until
 * end_reading. */
static const char *read_beside(struct reader *reader, const char *commands)
{
    for (int i = 0; i < 3000 && session_waiting(reader->session); i++) {
        session_feed(client, bytes_of_string(commands));
        if (job_count > 0)
            read_once();
        broker_poll(broker);
        (void)broker_turn_end(broker);
        take_output(client, &reply);
    }
    assert_false(session_waiting(reader->session));
    settle();
    take_output(reader->session, &reader->received);
    buf_add(&reader->received, "", 1);
    return reader->received.data;
}

/* In more blocks than a walk takes in one turn. */
#define MANY 80000

/* Many entries that are cold and too young to be claimed, between two that are not. */
static void begin_with_many_pending(void)
{
    deliver(1, MANY);
    (void)ask("XCLAIM k g ann 0 2-0 %d-0 IDLE 100000", MANY);
    fold();
    restart();
    sim_ranges_disk_set_faults(
        rows, &(struct sim_ranges_faults){.cold_per_mille = 1000, .cool_per_mille = 500});
}

static void a_long_walk_for_claims_goes_on_while_others_are_delivered_entries(void **state)
{
    (void)state;
    struct reader reader;
    begin_with_many_pending();
    begin_reading(&reader, "XREADGROUP GROUP g bob COUNT 2 CLAIM 50000 STREAMS k >\r\n");
    const char *claimed =
        read_beside(&reader, "XADD k * f v\r\nXREADGROUP GROUP g ann STREAMS k >\r\n");
    assert_int_equal(strncmp(claimed, "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n", 18), 0);
    assert_non_null(strstr(claimed, "$3\r\n2-0\r\n"));
    assert_non_null(strstr(claimed, "$7\r\n80000-0\r\n"));
    end_reading(&reader);
}

/* The first of what is claimed is taken away, again and again. */
static void a_long_walk_for_claims_goes_on_without_what_others_acknowledge(void **state)
{
    (void)state;
    struct reader reader;
    begin_with_many_pending();
    begin_reading(&reader, "XREADGROUP GROUP g bob COUNT 2 CLAIM 50000 STREAMS k >\r\n");
    const char *claimed = read_beside(&reader, "XACK k g 2-0\r\n");
    assert_int_equal(strncmp(claimed, "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n", 18), 0);
    assert_non_null(strstr(claimed, "$7\r\n80000-0\r\n"));
    end_reading(&reader);
}

static void claims_of_several_feeds_are_kept_while_others_are_delivered_entries(void **state)
{
    (void)state;
    struct reader reader;
    (void)ask("XGROUP CREATE other g $ MKSTREAM");
    begin_with_many_pending();
    begin_reading(&reader, "XREADGROUP GROUP g bob CLAIM 50000 STREAMS other k > >\r\n");
    const char *claimed =
        read_beside(&reader, "XADD other * f v\r\nXREADGROUP GROUP g ann STREAMS other >\r\n");
    assert_non_null(strstr(claimed, "*2\r\n$1\r\nk\r\n*2\r\n"));
    assert_non_null(strstr(claimed, "$3\r\n2-0\r\n"));
    assert_non_null(strstr(claimed, "$7\r\n80000-0\r\n"));
    end_reading(&reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_takes_what_is_gone_out_of_the_pending_entries),
        TEST(a_claim_that_finds_only_what_is_gone_finds_nothing),
        TEST(a_reader_that_blocks_with_claim_removes_what_is_gone_first),
        TEST(many_that_are_gone_leave_with_several_claims),
        TEST(a_long_walk_for_claims_goes_on_while_others_are_delivered_entries),
        TEST(a_long_walk_for_claims_goes_on_without_what_others_acknowledge),
        TEST(claims_of_several_feeds_are_kept_while_others_are_delivered_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
