#include "storage/effect.h"

#include "tests/unit/unit.h"

#define NAMES     8
#define VALUE_MAX 40

static struct random dice;

/* A key as an array: the truth beside which effects are checked. */
struct model {
    enum object_type type;
    uint64_t expiry_ms;
    char value[VALUE_MAX]; /* of a string */
    size_t len;
    char fields[NAMES]; /* of a hash: the value of field 'a' + i, 0: none */
};

static void apply_ok(struct object_state *state, struct op op)
{
    assert_int_equal(effect_apply(state, &op), ERR_OK);
}

static void put_field(struct buf *out, char name, char value)
{
    buf_put_bytes(out, bytes_of(&name, 1));
    if (value != 0)
        buf_put_bytes(out, bytes_of(&value, 1));
}

static void set_string(struct object_state *state, struct model *model)
{
    *model = (struct model){.type = OBJECT_STRING, .expiry_ms = random_below(&dice, 3)};
    model->len = (size_t)random_below(&dice, VALUE_MAX);
    memset(model->value, (int)random_below(&dice, 256), model->len);
    apply_ok(state, (struct op){.kind = OP_SET,
                                .number = model->expiry_ms,
                                .data = bytes_of(model->value, model->len)});
}

static void splice(struct object_state *state, struct model *model)
{
    if (model->type == OBJECT_HASH)
        return;
    size_t at = (size_t)random_below(&dice, VALUE_MAX - 4);
    size_t end = at + 4;
    model->type = OBJECT_STRING;
    memcpy(model->value + at, "part", 4);
    model->len = end > model->len ? end : model->len;
    apply_ok(state, (struct op){.kind = OP_SPLICE, .number = at, .data = BYTES("part")});
}

static void set_field(struct object_state *state, struct model *model)
{
    if (model->type == OBJECT_STRING)
        return;
    struct buf fields;
    buf_init(&fields);
    size_t at = (size_t)random_below(&dice, NAMES);
    model->type = OBJECT_HASH;
    model->fields[at] = (char)(1 + random_below(&dice, 100));
    put_field(&fields, (char)('a' + at), model->fields[at]);
    apply_ok(state, (struct op){.kind = OP_HASH_SET, .data = buf_bytes(&fields)});
    buf_deinit(&fields);
}

static void delete_field(struct object_state *state, struct model *model)
{
    if (model->type != OBJECT_HASH)
        return;
    struct buf fields;
    buf_init(&fields);
    size_t at = (size_t)random_below(&dice, NAMES);
    model->fields[at] = 0;
    put_field(&fields, (char)('a' + at), 0);
    apply_ok(state, (struct op){.kind = OP_HASH_DELETE, .data = buf_bytes(&fields)});
    buf_deinit(&fields);
    static const char none[NAMES] = {0};
    if (memcmp(model->fields, none, NAMES) == 0)
        *model = (struct model){.type = OBJECT_NONE};
}

static void expire(struct object_state *state, struct model *model)
{
    if (model->type == OBJECT_NONE)
        return;
    model->expiry_ms = random_below(&dice, 5);
    apply_ok(state, (struct op){.kind = OP_EXPIRE, .number = model->expiry_ms});
}

/* The key becomes what its row says. */
static void put(struct object_state *state, struct model *model)
{
    if (model->type == OBJECT_NONE)
        return;
    struct buf row;
    buf_init(&row);
    object_row_encode(&row, state, 0);
    object_state_clear(state);
    apply_ok(state, (struct op){.kind = OP_PUT, .data = buf_bytes(&row)});
    buf_deinit(&row);
}

static void check(const struct object_state *state, const struct model *model)
{
    assert_int_equal(state->type, model->type);
    assert_int_equal(state->expiry_ms, model->expiry_ms);
    if (state->type == OBJECT_STRING)
        assert_true(bytes_equal(value_bytes(state->value), bytes_of(model->value, model->len)));
    for (size_t i = 0; state->type == OBJECT_HASH && i < NAMES; i++) {
        char name = (char)('a' + i);
        const struct hash_field *field = hash_find(state->hash, bytes_of(&name, 1));
        assert_int_equal(field != NULL, model->fields[i] != 0);
        if (field != NULL)
            assert_int_equal(hash_field_value(field).data[0], model->fields[i]);
    }
}

static void effects_do_what_they_say(void **state)
{
    (void)state;
    static void (*const steps[])(struct object_state *, struct model *) = {
        set_string, splice, set_field, set_field, delete_field, delete_field, expire, put};
    for (int round = 0; round < 500; round++) {
        struct object_state key = {.type = OBJECT_NONE};
        struct model model = {.type = OBJECT_NONE};
        for (int i = 0; i < 50; i++) {
            uint64_t step = random_below(&dice, sizeof(steps) / sizeof(*steps));
            if (round % 2 == 0 && step == 0)
                continue; /* else hashes are rare */
            steps[step](&key, &model);
            check(&key, &model);
        }
        object_state_clear(&key);
    }
}

static void what_does_not_fit_the_key_is_corrupt_and_changes_nothing(void **state)
{
    (void)state;
    struct object_state none = {.type = OBJECT_NONE};
    struct object_state string = {.type = OBJECT_STRING, .value = value_create(BYTES("v"))};
    struct object_state hash = {.type = OBJECT_HASH, .hash = hash_create()};
    hash_set(hash.hash, BYTES("f"), BYTES("v"));
    const struct {
        struct object_state *state;
        struct op op;
    } cases[] = {
        {&none, {.kind = OP_EXPIRE, .number = 1}},
        {&none, {.kind = OP_HASH_DELETE}},
        {&none, {.kind = OP_PUT, .data = BYTES("\0")}},
        {&none, {.kind = OP_PUT, .data = BYTES("")}},
        {&string, {.kind = OP_PUT, .data = BYTES("\2v")}},
        {&string, {.kind = OP_HASH_SET, .data = BYTES("\1f\1v")}},
        {&string, {.kind = OP_HASH_DELETE, .data = BYTES("\1f")}},
        {&string, {.kind = OP_EXPIRE, .number = OBJECT_EXPIRY_MAX + 1}},
        {&string, {.kind = OP_SPLICE, .number = VALUE_BYTES_MAX, .data = BYTES("x")}},
        {&string, {.kind = OP_SET, .number = UINT64_MAX, .data = BYTES("x")}},
        {&hash, {.kind = OP_SPLICE, .data = BYTES("x")}},
        {&hash, {.kind = OP_HASH_SET, .data = BYTES("\5f")}},
        {&hash, {.kind = OP_HASH_DELETE, .data = BYTES("\5f")}},
        {&hash, {.kind = OP_APPEND}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(effect_apply(cases[i].state, &cases[i].op), ERR_CORRUPT);
    assert_int_equal(none.type, OBJECT_NONE);
    assert_true(bytes_equal(value_bytes(string.value), BYTES("v")) && string.expiry_ms == 0);
    assert_int_equal(hash.hash->count, 1);
    object_state_clear(&string);
    object_state_clear(&hash);
}

static void a_hash_that_is_shared_is_copied_before_it_changes(void **state)
{
    (void)state;
    struct object_state old = {.type = OBJECT_HASH, .hash = hash_create()};
    hash_set(old.hash, BYTES("f"), BYTES("v"));
    struct object_state new = old;
    hash_ref(old.hash);
    apply_ok(&new, (struct op){.kind = OP_HASH_SET, .data = BYTES("\1g\1w")});
    assert_int_equal(old.hash->count, 1);
    assert_int_equal(new.hash->count, 2);
    object_state_clear(&old);
    object_state_clear(&new);
}

static void only_ops_on_values_are_of_values(void **state)
{
    (void)state;
    assert_true(effect_is_of_values(OP_SET) && effect_is_of_values(OP_PUT));
    assert_false(effect_is_of_values(OP_HOLD) || effect_is_of_values(OP_RANGE_SET));
    assert_false(effect_is_of_values(OP_DROP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effects_do_what_they_say),
        cmocka_unit_test(what_does_not_fit_the_key_is_corrupt_and_changes_nothing),
        cmocka_unit_test(a_hash_that_is_shared_is_copied_before_it_changes),
        cmocka_unit_test(only_ops_on_values_are_of_values),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
