#include "tests/unit/session_fixture.h"

static void a_pipeline_is_answered_in_order(void **state)
{
    (void)state;
    feed("echo a\r\n*2\r\n$4\r\nECHO\r\n$1\r\nb\r\n*2\r\n$4\r\nec");
    assert_sends("$1\r\na\r\n$1\r\nb\r\n");
    assert_true(conn.wakes > 0);
    feed("ho\r\n$1\r\nc\r\n");
    assert_sends("$1\r\nc\r\n");
    assert_int_equal(session->commands, 3);
    assert_int_equal(broker.after_calls, 3);
    assert_string_equal(session->last_command->name, "echo");
}

static void an_unknown_command_is_told_with_its_arguments(void **state)
{
    (void)state;
    feed("foo a \"b c\"\r\n");
    assert_sends("-ERR unknown command 'foo', with args beginning with: 'a' 'b c' \r\n");
    feed("foo\r\n");
    assert_sends("-ERR unknown command 'foo', with args beginning with: \r\n");
    assert_int_equal(session->commands, 0);
}

static void an_unknown_command_of_any_length_is_told_in_short(void **state)
{
    char line[3000];
    char expected[600];

    (void)state;
    memset(line, 'a', sizeof(line));
    line[1000] = ' ';
    line[1100] = ' ';
    memcpy(line + sizeof(line) - 3, "\r\n", 3);
    feed(line);
    snprintf(expected, sizeof(expected),
             "-ERR unknown command '%.128s', with args beginning with: '%.99s' '%.26s' \r\n", line,
             line, line);
    assert_sends(expected);
}

static void an_unknown_subcommand_names_its_container(void **state)
{
    (void)state;
    feed("reply Foo bar\r\n");
    assert_sends("-ERR unknown subcommand 'Foo'. Try REPLY HELP.\r\n");
}

static void a_wrong_number_of_arguments_is_an_error(void **state)
{
    (void)state;
    feed("ECHO\r\n");
    assert_sends("-ERR wrong number of arguments for 'echo' command\r\n");
    feed("write\r\n");
    assert_sends("-ERR wrong number of arguments for 'write' command\r\n");
    feed("reply on x\r\n");
    assert_sends("-ERR wrong number of arguments for 'reply|on' command\r\n");
    feed("reply\r\n");
    assert_sends("-ERR wrong number of arguments for 'reply' command\r\n");
    assert_int_equal(broker.after_calls, 0);
}

static void commands_before_authentication_are_refused(void **state)
{
    (void)state;
    session->authenticated = false;
    feed("echo a\r\nauth x\r\necho a\r\n");
    assert_sends("-NOAUTH Authentication required.\r\n+OK\r\n$1\r\na\r\n");
}

static void limits_are_wider_after_authentication_in_the_same_pipeline(void **state)
{
    (void)state;
    session->authenticated = false;
    feed("auth x\r\n*11\r\n$4\r\nnone\r\n");
    assert_sends("+OK\r\n");
    assert_int_equal(session_ending(session), SESSION_OPEN);
}

static void many_arguments_before_authentication_end_the_session(void **state)
{
    (void)state;
    session->authenticated = false;
    feed("*11\r\n$4\r\nnone\r\n");
    assert_sends("-ERR Protocol error: unauthenticated multibulk length\r\n");
    assert_int_equal(session_ending(session), SESSION_FINISHING);
}

static void http_is_not_answered(void **state)
{
    (void)state;
    feed("POST / HTTP/1.1\r\necho a\r\n");
    assert_int_equal(session_ending(session), SESSION_ABORTED);
    assert_int_equal(session_output_size(session), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pipeline_is_answered_in_order),
        TEST(an_unknown_command_is_told_with_its_arguments),
        TEST(an_unknown_command_of_any_length_is_told_in_short),
        TEST(an_unknown_subcommand_names_its_container),
        TEST(a_wrong_number_of_arguments_is_an_error),
        TEST(commands_before_authentication_are_refused),
        TEST(limits_are_wider_after_authentication_in_the_same_pipeline),
        TEST(many_arguments_before_authentication_end_the_session),
        TEST(http_is_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
