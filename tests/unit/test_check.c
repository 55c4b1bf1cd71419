#include "base/check.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/logger.h"
#include "tests/unit/unit.h"

/* Runs `body` in a child process and returns its wait status; what it logged goes to `said`. */
static int status_of(void (*body)(void), char *said, size_t room)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        logger_set_fd(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], said, room - 1);
    said[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_something_false(void)
{
    CHECK(1 + 1 == 3);
}

static void check_something_true(void)
{
    CHECK(1 + 1 == 2);
    DCHECK(1 + 1 == 2);
}

static void be_where_nobody_should(void)
{
    UNREACHABLE();
}

static void dcheck_something_false(void)
{
    DCHECK(1 + 1 == 3);
}

static bool aborted(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void a_failed_check_says_where_and_aborts(void **state)
{
    (void)state;
    char said[2048];
    assert_true(aborted(status_of(check_something_false, said, sizeof said)));
    assert_non_null(strstr(said, "test_check.c:"));
    assert_non_null(strstr(said, "1 + 1 == 3"));
}

static void the_unreachable_aborts(void **state)
{
    (void)state;
    char said[2048];
    assert_true(aborted(status_of(be_where_nobody_should, said, sizeof said)));
}

static void a_passed_check_says_nothing(void **state)
{
    (void)state;
    char said[2048];
    assert_int_equal(status_of(check_something_true, said, sizeof said), 0);
    assert_string_equal(said, "");
}

static void a_dcheck_aborts_in_debug_builds_only(void **state)
{
    (void)state;
    char said[2048];
    int status = status_of(dcheck_something_false, said, sizeof said);
#ifdef WEIR_DEBUG
    assert_true(aborted(status));
#else
    assert_int_equal(status, 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_check_says_where_and_aborts),
        cmocka_unit_test(the_unreachable_aborts),
        cmocka_unit_test(a_passed_check_says_nothing),
        cmocka_unit_test(a_dcheck_aborts_in_debug_builds_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
