#include "tests/unit/session_fixture.h"

static void a_protocol_error_is_told_and_ends_the_session(void **state)
{
    (void)state;
    feed("echo a\r\n*1\r\n:1\r\necho b\r\n");
    assert_sends("$1\r\na\r\n-ERR Protocol error: expected '$', got ':'\r\n");
    assert_int_equal(session_ending(session), SESSION_FINISHING);
    feed("echo b\r\n");
    assert_sends("");
}

static void nothing_runs_after_quit(void **state)
{
    (void)state;
    feed("quit\r\necho a\r\n");
    assert_sends("+OK\r\n");
    assert_int_equal(session_ending(session), SESSION_FINISHING);
}

static void replies_may_be_off_or_skipped(void **state)
{
    (void)state;
    feed("reply skip\r\necho a\r\necho b\r\n");
    assert_sends("$1\r\nb\r\n");
    feed("reply off\r\necho a\r\nfoo\r\nreply on\r\necho b\r\n");
    assert_sends("+OK\r\n$1\r\nb\r\n");
}

/* ---- waiting ---- */

static void a_waiting_command_runs_again_and_then_what_came_meanwhile(void **state)
{
    (void)state;
    feed("echo a\r\nlater b\r\necho c\r\n");
    assert_sends("$1\r\na\r\n");
    assert_true(session_waiting(session));
    feed("echo d\r\n");
    assert_sends("");
    session_resume(session);
    assert_false(session_waiting(session));
    assert_int_equal(destroyed, 1);
    assert_sends(""); /* gated */
    broker.durable = 1;
    assert_sends("*2\r\n$1\r\nb\r\n:2\r\n$1\r\nc\r\n$1\r\nd\r\n");
}

static void what_a_waiting_command_wrote_is_taken_back_with_its_gate(void **state)
{
    (void)state;
    feed("later b\r\n");
    assert_int_equal(session_output_size(session), 0);
    assert_non_null(session_push_begin(session));
    reply_status(&session->reply, "push");
    session_push_end(session);
    assert_sends("+push\r\n");
}

static void input_of_a_waiting_session_is_bounded(void **state)
{
    char text[4096];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    feed("later b\r\n");
    for (size_t fed = 0; fed < SESSION_INPUT_WAITING_MAX; fed += sizeof(text) - 1) {
        assert_true(session_wants_input(session));
        feed(text);
    }
    assert_false(session_wants_input(session));
    session_resume(session);
    assert_int_equal(session_ending(session), SESSION_FINISHING); /* no line is that long */
}

static void writers_wait_for_room_in_the_log(void **state)
{
    (void)state;
    broker.stalled = true;
    feed("echo a\r\nwrite b\r\n");
    assert_sends("$1\r\na\r\n");
    assert_ptr_equal(broker.waiting.next, &session->wait_link);
    broker.stalled = false;
    session_resume(session);
    assert_sends("$1\r\nb\r\n");
    assert_true(list_empty(&broker.waiting));
}

static void a_pause_holds_commands_up(void **state)
{
    (void)state;
    broker.paused = true;
    feed("echo a\r\n");
    assert_sends("");
    session_resume(session); /* too early: it waits again */
    assert_true(session_waiting(session));
    broker.paused = false;
    session_resume(session);
    assert_sends("$1\r\na\r\n");
}

/* ---- closing ---- */

static void closing_while_waiting_destroys_the_work(void **state)
{
    (void)state;
    broker.stalled = true;
    feed("later b\r\n");
    session_close(session);
    session = NULL;
    assert_int_equal(destroyed, 1);
    assert_int_equal(runs, 1);
}

static void a_closed_session_leaves_the_list_it_waits_in(void **state)
{
    (void)state;
    broker.stalled = true;
    feed("write b\r\n");
    session_close(session);
    session = NULL;
    assert_true(list_empty(&broker.waiting));
}

static void a_held_session_outlives_its_connection(void **state)
{
    (void)state;
    feed("later b\r\n");
    session_hold(session);
    session_close(session);
    assert_int_equal(destroyed, 0);
    assert_null(session->conn);
    session_resume(session); /* nothing runs any more */
    assert_int_equal(runs, 1);
    assert_false(session_release(session));
    assert_int_equal(destroyed, 1);
    session = NULL;
}

static void the_end_of_input_ends_an_idle_session(void **state)
{
    (void)state;
    feed("echo a\r\n");
    session_input_end(session);
    assert_int_equal(session_ending(session), SESSION_FINISHING);
    assert_sends("$1\r\na\r\n");
}

static void the_end_of_input_aborts_a_blocked_session(void **state)
{
    (void)state;
    feed("later b\r\n");
    session_input_end(session);
    assert_int_equal(session_ending(session), SESSION_ABORTED);
    session_resume(session);
    assert_int_equal(runs, 1);
}

static void a_fetch_under_way_is_answered_after_the_end_of_input(void **state)
{
    (void)state;
    feed("later b\r\necho c\r\n");
    session_hold(session);
    session_input_end(session);
    assert_int_equal(session_ending(session), SESSION_OPEN);
    assert_true(session_release(session));
    session_resume(session);
    assert_int_equal(session_ending(session), SESSION_FINISHING);
    broker.durable = 1;
    assert_sends("*2\r\n$1\r\nb\r\n:2\r\n$1\r\nc\r\n");
}

/* ---- gates ---- */

static void a_gate_holds_the_whole_reply_and_what_follows(void **state)
{
    (void)state;
    feed("echo a\r\ngate 1\r\necho b\r\ngate 2\r\n");
    assert_sends("$1\r\na\r\n");
    broker.durable = 1;
    assert_sends("*1\r\n:1\r\n$1\r\nb\r\n");
    broker.durable = 2;
    assert_sends("*1\r\n:2\r\n");
    feed("gate 2\r\n");
    assert_sends("*1\r\n:2\r\n");
}

static void a_suppressed_reply_leaves_no_gate(void **state)
{
    (void)state;
    feed("reply off\r\ngate 9\r\nreply on\r\n");
    assert_sends("+OK\r\n");
}

static void a_reply_that_shows_a_lost_write_becomes_an_error(void **state)
{
    (void)state;
    broker.failed = true;
    feed("gate 1\r\n");
    assert_sends("-MISCONF Errors writing to the commit log; this key holds writes that are not "
                 "durable\r\n");
    feed("gate 0\r\n");
    assert_sends("*1\r\n:0\r\n");
}

static void writes_are_refused_when_the_store_has_failed(void **state)
{
    (void)state;
    broker.failed = true;
    feed("write b\r\n");
    assert_sends("-MISCONF Errors writing to the commit log. Commands that may change data are "
                 "refused until a restart; see INFO persistence.\r\n");
}

/* ---- limits ---- */

static void output_that_piles_up_stops_commands_until_it_is_sent(void **state)
{
    (void)state;
    feed("big 50000000\r\nbig 50000000\r\nbig 7\r\necho a\r\n");
    assert_int_equal(session_output_size(session), 100000000);
    assert_false(session_wants_input(session));
    assert_false(session_has_commands(session));
    drop_output();
    assert_true(session_has_commands(session));
    session_feed(session, (struct bytes){0});
    assert_false(session_has_commands(session));
    assert_true(session_wants_input(session));
    assert_sends("xxxxxxx$1\r\na\r\n");
}

static void output_over_the_hard_limit_aborts(void **state)
{
    (void)state;
    broker.options.client_output_buffer_limit.of[OUTPUT_NORMAL].hard_bytes = 1000;
    feed("big 1000\r\n");
    assert_int_equal(session_ending(session), SESSION_OPEN);
    feed("big 1\r\n");
    assert_int_equal(session_ending(session), SESSION_ABORTED);
}

static void pass_seconds(uint64_t seconds)
{
    now_us += seconds * 1000000;
    session_tick(session, now_us);
}

static void the_time_over_the_soft_limit_begins_anew_after_a_break(void **state)
{
    struct output_limit *limit = &broker.options.client_output_buffer_limit.of[OUTPUT_NORMAL];

    (void)state;
    *limit = (struct output_limit){.soft_bytes = 100, .soft_seconds = 10};
    feed("big 200\r\n");
    pass_seconds(9);
    drop_output();
    feed("big 200\r\n"); /* no tick saw the break */
    pass_seconds(9);
    assert_int_equal(session_ending(session), SESSION_OPEN);
    pass_seconds(2);
    assert_int_equal(session_ending(session), SESSION_ABORTED);
}

/* ---- messages ---- */

static bool push(const char *text)
{
    return session_push(session, bytes_of_string(text));
}

static void a_message_wakes_the_connection_once_until_it_is_sent(void **state)
{
    (void)state;
    assert_true(push("+a\r\n"));
    assert_true(push("+b\r\n"));
    assert_int_equal(conn.later_wakes, 1);
    assert_int_equal(conn.wakes, 0);
    assert_sends("+a\r\n+b\r\n");
    assert_true(push("+c\r\n"));
    assert_int_equal(conn.later_wakes, 2);
    assert_int_equal(session->deliveries, 3);
}

static void a_message_behind_a_gate_waits_with_what_is_before_it(void **state)
{
    (void)state;
    feed("gate 1\r\n");
    assert_true(push("+a\r\n"));
    assert_sends("");
    broker.durable = 1;
    assert_sends("*1\r\n:1\r\n+a\r\n");
}

static void a_message_from_its_own_command_follows_the_reply(void **state)
{
    (void)state;
    feed("pushself\r\necho a\r\nreply off\r\npushself\r\n");
    assert_sends("+reply\r\n+push\r\n$1\r\na\r\n+push\r\n");
}

static void a_closing_session_takes_no_message(void **state)
{
    (void)state;
    feed("quit\r\n");
    assert_false(push("+a\r\n"));
    assert_sends("+OK\r\n");
}

static void a_subscriber_that_does_not_read_is_closed_and_its_messages_are_counted(void **state)
{
    (void)state;
    session->output_class = OUTPUT_PUBSUB;
    broker.options.client_output_buffer_limit.of[OUTPUT_PUBSUB].hard_bytes = 14;
    assert_true(push("+sent\r\n"));
    drop_output();
    assert_true(push("+lost\r\n"));
    assert_true(push("+lost\r\n"));
    assert_int_equal(session_ending(session), SESSION_OPEN);
    assert_true(push("+lost\r\n"));
    assert_int_equal(session_ending(session), SESSION_ABORTED);
    assert_false(push("+lost\r\n"));
    assert_int_equal(broker.limit_closes, 1);
    assert_int_equal(broker.lost, 3);
}

static void a_slow_subscriber_over_the_soft_limit_is_closed_by_the_next_message(void **state)
{
    struct output_limit *limit = &broker.options.client_output_buffer_limit.of[OUTPUT_NORMAL];

    (void)state;
    *limit = (struct output_limit){.soft_bytes = 4, .soft_seconds = 10};
    assert_true(push("+message\r\n"));
    now_us += 10000000;
    assert_true(push("+message\r\n"));
    assert_int_equal(session_ending(session), SESSION_OPEN);
    now_us += 1;
    assert_true(push("+message\r\n"));
    assert_int_equal(session_ending(session), SESSION_ABORTED);
}

static void a_closed_session_leaves_its_rooms(void **state)
{
    (void)state;
    session_close(session);
    session = NULL;
    assert_int_equal(broker.left, 1);
}

/* ---- limits of input, memory ---- */

static void a_command_over_the_input_limit_aborts(void **state)
{
    char text[4096];

    (void)state;
    broker.options.client_query_buffer_limit = 10000;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    feed("*2\r\n$4\r\necho\r\n$1000000\r\n");
    for (int i = 0; i < 3; i++)
        feed(text);
    assert_int_equal(session_ending(session), SESSION_ABORTED);
}

static void an_idle_session_gives_its_memory_back(void **state)
{
    size_t at_first = session_memory(session).total;

    (void)state;
    feed("*2\r\n$4\r\necho\r\n$10\r\n0123456789\r\n");
    drop_output();
    assert_true(session_memory(session).total > at_first);
    session_tick(session, session->active_us + 10000000);
    assert_int_equal(session_memory(session).total, at_first);
    feed("echo a\r\n");
    assert_sends("$1\r\na\r\n");
}

static void arguments_are_one_span_of_wire(void **state)
{
    (void)state;
    broker.paused = true;
    feed("write a 'b c'\r\n");
    assert_true(bytes_equal(session_wire(session, 1, 2), BYTES("$1\r\na\r\n$3\r\nb c\r\n")));
}

/* ---- looking ahead ---- */

#define ECHO(word) "*2\r\n$4\r\necho\r\n$1\r\n" word "\r\n"

static void assert_prefetched(const char *expected)
{
    assert_true(bytes_equal(buf_bytes(&broker.prefetched), bytes_of_string(expected)));
    drop_output();
}

static void a_command_alone_is_not_prefetched(void **state)
{
    (void)state;
    feed(ECHO("a"));
    feed(ECHO("b"));
    assert_prefetched("");
}

static void the_keys_of_a_pipeline_are_prefetched_in_batches(void **state)
{
    (void)state;
    feed(ECHO("a") ECHO("b") ECHO("c"));
    assert_prefetched("abc.");
    feed(ECHO("d") ECHO("e"));
    assert_prefetched("abc.de.");
    buf_reset(&broker.prefetched, 0);
    feed(ECHO("a") ECHO("b") ECHO("c") ECHO("d") ECHO("e") ECHO("f") ECHO("g") ECHO("h") ECHO("i")
             ECHO("j") ECHO("k") ECHO("l") ECHO("m") ECHO("n") ECHO("o") ECHO("p") ECHO("q")
                 ECHO("r") ECHO("s"));
    assert_prefetched("abcdefghijklmnop.qrs.");
}

static void nothing_is_prefetched_while_that_does_not_pay(void **state)
{
    (void)state;
    broker.few_keys = true;
    feed(ECHO("a") ECHO("b"));
    assert_prefetched("");
}

static void commands_without_keys_are_passed_over(void **state)
{
    (void)state;
    feed("*1\r\n$4\r\nquux\r\n" ECHO("a") ECHO("b") "echo c\r\n" ECHO("d"));
    assert_prefetched("ab.cd.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_protocol_error_is_told_and_ends_the_session),
        TEST(nothing_runs_after_quit),
        TEST(replies_may_be_off_or_skipped),
        TEST(a_waiting_command_runs_again_and_then_what_came_meanwhile),
        TEST(what_a_waiting_command_wrote_is_taken_back_with_its_gate),
        TEST(input_of_a_waiting_session_is_bounded),
        TEST(writers_wait_for_room_in_the_log),
        TEST(a_pause_holds_commands_up),
        TEST(closing_while_waiting_destroys_the_work),
        TEST(a_closed_session_leaves_the_list_it_waits_in),
        TEST(a_held_session_outlives_its_connection),
        TEST(the_end_of_input_ends_an_idle_session),
        TEST(the_end_of_input_aborts_a_blocked_session),
        TEST(a_fetch_under_way_is_answered_after_the_end_of_input),
        TEST(a_gate_holds_the_whole_reply_and_what_follows),
        TEST(a_suppressed_reply_leaves_no_gate),
        TEST(a_reply_that_shows_a_lost_write_becomes_an_error),
        TEST(writes_are_refused_when_the_store_has_failed),
        TEST(output_that_piles_up_stops_commands_until_it_is_sent),
        TEST(output_over_the_hard_limit_aborts),
        TEST(the_time_over_the_soft_limit_begins_anew_after_a_break),
        TEST(a_message_wakes_the_connection_once_until_it_is_sent),
        TEST(a_message_behind_a_gate_waits_with_what_is_before_it),
        TEST(a_message_from_its_own_command_follows_the_reply),
        TEST(a_closing_session_takes_no_message),
        TEST(a_subscriber_that_does_not_read_is_closed_and_its_messages_are_counted),
        TEST(a_slow_subscriber_over_the_soft_limit_is_closed_by_the_next_message),
        TEST(a_closed_session_leaves_its_rooms),
        TEST(a_command_over_the_input_limit_aborts),
        TEST(an_idle_session_gives_its_memory_back),
        TEST(arguments_are_one_span_of_wire),
        TEST(a_command_alone_is_not_prefetched),
        TEST(the_keys_of_a_pipeline_are_prefetched_in_batches),
        TEST(nothing_is_prefetched_while_that_does_not_pay),
        TEST(commands_without_keys_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
