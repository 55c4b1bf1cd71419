/* Groups by themselves: their rows, their two sides, and what they count, beside plain arrays. What
 * they do with their pending entries through folds and restarts is in test_pending_cursor.c. */
#include "storage/group.h"

#include "tests/unit/unit.h"

#define CONSUMERS 5u
#define SLOTS     300u

static const struct chunk_home home = {1, 2, 3};

static struct random randomness;
static struct groups *groups;
static struct group *group;
static struct list dirty[2]; /* what the two sides have changed */
static uint8_t side;

/* Who has the entry of each slot, by side; 0: nobody. */
static uint32_t owners[2][SLOTS];
static bool consumers[2][CONSUMERS + 1];

static uint64_t below(uint64_t bound)
{
    return random_below(&randomness, bound);
}

static int set_up(void **state)
{
    (void)state;
    random_init(&randomness, unit_seed());
    memset(owners, 0, sizeof(owners));
    memset(consumers, 0, sizeof(consumers));
    list_init(&dirty[0]);
    list_init(&dirty[1]);
    side = 0;
    groups = groups_create(home, NULL);
    group = groups_add(groups, 7, BYTES("group"), side);
    list_push_back(&dirty[side], &group->links[side]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    groups_unref(groups);
    return 0;
}

/* ---- rows ---- */

static enum err load(struct groups *into, uint64_t number, struct bytes row)
{
    struct buf key;
    buf_init(&key);
    key_group(&key, home, number);
    enum err err = groups_load(into, buf_bytes(&key), row, 0);
    buf_deinit(&key);
    return err;
}

static void fill(void)
{
    char name[16];
    struct group_state *state = group_state(group);
    state->last_id = (struct id){below(1000), below(1000)};
    state->entries_read = below(2) == 0 ? ENTRIES_READ_UNKNOWN : below(1000);
    for (uint32_t number = 1; number <= CONSUMERS; number += 1 + (uint32_t)below(2)) {
        int len = snprintf(name, sizeof(name), "c%u", (unsigned)below(1000) * 10 + number);
        group_add_consumer(group, number, bytes_of(name, (size_t)len), below(1000))->active_ms =
            below(1000);
        for (uint64_t i = below(4); i > 0; i--)
            group_assign(group,
                         &(struct pending){.id = {number, i}, .consumer = number, .deliveries = 1},
                         0);
    }
}

static void assert_same_consumers(const struct group_state *a, const struct group_state *b)
{
    assert_int_equal(a->consumers.count, b->consumers.count);
    for (uint32_t i = 0; i < a->consumers.count; i++) {
        const struct consumer *x = group_nth_consumer(a, i);
        const struct consumer *y = group_nth_consumer(b, i);
        assert_true(bytes_equal(x->entry.name, y->entry.name));
        assert_int_equal(x->entry.number, y->entry.number);
        assert_int_equal(x->seen_ms, y->seen_ms);
        assert_int_equal(x->active_ms, y->active_ms);
        assert_int_equal(x->pending, y->pending);
    }
}

static void a_group_is_again_what_its_row_says(void **state)
{
    (void)state;
    struct groups *loaded = groups_create(home, NULL);
    struct buf row;
    buf_init(&row);
    fill();
    group_row_encode(&row, group, side);
    assert_int_equal(load(loaded, 7, buf_bytes(&row)), ERR_OK);
    struct group *other = groups_find(loaded, BYTES("group"));
    assert_ptr_equal(groups_at(loaded, 7), other);
    const struct group_state *was = group_state(group);
    const struct group_state *is = group_state(other);
    assert_true(id_equal(is->last_id, was->last_id));
    assert_true(id_equal(is->stored_last, group_state_stored_last(was)));
    assert_int_equal(is->entries_read, was->entries_read);
    assert_int_equal(is->pending, was->pending);
    assert_int_equal(is->next_consumer, was->next_consumer);
    assert_same_consumers(is, was);
    buf_deinit(&row);
    groups_unref(loaded);
}

static void a_damaged_row_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct groups *loaded = groups_create(home, NULL);
    struct buf row;
    buf_init(&row);
    fill();
    group_row_encode(&row, group, side);
    for (size_t len = 0; len < row.len; len++)
        assert_int_equal(load(loaded, 7, bytes_of(row.data, len)), ERR_CORRUPT);
    buf_put_u8(&row, 0);
    assert_int_equal(load(loaded, 7, buf_bytes(&row)), ERR_CORRUPT);
    row.len--;
    assert_int_equal(loaded->roster.count, 0);
    assert_int_equal(load(loaded, 7, buf_bytes(&row)), ERR_OK);
    assert_int_equal(load(loaded, 8, buf_bytes(&row)), ERR_CORRUPT); /* the name is there */
    assert_int_equal(loaded->roster.count, 1);
    buf_deinit(&row);
    groups_unref(loaded);
}

/* ---- sides ---- */

static struct id id_of(size_t slot)
{
    return (struct id){1 + slot / 7, slot % 7};
}

static void add_consumer(uint32_t number)
{
    char name[] = {'c', (char)('0' + number)};
    if (number < group_state(group)->next_consumer) /* numbers are used once */
        return;
    group_add_consumer(group, number, bytes_of(name, 2), 0);
    consumers[side][number] = true;
}

static void remove_consumer(uint32_t number)
{
    group_remove_consumer(group, group_state_consumer(group_state(group), number));
    consumers[side][number] = false;
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (owners[side][slot] == number)
            owners[side][slot] = 0;
    }
}

static void change(void)
{
    uint32_t number = 1 + (uint32_t)below(CONSUMERS);
    size_t slot = below(SLOTS);
    uint32_t *owner = &owners[side][slot];
    if (!consumers[side][number]) {
        add_consumer(number);
    } else if (below(300) == 0) {
        remove_consumer(number);
    } else if (below(2) == 0) {
        group_assign(group, &(struct pending){.id = id_of(slot), .consumer = number}, *owner);
        *owner = number;
    } else if (*owner != 0) {
        group_release(group, id_of(slot), *owner);
        *owner = 0;
    }
}

/* What a side counts, and has changed, is what its arrays say. */
static void check(uint8_t which)
{
    const struct group_state *state = &group->states[which];
    uint64_t counts[CONSUMERS + 1] = {0};
    uint64_t pending = 0;
    for (size_t slot = 0; slot < SLOTS; slot++) {
        const struct pending *item = pending_set_find(&state->changes, id_of(slot));
        uint32_t owner = owners[which][slot];
        bool theirs = item != NULL && item->consumer != 0 && consumers[which][item->consumer];
        assert_true(item == NULL || (theirs ? item->consumer : 0) == owner);
        counts[owner]++;
        pending += owner != 0;
    }
    assert_int_equal(state->pending, pending);
    for (uint32_t number = 1; number <= CONSUMERS; number++) {
        const struct consumer *consumer = group_state_consumer(state, number);
        assert_int_equal(consumer != NULL, consumers[which][number]);
        assert_int_equal(consumer != NULL ? consumer->pending : 0,
                         consumer != NULL ? counts[number] : 0);
    }
}

/* As storage/dirty.c does before the first change after a seal. */
static void turn(void)
{
    side ^= 1;
    memcpy(owners[side], owners[side ^ 1], sizeof(owners[0]));
    memcpy(consumers[side], consumers[side ^ 1], sizeof(consumers[0]));
    group_turn(group, side);
    list_push_back(&dirty[side], &group->links[side]);
}

static void fold(uint8_t which)
{
    list_remove(&group->links[which]);
    group_folded(group, which);
}

static void a_sealed_side_stays_as_it_was(void **state)
{
    (void)state;
    for (int seals = 0; seals < 30; seals++) {
        for (uint64_t i = below(300); i > 0; i--)
            change();
        check(side);
        turn();
        for (uint64_t i = below(300); i > 0; i--)
            change();
        check(side ^ 1);
        check(side);
        fold(side ^ 1);
        assert_true(pending_set_empty(&group->states[side ^ 1].changes));
        check(side);
    }
}

static void a_group_that_has_not_changed_turns_without_a_copy(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        change();
    const struct consumer *before = group_state_consumer(group_state(group), 1);
    fold(side);
    assert_true(pending_set_empty(&group_state(group)->changes));
    turn();
    assert_ptr_equal(group_state_consumer(group_state(group), 1), before);
    assert_int_equal(group->states[side ^ 1].consumers.count, 0);
}

/* ---- some groups ---- */

static void groups_are_found_by_name_and_in_order_of_numbers(void **state)
{
    (void)state;
    struct group *second = groups_add(groups, 9, BYTES("another"), side);
    assert_ptr_equal(groups_find(groups, BYTES("another")), second);
    assert_null(groups_find(groups, BYTES("anothe")));
    assert_ptr_equal(groups_nth(groups, 0), second);
    assert_ptr_equal(groups_after(groups, 0), group);
    assert_ptr_equal(groups_after(groups, 7), second);
    assert_null(groups_after(groups, 9));
    group_ref(second);
    groups_remove(groups, second);
    assert_true(second->dropped);
    assert_null(groups_at(groups, 9));
    group_unref(second);
}

static void groups_remember_the_lowest_id_that_one_was_set_back_to(void **state)
{
    (void)state;
    groups->set_back = ID_MAX;
    groups_set_back(groups, (struct id){5, 0});
    groups_set_back(groups, (struct id){3, 1});
    groups_set_back(groups, (struct id){4, 0});
    assert_true(id_equal(groups->set_back, (struct id){3, 1}));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_group_is_again_what_its_row_says),
        TEST(a_damaged_row_is_refused_and_leaves_nothing),
        TEST(a_sealed_side_stays_as_it_was),
        TEST(a_group_that_has_not_changed_turns_without_a_copy),
        TEST(groups_are_found_by_name_and_in_order_of_numbers),
        TEST(groups_remember_the_lowest_id_that_one_was_set_back_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
