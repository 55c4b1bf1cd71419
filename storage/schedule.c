#include "storage/schedule.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/codec.h"

#include <stdlib.h>

/* A load: so much that a reader's errand pays, and so little that a million idle feeds with one
 * each would not fill memory. */
#define LOAD_ROWS_MAX  256
#define LOAD_BYTES_MAX ((size_t)64 << 10)

static void set_init(struct schedule_set *set)
{
    hmap_init(&set->map);
    heap_init(&set->heap);
    list_init(&set->items);
}

/* Leaves an empty set; its items go to `garbage`. */
static void set_empty(struct schedule_set *set, struct list *garbage)
{
    list_splice(garbage, &set->items);
    hmap_deinit(&set->map);
    heap_deinit(&set->heap);
    set_init(set);
}

void schedule_init(struct schedule *schedule, enum key_kind kind, struct chunk_home home,
                   bool on_disk)
{
    *schedule = (struct schedule){.kind = kind, .home = home, .horizon = on_disk ? ID_MIN : ID_MAX};
    set_init(&schedule->loaded);
    set_init(&schedule->sides[0]);
    set_init(&schedule->sides[1]);
    list_init(&schedule->garbage);
}

void schedule_deinit(struct schedule *schedule)
{
    set_empty(&schedule->loaded, &schedule->garbage);
    (void)schedule_sweep(schedule, SIZE_MAX);
    for (int side = 0; side < 2; side++) {
        set_empty(&schedule->sides[side], &schedule->garbage);
        (void)schedule_sweep(schedule, SIZE_MAX);
        id_set_deinit(&schedule->removed[side]);
    }
    hmap_deinit(&schedule->loaded.map);
    hmap_deinit(&schedule->sides[0].map);
    hmap_deinit(&schedule->sides[1].map);
}

static uint64_t hash_of(struct id id)
{
    return hash_bytes(bytes_of((const char *)&id, sizeof(id)), 0);
}

static struct scheduled *set_find(const struct schedule_set *set, struct id id)
{
    if (set->map.count == 0)
        return NULL;
    uint64_t hash = hash_of(id);
    for (struct hmap_node *node = hmap_chain(&set->map, hash); node != NULL; node = node->next) {
        struct scheduled *row = container_of(node, struct scheduled, node);
        if (id_equal(row->id, id))
            return row;
    }
    return NULL;
}

static void set_insert(struct schedule_set *set, struct id id, struct bytes data)
{
    CHECK(data.len <= UINT32_MAX);
    struct scheduled *row = mem_zalloc(sizeof(*row) + data.len);
    row->node.hash = hash_of(id);
    row->due.key = id.ms;
    row->due.tie = id.seq;
    row->id = id;
    row->len = (uint32_t)data.len;
    if (data.len > 0)
        memcpy(row->data, data.data, data.len);
    hmap_insert(&set->map, &row->node);
    heap_insert(&set->heap, &row->due);
    list_push_back(&set->items, &row->link);
}

/* The row lives no more; it stays among the items. */
static void set_forget(struct schedule_set *set, struct scheduled *row)
{
    hmap_remove(&set->map, &row->node);
    heap_remove(&set->heap, &row->due);
}

static void set_destroy(struct schedule_set *set, struct scheduled *row)
{
    set_forget(set, row);
    list_remove(&row->link);
    mem_free(row);
}

static const struct scheduled *set_first(const struct schedule_set *set)
{
    struct heap_node *node = heap_first(&set->heap);
    return node != NULL ? container_of(node, struct scheduled, due) : NULL;
}

size_t schedule_add(struct schedule *schedule, uint8_t side, struct id id, struct bytes data)
{
    CHECK(!id_is_zero(id));
    set_insert(&schedule->sides[side], id, data);
    return sizeof(struct scheduled) + data.len;
}

size_t schedule_remove(struct schedule *schedule, uint8_t side, struct id id)
{
    struct scheduled *row = set_find(&schedule->sides[side], id);
    if (row != NULL) { /* `removed` has it if there is one on disk */
        set_destroy(&schedule->sides[side], row);
        return 0;
    }
    row = set_find(&schedule->sides[side ^ 1], id);
    if (row != NULL)
        set_forget(&schedule->sides[side ^ 1], row);
    row = set_find(&schedule->loaded, id);
    if (row != NULL)
        set_destroy(&schedule->loaded, row);
    return id_set_add(&schedule->removed[side], id) ? 2 * sizeof(id) : 0;
}

static bool is_removed(const struct schedule *schedule, struct id id)
{
    return id_set_has(&schedule->removed[0], id) || id_set_has(&schedule->removed[1], id);
}

enum err schedule_find(const struct schedule *schedule, struct id id, const struct scheduled **out)
{
    const struct schedule_set *const sets[] = {&schedule->loaded, &schedule->sides[0],
                                               &schedule->sides[1]};
    for (int i = 0; i < 3; i++) {
        const struct scheduled *row = set_find(sets[i], id);
        if (row != NULL) {
            *out = row;
            return ERR_OK;
        }
    }
    if (id_less(id, schedule->horizon) || id_equal(schedule->horizon, ID_MAX) ||
        is_removed(schedule, id))
        return ERR_NOT_FOUND;
    return ERR_COLD;
}

enum err schedule_first(const struct schedule *schedule, const struct scheduled **out)
{
    const struct scheduled *first = set_first(&schedule->loaded);
    for (int side = 0; side < 2; side++) {
        const struct scheduled *row = set_first(&schedule->sides[side]);
        if (first == NULL || (row != NULL && id_less(row->id, first->id)))
            first = row;
    }
    bool all_loaded = id_equal(schedule->horizon, ID_MAX);
    if (first != NULL && (all_loaded || id_less(first->id, schedule->horizon))) {
        *out = first;
        return ERR_OK;
    }
    return all_loaded ? ERR_END : ERR_COLD;
}

void schedule_plan(const struct schedule *schedule, struct ranges *ranges, struct fetch *fetch)
{
    fetch_reset(fetch);
    fetch->ranges = ranges;
    fetch->kind = FETCH_SCAN;
    fetch->rows_max = LOAD_ROWS_MAX;
    fetch->bytes_max = LOAD_BYTES_MAX;
    key_timed(&fetch->lower, schedule->kind, schedule->home, schedule->horizon);
    key_timed_end(&fetch->upper, schedule->kind, schedule->home);
}

enum err schedule_take(struct schedule *schedule, const struct fetch *fetch)
{
    if (fetch->err != ERR_OK)
        return fetch->err;
    struct decoder decoder = decoder_of(buf_bytes(&fetch->rows));
    struct id horizon = schedule->horizon;
    while (decoder_left(&decoder) > 0) {
        struct id id;
        struct bytes key = decoder_bytes(&decoder);
        struct bytes data = decoder_bytes(&decoder);
        enum err err = key_timed_id(key, schedule->kind, schedule->home, &id);
        if (err == ERR_OK && (decoder.failed || id_is_zero(id)))
            err = ERR_CORRUPT;
        if (err != ERR_OK)
            return err;
        if (id_less(id, schedule->horizon))
            continue; /* loaded meanwhile */
        const struct scheduled *there;
        if (schedule_find(schedule, id, &there) == ERR_COLD)
            set_insert(&schedule->loaded, id, data);
        horizon = id;
        (void)id_next(&horizon);
    }
    schedule->horizon = fetch->complete ? ID_MAX : horizon;
    return ERR_OK;
}

struct change {
    struct id id;
    const struct scheduled *row; /* NULL: removed */
};

static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a;
    const struct change *y = b;
    int order = id_compare(x->id, y->id);
    return order != 0 ? order : (x->row == NULL) - (y->row == NULL);
}

/* Both kinds of changes in order; of an id that has both, the row comes first. */
static size_t collect(const struct schedule *schedule, uint8_t side, struct change **out)
{
    const struct list *items = &schedule->sides[side].items;
    const struct id_set *removed = &schedule->removed[side];
    size_t count = removed->count;
    for (const struct list *link = items->next; link != items; link = link->next)
        count++;
    if (count == 0)
        return 0;
    struct change *changes = mem_alloc(count * sizeof(*changes));
    struct id *ids = mem_alloc((removed->count + 1) * sizeof(*ids));
    size_t n = 0;
    id_set_sorted(removed, ids);
    for (; n < removed->count; n++)
        changes[n] = (struct change){ids[n], NULL};
    mem_free(ids);
    for (const struct list *link = items->next; link != items; link = link->next) {
        const struct scheduled *row = container_of(link, const struct scheduled, link);
        changes[n++] = (struct change){row->id, row};
    }
    qsort(changes, count, sizeof(*changes), compare_changes);
    *out = changes;
    return count;
}

void schedule_write(const struct schedule *schedule, uint8_t side, struct ranges_batch *batch,
                    struct buf *key)
{
    struct change *changes = NULL;
    size_t count = collect(schedule, side, &changes);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && id_equal(changes[i].id, changes[i - 1].id))
            continue;
        key_timed(key, schedule->kind, schedule->home, changes[i].id);
        if (changes[i].row != NULL)
            ranges_batch_put(batch, buf_bytes(key), scheduled_data(changes[i].row));
        else
            ranges_batch_delete(batch, buf_bytes(key));
    }
    mem_free(changes);
}

void schedule_folded(struct schedule *schedule, uint8_t side)
{
    struct schedule_set *set = &schedule->sides[side];
    const struct scheduled *first = set_first(set);
    if (first != NULL && (id_less(first->id, schedule->horizon))) {
        schedule->horizon = ID_MIN;
        set_empty(&schedule->loaded, &schedule->garbage);
    }
    set_empty(set, &schedule->garbage);
    id_set_deinit(&schedule->removed[side]);
}

bool schedule_sweep(struct schedule *schedule, size_t count)
{
    for (; count > 0 && !list_empty(&schedule->garbage); count--) {
        struct scheduled *row = container_of(schedule->garbage.next, struct scheduled, link);
        list_remove(&row->link);
        mem_free(row);
    }
    return list_empty(&schedule->garbage);
}

size_t schedule_bytes(const struct schedule *schedule)
{
    const struct list *items = &schedule->loaded.items;
    size_t size = sizeof(*schedule);
    for (const struct list *link = items->next; link != items; link = link->next) {
        const struct scheduled *row = container_of(link, const struct scheduled, link);
        size += sizeof(*row) + row->len;
    }
    return size;
}
