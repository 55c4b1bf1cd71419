#include "cache/memory.h"

#include "storage/effect.h"
#include "tests/unit/unit.h"

#define SPACE 7
#define KEYS  2000

static struct random dice;
static struct memory memory;
static struct key_range range = {.id = 3, .store = STORE_MEMORY};

static int set_up(void **state)
{
    (void)state;
    memory_init(&memory);
    memory.now_ms = 1000000;
    range.policy = POLICY_ALLKEYS_LRU;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory_deinit(&memory);
    return 0;
}

static struct bytes name_of(size_t number, char *room)
{
    int len = snprintf(room, 24, "key%zu", number);
    return bytes_of(room, (size_t)len);
}

static uint64_t hash_of(struct bytes name)
{
    return object_hash(1, SPACE, name);
}

static struct object *find(size_t number)
{
    char room[24];
    struct bytes name = name_of(number, room);
    return memory_find(&memory, range.id, SPACE, hash_of(name), name);
}

/* What broker/keyspace.c does with an op. */
static struct memory_change write(size_t number, enum op_kind kind, struct bytes data,
                                  uint64_t expiry_ms)
{
    char room[24];
    struct bytes name = name_of(number, room);
    struct op op = {.kind = kind, .data = data, .number = expiry_ms};
    struct memory_opened opened = memory_open(&memory, &range, NULL, SPACE, hash_of(name), name);
    if (kind == OP_DROP)
        object_state_clear(object_state(opened.object));
    else
        assert_int_equal(effect_apply(object_state(opened.object), &op), ERR_OK);
    return memory_close(&memory, &opened);
}

static size_t true_bytes(void)
{
    size_t bytes = hmap_bytes(&memory.ranges[range.id].map);
    for (size_t i = 0; i < KEYS; i++) {
        const struct object *object = find(i);
        bytes += object != NULL ? object_bytes(object) : 0;
    }
    return bytes;
}

static void a_small_key_is_small(void **state)
{
    (void)state;
    struct bytes name = BYTES("0123456789abcdef");
    struct object *object = object_create_small(SPACE, hash_of(name), name, range.id);
    *object_state(object) = (struct object_state){
        .type = OBJECT_STRING, .value = value_create(BYTES("0123456789abcdef0123456789abcdef"))};
    assert_true(object_bytes(object) <= 120); /* redis-server 7.0: 128, its table aside */
    assert_true(bytes_equal(object_name(object), name));
    object_destroy(object);
}

static void costs_and_counts_are_exact_whatever_happens(void **state)
{
    (void)state;
    char data[200] = {0};
    int keys = 0, expires = 0;
    for (int i = 0; i < 20000; i++) {
        size_t number = (size_t)random_below(&dice, KEYS);
        uint64_t expiry_ms = random_below(&dice, 2) * (memory.now_ms + 5000);
        struct bytes value = bytes_of(data, (size_t)random_below(&dice, sizeof(data)));
        struct memory_change change = random_below(&dice, 4) == 0 && find(number) != NULL
                                          ? write(number, OP_DROP, BYTES(""), 0)
                                          : write(number, OP_SET, value, expiry_ms);
        keys += change.keys;
        expires += change.expires;
        assert_int_equal(memory.ranges[range.id].map.count, keys);
        assert_int_equal(memory.ranges[range.id].expiring, expires);
        if (i % 2000 == 0)
            assert_int_equal(memory_range_bytes(&memory, range.id), true_bytes());
        memory_reap(&memory);
    }
    memory_forget_space(&memory, SPACE);
    assert_int_equal(memory.ranges[range.id].key_bytes, 0);
    assert_int_equal(memory.ranges[range.id].expiring, 0);
}

static void a_dropped_object_stays_readable_until_it_is_reaped(void **state)
{
    (void)state;
    write(1, OP_SET, BYTES("v"), 0);
    struct object *object = find(1);
    write(1, OP_DROP, BYTES(""), 0);
    assert_int_equal(object_type(object), OBJECT_NONE);
    assert_null(find(1));
    memory_reap(&memory);
}

/* Half of the keys are used all the time; a quarter goes. How many of that half are left. */
static unsigned evict_some(enum key_policy policy)
{
    range.policy = policy;
    for (size_t i = 0; i < KEYS; i++)
        write(i, OP_SET, BYTES("v"), 0);
    for (int round = 0; round < 30; round++) {
        memory.now_ms += 1000;
        for (size_t i = 0; i < KEYS; i += 2)
            memory_used(&memory, find(i), policy);
    }
    for (int i = 0; i < KEYS / 4; i++) {
        struct object *victim = memory_victim(&memory, range.id, policy);
        assert_non_null(victim);
        uint64_t number;
        struct bytes name = object_name(victim);
        assert_true(bytes_to_u64(bytes_of(name.data + 3, name.len - 3), &number));
        write((size_t)number, OP_DROP, BYTES(""), 0);
        memory_reap(&memory);
    }
    unsigned kept = 0;
    for (size_t i = 0; i < KEYS; i += 2)
        kept += find(i) != NULL;
    return kept;
}

static void the_least_recently_used_go_first(void **state)
{
    (void)state;
    assert_true(evict_some(POLICY_ALLKEYS_LRU) > KEYS / 2 * 19 / 20);
}

static void the_least_frequently_used_go_first(void **state)
{
    (void)state;
    assert_true(evict_some(POLICY_ALLKEYS_LFU) > KEYS / 2 * 19 / 20);
}

static void a_count_of_uses_goes_down_with_every_minute_of_rest(void **state)
{
    (void)state;
    range.policy = POLICY_ALLKEYS_LFU;
    write(1, OP_SET, BYTES("v"), 0);
    for (int i = 0; i < 10000; i++)
        memory_used(&memory, find(1), range.policy);
    unsigned count = memory_frequency(&memory, find(1));
    assert_true(count > 10);
    for (unsigned rest = 1; rest <= count + 1; rest++) {
        memory.now_ms += 60000;
        assert_int_equal(memory_frequency(&memory, find(1)), rest < count ? count - rest : 0);
    }
    memory_used(&memory, find(1), range.policy);
    assert_int_equal(memory_frequency(&memory, find(1)), 1);
}

static void volatile_policies_let_only_expiring_keys_go(void **state)
{
    (void)state;
    const enum key_policy policies[] = {POLICY_VOLATILE_LRU, POLICY_VOLATILE_LFU,
                                        POLICY_VOLATILE_RANDOM, POLICY_VOLATILE_TTL};
    for (size_t i = 0; i < KEYS; i++)
        write(i, OP_SET, BYTES("v"), 0);
    for (int i = 0; i < 4; i++)
        assert_null(memory_victim(&memory, range.id, policies[i]));
    write(77, OP_EXPIRE, BYTES(""), memory.now_ms + 1);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(memory_victim(&memory, range.id, policies[i]), find(77));
    assert_null(memory_victim(&memory, range.id, POLICY_NO_EVICTION));
    assert_non_null(memory_victim(&memory, range.id, POLICY_ALLKEYS_RANDOM));
}

/* Of a key that write() has made. */
static size_t number_of(const struct object *object)
{
    uint64_t number;
    struct bytes name = object_name(object);
    assert_true(bytes_to_u64(bytes_of(name.data + 3, name.len - 3), &number));
    return (size_t)number;
}

static void a_sweep_meets_every_key_whose_time_has_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        write(i, OP_SET, BYTES("v"), i % 3 == 0 ? memory.now_ms + 10 : 0);
    memory.now_ms += 10;
    size_t expired = 0;
    for (int round = 0; round < KEYS; round++) {
        size_t looks = 10;
        const struct object *object;
        while ((object = memory_expired(&memory, range.id, &looks)) != NULL) {
            assert_int_equal(number_of(object) % 3, 0);
            write(number_of(object), OP_DROP, BYTES(""), 0);
            expired++;
        }
        memory_reap(&memory);
    }
    assert_int_equal(expired, (KEYS + 2) / 3);
}

static void a_sweep_ends_when_its_looks_do_though_all_have_expired(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        write(i, OP_SET, BYTES("v"), memory.now_ms + 10);
    memory.now_ms += 10;
    size_t looks = 10;
    const struct object *object;
    while ((object = memory_expired(&memory, range.id, &looks)) != NULL)
        write(number_of(object), OP_DROP, BYTES(""), 0);
    assert_int_equal(looks, 0);
    assert_int_equal(memory.ranges[range.id].map.count, KEYS - 10);
}

static uint16_t to_range_five(void *context, const struct object *object)
{
    (void)context;
    (void)object;
    return 5;
}

static void a_changed_rule_takes_its_keys_along(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        write(i, OP_SET, BYTES("v"), memory.now_ms + 10);
    size_t bytes = memory.ranges[range.id].key_bytes;
    memory_rehome(&memory, range.id, to_range_five, NULL);
    assert_int_equal(memory.ranges[range.id].map.count, 0);
    memory_reset_range(&memory, range.id);
    assert_int_equal(memory.ranges[5].map.count, KEYS);
    assert_int_equal(memory.ranges[5].key_bytes, bytes);
    assert_int_equal(memory.ranges[5].expiring, KEYS);
}

static uint16_t every_other_to_range_five(void *context, const struct object *object)
{
    (void)context;
    struct bytes name = object_name(object);
    return name.data[name.len - 1] % 2 == 0 ? 5 : range.id;
}

static void a_key_that_went_to_another_range_is_no_victim_of_the_old_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        write(i, OP_SET, BYTES("v"), 0);
    memory.now_ms += 1000;
    for (int i = 0; i < 10; i++) /* more are drawn than go */
        assert_non_null(memory_victim(&memory, range.id, range.policy));
    memory_rehome(&memory, range.id, every_other_to_range_five, NULL);
    for (size_t i = 0; i < KEYS; i++) { /* what was drawn has rested longest */
        if (find(i) != NULL)
            memory_used(&memory, find(i), range.policy);
    }
    for (int i = 0; i < 50; i++)
        assert_int_equal(memory_victim(&memory, range.id, range.policy)->range, range.id);
}

#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_key_is_small),
        MEMORY_TEST(costs_and_counts_are_exact_whatever_happens),
        MEMORY_TEST(a_dropped_object_stays_readable_until_it_is_reaped),
        MEMORY_TEST(the_least_recently_used_go_first),
        MEMORY_TEST(the_least_frequently_used_go_first),
        MEMORY_TEST(a_count_of_uses_goes_down_with_every_minute_of_rest),
        MEMORY_TEST(volatile_policies_let_only_expiring_keys_go),
        MEMORY_TEST(a_sweep_meets_every_key_whose_time_has_come),
        MEMORY_TEST(a_sweep_ends_when_its_looks_do_though_all_have_expired),
        MEMORY_TEST(a_changed_rule_takes_its_keys_along),
        MEMORY_TEST(a_key_that_went_to_another_range_is_no_victim_of_the_old_one),
    };
    random_init(&dice, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
