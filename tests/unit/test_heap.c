#include "base/heap.h"

#include "tests/unit/unit.h"

#define NODES 300

static void a_node_in_no_heap_is_removed_in_vain(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap);
    assert_null(heap_first(&heap));
    struct heap_node node = {.key = 1};
    heap_remove(&heap, &node);
    heap_insert(&heap, &node);
    heap_remove(&heap, &node);
    heap_remove(&heap, &node);
    assert_null(heap_first(&heap));
    heap_deinit(&heap);
}

static void the_first_is_the_smallest_whatever_comes_and_goes(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    static struct heap_node nodes[NODES];
    static bool in[NODES]; /* the model */
    struct heap heap;
    heap_init(&heap);
    for (int i = 0; i < 50000; i++) {
        size_t at = (size_t)random_below(&random, NODES);
        if (in[at]) {
            heap_remove(&heap, &nodes[at]);
        } else {
            nodes[at].key = random_below(&random, 100);
            heap_insert(&heap, &nodes[at]);
        }
        in[at] = !in[at];
        uint64_t least = UINT64_MAX;
        size_t count = 0;
        for (size_t j = 0; j < NODES; j++) {
            count += in[j];
            if (in[j] && nodes[j].key < least)
                least = nodes[j].key;
        }
        assert_int_equal(heap.count, count);
        assert_int_equal(heap_first(&heap) == NULL, count == 0);
        if (count > 0)
            assert_int_equal(heap_first(&heap)->key, least);
    }
    heap_deinit(&heap);
}

static void taking_the_first_again_and_again_sorts(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, unit_seed());
    static struct heap_node nodes[NODES];
    struct heap heap;
    heap_init(&heap);
    for (int i = 0; i < NODES; i++) {
        nodes[i] = (struct heap_node){.key = random_u64(&random)};
        heap_insert(&heap, &nodes[i]);
    }
    uint64_t last = 0;
    for (int i = 0; i < NODES; i++) {
        struct heap_node *first = heap_first(&heap);
        assert_true(first->key >= last);
        last = first->key;
        heap_remove(&heap, first);
        assert_int_equal(first->at, 0);
    }
    assert_null(heap_first(&heap));
    heap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_in_no_heap_is_removed_in_vain),
        cmocka_unit_test(the_first_is_the_smallest_whatever_comes_and_goes),
        cmocka_unit_test(taking_the_first_again_and_again_sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
