#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static void every_error_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(strlen(err_text((enum err)i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
    }
}

static void errno_values_find_their_error(void **state)
{
    (void)state;
    assert_int_equal(err_of_errno(0), ERR_OK);
    assert_int_equal(err_of_errno(ENOENT), ERR_NOT_FOUND);
    assert_int_equal(err_of_errno(ENOSPC), ERR_NO_SPACE);
    assert_int_equal(err_of_errno(EDQUOT), ERR_NO_SPACE);
    assert_int_equal(err_of_errno(EACCES), ERR_DENIED);
    assert_int_equal(err_of_errno(EPERM), ERR_DENIED);
    assert_int_equal(err_of_errno(EADDRINUSE), ERR_IN_USE);
    assert_int_equal(err_of_errno(EMFILE), ERR_FULL);
}

static void an_errno_value_without_a_row_is_an_io_error(void **state)
{
    (void)state;
    assert_int_equal(err_of_errno(EIO), ERR_IO);
    assert_int_equal(err_of_errno(EPIPE), ERR_IO);
    assert_int_equal(err_of_errno(-1), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_text_of_its_own),
        cmocka_unit_test(errno_values_find_their_error),
        cmocka_unit_test(an_errno_value_without_a_row_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
