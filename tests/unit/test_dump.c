#include "storage/dump.h"

#include "tests/unit/unit.h"

static struct random dice;

static struct object_state string_of(struct bytes bytes, uint64_t expiry_ms)
{
    return (struct object_state){.type = OBJECT_STRING,
                                 .expiry_ms = expiry_ms & OBJECT_EXPIRY_MAX,
                                 .value = value_create(bytes)};
}

static struct object_state small_hash(void)
{
    struct hash *hash = hash_create();
    hash_set(hash, BYTES("name"), BYTES("value"));
    hash_set(hash, BYTES(""), BYTES("a\0b"));
    return (struct object_state){.type = OBJECT_HASH, .hash = hash};
}

static void dump(struct buf *out, struct object_state state)
{
    buf_init(out);
    dump_encode(out, &state);
    object_state_clear(&state);
}

/* Of a row that came from elsewhere: with the right checksum. */
static void seal(struct buf *out, struct bytes row)
{
    buf_init(out);
    buf_add_bytes(out, row);
    buf_put_u8(out, DUMP_FORMAT);
    buf_put_u64(out, hash_bytes(buf_bytes(out), 0));
}

static void a_string_comes_back_and_never_expires(void **state)
{
    (void)state;
    struct buf bytes;
    struct object_state back;
    dump(&bytes, string_of(BYTES("a\0b"), 12345));
    assert_int_equal(dump_decode(&back, buf_bytes(&bytes)), ERR_OK);
    assert_int_equal(back.type, OBJECT_STRING);
    assert_int_equal(back.expiry_ms, 0);
    assert_true(bytes_equal(value_bytes(back.value), BYTES("a\0b")));
    object_state_clear(&back);
    buf_deinit(&bytes);
}

static void a_hash_comes_back_with_its_fields_in_order(void **state)
{
    (void)state;
    struct buf bytes;
    struct object_state back;
    dump(&bytes, small_hash());
    assert_int_equal(dump_decode(&back, buf_bytes(&bytes)), ERR_OK);
    assert_int_equal(back.type, OBJECT_HASH);
    assert_int_equal(back.hash->count, 2);
    assert_true(bytes_equal(hash_field_name(back.hash->fields[0]), BYTES("name")));
    assert_true(bytes_equal(hash_field_value(back.hash->fields[1]), BYTES("a\0b")));
    object_state_clear(&back);
    buf_deinit(&bytes);
}

static void no_flipped_bit_and_no_cut_goes_unnoticed(void **state)
{
    (void)state;
    struct buf bytes;
    struct object_state back;
    dump(&bytes, small_hash());
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(dump_decode(&back, buf_bytes(&bytes)), ERR_OK);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_not_equal(dump_decode(&back, bytes_of(bytes.data, len)), ERR_OK);
    buf_deinit(&bytes);
}

static void another_format_is_too_new(void **state)
{
    (void)state;
    struct buf bytes;
    struct object_state back;
    dump(&bytes, string_of(BYTES("v"), 0));
    bytes.data[bytes.len - 9]++;
    assert_int_equal(dump_decode(&back, buf_bytes(&bytes)), ERR_TOO_NEW);
    assert_int_equal(dump_decode(&back, BYTES("")), ERR_TOO_NEW);
    buf_deinit(&bytes);
}

static void what_is_no_value_is_invalid_whatever_its_checksum_says(void **state)
{
    (void)state;
    const struct bytes rows[] = {
        BYTES(""),               /* nothing */
        BYTES("\0"),             /* no type */
        BYTES("\1\1\1\1\1\1\1"), /* a feed */
        BYTES("\4x"),            /* a type that does not exist */
        BYTES("\3"),             /* an empty hash */
        BYTES("\3\5a"),          /* a field that goes over the end */
        BYTES("\202\377"),       /* half a time of expiry */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf bytes;
        struct object_state back;
        seal(&bytes, rows[i]);
        assert_int_equal(dump_decode(&back, buf_bytes(&bytes)), ERR_INVALID);
        buf_deinit(&bytes);
    }
}

static void noise_with_a_right_checksum_does_no_harm(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char row[40];
        struct buf bytes;
        struct object_state back;
        size_t len = (size_t)random_below(&dice, sizeof(row));
        for (size_t i = 0; i < len; i++)
            row[i] = (char)random_below(&dice, 8);
        seal(&bytes, bytes_of(row, len));
        if (dump_decode(&back, buf_bytes(&bytes)) == ERR_OK) {
            assert_true(back.type == OBJECT_STRING || back.hash->count > 0);
            object_state_clear(&back);
        }
        buf_deinit(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_comes_back_and_never_expires),
        cmocka_unit_test(a_hash_comes_back_with_its_fields_in_order),
        cmocka_unit_test(no_flipped_bit_and_no_cut_goes_unnoticed),
        cmocka_unit_test(another_format_is_too_new),
        cmocka_unit_test(what_is_no_value_is_invalid_whatever_its_checksum_says),
        cmocka_unit_test(noise_with_a_right_checksum_does_no_harm),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
