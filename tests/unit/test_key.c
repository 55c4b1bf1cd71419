#include "storage/key.h"

#include "tests/unit/unit.h"

static struct random dice;

/* What a row's key says, in the order that the rows must have. */
struct said {
    uint32_t space;
    uint16_t slot;
    int kind;
    uint64_t first; /* hash or feed */
    struct id id;
    struct bytes name;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_said(const struct said *a, const struct said *b)
{
    int orders[] = {compare_numbers(a->space, b->space),
                    compare_numbers(a->slot, b->slot),
                    compare_numbers((uint64_t)a->kind, (uint64_t)b->kind),
                    compare_numbers(a->first, b->first),
                    id_compare(a->id, b->id),
                    bytes_compare(a->name, b->name)};
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        if (orders[i] != 0)
            return orders[i];
    }
    return 0;
}

static uint64_t random_number(void)
{
    return random_u64(&dice) >> random_below(&dice, 64);
}

static struct said random_said(struct buf *key)
{
    static const char *const names[] = {"", "a", "ab", "b", "a\xff", "\xff"};
    struct said said = {.space = (uint32_t)random_below(&dice, 3),
                        .slot = (uint16_t)random_below(&dice, 3),
                        .kind = random_below(&dice, 2) ? KEY_OBJECT : KEY_CHUNK};
    if (said.kind == KEY_OBJECT) {
        said.first = random_number() << 16;
        said.name = bytes_of_string(names[random_below(&dice, 6)]);
        key_object(key, said.space, said.slot, said.first | random_below(&dice, 1 << 16),
                   said.name);
        return said;
    }
    said.first = random_below(&dice, 300);
    said.id = (struct id){random_number(), random_number()};
    key_chunk(key, (struct chunk_home){said.space, said.slot, said.first}, said.id);
    return said;
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void keys_sort_as_what_they_say(void **state)
{
    (void)state;
    struct buf a, b;
    buf_init(&a);
    buf_init(&b);
    for (int i = 0; i < 100000; i++) {
        struct said said_a = random_said(&a);
        struct said said_b = random_said(&b);
        assert_int_equal(sign(bytes_compare(buf_bytes(&a), buf_bytes(&b))),
                         sign(compare_said(&said_a, &said_b)));
    }
    buf_deinit(&a);
    buf_deinit(&b);
}

static void keys_are_read_back(void **state)
{
    (void)state;
    struct buf key;
    buf_init(&key);
    for (int i = 0; i < 20000; i++) {
        struct said said = random_said(&key);
        struct chunk_home home = {said.space, said.slot, said.first};
        struct object_key object;
        struct id base;
        enum err as_object = key_object_parse(buf_bytes(&key), &object);
        enum err as_chunk = key_chunk_base(buf_bytes(&key), home, &base);
        assert_int_equal(as_object, said.kind == KEY_OBJECT ? ERR_OK : ERR_NOT_FOUND);
        assert_int_equal(as_chunk, said.kind == KEY_CHUNK ? ERR_OK : ERR_CORRUPT);
        if (said.kind == KEY_CHUNK) {
            assert_true(id_equal(base, said.id));
            continue;
        }
        assert_int_equal(object.space, said.space);
        assert_int_equal(object.slot, said.slot);
        assert_int_equal(object.hash, said.first);
        assert_true(bytes_equal(object.name, said.name));
    }
    buf_deinit(&key);
}

static void a_feeds_chunks_lie_between_its_bounds(void **state)
{
    (void)state;
    struct buf low, high, key;
    buf_init(&low);
    buf_init(&high);
    buf_init(&key);
    struct chunk_home home = {3, 1000, 255};
    key_chunk(&low, home, ID_MIN);
    key_chunk_end(&high, home);
    key_chunk(&key, home, ID_MAX);
    assert_true(bytes_compare(buf_bytes(&low), buf_bytes(&key)) < 0);
    assert_true(bytes_compare(buf_bytes(&key), buf_bytes(&high)) < 0);
    home.feed++;
    key_chunk(&key, home, ID_MIN);
    assert_true(bytes_compare(buf_bytes(&key), buf_bytes(&high)) >= 0);
    buf_deinit(&low);
    buf_deinit(&high);
    buf_deinit(&key);
}

static void a_namespace_begins_with_its_first_key(void **state)
{
    (void)state;
    struct buf space, key;
    buf_init(&space);
    buf_init(&key);
    key_space(&space, 5);
    key_object(&key, 5, 0, 0, BYTES(""));
    assert_true(bytes_compare(buf_bytes(&space), buf_bytes(&key)) <= 0);
    key_object(&key, 4, KEY_SLOTS - 1, UINT64_MAX, BYTES("\xff\xff"));
    assert_true(bytes_compare(buf_bytes(&key), buf_bytes(&space)) < 0);
    key_system(&key, BYTES("catalog"));
    assert_true(bytes_compare(buf_bytes(&key), buf_bytes(&space)) < 0);
    buf_deinit(&space);
    buf_deinit(&key);
}

static void a_key_that_is_cut_short_or_garbage_is_refused(void **state)
{
    (void)state;
    struct buf key;
    buf_init(&key);
    for (int i = 0; i < 20000; i++) {
        struct said said = random_said(&key);
        size_t len = (size_t)random_below(&dice, key.len);
        char *cut = malloc(len + 1);
        memcpy(cut, key.data, len);
        struct object_key object;
        struct id base;
        struct chunk_home home = {said.space, said.slot, said.first};
        assert_int_equal(key_chunk_base(bytes_of(cut, len), home, &base), ERR_CORRUPT);
        enum err err = key_object_parse(bytes_of(cut, len), &object);
        assert_true(err != ERR_OK || (said.kind == KEY_OBJECT && len >= 13));
        for (size_t j = 0; j < len; j++)
            cut[j] = (char)random_u64(&dice);
        assert_int_equal(key_chunk_base(bytes_of(cut, len), home, &base), ERR_CORRUPT);
        if (key_object_parse(bytes_of(cut, len), &object) == ERR_OK)
            assert_true(object.name.data + object.name.len == cut + len);
        free(cut);
    }
    buf_deinit(&key);
}

static void expiry_rows_sort_by_time_behind_all_slots_of_their_namespace(void **state)
{
    (void)state;
    struct buf before, key, next;
    buf_init(&before);
    buf_init(&key);
    buf_init(&next);
    key_object(&before, 7, KEY_SLOTS - 1, UINT64_MAX, BYTES("z"));
    key_expiry(&key, 7, 255, BYTES("z"));
    assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&key)) < 0);
    key_expiry(&next, 7, 256, BYTES(""));
    assert_true(bytes_compare(buf_bytes(&key), buf_bytes(&next)) < 0);
    key_space(&next, 8);
    assert_true(bytes_compare(buf_bytes(&key), buf_bytes(&next)) < 0);
    uint64_t expiry_ms;
    struct bytes name;
    assert_int_equal(key_expiry_parse(buf_bytes(&key), 7, &expiry_ms, &name), ERR_OK);
    assert_int_equal(expiry_ms, 255);
    assert_true(bytes_equal(name, BYTES("z")));
    assert_int_equal(key_expiry_parse(buf_bytes(&key), 6, &expiry_ms, &name), ERR_CORRUPT);
    assert_int_equal(key_expiry_parse(buf_bytes(&before), 7, &expiry_ms, &name), ERR_CORRUPT);
    for (size_t len = 0; len < 15; len++)
        assert_int_equal(key_expiry_parse(bytes_of(key.data, len), 7, &expiry_ms, &name),
                         ERR_CORRUPT);
    buf_deinit(&before);
    buf_deinit(&key);
    buf_deinit(&next);
}

static void the_chunk_of_another_home_is_refused(void **state)
{
    (void)state;
    struct buf key;
    buf_init(&key);
    struct chunk_home home = {1, 2, 3};
    key_chunk(&key, home, (struct id){4, 5});
    const struct chunk_home others[] = {{2, 2, 3}, {1, 3, 3}, {1, 2, 4}};
    for (int i = 0; i < 3; i++) {
        struct id base;
        assert_int_equal(key_chunk_base(buf_bytes(&key), others[i], &base), ERR_CORRUPT);
    }
    buf_deinit(&key);
}

/* The values of redis-server's CLUSTER KEYSLOT. */
static void slots_are_those_of_redis_cluster(void **state)
{
    (void)state;
    assert_int_equal(key_slot(BYTES("123456789")), 0x31c3 & (KEY_SLOTS - 1));
    assert_int_equal(key_slot(BYTES("foo")), 12182);
    assert_int_equal(key_slot(BYTES("somekey")), 11058);
    assert_int_equal(key_slot(BYTES("foo{hash_tag}")), 2515);
    assert_int_equal(key_slot(BYTES("bar{hash_tag}")), 2515);
    assert_int_equal(key_slot(BYTES("")), 0);
}

static void only_the_first_full_hash_tag_counts(void **state)
{
    (void)state;
    assert_int_equal(key_slot(BYTES("{user1000}.following")), key_slot(BYTES("user1000")));
    assert_int_equal(key_slot(BYTES("foo{{bar}}zap")), key_slot(BYTES("{bar")));
    assert_int_equal(key_slot(BYTES("foo{bar}{zap}")), key_slot(BYTES("bar")));
    assert_int_not_equal(key_slot(BYTES("foo{}{bar}")), key_slot(BYTES("bar")));
    assert_int_not_equal(key_slot(BYTES("foo{bar")), key_slot(BYTES("bar")));
    assert_int_equal(key_slot(BYTES("{")), key_slot(BYTES("{")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_as_what_they_say),
        cmocka_unit_test(keys_are_read_back),
        cmocka_unit_test(a_feeds_chunks_lie_between_its_bounds),
        cmocka_unit_test(a_namespace_begins_with_its_first_key),
        cmocka_unit_test(a_key_that_is_cut_short_or_garbage_is_refused),
        cmocka_unit_test(expiry_rows_sort_by_time_behind_all_slots_of_their_namespace),
        cmocka_unit_test(the_chunk_of_another_home_is_refused),
        cmocka_unit_test(slots_are_those_of_redis_cluster),
        cmocka_unit_test(only_the_first_full_hash_tag_counts),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
