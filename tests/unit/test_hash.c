#include "storage/hash.h"

#include "tests/unit/unit.h"

#define NAMES 700

static struct random dice;

static struct bytes name_of(size_t number, char *room)
{
    int len = snprintf(room, 16, "field%zu", number);
    return bytes_of(room, (size_t)len);
}

static void fields_keep_their_order(void **state)
{
    (void)state;
    struct hash *hash = hash_create();
    assert_true(hash_set(hash, BYTES("b"), BYTES("1")));
    assert_true(hash_set(hash, BYTES("a"), BYTES("2")));
    assert_true(hash_set(hash, BYTES("c"), BYTES("3")));
    assert_false(hash_set(hash, BYTES("b"), BYTES("4")));
    assert_true(hash_delete(hash, BYTES("a")));
    assert_false(hash_delete(hash, BYTES("a")));
    assert_int_equal(hash->count, 2);
    assert_true(bytes_equal(hash_field_name(hash->fields[0]), BYTES("b")));
    assert_true(bytes_equal(hash_field_value(hash->fields[0]), BYTES("4")));
    assert_true(bytes_equal(hash_field_name(hash->fields[1]), BYTES("c")));
    hash_unref(hash);
}

static void who_shares_a_hash_does_not_see_changes(void **state)
{
    (void)state;
    struct hash *hash = hash_create();
    hash_set(hash, BYTES("a"), BYTES("1"));
    hash_ref(hash);
    struct hash *own = hash_own(hash);
    assert_ptr_not_equal(own, hash);
    hash_set(own, BYTES("a"), BYTES("2"));
    assert_true(bytes_equal(hash_field_value(hash_find(hash, BYTES("a"))), BYTES("1")));
    assert_ptr_equal(hash_own(own), own);
    hash_unref(hash);
    hash_unref(own);
}

static void check_packed(const struct hash *hash)
{
    struct buf packed;
    struct hash *read = hash_create();
    buf_init(&packed);
    hash_pack(&packed, hash);
    assert_int_equal(packed.len, hash->packed_bytes);
    assert_int_equal(hash_unpack(read, buf_bytes(&packed)), ERR_OK);
    assert_int_equal(read->count, hash->count);
    assert_int_equal(read->packed_bytes, hash->packed_bytes);
    hash_unref(read);
    buf_deinit(&packed);
}

static void check_walk(const struct hash *hash)
{
    uint64_t at = 0;
    bool last = false;
    uint32_t met = 0;
    while (!last) {
        const struct hash_field *field = hash_walk(hash, &at, &last);
        for (const struct hmap_node *node = field != NULL ? &field->node : NULL; node != NULL;
             node = node->next)
            met++;
    }
    assert_int_equal(met, hash->count);
}

/* Beside an array of values. */
static void random_changes_agree_with_a_model(void **state)
{
    (void)state;
    uint64_t model[NAMES] = {0}; /* 0: no such field */
    struct hash *hash = hash_create();
    uint32_t count = 0;
    for (int i = 0; i < 20000; i++) {
        char room[16], text[INTEGER_TEXT_MAX];
        size_t number = (size_t)random_below(&dice, NAMES);
        struct bytes name = name_of(number, room);
        if (random_below(&dice, 3) == 0) {
            assert_int_equal(hash_delete(hash, name), model[number] != 0);
            count -= model[number] != 0;
            model[number] = 0;
        } else {
            uint64_t value = 1 + random_below(&dice, 1000000);
            bool added = hash_set(hash, name, bytes_of(text, u64_to_text(value, text)));
            assert_int_equal(added, model[number] == 0);
            count += added;
            model[number] = value;
        }
        assert_int_equal(hash->count, count);
        const struct hash_field *field = hash_find(hash, name);
        assert_int_equal(field != NULL, model[number] != 0);
        uint64_t value = 0;
        assert_true(field == NULL || (bytes_to_u64(hash_field_value(field), &value) &&
                                      value == model[number] && hash->fields[field->at] == field));
        if (i % 1000 == 0) {
            check_packed(hash);
            check_walk(hash);
        }
    }
    hash_unref(hash);
}

static void damaged_fields_are_refused(void **state)
{
    (void)state;
    struct hash *hash = hash_create();
    assert_int_equal(hash_unpack(hash, BYTES("\x01"
                                             "a\x02"
                                             "b")),
                     ERR_CORRUPT);
    assert_int_equal(hash_unpack(hash, BYTES("\x01"
                                             "a")),
                     ERR_CORRUPT);
    hash_unref(hash);
}

static void long_fields_make_a_hash_large(void **state)
{
    (void)state;
    char text[HASH_SMALL_BYTES + 1] = {0};
    struct hash *hash = hash_create();
    hash_set(hash, BYTES("a"), bytes_of(text, HASH_SMALL_BYTES));
    assert_true(hash_is_small(hash));
    hash_set(hash, BYTES("a"), bytes_of(text, sizeof(text)));
    assert_false(hash_is_small(hash));
    hash_delete(hash, BYTES("a"));
    assert_true(hash_is_small(hash));
    hash_unref(hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_keep_their_order),
        cmocka_unit_test(who_shares_a_hash_does_not_see_changes),
        cmocka_unit_test(random_changes_agree_with_a_model),
        cmocka_unit_test(damaged_fields_are_refused),
        cmocka_unit_test(long_fields_make_a_hash_large),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
