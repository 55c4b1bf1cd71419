#include "storage/pending.h"

#include "base/alloc.h"
#include "base/check.h"

/* 5 KB: small beside what a group delivers, large beside the pointer to it. */
#define LEAF_ITEMS 128u

struct pending_leaf {
    uint32_t from; /* items before this one are gone */
    uint32_t end;
    struct pending items[LEAF_ITEMS];
};

static struct pending_leaf *leaf_create(void)
{
    struct pending_leaf *leaf = mem_alloc(sizeof(*leaf));
    leaf->from = 0;
    leaf->end = 0;
    return leaf;
}

void pending_set_deinit(struct pending_set *set)
{
    for (uint32_t i = set->from; i < set->count; i++)
        mem_free(set->leaves[i]);
    mem_free(set->leaves);
    *set = (struct pending_set){0};
}

size_t pending_set_count(const struct pending_set *set)
{
    size_t count = 0;
    for (uint32_t i = set->from; i < set->count; i++)
        count += set->leaves[i]->end - set->leaves[i]->from;
    return count;
}

static void make_room(struct pending_set *set)
{
    if (set->count < set->cap)
        return;
    if (set->from > set->cap / 2) {
        memmove(set->leaves, set->leaves + set->from,
                (set->count - set->from) * sizeof(struct pending_leaf *));
        set->count -= set->from;
        set->from = 0;
        return;
    }
    set->cap = set->cap == 0 ? 4 : set->cap * 2;
    set->leaves = mem_realloc(set->leaves, set->cap * sizeof(struct pending_leaf *));
}

static void insert_leaf(struct pending_set *set, uint32_t at, struct pending_leaf *leaf)
{
    memmove(set->leaves + at + 1, set->leaves + at,
            (set->count - at) * sizeof(struct pending_leaf *));
    set->leaves[at] = leaf;
    set->count++;
}

static void remove_leaf(struct pending_set *set, uint32_t at)
{
    mem_free(set->leaves[at]);
    if (at == set->from) {
        set->from++;
    } else {
        set->count--;
        memmove(set->leaves + at, set->leaves + at + 1,
                (set->count - at) * sizeof(struct pending_leaf *));
    }
    if (set->from == set->count)
        set->from = set->count = 0;
}

/* The last leaf whose first item is not above `id`, or the first leaf. The set is not empty. */
static uint32_t find_leaf(const struct pending_set *set, struct id id)
{
    uint32_t from = set->from;
    uint32_t to = set->count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        const struct pending_leaf *leaf = set->leaves[middle];
        if (id_less(id, leaf->items[leaf->from].id))
            to = middle;
        else
            from = middle;
    }
    return from;
}

/* The first item that is not less, or the leaf's end. */
static uint32_t find_item(const struct pending_leaf *leaf, struct id id)
{
    uint32_t from = leaf->from;
    uint32_t to = leaf->end;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (id_less(leaf->items[middle].id, id))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct pending *pending_set_find(const struct pending_set *set, struct id id)
{
    if (pending_set_empty(set))
        return NULL;
    struct pending_leaf *leaf = set->leaves[find_leaf(set, id)];
    uint32_t at = find_item(leaf, id);
    return at < leaf->end && id_equal(leaf->items[at].id, id) ? &leaf->items[at] : NULL;
}

static struct pending *fill(struct pending_leaf *leaf, uint32_t at, struct id id)
{
    leaf->items[at] = (struct pending){.id = id};
    return &leaf->items[at];
}

/* Moves the upper half of a full leaf to one of its own. */
static void split(struct pending_set *set, uint32_t index)
{
    struct pending_leaf *leaf = set->leaves[index];
    struct pending_leaf *upper = leaf_create();
    uint32_t middle = leaf->from + (leaf->end - leaf->from) / 2;
    upper->end = leaf->end - middle;
    memcpy(upper->items, leaf->items + middle, upper->end * sizeof(struct pending));
    leaf->end = middle;
    make_room(set);
    insert_leaf(set, index + 1, upper);
}

/* Makes room at `at` of a leaf that is not full. Returns where it is then. */
static uint32_t open_gap(struct pending_leaf *leaf, uint32_t at)
{
    if (leaf->from > 0) {
        memmove(leaf->items + leaf->from - 1, leaf->items + leaf->from,
                (at - leaf->from) * sizeof(struct pending));
        leaf->from--;
        return at - 1;
    }
    memmove(leaf->items + at + 1, leaf->items + at, (leaf->end - at) * sizeof(struct pending));
    leaf->end++;
    return at;
}

static struct pending *append(struct pending_set *set, struct id id)
{
    struct pending_leaf *leaf = pending_set_empty(set) ? NULL : set->leaves[set->count - 1];
    if (leaf == NULL || leaf->end == LEAF_ITEMS) {
        leaf = leaf_create();
        make_room(set);
        set->leaves[set->count++] = leaf;
    }
    return fill(leaf, leaf->end++, id);
}

static bool is_beyond(const struct pending_set *set, struct id id)
{
    if (pending_set_empty(set))
        return true;
    const struct pending_leaf *leaf = set->leaves[set->count - 1];
    return id_less(leaf->items[leaf->end - 1].id, id);
}

struct pending *pending_set_put(struct pending_set *set, struct id id, bool *added)
{
    *added = true;
    if (is_beyond(set, id))
        return append(set, id);
    uint32_t index = find_leaf(set, id);
    struct pending_leaf *leaf = set->leaves[index];
    uint32_t at = find_item(leaf, id);
    if (at < leaf->end && id_equal(leaf->items[at].id, id)) {
        *added = false;
        return &leaf->items[at];
    }
    if (leaf->end - leaf->from == LEAF_ITEMS) {
        split(set, index);
        index = find_leaf(set, id);
        leaf = set->leaves[index];
        at = find_item(leaf, id);
    }
    return fill(leaf, open_gap(leaf, at), id);
}

/* Joins a leaf with the one behind it where the two fill half a leaf. */
static void join(struct pending_set *set, uint32_t index)
{
    if (index + 1 >= set->count)
        return;
    struct pending_leaf *leaf = set->leaves[index];
    struct pending_leaf *next = set->leaves[index + 1];
    uint32_t count = leaf->end - leaf->from;
    uint32_t more = next->end - next->from;
    if (count + more > LEAF_ITEMS / 2)
        return;
    memmove(leaf->items, leaf->items + leaf->from, count * sizeof(struct pending));
    memcpy(leaf->items + count, next->items + next->from, more * sizeof(struct pending));
    leaf->from = 0;
    leaf->end = count + more;
    remove_leaf(set, index + 1);
}

void pending_set_remove(struct pending_set *set, struct id id)
{
    if (pending_set_empty(set))
        return;
    uint32_t index = find_leaf(set, id);
    struct pending_leaf *leaf = set->leaves[index];
    uint32_t at = find_item(leaf, id);
    if (at == leaf->end || !id_equal(leaf->items[at].id, id))
        return;
    uint32_t before = at - leaf->from;
    uint32_t after = leaf->end - at - 1;
    if (before < after) {
        memmove(leaf->items + leaf->from + 1, leaf->items + leaf->from,
                before * sizeof(struct pending));
        leaf->from++;
    } else {
        memmove(leaf->items + at, leaf->items + at + 1, after * sizeof(struct pending));
        leaf->end--;
    }
    if (leaf->from == leaf->end)
        remove_leaf(set, index);
    else if (leaf->end - leaf->from <= LEAF_ITEMS / 4)
        join(set, index);
}

static const struct pending *at_place(const struct pending_set *set, struct pending_place place)
{
    return &set->leaves[place.leaf]->items[place.item];
}

const struct pending *pending_set_seek(const struct pending_set *set, struct id id,
                                       struct pending_place *place)
{
    if (pending_set_empty(set))
        return NULL;
    uint32_t index = find_leaf(set, id);
    uint32_t at = find_item(set->leaves[index], id);
    if (at == set->leaves[index]->end) {
        if (++index == set->count)
            return NULL;
        at = set->leaves[index]->from;
    }
    *place = (struct pending_place){index, at};
    return at_place(set, *place);
}

const struct pending *pending_set_seek_prev(const struct pending_set *set, struct id id,
                                            struct pending_place *place)
{
    if (pending_set_empty(set))
        return NULL;
    uint32_t index = find_leaf(set, id);
    const struct pending_leaf *leaf = set->leaves[index];
    uint32_t at = find_item(leaf, id);
    bool same = at < leaf->end && id_equal(leaf->items[at].id, id);
    if (!same && at == leaf->from)
        return NULL;
    *place = (struct pending_place){index, same ? at : at - 1};
    return at_place(set, *place);
}

const struct pending *pending_set_next(const struct pending_set *set, struct pending_place *place)
{
    if (++place->item == set->leaves[place->leaf]->end) {
        if (++place->leaf == set->count)
            return NULL;
        place->item = set->leaves[place->leaf]->from;
    }
    return at_place(set, *place);
}

size_t pending_set_grown(struct pending_set *set)
{
    size_t bytes = (set->count - set->from) * sizeof(struct pending_leaf) +
                   set->cap * sizeof(struct pending_leaf *);
    if (bytes <= set->peak)
        return 0;
    size_t grown = bytes - set->peak;
    set->peak = bytes;
    return grown;
}

void pending_write(struct buf *out, struct pending *last, const struct pending *item)
{
    uint64_t delta_ms = item->id.ms - last->id.ms;
    DCHECK(item->consumer != 0 && !id_less(item->id, last->id));
    char *start = buf_reserve(out, 5 * VARINT_MAX);
    char *at = encode_varint(start, delta_ms);
    at = encode_varint(at, delta_ms == 0 ? item->id.seq - last->id.seq : item->id.seq);
    at = encode_varint(at, item->consumer);
    at = encode_varint(at, zigzag((int64_t)(item->delivered_ms - last->delivered_ms)));
    at = encode_varint(at, item->deliveries);
    out->len += (size_t)(at - start);
    *last = *item;
}

enum err pending_read(struct decoder *block, struct pending *item)
{
    if (decoder_left(block) == 0)
        return ERR_END;
    uint64_t delta_ms = decoder_varint(block);
    uint64_t seq = decoder_varint(block);
    uint64_t consumer = decoder_varint(block);
    uint64_t delta_delivered = decoder_varint(block);
    uint64_t deliveries = decoder_varint(block);
    uint64_t first_seq = delta_ms == 0 ? item->id.seq : 0;
    if (block->failed || delta_ms > UINT64_MAX - item->id.ms || seq > UINT64_MAX - first_seq ||
        consumer == 0 || consumer > UINT32_MAX)
        return ERR_CORRUPT;
    *item = (struct pending){
        .id = {item->id.ms + delta_ms, first_seq + seq},
        .delivered_ms = item->delivered_ms + (uint64_t)unzigzag(delta_delivered),
        .deliveries = deliveries,
        .consumer = (uint32_t)consumer,
    };
    return ERR_OK;
}
