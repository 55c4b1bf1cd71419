#include "base/codec.h"
#include "tests/unit/unit.h"

static const uint64_t edges[] = {0,          1,
                                 0x7f,       0x80,
                                 0x3fff,     0x4000,
                                 UINT32_MAX, (uint64_t)1 << 56,
                                 INT64_MAX,  (uint64_t)1 << 63,
                                 UINT64_MAX};

#define EDGE_COUNT (sizeof edges / sizeof *edges)

static void a_varint_survives_in_the_size_it_was_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        char text[VARINT_MAX];
        size_t size = (size_t)(encode_varint(text, edges[i]) - text);
        assert_int_equal(size, varint_size(edges[i]));
        struct decoder decoder = decoder_of(bytes_of(text, size));
        assert_true(decoder_varint(&decoder) == edges[i]);
        assert_false(decoder.failed);
        assert_int_equal(decoder_left(&decoder), 0);
    }
}

static void fixed_integers_survive(void **state)
{
    (void)state;
    char text[14];
    char *end = encode_u16(text, 0xfffe);
    end = encode_u32(end, 0x80000001);
    end = encode_u64(end, 0xfedcba9876543210);
    assert_ptr_equal(end, text + sizeof text);
    struct decoder decoder = decoder_of(bytes_of(text, sizeof text));
    assert_int_equal(decoder_u16(&decoder), 0xfffe);
    assert_int_equal(decoder_u32(&decoder), 0x80000001);
    assert_true(decoder_u64(&decoder) == 0xfedcba9876543210);
    assert_false(decoder.failed);
}

static void a_varint_of_more_than_64_bits_fails(void **state)
{
    (void)state;
    struct decoder decoder = decoder_of(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02rest"));
    assert_true(decoder_varint(&decoder) == 0);
    assert_true(decoder.failed);
    assert_int_equal(decoder_left(&decoder), 0);

    decoder = decoder_of(BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    assert_true(decoder_varint(&decoder) == 0);
    assert_true(decoder.failed);
}

static void a_failed_decoder_answers_nothing_ever_after(void **state)
{
    (void)state;
    struct decoder decoder = decoder_of(BYTES("\x01\x02"));
    assert_int_equal(decoder_u32(&decoder), 0);
    assert_true(decoder.failed);
    assert_int_equal(decoder_u8(&decoder), 0);
    assert_int_equal(decoder_bytes(&decoder).len, 0);
    assert_true(decoder.failed);
}

static void a_length_beyond_the_span_fails_however_long(void **state)
{
    (void)state;
    struct decoder decoder = decoder_of(BYTES("abc"));
    assert_int_equal(decoder_take(&decoder, UINT64_MAX).len, 0);
    assert_true(decoder.failed);

    decoder = decoder_of(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"));
    assert_int_equal(decoder_bytes(&decoder).len, 0);
    assert_true(decoder.failed);
}

static void an_empty_span_decodes_to_a_failure(void **state)
{
    (void)state;
    struct decoder decoder = decoder_of(BYTES(""));
    assert_int_equal(decoder_take(&decoder, 0).len, 0);
    assert_false(decoder.failed);
    assert_int_equal(decoder_u8(&decoder), 0);
    assert_true(decoder.failed);
}

/* One of everything, with `value` as every integer. */
static void put_all(struct buf *buf, uint64_t value)
{
    buf_put_u8(buf, (uint8_t)value);
    buf_put_u16(buf, (uint16_t)value);
    buf_put_u32(buf, (uint32_t)value);
    buf_put_u64(buf, value);
    buf_put_varint(buf, value);
    buf_put_bytes(buf, BYTES("some bytes"));
}

static bool take_all(struct bytes span, uint64_t value)
{
    struct decoder decoder = decoder_of(span);
    bool same = decoder_u8(&decoder) == (uint8_t)value;
    same &= decoder_u16(&decoder) == (uint16_t)value;
    same &= decoder_u32(&decoder) == (uint32_t)value;
    same &= decoder_u64(&decoder) == value;
    same &= decoder_varint(&decoder) == value;
    same &= bytes_equal(decoder_bytes(&decoder), BYTES("some bytes"));
    if (decoder.failed)
        return false;
    assert_true(same);
    assert_int_equal(decoder_left(&decoder), 0);
    return true;
}

static void input_cut_at_any_length_fails_and_whole_input_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        struct buf buf;
        buf_init(&buf);
        put_all(&buf, edges[i]);
        for (size_t len = 0; len < buf.len; len++) {
            /* A copy of just that size, for the sanitizer to watch its end. */
            char *cut = malloc(len + 1);
            memcpy(cut + 1, buf.data, len);
            assert_false(take_all(bytes_of(cut + 1, len), edges[i]));
            free(cut);
        }
        assert_true(take_all(buf_bytes(&buf), edges[i]));
        buf_deinit(&buf);
    }
}

static void noise_never_reads_past_its_end(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)random_below(&random, 24);
        char *noise = malloc(len + 1);
        for (size_t i = 1; i <= len; i++)
            noise[i] = (char)random_u64(&random);
        struct decoder decoder = decoder_of(bytes_of(noise + 1, len));
        while (decoder_left(&decoder) > 0) {
            struct bytes taken = decoder_bytes(&decoder);
            assert_true(taken.len <= len);
        }
        assert_ptr_equal(decoder.at, noise + 1 + len);
        free(noise);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_varint_survives_in_the_size_it_was_told),
        cmocka_unit_test(fixed_integers_survive),
        cmocka_unit_test(a_varint_of_more_than_64_bits_fails),
        cmocka_unit_test(a_failed_decoder_answers_nothing_ever_after),
        cmocka_unit_test(a_length_beyond_the_span_fails_however_long),
        cmocka_unit_test(an_empty_span_decodes_to_a_failure),
        cmocka_unit_test(input_cut_at_any_length_fails_and_whole_input_does_not),
        cmocka_unit_test(noise_never_reads_past_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
