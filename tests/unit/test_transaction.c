#include "tests/unit/session_fixture.h"

/* MULTI and EXEC are rows of the broker's: here the transaction is opened by hand. */
static struct transaction *begin(void)
{
    struct transaction *transaction = transaction_of(session);
    broker.options.transaction_bytes_max = 1000;
    transaction->open = true;
    return transaction;
}

static void commands_are_copied_and_not_run(void **state)
{
    struct transaction *transaction = begin();
    char text[] = "echo a\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n";

    (void)state;
    feed(text);
    memset(text, '?', sizeof(text) - 1);
    feed("echo else\r\n");
    assert_sends("+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    assert_int_equal(session->commands, 0);
    assert_int_equal(broker.after_calls, 0);
    assert_int_equal(transaction->count, 3);
    const struct queued_command *command = transaction->commands[0];
    assert_string_equal(command->command->name, "echo");
    assert_int_equal(command->argc, 2);
    assert_true(bytes_equal(command->argv[1], BYTES("a")));
    command = transaction->commands[1];
    assert_true(bytes_equal(command->argv[0], BYTES("ECHO")));
    assert_int_equal(command->argv[1].len, 0);
}

static void what_was_queued_has_the_wire_form_of_what_was_sent(void **state)
{
    const struct transaction *transaction = begin();

    (void)state;
    feed("write one \"\" three\r\n");
    session->argv = transaction->commands[0]->argv;
    session->argc = transaction->commands[0]->argc;
    assert_true(
        bytes_equal(session_wire(session, 1, 3), BYTES("$3\r\none\r\n$0\r\n\r\n$5\r\nthree\r\n")));
}

static void a_queue_knows_whether_it_writes(void **state)
{
    (void)state;
    begin();
    feed("echo a\r\n");
    assert_false(transaction_writes(session));
    feed("write a\r\n");
    assert_true(transaction_writes(session));
    transaction_clear(session);
    assert_false(transaction_writes(session));
}

static void commands_that_are_refused_spoil_the_transaction(void **state)
{
    static const char *const lines[] = {"nosuch\r\n", "echo\r\n", "reply nosuch\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        const struct transaction *transaction = begin();
        feed("echo a\r\n");
        assert_false(transaction->rejected);
        feed(lines[i]);
        assert_true(transaction->rejected);
        assert_int_equal(transaction->count, 1);
        transaction_clear(session);
        assert_false(transaction->rejected);
    }
    feed("nosuch\r\n"); /* outside of a transaction */
    assert_false(session->transaction->rejected);
}

static void a_write_to_a_failed_store_is_not_queued(void **state)
{
    const struct transaction *transaction = begin();

    (void)state;
    broker.failed = true;
    feed("write a\r\n");
    assert_true(transaction->rejected);
    assert_int_equal(transaction->count, 0);
}

static void what_has_no_room_in_memory_is_not_queued(void **state)
{
    const struct transaction *transaction = begin();

    (void)state;
    broker.full = true;
    feed("write a\r\n");
    assert_sends("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_true(transaction->rejected);
    assert_int_equal(transaction->count, 0);
    feed("echo a\r\n");
    assert_sends("+QUEUED\r\n");
    assert_int_equal(broker.after_calls, 0);
}

static void a_queue_is_not_run_when_room_in_memory_is_gone(void **state)
{
    (void)state;
    begin();
    broker.options.databases = 2;
    feed("select 2\r\nselect x\r\nwrite a\r\n");
    drop_output();
    broker.full = true;
    feed("exec\r\n");
    assert_sends("-EXECABORT Transaction discarded because of: OOM command not allowed when used "
                 "memory > 'maxmemory'.\r\n");
    assert_null(session->transaction);
}

static void what_comes_behind_a_select_runs_in_that_database(void **state)
{
    (void)state;
    begin();
    broker.options.databases = 2;
    broker.full = true; /* database 0 is */
    feed("select 1\r\nwrite a\r\nexec\r\n");
    assert_sends("+QUEUED\r\n+QUEUED\r\n+OK\r\n");
}

static void a_queue_has_a_limit(void **state)
{
    struct transaction *transaction = begin();
    size_t count;

    (void)state;
    for (count = 0; !transaction->rejected && count < 100; count++) {
        feed("echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
        drop_output();
        assert_true(transaction->bytes <= 1000);
    }
    assert_in_range(count, 3, 20);
    assert_int_equal(transaction->count, count - 1);
    transaction_clear(session);
    assert_int_equal(transaction->bytes, 0);
}

static void what_is_idle_is_freed_and_nothing_else(void **state)
{
    (void)state;
    begin();
    transaction_drop_idle(session);
    assert_non_null(session->transaction);
    transaction_clear(session);
    transaction_drop_idle(session);
    assert_null(session->transaction);
    transaction_drop_idle(session);
}

static void a_session_that_goes_away_frees_its_queue(void **state)
{
    (void)state;
    begin();
    feed("echo a\r\n");
    assert_true(session_memory(session).queued > 0);
    session_close(session);
    session = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_are_copied_and_not_run),
        TEST(what_was_queued_has_the_wire_form_of_what_was_sent),
        TEST(a_queue_knows_whether_it_writes),
        TEST(commands_that_are_refused_spoil_the_transaction),
        TEST(a_write_to_a_failed_store_is_not_queued),
        TEST(what_has_no_room_in_memory_is_not_queued),
        TEST(a_queue_is_not_run_when_room_in_memory_is_gone),
        TEST(what_comes_behind_a_select_runs_in_that_database),
        TEST(a_queue_has_a_limit),
        TEST(what_is_idle_is_freed_and_nothing_else),
        TEST(a_session_that_goes_away_frees_its_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
