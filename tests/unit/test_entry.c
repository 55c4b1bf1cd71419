#include "storage/entry.h"

#include "tests/unit/unit.h"

#define ENTRIES_MAX 40

static struct random dice;

static uint64_t random_number(void)
{
    return random_u64(&dice) >> random_below(&dice, 64);
}

/* Ascending ids from `base` on; returns how many there are. */
static size_t random_entries(struct id *base, struct entry *entries)
{
    static char fields[300];
    memset(fields, 'x', sizeof(fields));
    *base = (struct id){random_number(), random_number()};
    struct id id = *base;
    size_t count = 1 + (size_t)random_below(&dice, ENTRIES_MAX);
    for (size_t i = 0; i < count; i++) {
        entries[i] =
            (struct entry){id, bytes_of(fields, 1 + (size_t)random_below(&dice, sizeof(fields)))};
        struct id next = id;
        if (random_below(&dice, 2))
            next.seq += 1 + random_below(&dice, 1000);
        else
            next = (struct id){id.ms + 1 + random_number() / 64, random_number()};
        if (!id_less(id, next))
            return i + 1; /* past the end of all ids */
        id = next;
    }
    return count;
}

/* Returns owned, of exactly the chunk's size. */
static char *write_chunk(struct id base, const struct entry *entries, size_t count, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < count; i++)
        *len += entry_size(base, &entries[i]);
    char *chunk = malloc(*len);
    char *at = chunk;
    for (size_t i = 0; i < count; i++) {
        char *end = entry_write(at, base, &entries[i]);
        assert_int_equal(end - at, entry_size(base, &entries[i]));
        at = end;
    }
    assert_ptr_equal(at, chunk + *len);
    return chunk;
}

static void entries_are_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct entry entries[ENTRIES_MAX];
        struct id base;
        size_t count = random_entries(&base, entries);
        size_t len;
        char *chunk = write_chunk(base, entries, count, &len);
        struct decoder decoder = decoder_of(bytes_of(chunk, len));
        struct entry entry = {0};
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(entry_read(&decoder, base, &entry), ERR_OK);
            assert_true(id_equal(entry.id, entries[j].id));
            assert_true(bytes_equal(entry.fields, entries[j].fields));
        }
        assert_int_equal(entry_read(&decoder, base, &entry), ERR_END);
        free(chunk);
    }
}

static void the_highest_id_can_be_in_a_chunk(void **state)
{
    (void)state;
    struct id base = {5, 7};
    struct entry entry = {ID_MAX, BYTES("f")};
    size_t len;
    char *chunk = write_chunk(base, &entry, 1, &len);
    struct decoder decoder = decoder_of(bytes_of(chunk, len));
    assert_int_equal(entry_read(&decoder, base, &entry), ERR_OK);
    assert_true(id_equal(entry.id, ID_MAX));
    free(chunk);
}

/* A cut in an entry is an error, a cut between two is the end. */
static void every_truncation_ends_or_is_corrupt(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct entry entries[ENTRIES_MAX];
        struct id base;
        size_t count = random_entries(&base, entries);
        size_t len;
        char *chunk = write_chunk(base, entries, count, &len);
        size_t boundary = 0;
        size_t whole = 0;
        for (size_t cut = 0; cut < len; cut++) {
            if (cut == boundary + entry_size(base, &entries[whole]))
                boundary += entry_size(base, &entries[whole++]);
            char *copy = malloc(cut + 1);
            memcpy(copy + 1, chunk, cut);
            struct decoder decoder = decoder_of(bytes_of(copy + 1, cut));
            struct entry entry = {0};
            enum err err;
            size_t read = 0;
            while ((err = entry_read(&decoder, base, &entry)) == ERR_OK)
                read++;
            assert_int_equal(read, whole);
            assert_int_equal(err, cut == boundary ? ERR_END : ERR_CORRUPT);
            free(copy);
        }
        free(chunk);
    }
}

static void garbage_is_never_read_past_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < 50000; i++) {
        size_t len = (size_t)random_below(&dice, 60);
        char *chunk = malloc(len + 1);
        for (size_t j = 0; j < len; j++)
            chunk[j + 1] =
                (char)(random_below(&dice, 3) ? random_below(&dice, 8) : random_u64(&dice));
        struct id base = {random_number(), random_number()};
        struct decoder decoder = decoder_of(bytes_of(chunk + 1, len));
        struct entry entry = {0};
        enum err err;
        while ((err = entry_read(&decoder, base, &entry)) == ERR_OK) {
            assert_false(id_less(entry.id, base));
            assert_true(entry.fields.data >= chunk + 1 &&
                        entry.fields.data + entry.fields.len <= chunk + 1 + len);
        }
        assert_true(err == ERR_END || err == ERR_CORRUPT);
        free(chunk);
    }
}

static void an_id_beyond_the_last_one_is_corrupt(void **state)
{
    (void)state;
    struct id base = {UINT64_MAX, UINT64_MAX};
    const char *const chunks[] = {"\x01\x00\x01x", "\x01\x01\x00x"};
    for (int i = 0; i < 2; i++) {
        struct decoder decoder = decoder_of(bytes_of(chunks[i], 4));
        struct entry entry = {0};
        assert_int_equal(entry_read(&decoder, base, &entry), ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read_back),
        cmocka_unit_test(the_highest_id_can_be_in_a_chunk),
        cmocka_unit_test(every_truncation_ends_or_is_corrupt),
        cmocka_unit_test(garbage_is_never_read_past_its_end),
        cmocka_unit_test(an_id_beyond_the_last_one_is_corrupt),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
