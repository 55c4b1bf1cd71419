/* heap: deadlines, the nearest first; equal ones by `tie`. Binary, intrusive: the caller embeds
 * `struct heap_node` and owns it. */
#ifndef WEIR_BASE_HEAP_H
#define WEIR_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    uint64_t tie;
    size_t at; /* index + 1; 0: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t cap;
};

void heap_init(struct heap *heap);
void heap_deinit(struct heap *heap); /* not the nodes */
/* `node` is in no heap; its key (and tie) is set. */
void heap_insert(struct heap *heap, struct heap_node *node);
/* Nothing when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The node with the smallest key, NULL when empty. */
struct heap_node *heap_first(const struct heap *heap);

#endif
