#include "storage/tail.h"

#include "tests/unit/unit.h"

#define ENTRIES_MAX 4000

/* A tail, and the entries that it must have. */
struct tail_case {
    struct random random;
    struct tail tail;
    struct id chunk_base;
    uint32_t chunk_bytes;
    struct id ids[ENTRIES_MAX];
    uint32_t lens[ENTRIES_MAX];
    size_t count;
    struct id last;
};

static struct tail_case test;

static struct bytes fields_of(struct id id, uint32_t len)
{
    static char fields[10000];
    memset(fields, (int)(id.ms * 7 + id.seq), len);
    return bytes_of(fields, len);
}

static void append(struct id id, uint32_t len)
{
    struct entry entry = {id, fields_of(id, len)};
    size_t size = tail_append(&test.tail, &entry, &test.chunk_base, &test.chunk_bytes);
    assert_true(size > len);
    test.ids[test.count] = id;
    test.lens[test.count++] = len;
    test.last = id;
}

static void append_random(void)
{
    if (test.count == ENTRIES_MAX)
        return;
    struct id id = {test.last.ms + random_below(&test.random, 3), 0};
    id.seq = id.ms == test.last.ms ? test.last.seq + 1 : random_below(&test.random, 5);
    bool large = random_below(&test.random, 100) == 0;
    append(id, 1 + (uint32_t)random_below(&test.random, large ? 9000 : 200));
}

static void forget(size_t at, size_t count)
{
    size_t left = test.count - at - count;
    memmove(&test.ids[at], &test.ids[at + count], left * sizeof(*test.ids));
    memmove(&test.lens[at], &test.lens[at + count], left * sizeof(*test.lens));
    test.count -= count;
}

/* Reads every piece; entries below `from`, which trimming may leave in the first, are no matter. */
static void check(struct id from)
{
    size_t at = 0;
    struct id last = ID_MIN;
    for (uint32_t i = test.tail.from; i < test.tail.count; i++) {
        const struct piece *piece = &test.tail.pieces[i];
        struct decoder decoder = decoder_of(bytes_of(piece->data, piece->len));
        struct entry entry;
        enum err err;
        bool first = true;
        while ((err = entry_read(&decoder, piece->base, &entry)) == ERR_OK) {
            assert_true(!first || id_equal(entry.id, piece->first));
            first = false;
            assert_true(id_less(last, entry.id));
            last = entry.id;
            if (id_less(entry.id, from))
                continue;
            assert_true(at < test.count && id_equal(entry.id, test.ids[at]));
            assert_true(bytes_equal(entry.fields, fields_of(entry.id, test.lens[at])));
            at++;
        }
        assert_int_equal(err, ERR_END);
        assert_true(id_equal(last, piece->last));
        assert_true(piece->merge || !id_less(piece->first, piece->base));
    }
    assert_int_equal(at, test.count);
}

static int set_up(void **state)
{
    (void)state;
    memset(&test, 0, sizeof(test));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tail_deinit(&test.tail);
    assert_true(tail_empty(&test.tail));
    return 0;
}

static void the_first_entry_begins_a_chunk(void **state)
{
    (void)state;
    append((struct id){5, 1}, 10);
    assert_int_equal(test.tail.count, 1);
    assert_false(test.tail.pieces[0].merge);
    assert_true(id_equal(test.tail.pieces[0].base, (struct id){5, 1}));
    assert_true(id_equal(test.chunk_base, (struct id){5, 1}));
}

static void an_unfinished_chunk_elsewhere_is_continued(void **state)
{
    (void)state;
    test.chunk_base = (struct id){3, 0};
    test.chunk_bytes = 100;
    append((struct id){5, 1}, 10);
    append((struct id){6, 0}, 10);
    assert_int_equal(test.tail.count, 1);
    assert_true(test.tail.pieces[0].merge);
    assert_true(id_equal(test.tail.pieces[0].base, (struct id){3, 0}));
    check(ID_MIN);
}

static void a_full_chunk_is_followed_by_a_new_one(void **state)
{
    (void)state;
    test.chunk_base = (struct id){3, 0};
    test.chunk_bytes = CHUNK_BYTES - 1;
    append((struct id){5, 1}, 10);
    append((struct id){6, 0}, 10);
    assert_int_equal(test.tail.count, 2);
    assert_true(test.tail.pieces[0].merge);
    assert_false(test.tail.pieces[1].merge);
    assert_true(id_equal(test.tail.pieces[1].base, (struct id){6, 0}));
}

static void the_piece_of_an_id_is_found(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 20; i++)
        append((struct id){10 * i, 0}, CHUNK_BYTES); /* a piece each */
    assert_int_equal(test.tail.count, 20);
    assert_int_equal(tail_find(&test.tail, ID_MIN), 0);
    assert_int_equal(tail_find(&test.tail, ID_MAX), 19);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(tail_find(&test.tail, (struct id){10 * (i + 1), 0}), i);
        assert_int_equal(tail_find(&test.tail, (struct id){10 * (i + 1) + 9, 9}), i);
    }
    tail_trim(&test.tail, (struct id){51, 0});
    assert_int_equal(tail_find(&test.tail, ID_MIN), 5);
}

static void erase_random(void)
{
    struct id id = {random_below(&test.random, test.last.ms + 2), random_below(&test.random, 5)};
    size_t at = test.count;
    if (random_below(&test.random, 4) > 0 && test.count > 0) {
        at = (size_t)random_below(&test.random, test.count);
        id = test.ids[at];
    }
    for (at = 0; at < test.count && !id_equal(test.ids[at], id);)
        at++;
    bool there = at < test.count;
    if (!there && test.count > 0 && id_less(id, test.ids[0]))
        return; /* it may be there still, though trimmed */
    if (test.count == 0)
        return;
    assert_int_equal(tail_erase(&test.tail, id), there);
    if (there)
        forget(at, 1);
}

static void trim_random(struct id *from)
{
    size_t count = (size_t)random_below(&test.random, test.count / 3 + 1);
    if (count == test.count)
        return;
    *from = test.ids[count];
    tail_trim(&test.tail, *from);
    forget(0, count);
}

static void a_tail_has_what_was_appended_and_neither_trimmed_nor_erased(void **state)
{
    (void)state;
    random_init(&test.random, unit_seed());
    struct id from = ID_MIN;
    test.chunk_base = (struct id){0, 0};
    test.chunk_bytes = 77;
    for (int i = 0; i < 20000; i++) {
        uint64_t dice = random_below(&test.random, 100);
        if (dice < 50)
            append_random();
        else if (dice < 98)
            erase_random();
        else
            trim_random(&from);
        if (i % 50 == 0)
            check(from);
    }
    tail_trim(&test.tail, (struct id){UINT64_MAX, 0});
    assert_true(tail_empty(&test.tail));
    test.count = 0;
    append_random();
    check(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_entry_begins_a_chunk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unfinished_chunk_elsewhere_is_continued, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_chunk_is_followed_by_a_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_piece_of_an_id_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tail_has_what_was_appended_and_neither_trimmed_nor_erased,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
