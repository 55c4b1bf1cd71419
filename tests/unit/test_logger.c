#include "base/logger.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int pipe_ends[2];

static int catch_lines(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    logger_set_fd(pipe_ends[1]);
    return 0;
}

static int release_lines(void **state)
{
    (void)state;
    logger_set_fd(STDERR_FILENO);
    logger_set_level(LOG_NOTICE);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

/* What was logged since the last call, NUL terminated. */
static const char *caught(void)
{
    static char text[8192];
    assert_int_equal(write(pipe_ends[1], "", 1), 1);
    ssize_t len = read(pipe_ends[0], text, sizeof text);
    assert_true(len > 0);
    return text;
}

static void a_line_is_time_level_event_and_pairs(void **state)
{
    (void)state;
    logger_line(LOG_NOTICE, "listening", "port=%d", 6379);
    const char *line = caught();
    unsigned year;
    assert_int_equal(sscanf(line, "%4u-%*2u-%*2uT%*2u:%*2u:%*2u.%*3uZ ", &year), 1);
    assert_true(year >= 2024);
    assert_string_equal(line + strlen("2024-01-01T00:00:00.000Z"), " notice listening port=6379\n");
}

static void an_event_may_stand_alone(void **state)
{
    (void)state;
    logger_line(LOG_WARNING, "bye", "");
    const char *line = caught();
    assert_string_equal(line + strlen("2024-01-01T00:00:00.000Z"), " warning bye\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    logger_set_level(LOG_WARNING);
    LOG(LOG_NOTICE, "quiet", "a=%d", 1);
    assert_string_equal(caught(), "");
    LOG(LOG_WARNING, "loud", "a=%d", 1);
    assert_non_null(strstr(caught(), "loud"));
    logger_set_level(LOG_NOTHING);
    LOG(LOG_WARNING, "quiet", "a=%d", 1);
    assert_string_equal(caught(), "");
}

static void a_value_cannot_forge_a_line(void **state)
{
    (void)state;
    logger_line(LOG_NOTICE, "client", "name=%s", "x\n2024 warning\x7f\x01");
    const char *line = caught();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_non_null(strstr(line, "name=x?2024 warning??\n"));
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    char value[3000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    logger_line(LOG_NOTICE, "long", "value=%s", value);
    const char *line = caught();
    assert_in_range(strlen(line), 500, 1024);
    assert_int_equal(line[strlen(line) - 1], '\n');
    logger_line(LOG_NOTICE, value, "value=%s", value);
    line = caught();
    assert_in_range(strlen(line), 500, 1024);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void logging_leaves_errno_alone(void **state)
{
    (void)state;
    logger_set_fd(-1);
    errno = ENOSPC;
    logger_line(LOG_NOTICE, "lost", "a=%d", 1);
    assert_int_equal(errno, ENOSPC);
}

#define LOGGER_TEST(test) cmocka_unit_test_setup_teardown(test, catch_lines, release_lines)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGGER_TEST(a_line_is_time_level_event_and_pairs),
        LOGGER_TEST(an_event_may_stand_alone),
        LOGGER_TEST(lines_below_the_level_are_not_written),
        LOGGER_TEST(a_value_cannot_forge_a_line),
        LOGGER_TEST(a_long_line_is_cut_and_still_ends),
        LOGGER_TEST(logging_leaves_errno_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
