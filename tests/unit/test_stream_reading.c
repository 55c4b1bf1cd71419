#include "broker/stream_reading.h"

#include "tests/unit/broker_fixture.h"

static int set_up(void **state)
{
    (void)state;
    (void)set_up_broker(unit_seed());
    close_broker();
    options.chunk_cache_bytes = 0; /* what is folded lies on disk only */
    open_broker();
    sim_ranges_disk_set_faults(rows, &(struct sim_ranges_faults){.cold_per_mille = 1000});
    return 0;
}

/* Entries 1-0 to 100-0 in chunks, two of them deleted since, and 101-0 to 110-0 in the tail. */
static void fill(void)
{
    for (int i = 1; i <= 110; i++) {
        if (i == 101) {
            fold();
            restart();
        }
        (void)ask("XADD k %d-0 f 0123456789012345678901234567890123456789012345678901234567890", i);
    }
    assert_string_equal(ask("XDEL k 30-0 60-0"), ":2\r\n");
    restart(); /* what was read for that is cold again */
}

/* Sends a line to the client, and has a fold between the reading that it waits for and its end.
 * Returns the reply. */
static const char *ask_overtaken(const char *line)
{
    session_feed(client, bytes_of_string(line));
    assert_int_equal(job_count, 1);
    struct read_job *job = jobs[0];
    job_count = 0;
    read_job_run(job);
    struct session *waiting = client;
    client = session_create(broker, NULL, 2);
    uint64_t view = store_view(broker->store);
    fold();
    settle();
    assert_true(store_view(broker->store) > view);
    session_close(client);
    client = waiting;
    read_job_done(job);
    reply.len = 0;
    while (reply.len == 0) {
        turn();
        take_output(client, &reply);
    }
    buf_add(&reply, "", 1);
    return reply.data;
}

static void assert_begins(const char *text, const char *start)
{
    assert_memory_equal(text, start, strlen(start));
}

/* What memory knew of rows goes with the fold that has written it to them. */
static void a_read_that_a_fold_overtakes_is_of_one_state(void **state)
{
    (void)state;
    static const struct {
        const char *line, *begins, *then, *then_begins;
    } cases[] = {
        {"XRANGE k - +\r\n", "*108\r\n", "PING", "+PONG"},
        {"XREVRANGE k + -\r\n", "*108\r\n", "PING", "+PONG"},
        {"XRANGE k 50 +\r\n", "*60\r\n", "PING", "+PONG"},
        {"XREAD STREAMS k 0\r\n", "*1\r\n*2\r\n$1\r\nk\r\n*108\r\n", "PING", "+PONG"},
        {"COPY k copy\r\n", ":1\r\n", "XLEN copy", ":108\r\n"},
        {"XTRIM k MAXLEN 50\r\n", ":58\r\n", "XRANGE k - + COUNT 1", "*1\r\n*2\r\n$4\r\n61-0\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        fill();
        assert_begins(ask_overtaken(cases[i].line), cases[i].begins);
        assert_begins(ask("%s", cases[i].then), cases[i].then_begins);
        (void)ask("DEL k");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_read_that_a_fold_overtakes_is_of_one_state, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
