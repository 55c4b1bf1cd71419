#include "storage/op.h"

#include "tests/unit/unit.h"

#define OPS_MAX 8

static struct random dice;

static const enum op_kind kinds[] = {
#define X(name, number, fields) OP_##name,
    OP_TABLE(X)
#undef X
};
static const unsigned kind_fields[] = {
#define X(name, number, fields) (fields),
    OP_TABLE(X)
#undef X
};
#define KIND_COUNT (sizeof(kinds) / sizeof(*kinds))

static uint64_t random_number(void)
{
    return random_u64(&dice) >> random_below(&dice, 64);
}

static struct bytes random_bytes(void)
{
    static const char bytes[400];
    return bytes_of(bytes, (size_t)random_below(&dice, random_below(&dice, 2) ? 20 : 400));
}

/* An op with the fields of its kind set and no others. */
static struct op random_op(void)
{
    size_t kind = (size_t)random_below(&dice, KIND_COUNT);
    unsigned fields = kind_fields[kind];
    struct op op = {.kind = kinds[kind], .db = (uint32_t)random_number()};
    if (fields & OP_KEY)
        op.key = random_bytes();
    if (fields & OP_KEY2)
        op.key2 = random_bytes();
    if (fields & OP_NUMBER)
        op.number = random_number();
    if (fields & OP_ID)
        op.id = (struct id){random_number(), random_number()};
    if (fields & OP_ID2)
        op.id2 = (struct id){random_number(), random_number()};
    if (fields & OP_DATA)
        op.data = random_bytes();
    return op;
}

static void check_equal(const struct op *a, const struct op *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->db, b->db);
    assert_true(bytes_equal(a->key, b->key));
    assert_true(bytes_equal(a->key2, b->key2));
    assert_int_equal(a->number, b->number);
    assert_true(id_equal(a->id, b->id));
    assert_true(id_equal(a->id2, b->id2));
    assert_true(bytes_equal(a->data, b->data));
    assert_null(b->object);
}

static void ops_are_read_back(void **state)
{
    (void)state;
    struct buf record;
    buf_init(&record);
    for (int i = 0; i < 5000; i++) {
        struct op ops[OPS_MAX];
        size_t count = (size_t)random_below(&dice, OPS_MAX + 1);
        struct record_head head = {(uint32_t)random_u64(&dice), random_u64(&dice)};
        record.len = 0;
        record_head_encode(&record, &head);
        for (size_t j = 0; j < count; j++) {
            ops[j] = random_op();
            op_encode(&record, &ops[j]);
        }
        struct decoder decoder = decoder_of(buf_bytes(&record));
        struct record_head read_head;
        assert_int_equal(record_head_decode(&decoder, &read_head), ERR_OK);
        assert_int_equal(read_head.epoch, head.epoch);
        assert_int_equal(read_head.wall_ms, head.wall_ms);
        struct op op;
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(op_decode(&decoder, &op), ERR_OK);
            check_equal(&ops[j], &op);
        }
        assert_int_equal(op_decode(&decoder, &op), ERR_END);
    }
    buf_deinit(&record);
}

/* Decodes a copy of exactly this size. */
static enum err decode(const char *data, size_t len)
{
    char *copy = malloc(len + 1);
    memcpy(copy + 1, data, len);
    struct decoder decoder = decoder_of(bytes_of(copy + 1, len));
    struct op op;
    enum err err;
    while ((err = op_decode(&decoder, &op)) == ERR_OK) {
        assert_true(op.key.len <= len && op.key2.len <= len && op.data.len <= len);
        assert_true(op.data.len == 0 || op.data.data + op.data.len <= copy + 1 + len);
    }
    free(copy);
    return err;
}

static void every_truncation_of_an_op_is_corrupt(void **state)
{
    (void)state;
    struct buf record;
    buf_init(&record);
    for (int i = 0; i < 500; i++) {
        struct op op = random_op();
        record.len = 0;
        op_encode(&record, &op);
        assert_int_equal(decode(record.data, 0), ERR_END);
        for (size_t len = 1; len < record.len; len++)
            assert_int_equal(decode(record.data, len), ERR_CORRUPT);
    }
    buf_deinit(&record);
}

static void garbage_is_refused_or_read_within_its_bounds(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        char data[64];
        size_t len = (size_t)random_below(&dice, sizeof(data));
        for (size_t j = 0; j < len; j++)
            data[j] = (char)(random_below(&dice, 3) ? random_below(&dice, 12) : random_u64(&dice));
        enum err err = decode(data, len);
        assert_true(err == ERR_END || err == ERR_CORRUPT || err == ERR_TOO_NEW);
    }
}

static void an_unknown_kind_is_too_new(void **state)
{
    (void)state;
    for (int kind = 0; kind < 256; kind++) {
        bool known = false;
        for (size_t i = 0; i < KIND_COUNT; i++)
            known |= (int)kinds[i] == kind;
        char data[1] = {(char)kind};
        assert_int_equal(decode(data, 1), known ? ERR_CORRUPT : ERR_TOO_NEW);
    }
}

static void kinds_keep_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(OP_APPEND, 1);
    assert_int_equal(OP_TRIM, 2);
    assert_int_equal(OP_ERASE, 3);
    assert_int_equal(OP_SETID, 4);
    assert_int_equal(OP_DROP, 5);
    assert_int_equal(OP_RENAME, 6);
    assert_int_equal(OP_CREATE, 7);
    assert_int_equal(OP_FLUSH, 8);
    assert_int_equal(OP_SWAP, 9);
}

static void a_database_beyond_32_bits_is_corrupt(void **state)
{
    (void)state;
    struct buf record;
    buf_init(&record);
    buf_put_u8(&record, OP_FLUSH);
    buf_put_varint(&record, (uint64_t)UINT32_MAX + 1);
    buf_put_varint(&record, 1);
    assert_int_equal(decode(record.data, record.len), ERR_CORRUPT);
    buf_deinit(&record);
}

static void the_head_of_a_record_is_checked(void **state)
{
    (void)state;
    struct buf record;
    buf_init(&record);
    record_head_encode(&record, &(struct record_head){1, 2});
    struct record_head head;
    for (size_t len = 0; len < record.len; len++) {
        struct decoder decoder = decoder_of(bytes_of(record.data, len));
        assert_int_equal(record_head_decode(&decoder, &head), ERR_CORRUPT);
    }
    static const int formats[][2] = {{0, ERR_CORRUPT}, {RECORD_FORMAT + 1, ERR_TOO_NEW}};
    for (int i = 0; i < 2; i++) {
        record.data[0] = (char)formats[i][0];
        struct decoder decoder = decoder_of(buf_bytes(&record));
        assert_int_equal(record_head_decode(&decoder, &head), formats[i][1]);
    }
    buf_deinit(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_are_read_back),
        cmocka_unit_test(every_truncation_of_an_op_is_corrupt),
        cmocka_unit_test(garbage_is_refused_or_read_within_its_bounds),
        cmocka_unit_test(an_unknown_kind_is_too_new),
        cmocka_unit_test(kinds_keep_their_numbers),
        cmocka_unit_test(a_database_beyond_32_bits_is_corrupt),
        cmocka_unit_test(the_head_of_a_record_is_checked),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
