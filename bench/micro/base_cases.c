/* The ground floor: numbers, hashes, patterns. */
#include "bench/micro/micro.h"

#include "base/alloc.h"
#include "base/glob.h"
#include "base/heap.h"
#include "base/hmap.h"
#include "base/random.h"

static void nothing(void)
{
}

static void run_integer_to_text(uint64_t count)
{
    char text[INTEGER_TEXT_MAX];
    for (uint64_t i = 0; i < count; i++)
        micro_use(u64_to_text(1234567 + i, text));
}

static void run_integer_of_text(uint64_t count)
{
    int64_t value = 0;
    for (uint64_t i = 0; i < count; i++) {
        micro_use(bytes_to_i64(BYTES("1234567"), &value));
        micro_use((uint64_t)value);
    }
}

static void run_glob_match(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        micro_use(glob_match(BYTES("feed:*:[0-9]*"), BYTES("feed:orders:20261121"), false));
}

/* The last star is tried at every place. */
static void run_glob_miss(uint64_t count)
{
    static const char text[] = "feed:a:orders:b:of:c:which:there:are:very:many";
    for (uint64_t i = 0; i < count; i++)
        micro_use(glob_match(BYTES("feed:*a*b*c*z"), BYTES(text), false));
}

static void run_hash(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        micro_use(hash_bytes(BYTES("feed:00012345"), i));
}

/* ---- hmap and heap ---- */

#define NODES 10000u

static struct hmap map;
static struct hmap_node *map_nodes;
static struct heap heap;
static struct heap_node *heap_nodes;

static void hmap_set_up(void)
{
    struct random random;
    random_init(&random, 1);
    hmap_init(&map);
    map_nodes = mem_zalloc(NODES * sizeof(*map_nodes));
    for (size_t i = 0; i < NODES; i++) {
        map_nodes[i].hash = random_u64(&random);
        hmap_insert(&map, &map_nodes[i]);
    }
}

static void hmap_tear_down(void)
{
    hmap_deinit(&map);
    mem_free(map_nodes);
}

static void run_hmap(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct hmap_node *node = &map_nodes[i % NODES];
        hmap_remove(&map, node);
        hmap_insert(&map, node);
    }
}

static void heap_set_up(void)
{
    struct random random;
    random_init(&random, 1);
    heap_init(&heap);
    heap_nodes = mem_zalloc(NODES * sizeof(*heap_nodes));
    for (size_t i = 0; i < NODES; i++) {
        heap_nodes[i].key = random_u64(&random);
        heap_insert(&heap, &heap_nodes[i]);
    }
}

static void heap_tear_down(void)
{
    heap_deinit(&heap);
    mem_free(heap_nodes);
}

static void run_heap(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct heap_node *node = &heap_nodes[i % NODES];
        heap_remove(&heap, node);
        heap_insert(&heap, node);
    }
}

const struct micro_case micro_base_cases[] = {
    {"integer-to-text", "a number of 7 digits to text", 100000, 1, nothing, run_integer_to_text,
     nothing},
    {"integer-of-text", "a number of 7 digits from text", 100000, 1, nothing, run_integer_of_text,
     nothing},
    {"glob-match", "a pattern with 2 stars and a class on a name that matches", 50000, 1, nothing,
     run_glob_match, nothing},
    {"glob-miss", "a pattern with 4 stars on 47 bytes that do not match", 20000, 1, nothing,
     run_glob_miss, nothing},
    {"hash", "the hash of 13 bytes", 100000, 1, nothing, run_hash, nothing},
    {"hmap-remove-insert", "a node leaves a table of 10,000 and comes back", 100000, 1, hmap_set_up,
     run_hmap, hmap_tear_down},
    {"heap-remove-insert", "a node leaves a heap of 10,000 and comes back", 50000, 1, heap_set_up,
     run_heap, heap_tear_down},
    {.name = NULL},
};
