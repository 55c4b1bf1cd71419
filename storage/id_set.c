#include "storage/id_set.h"

#include "base/alloc.h"
#include "base/check.h"

#include <stdlib.h>

#define FIRST_BITS 4

static size_t slot_of(const struct id_set *set, struct id id)
{
    uint64_t mixed =
        (id.ms ^ (id.seq * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(mixed >> (64 - set->bits));
}

/* The slot that holds `id`, or the free one where it belongs. */
static struct id *find(const struct id_set *set, struct id id)
{
    size_t mask = ((size_t)1 << set->bits) - 1;
    size_t slot = slot_of(set, id);
    while (!id_is_zero(set->slots[slot]) && !id_equal(set->slots[slot], id))
        slot = (slot + 1) & mask;
    return &set->slots[slot];
}

static void grow(struct id_set *set)
{
    struct id_set old = *set;
    set->bits = old.slots == NULL ? FIRST_BITS : old.bits + 1;
    set->slots = mem_zalloc(sizeof(struct id) << set->bits);
    if (old.slots == NULL)
        return;
    for (size_t i = 0; i < (size_t)1 << old.bits; i++) {
        if (!id_is_zero(old.slots[i]))
            *find(set, old.slots[i]) = old.slots[i];
    }
    mem_free(old.slots);
}

void id_set_deinit(struct id_set *set)
{
    mem_free(set->slots);
    *set = (struct id_set){0};
}

bool id_set_add(struct id_set *set, struct id id)
{
    CHECK(!id_is_zero(id));
    if (set->slots == NULL || set->count >= ((size_t)3 << set->bits) / 4)
        grow(set);
    struct id *slot = find(set, id);
    if (!id_is_zero(*slot))
        return false;
    *slot = id;
    set->count++;
    return true;
}

bool id_set_has(const struct id_set *set, struct id id)
{
    return set->count > 0 && !id_is_zero(*find(set, id));
}

static int compare(const void *a, const void *b)
{
    return id_compare(*(const struct id *)a, *(const struct id *)b);
}

void id_set_sorted(const struct id_set *set, struct id *out)
{
    if (set->count == 0)
        return;
    size_t n = 0;
    for (size_t i = 0; i < (size_t)1 << set->bits; i++) {
        if (!id_is_zero(set->slots[i]))
            out[n++] = set->slots[i];
    }
    qsort(out, n, sizeof(*out), compare);
}
