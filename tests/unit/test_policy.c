#include "storage/policy.h"

#include "tests/unit/unit.h"

static void a_policy_reads_back_as_it_was(void **state)
{
    (void)state;
    const struct policy values = {.maxage_ms = 60000, .maxlen = INT64_MAX};
    struct policy read;
    struct policy *policy = policy_create(&values);
    struct buf text;
    buf_init(&text);
    policy_encode(&text, policy);
    assert_int_equal(policy_decode(buf_bytes(&text), &read), ERR_OK);
    assert_int_equal(read.maxage_ms, 60000);
    assert_int_equal(read.maxbytes, 0);
    assert_int_equal(read.maxlen, INT64_MAX);
    policy_unref(policy_ref(policy));
    policy_unref(policy);
    buf_deinit(&text);
}

static void without_a_limit_there_is_no_policy(void **state)
{
    (void)state;
    struct policy read;
    struct buf text;
    buf_init(&text);
    assert_int_equal(policy_decode(BYTES(""), &read), ERR_OK);
    assert_null(policy_create(&read));
    policy_encode(&text, policy_ref(NULL));
    assert_int_equal(text.len, 0);
    policy_unref(NULL);
}

static void damage_is_told(void **state)
{
    (void)state;
    struct policy read;
    assert_int_equal(policy_decode(BYTES("\x01"), &read), ERR_CORRUPT);
    assert_int_equal(policy_decode(BYTES("\x03\x00"), &read), ERR_CORRUPT);
    assert_int_equal(policy_decode(BYTES("\xc8\x01"), &read), ERR_CORRUPT);
    assert_int_equal(policy_decode(BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\x7f"), &read),
                     ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_reads_back_as_it_was),
        cmocka_unit_test(without_a_limit_there_is_no_policy),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
