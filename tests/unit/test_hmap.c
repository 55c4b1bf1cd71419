/* The model is an array of all nodes with a flag: in the table or not. */
#include "base/hmap.h"

#include "base/check.h"
#include "tests/unit/unit.h"

#define NODE_COUNT 3000

struct item {
    struct hmap_node node;
    bool in;
    unsigned seen;
};

static struct item items[NODE_COUNT];
static struct random rng;

static int fresh_items(void **state)
{
    (void)state;
    memset(items, 0, sizeof items);
    for (int i = 0; i < NODE_COUNT; i++)
        items[i].node.hash = random_u64(&rng);
    /* Some hashes collide whole, some fall at the ends. */
    for (int i = 10; i < 20; i++)
        items[i].node.hash = items[9].node.hash;
    items[0].node.hash = 0;
    items[1].node.hash = UINT64_MAX;
    return 0;
}

static bool finds(const struct hmap *map, const struct item *item)
{
    hmap_prefetch(map, item->node.hash); /* changes nothing */
    struct hmap_node *node = hmap_chain(map, item->node.hash);
    while (node != NULL && node != &item->node)
        node = node->next;
    return node != NULL;
}

static void flip(struct hmap *map, struct item *item)
{
    if (item->in)
        hmap_remove(map, &item->node);
    else
        hmap_insert(map, &item->node);
    item->in = !item->in;
}

static size_t count_in(void)
{
    size_t count = 0;
    for (int i = 0; i < NODE_COUNT; i++)
        count += items[i].in;
    return count;
}

static void an_empty_table_owns_no_memory_and_ends_a_walk(void **state)
{
    (void)state;
    struct hmap map;
    hmap_init(&map);
    assert_int_equal(hmap_bytes(&map), 0);
    assert_null(hmap_chain(&map, 7));
    uint64_t at = 0;
    bool last = false;
    assert_null(hmap_walk(&map, &at, &last));
    assert_true(last);
    hmap_deinit(&map);
}

static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    struct hmap map;
    hmap_init(&map);
    for (int i = 0; i < 60000; i++) {
        struct item *item = &items[random_below(&rng, NODE_COUNT)];
        assert_int_equal(finds(&map, item), item->in);
        flip(&map, item);
        assert_int_equal(finds(&map, item), item->in);
        if (i % 5000 == 0)
            assert_int_equal(map.count, count_in());
    }
    for (int i = 0; i < NODE_COUNT; i++)
        assert_int_equal(finds(&map, &items[i]), items[i].in);
    hmap_deinit(&map);
}

static void growth_ends_before_the_next_begins(void **state)
{
    (void)state;
    struct hmap map;
    hmap_init(&map);
    for (int i = 0; i < NODE_COUNT; i++) {
        flip(&map, &items[i]);
        assert_true(map.count <= ((size_t)1 << map.bits));
        assert_true(hmap_bytes(&map) >= ((size_t)1 << map.bits) * sizeof(void *));
    }
    for (int i = 0; i < NODE_COUNT; i++)
        assert_true(finds(&map, &items[i]));
    hmap_deinit(&map);
}

/* Walks to the end; before each step runs `disturb`. */
static void walk_all(struct hmap *map, void (*disturb)(struct hmap *))
{
    uint64_t at = 0;
    uint64_t before = 0;
    bool last = false;
    while (!last) {
        disturb(map);
        struct hmap_node *node = hmap_walk(map, &at, &last);
        for (; node != NULL; node = node->next) {
            container_of(node, struct item, node)->seen++;
            assert_true(last || node->hash < at);
        }
        assert_true(last || at > before);
        before = at;
    }
}

static void leave_alone(struct hmap *map)
{
    (void)map;
}

static void a_walk_in_peace_sees_every_node_once(void **state)
{
    (void)state;
    struct hmap map;
    hmap_init(&map);
    for (int i = 0; i < NODE_COUNT; i++) {
        flip(&map, &items[i]);
        if (i % 300 != 0)
            continue;
        walk_all(&map, leave_alone);
        for (int j = 0; j < NODE_COUNT; j++) {
            assert_int_equal(items[j].seen, items[j].in);
            items[j].seen = 0;
        }
    }
    hmap_deinit(&map);
}

/* The first half of the nodes stays; the rest comes and goes. */
static void flip_a_few(struct hmap *map)
{
    for (int i = 0; i < 5; i++)
        flip(map, &items[NODE_COUNT / 2 + random_below(&rng, NODE_COUNT / 2)]);
}

static void a_walk_while_growing_sees_what_stays_just_once(void **state)
{
    (void)state;
    for (int start = 50; start <= NODE_COUNT / 2; start += 290) {
        fresh_items(NULL);
        struct hmap map;
        hmap_init(&map);
        for (int i = 0; i < start; i++)
            flip(&map, &items[i]);
        walk_all(&map, flip_a_few);
        for (int i = 0; i < start; i++)
            assert_int_equal(items[i].seen, 1);
        hmap_deinit(&map);
    }
}

static void a_walk_from_inside_a_bucket_gets_that_bucket(void **state)
{
    (void)state;
    struct hmap map;
    hmap_init(&map);
    items[2].node.hash = (uint64_t)1 << 62;
    flip(&map, &items[2]);
    uint64_t at = ((uint64_t)1 << 62) + 12345;
    bool last;
    assert_ptr_equal(hmap_walk(&map, &at, &last), &items[2].node);
    assert_false(last);
    assert_null(hmap_walk(&map, &at, &last));
    assert_true(last);
    hmap_deinit(&map);
}

static void hashes_are_xxh3_and_depend_on_the_seed(void **state)
{
    (void)state;
    assert_true(hash_bytes(BYTES(""), 0) == 0x2d06800538d394c2);
    assert_true(hash_bytes(bytes_of(NULL, 0), 0) == 0x2d06800538d394c2);
    assert_true(hash_bytes(BYTES("a"), 0) != hash_bytes(BYTES("a"), 1));
    assert_true(hash_bytes(BYTES("a"), 0) != hash_bytes(BYTES("b"), 0));
}

#define HMAP_TEST(test) cmocka_unit_test_setup(test, fresh_items)

int main(void)
{
    random_init(&rng, unit_seed());
    const struct CMUnitTest tests[] = {
        HMAP_TEST(an_empty_table_owns_no_memory_and_ends_a_walk),
        HMAP_TEST(random_operations_agree_with_the_model),
        HMAP_TEST(growth_ends_before_the_next_begins),
        HMAP_TEST(a_walk_in_peace_sees_every_node_once),
        HMAP_TEST(a_walk_while_growing_sees_what_stays_just_once),
        HMAP_TEST(a_walk_from_inside_a_bucket_gets_that_bucket),
        HMAP_TEST(hashes_are_xxh3_and_depend_on_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
