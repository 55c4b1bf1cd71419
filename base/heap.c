#include "base/heap.h"

#include "base/alloc.h"
#include "base/check.h"

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_deinit(struct heap *heap)
{
    mem_free(heap->nodes);
    *heap = (struct heap){0};
}

static bool later(const struct heap_node *a, const struct heap_node *b)
{
    return a->key > b->key || (a->key == b->key && a->tie > b->tie);
}

static void place(struct heap *heap, struct heap_node *node, size_t index)
{
    heap->nodes[index] = node;
    node->at = index + 1;
}

static void sift_up(struct heap *heap, struct heap_node *node, size_t index)
{
    while (index > 0 && later(heap->nodes[(index - 1) / 2], node)) {
        place(heap, heap->nodes[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    place(heap, node, index);
}

static void sift_down(struct heap *heap, struct heap_node *node, size_t index)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && later(heap->nodes[child], heap->nodes[child + 1]))
            child++;
        if (!later(node, heap->nodes[child]))
            break;
        place(heap, heap->nodes[child], index);
        index = child;
    }
    place(heap, node, index);
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    CHECK(node->at == 0);
    if (heap->count == heap->cap) {
        heap->cap = heap->cap == 0 ? 16 : heap->cap * 2;
        heap->nodes = mem_realloc(heap->nodes, heap->cap * sizeof(*heap->nodes));
    }
    sift_up(heap, node, heap->count++);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->at == 0)
        return;
    size_t index = node->at - 1;
    struct heap_node *last = heap->nodes[--heap->count];
    node->at = 0;
    if (last == node)
        return;
    if (index > 0 && later(heap->nodes[(index - 1) / 2], last))
        sift_up(heap, last, index);
    else
        sift_down(heap, last, index);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}
