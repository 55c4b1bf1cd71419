#include "storage/chunk_cache.h"

#include "base/alloc.h"
#include "base/check.h"

/* Chunks of a leaf at most: what an insertion moves. */
#define LEAF_SLOTS_MAX 128u

/* Then the next one leaves, used or not: what an insertion looks at. */
#define SECOND_CHANCES_MAX 16

struct shelf_slot {
    struct id first;
    struct cached_chunk *chunk;
};

struct shelf_leaf {
    struct id first; /* of slots[0] */
    struct shelf_slot *slots;
    uint32_t count; /* never 0 */
    uint32_t cap;
};

/* A chunk's place on its shelf. */
struct place {
    uint32_t leaf;
    uint32_t slot;
};

/* ---- places ---- */

/* The last leaf or slot that does not begin behind `id`. False: there is none, *out untouched. */
static bool find_leaf(const struct chunk_shelf *shelf, struct id id, uint32_t *out)
{
    uint32_t low = 0;
    uint32_t high = shelf->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (id_less(id, shelf->leaves[middle].first))
            high = middle;
        else
            low = middle + 1;
    }
    if (low == 0)
        return false;
    *out = low - 1;
    return true;
}

static uint32_t find_slot(const struct shelf_leaf *leaf, struct id id)
{
    uint32_t low = 1; /* the leaf's first one does not begin behind it */
    uint32_t high = leaf->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (id_less(id, leaf->slots[middle].first))
            high = middle;
        else
            low = middle + 1;
    }
    return low - 1;
}

static struct cached_chunk *chunk_at(const struct chunk_shelf *shelf, struct place place)
{
    return shelf->leaves[place.leaf].slots[place.slot].chunk;
}

/* The last chunk whose span begins at or before `id`; NULL: there is none. */
static struct cached_chunk *find_floor(const struct chunk_shelf *shelf, struct id id,
                                       struct place *place)
{
    if (!find_leaf(shelf, id, &place->leaf))
        return NULL;
    place->slot = find_slot(&shelf->leaves[place->leaf], id);
    return chunk_at(shelf, *place);
}

/* The first chunk whose span begins behind `id`; NULL: there is none. */
static struct cached_chunk *find_above(const struct chunk_shelf *shelf, struct id id)
{
    struct place place = {0, 0};
    if (find_floor(shelf, id, &place) != NULL && ++place.slot == shelf->leaves[place.leaf].count)
        place = (struct place){place.leaf + 1, 0};
    return place.leaf < shelf->count ? chunk_at(shelf, place) : NULL;
}

/* ---- leaves ---- */

/* An empty leaf, to be filled at once. */
static struct shelf_leaf *insert_leaf(struct chunk_shelf *shelf, uint32_t at)
{
    if (shelf->count == shelf->cap) {
        shelf->cap = shelf->cap == 0 ? 1 : shelf->cap * 2;
        shelf->leaves = mem_realloc(shelf->leaves, shelf->cap * sizeof(*shelf->leaves));
    }
    struct shelf_leaf *leaf = &shelf->leaves[at];
    memmove(leaf + 1, leaf, (shelf->count - at) * sizeof(*leaf));
    shelf->count++;
    *leaf = (struct shelf_leaf){0};
    return leaf;
}

static void remove_leaf(struct chunk_shelf *shelf, uint32_t at)
{
    struct shelf_leaf *leaf = &shelf->leaves[at];
    mem_free(leaf->slots);
    shelf->count--;
    memmove(leaf, leaf + 1, (shelf->count - at) * sizeof(*leaf));
    if (shelf->count > 0)
        return;
    mem_free(shelf->leaves);
    shelf->leaves = NULL;
    shelf->cap = 0;
}

static void insert_slots(struct shelf_leaf *leaf, uint32_t at, const struct shelf_slot *slots,
                         uint32_t count)
{
    while (leaf->cap < leaf->count + count) {
        leaf->cap = leaf->cap == 0 ? 1 : leaf->cap * 2;
        leaf->slots = mem_realloc(leaf->slots, leaf->cap * sizeof(*leaf->slots));
    }
    memmove(leaf->slots + at + count, leaf->slots + at, (leaf->count - at) * sizeof(*slots));
    memcpy(leaf->slots + at, slots, count * sizeof(*slots));
    leaf->count += count;
    leaf->first = leaf->slots[0].first;
}

/* Makes room in a full leaf. Chunks often come in ascending order: then the full leaf stays so. */
static struct place split_leaf(struct chunk_shelf *shelf, struct place place)
{
    uint32_t keep = place.leaf + 1 == shelf->count && place.slot == LEAF_SLOTS_MAX
                        ? LEAF_SLOTS_MAX
                        : LEAF_SLOTS_MAX / 2;
    struct shelf_leaf *right = insert_leaf(shelf, place.leaf + 1);
    struct shelf_leaf *left = right - 1;
    if (keep < LEAF_SLOTS_MAX)
        insert_slots(right, 0, left->slots + keep, LEAF_SLOTS_MAX - keep);
    left->count = keep;
    return place.slot < keep ? place : (struct place){place.leaf + 1, place.slot - keep};
}

static void insert(struct chunk_shelf *shelf, struct cached_chunk *chunk)
{
    struct place place = {0, 0};
    if (find_floor(shelf, chunk->first, &place) != NULL)
        place.slot++;
    else if (shelf->count == 0)
        insert_leaf(shelf, 0);
    if (shelf->leaves[place.leaf].count == LEAF_SLOTS_MAX)
        place = split_leaf(shelf, place);
    struct shelf_slot slot = {chunk->first, chunk};
    insert_slots(&shelf->leaves[place.leaf], place.slot, &slot, 1);
}

/* Two leaves that have become small become one. */
static void join_leaves(struct chunk_shelf *shelf, uint32_t at)
{
    if (at + 1 >= shelf->count)
        return;
    struct shelf_leaf *left = &shelf->leaves[at];
    const struct shelf_leaf *right = left + 1;
    if (left->count + right->count > LEAF_SLOTS_MAX / 2)
        return;
    insert_slots(left, left->count, right->slots, right->count);
    remove_leaf(shelf, at + 1);
}

static void take_out(struct chunk_shelf *shelf, const struct cached_chunk *chunk)
{
    struct place place;
    CHECK(find_floor(shelf, chunk->first, &place) == chunk);
    struct shelf_leaf *leaf = &shelf->leaves[place.leaf];
    leaf->count--;
    memmove(leaf->slots + place.slot, leaf->slots + place.slot + 1,
            (leaf->count - place.slot) * sizeof(*leaf->slots));
    if (leaf->count == 0) {
        remove_leaf(shelf, place.leaf);
        return;
    }
    leaf->first = leaf->slots[0].first;
    join_leaves(shelf, place.leaf);
}

/* ---- chunks ---- */

static size_t charge_of(const struct cached_chunk *chunk)
{
    return sizeof(*chunk) + sizeof(struct shelf_slot) + chunk->cap;
}

/* An empty one on no shelf, with one reference. */
static struct cached_chunk *new_chunk(struct id base)
{
    struct cached_chunk *chunk = mem_zalloc(sizeof(*chunk));
    list_init(&chunk->link);
    chunk->refs = 1;
    chunk->base = base;
    chunk->first = base;
    return chunk;
}

struct cached_chunk *cached_chunk_create(struct id base, struct bytes data)
{
    CHECK(data.len <= CHUNK_CACHE_ITEM_MAX);
    struct cached_chunk *chunk = new_chunk(base);
    chunk->data = mem_copy(data.data, data.len);
    chunk->len = (uint32_t)data.len;
    chunk->cap = chunk->len;
    return chunk;
}

void cached_chunk_unref(struct cached_chunk *chunk)
{
    CHECK(chunk->refs > 0);
    if (--chunk->refs > 0)
        return;
    mem_free(chunk->data);
    mem_free(chunk);
}

static void leave(struct cached_chunk *chunk)
{
    take_out(chunk->shelf, chunk);
    chunk->shelf->cache->bytes -= charge_of(chunk);
    chunk->shelf = NULL;
    list_remove(&chunk->link);
    cached_chunk_unref(chunk);
}

/* The least deserving chunks leave until the rest fits. */
static void evict(struct chunk_cache *cache)
{
    unsigned chances = 0;
    while (cache->bytes > cache->limit) {
        struct cached_chunk *chunk = container_of(cache->chunks.next, struct cached_chunk, link);
        if (!chunk->used || chances == SECOND_CHANCES_MAX) {
            leave(chunk);
            chances = 0;
            continue;
        }
        chunk->used = false;
        list_remove(&chunk->link);
        list_push_back(&cache->chunks, &chunk->link);
        chances++;
    }
}

/* Takes over a reference. Its span meets no other one. */
static void enter(struct chunk_shelf *shelf, struct cached_chunk *chunk)
{
    insert(shelf, chunk);
    chunk->shelf = shelf;
    list_push_back(&shelf->cache->chunks, &chunk->link);
    shelf->cache->bytes += charge_of(chunk);
}

void chunk_cache_init(struct chunk_cache *cache, size_t limit)
{
    *cache = (struct chunk_cache){.limit = limit};
    list_init(&cache->chunks);
}

void chunk_cache_deinit(struct chunk_cache *cache)
{
    chunk_cache_set_limit(cache, 0);
    CHECK(list_empty(&cache->chunks) && cache->bytes == 0);
}

void chunk_cache_set_limit(struct chunk_cache *cache, size_t limit)
{
    cache->limit = limit;
    evict(cache);
}

void chunk_shelf_clear(struct chunk_shelf *shelf)
{
    while (shelf->count > 0) {
        const struct shelf_leaf *leaf = &shelf->leaves[shelf->count - 1];
        leave(leaf->slots[leaf->count - 1].chunk);
    }
}

struct cached_chunk *chunk_shelf_find(struct chunk_shelf *shelf, struct id id)
{
    struct place place;
    if (shelf->cache == NULL)
        return NULL;
    struct cached_chunk *chunk = find_floor(shelf, id, &place);
    if (chunk == NULL || id_less(chunk->last, id)) {
        shelf->cache->misses++;
        return NULL;
    }
    shelf->cache->hits++;
    chunk->used = true;
    return chunk;
}

/* ---- what was read ---- */

/* Cuts off what lies beyond `end`. Returns the last entry's id; false when there is none. */
static bool cut_off(struct cached_chunk *chunk, struct id end, struct id *last)
{
    struct decoder decoder = decoder_of(bytes_of(chunk->data, chunk->len));
    struct entry entry;
    uint32_t len = 0;
    while (entry_read(&decoder, chunk->base, &entry) == ERR_OK && !id_less(end, entry.id)) {
        len = chunk->len - (uint32_t)decoder_left(&decoder);
        *last = entry.id;
    }
    chunk->len = len;
    return len > 0;
}

/* Makes room for the span of `chunk`. False: it is covered already. */
static bool clear_span(const struct chunk_shelf *shelf, struct cached_chunk *chunk)
{
    struct place place;
    struct cached_chunk *other = find_floor(shelf, chunk->first, &place);
    if (other != NULL && !id_less(other->last, chunk->last))
        return false;
    if (other != NULL && id_equal(other->first, chunk->first)) {
        leave(other);
    } else if (other != NULL && !id_less(other->last, chunk->first)) {
        other->last = chunk->first;
        id_prev(&other->last);
    }
    while ((other = find_above(shelf, chunk->first)) != NULL &&
           !id_less(chunk->last, other->first)) {
        if (id_less(chunk->last, other->last)) {
            chunk->last = other->first;
            id_prev(&chunk->last);
            break;
        }
        leave(other);
    }
    return true;
}

void chunk_shelf_add(struct chunk_shelf *shelf, struct cached_chunk *chunk, const struct id *last,
                     struct id disk_last)
{
    CHECK(chunk->shelf == NULL);
    if (!chunk_shelf_takes(shelf, chunk->len) || !cut_off(chunk, disk_last, &chunk->last))
        return;
    if (last != NULL)
        chunk->last = id_max(chunk->last, id_min(*last, disk_last));
    if (!clear_span(shelf, chunk))
        return;
    cached_chunk_ref(chunk);
    enter(shelf, chunk);
    evict(shelf->cache);
}

void chunk_shelf_add_span(struct chunk_shelf *shelf, struct cached_chunk *chunk, struct id first,
                          struct id last)
{
    CHECK(chunk->shelf == NULL);
    chunk->first = first;
    chunk->last = last;
    if (!chunk_shelf_takes(shelf, chunk->len) || !clear_span(shelf, chunk))
        return;
    cached_chunk_ref(chunk);
    enter(shelf, chunk);
    evict(shelf->cache);
}

/* ---- what was folded ---- */

/* Adds a piece to the chunk that it continues, when that is here and nobody reads it. */
static bool grow_last(struct chunk_shelf *shelf, const struct piece *piece, struct id after,
                      struct id last)
{
    if (shelf->count == 0 || !piece->merge)
        return false;
    const struct shelf_leaf *leaf = &shelf->leaves[shelf->count - 1];
    struct cached_chunk *chunk = leaf->slots[leaf->count - 1].chunk;
    size_t len = (size_t)chunk->len + piece->len;
    if (!id_equal(chunk->base, piece->base) || !id_equal(chunk->last, after) || chunk->refs > 1 ||
        len > CHUNK_CACHE_ITEM_MAX)
        return false;
    shelf->cache->bytes += len - chunk->cap;
    chunk->data = mem_realloc(chunk->data, len);
    chunk->cap = (uint32_t)len;
    memcpy(chunk->data + chunk->len, piece->data, piece->len);
    chunk->len = (uint32_t)len;
    chunk->last = last;
    return true;
}

static void add_piece(struct chunk_shelf *shelf, struct piece *piece, struct id first,
                      struct id last)
{
    if (piece->len > CHUNK_CACHE_ITEM_MAX)
        return;
    struct cached_chunk *chunk = new_chunk(piece->base);
    chunk->first = first;
    chunk->last = last;
    chunk->data = piece->data;
    chunk->len = piece->len;
    chunk->cap = piece->cap;
    piece->data = NULL;
    enter(shelf, chunk);
}

void chunk_shelf_add_tail(struct chunk_shelf *shelf, struct tail *tail, struct id last)
{
    if (!chunk_shelf_takes(shelf, 0) || tail_empty(tail))
        return;
    struct id after = tail->after;
    for (uint32_t i = tail->from; i < tail->count; i++) {
        struct piece *piece = &tail->pieces[i];
        struct id first = after;
        id_next(&first);
        struct id end = last;
        if (i + 1 < tail->count) {
            end = tail->pieces[i + 1].first;
            id_prev(&end);
        }
        if (!grow_last(shelf, piece, after, end))
            add_piece(shelf, piece, first, end);
        evict(shelf->cache);
        after = end;
    }
}

void chunk_shelf_drop(struct chunk_shelf *shelf, struct id id)
{
    struct place place;
    struct cached_chunk *chunk = find_floor(shelf, id, &place);
    if (chunk != NULL && !id_less(chunk->last, id))
        leave(chunk);
}

void chunk_shelf_trim(struct chunk_shelf *shelf, struct id first)
{
    while (shelf->count > 0 && id_less(shelf->leaves[0].slots[0].chunk->last, first))
        leave(shelf->leaves[0].slots[0].chunk);
}
