#include "storage/fold_internal.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/upkeep.h"

#include <stdlib.h>

#define ITEMS_MAX 5 /* of an object */

/* With so few rows and runs of rows each becomes a file of its own: the chunks of a feed that is
 * alone go below what is there already and are never compacted again. */
#define CUT_ITEMS_MAX 16

/* A row, or a run of rows, and where it belongs in key order. */
struct item {
    uint64_t place; /* namespace, slot, kind: as in the key */
    uint64_t rest;  /* the hash of an object's name, its time of expiry, feed id or groups id */
    const struct object *object;
    const struct group *group; /* of rows of groups */
};

static uint64_t place_of(uint32_t space, uint16_t slot, enum key_kind kind)
{
    return (uint64_t)space << 24 | (uint64_t)slot << 8 | kind;
}

static int compare_groups(const struct item *x, const struct item *y)
{
    uint64_t a = x->group->entry.number;
    uint64_t b = y->group->entry.number;
    if (x->rest != y->rest)
        return x->rest < y->rest ? -1 : 1;
    return a == b ? 0 : a < b ? -1 : 1;
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->group != NULL)
        return compare_groups(x, y);
    uint64_t mask = ~UINT64_C(0) << (64 - KEY_HASH_BITS);
    bool named = (x->place & 0xff) == KEY_OBJECT;
    uint64_t x_rest = named ? x->rest & mask : x->rest;
    uint64_t y_rest = named ? y->rest & mask : y->rest;
    if (x_rest != y_rest)
        return x_rest < y_rest ? -1 : 1;
    return bytes_compare(object_name(x->object), object_name(y->object));
}

static bool has_delayed(const struct feed *feed, uint8_t side)
{
    const struct upkeep *upkeep = feed->rows[side].upkeep;
    return upkeep != NULL && upkeep->rows[side].schedule != NULL;
}

/* A group's row and its pending entries lie apart, too. */
static size_t collect_groups(const struct dirty *dirty, uint8_t side, struct item *items)
{
    size_t n = 0;
    for (struct list *link = dirty->groups.next; link != &dirty->groups; link = link->next) {
        const struct group *group = container_of(link, struct group, links[side]);
        struct chunk_home home = group->home;
        for (enum key_kind kind = KEY_GROUP; kind <= KEY_PENDING; kind++)
            items[n++] =
                (struct item){place_of(home.space, home.slot, kind), home.feed, NULL, group};
    }
    return n;
}

/* The index of times of expiry has what object rows have: the time on disk goes, the new one comes,
 * unless they are the same. */
static size_t collect_expiry(const struct object *object, uint8_t side, struct item *items)
{
    uint64_t place = place_of(object->space, KEY_SLOTS, KEY_EXPIRY);
    uint64_t before = object->row_expiry_ms;
    uint64_t after = object->states[side].expiry_ms;
    size_t n = 0;
    if (before == after)
        return 0;
    if (before > 0)
        items[n++] = (struct item){place, before, object, NULL};
    if (after > 0)
        items[n++] = (struct item){place, after, object, NULL};
    return n;
}

/* An object's row, its times of expiry, its feed's chunks and its delayed entries lie apart: up to
 * ITEMS_MAX items. */
static size_t collect(const struct dirty *dirty, uint8_t side, struct item *items)
{
    size_t n = 0;
    for (struct list *link = dirty->objects.next; link != &dirty->objects; link = link->next) {
        const struct object *object = container_of(link, struct object, links[side]);
        const struct feed *feed = object_state_feed(&object->states[side]);
        items[n++] = (struct item){place_of(object->space, object->slot, KEY_OBJECT),
                                   object->node.hash, object, NULL};
        n += collect_expiry(object, side, items + n);
        if (feed != NULL)
            items[n++] = (struct item){place_of(feed->home.space, feed->home.slot, KEY_CHUNK),
                                       feed->home.feed, object, NULL};
        if (feed != NULL && has_delayed(feed, side))
            items[n++] = (struct item){place_of(feed->home.space, feed->home.slot, KEY_DELAYED),
                                       feed->home.feed, object, NULL};
    }
    n += collect_groups(dirty, side, items + n);
    qsort(items, n, sizeof(*items), compare_items);
    return n;
}

static void write_object(struct fold *fold, const struct object *object)
{
    const struct object_state *state = &object->states[fold->side];
    if (state->type == OBJECT_NONE && !object->persisted)
        return;
    key_object(&fold->key, object->space, object->slot, object->node.hash, object_name(object));
    if (state->type == OBJECT_NONE) {
        ranges_batch_delete(fold->batch, buf_bytes(&fold->key));
        return;
    }
    fold->value.len = 0;
    object_row_encode(&fold->value, state, fold->side);
    ranges_batch_put(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->value));
}

static void write_expiry(struct fold *fold, const struct item *item)
{
    const struct object *object = item->object;
    key_expiry(&fold->key, object->space, item->rest, object_name(object));
    if (item->rest == object->states[fold->side].expiry_ms)
        ranges_batch_put(fold->batch, buf_bytes(&fold->key), BYTES(""));
    else
        ranges_batch_delete(fold->batch, buf_bytes(&fold->key));
}

/* Removes the chunks below first_id. */
static enum err write_trim(struct fold *fold, const struct feed *feed)
{
    const struct feed_row *row = &feed->rows[fold->side];
    const struct tail *tail = &feed->tails[fold->side];
    const struct piece *piece = tail_empty(tail) ? NULL : &tail->pieces[tail->from];
    struct buf *start = &fold->key;
    struct buf *end = &fold->key2;
    key_chunk(start, feed->home, ID_MIN);
    if (row->length == 0) {
        key_chunk_end(end, feed->home);
    } else if (piece != NULL && !piece->merge && !id_less(row->first_id, piece->first)) {
        key_chunk(end, feed->home, piece->base);
    } else {
        key_chunk(end, feed->home, row->first_id);
        struct ranges_iter *iter =
            ranges_iter_open(fold->ranges, buf_bytes(start), BYTES("\xff"), TIER_DISK);
        enum err err = ranges_iter_seek_prev(iter, buf_bytes(end));
        if (err == ERR_OK) {
            end->len = 0;
            buf_add_bytes(end, ranges_iter_key(iter));
        }
        ranges_iter_close(iter);
        if (err != ERR_OK)
            return err == ERR_END ? ERR_OK : err;
    }
    if (bytes_compare(buf_bytes(start), buf_bytes(end)) < 0)
        ranges_batch_delete_range(fold->batch, buf_bytes(start), buf_bytes(end));
    return ERR_OK;
}

/* Copies a chunk's entries but for those in ids[*at ...]; *at moves past what lies in the chunk. */
static enum err filter_chunk(struct bytes chunk, struct id base, const struct id *ids, size_t count,
                             size_t *at, struct buf *out)
{
    struct decoder decoder = decoder_of(chunk);
    const char *start = decoder.at;
    struct entry entry;
    enum err err;
    while ((err = entry_read(&decoder, base, &entry)) == ERR_OK) {
        while (*at < count && id_less(ids[*at], entry.id))
            ++*at;
        if (*at < count && id_equal(ids[*at], entry.id))
            ++*at;
        else
            buf_add(out, start, (size_t)(decoder.at - start));
        start = decoder.at;
    }
    return err == ERR_END ? ERR_OK : err;
}

/* Writes what is left of the chunk on which `iter` stands. `merge` continues it when not NULL. */
static enum err rewrite_chunk(struct fold *fold, struct ranges_iter *iter, const struct feed *feed,
                              const struct id *ids, size_t count, size_t *at,
                              const struct piece *merge, bool *merged)
{
    struct id base;
    enum err err = key_chunk_base(ranges_iter_key(iter), feed->home, &base);
    if (err != ERR_OK)
        return err;
    fold->value.len = 0;
    size_t before = *at;
    err = filter_chunk(ranges_iter_value(iter), base, ids, count, at, &fold->value);
    if (err != ERR_OK)
        return err;
    if (*at == before) { /* the entry is not there */
        ++*at;
        return ERR_OK;
    }
    *merged = merge != NULL && id_equal(merge->base, base);
    if (*merged)
        buf_add(&fold->value, merge->data, merge->len);
    if (fold->value.len == 0)
        ranges_batch_delete(fold->batch, ranges_iter_key(iter));
    else
        ranges_batch_put(fold->batch, ranges_iter_key(iter), buf_bytes(&fold->value));
    return ERR_OK;
}

static enum err rewrite_chunks(struct fold *fold, const struct feed *feed, const struct id *ids,
                               size_t count, const struct piece *merge, bool *merged)
{
    const struct id first = feed->rows[fold->side].first_id;
    key_chunk(&fold->key, feed->home, ID_MIN);
    key_chunk_end(&fold->key2, feed->home);
    struct ranges_iter *iter =
        ranges_iter_open(fold->ranges, buf_bytes(&fold->key), buf_bytes(&fold->key2), TIER_DISK);
    enum err err = ERR_OK;
    for (size_t at = 0; at < count && err == ERR_OK;) {
        if (id_less(ids[at], first)) {
            at++;
            continue;
        }
        key_chunk(&fold->key, feed->home, ids[at]);
        err = ranges_iter_seek_prev(iter, buf_bytes(&fold->key));
        if (err == ERR_END) { /* its chunk is gone: trimmed */
            at++;
            err = ERR_OK;
        } else if (err == ERR_OK) {
            err = rewrite_chunk(fold, iter, feed, ids, count, &at, merge, merged);
        }
    }
    ranges_iter_close(iter);
    return err;
}

static enum err write_deleted(struct fold *fold, const struct feed *feed, const struct piece *merge,
                              bool *merged)
{
    const struct id_set *deleted = &feed->tails[fold->side].deleted;
    if (deleted->count == 0 || feed->rows[fold->side].length == 0)
        return ERR_OK;
    struct id *ids = mem_alloc(deleted->count * sizeof(*ids));
    id_set_sorted(deleted, ids);
    enum err err = rewrite_chunks(fold, feed, ids, deleted->count, merge, merged);
    mem_free(ids);
    return err;
}

static enum err write_chunks(struct fold *fold, const struct feed *feed)
{
    const struct tail *tail = &feed->tails[fold->side];
    const struct piece *first = tail_empty(tail) ? NULL : &tail->pieces[tail->from];
    bool merged = false;
    if (tail->trimmed) {
        enum err err = write_trim(fold, feed);
        if (err != ERR_OK)
            return err;
    }
    enum err err = write_deleted(fold, feed, first != NULL && first->merge ? first : NULL, &merged);
    if (err != ERR_OK)
        return err;
    for (uint32_t i = tail->from + (merged ? 1 : 0); i < tail->count; i++) {
        const struct piece *piece = &tail->pieces[i];
        struct bytes entries = bytes_of(piece->data, piece->len);
        key_chunk(&fold->key, feed->home, piece->base);
        if (piece->merge)
            ranges_batch_merge(fold->batch, buf_bytes(&fold->key), entries);
        else
            ranges_batch_put(fold->batch, buf_bytes(&fold->key), entries);
    }
    return ERR_OK;
}

static void drop_rows(struct fold *fold, const struct buf *of, enum key_kind kind)
{
    const struct chunk_home *homes = (const struct chunk_home *)(const void *)of->data;
    for (size_t i = 0; i < of->len / sizeof(*homes); i++) {
        key_timed(&fold->key, kind, homes[i], ID_MIN);
        key_timed_end(&fold->key2, kind, homes[i]);
        ranges_batch_delete_range(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->key2));
    }
}

static void write_dropped(struct fold *fold, const struct dirty *dirty)
{
    drop_rows(fold, &dirty->dropped_feeds, KEY_CHUNK);
    drop_rows(fold, &dirty->dropped_delayed, KEY_DELAYED);
    const uint32_t *spaces = (const uint32_t *)(const void *)dirty->dropped_spaces.data;
    for (size_t i = 0; i < dirty->dropped_spaces.len / sizeof(*spaces); i++) {
        key_space(&fold->key, spaces[i]);
        key_space(&fold->key2, spaces[i] + 1);
        ranges_batch_delete_range(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->key2));
    }
}

static enum err write_item(struct fold *fold, const struct item *item)
{
    const struct feed *feed =
        item->object != NULL ? object_state_feed(&item->object->states[fold->side]) : NULL;
    switch ((enum key_kind)(item->place & 0xff)) {
    case KEY_OBJECT:
        write_object(fold, item->object);
        return ERR_OK;
    case KEY_EXPIRY:
        write_expiry(fold, item);
        return ERR_OK;
    case KEY_CHUNK:
        return write_chunks(fold, feed);
    case KEY_DELAYED:
        schedule_write(feed->rows[fold->side].upkeep->rows[fold->side].schedule, fold->side,
                       fold->batch, &fold->key);
        return ERR_OK;
    case KEY_GROUP:
        fold_group(fold, item->group);
        return ERR_OK;
    case KEY_PENDING:
        return fold_pending(fold, item->group);
    case KEY_SYSTEM:
    case KEY_ALARM:
        break;
    }
    return ERR_CORRUPT;
}

static enum err write_all(struct fold *fold, const struct dirty *dirty)
{
    key_system(&fold->key, BYTES("catalog"));
    catalog_encode(&fold->value, &dirty->catalog);
    ranges_batch_put(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->value));
    write_dropped(fold, dirty);
    if (dirty->alarms != NULL)
        schedule_write(dirty->alarms, fold->side, fold->batch, &fold->key);
    fold_dropped_groups(fold, dirty);

    struct item *items =
        mem_alloc((ITEMS_MAX * (dirty->count + dirty->group_count) + 1) * sizeof(*items));
    size_t count = collect(dirty, fold->side, items);
    enum err err = ERR_OK;
    bool cut = count <= CUT_ITEMS_MAX && dirty->dropped_feeds.len == 0 &&
               dirty->dropped_groups.len == 0 && dirty->dropped_spaces.len == 0;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        if (cut)
            ranges_batch_cut(fold->batch);
        err = write_item(fold, &items[i]);
    }
    mem_free(items);
    return err;
}

enum err fold_write(struct ranges *ranges, const struct dirty *dirty, uint8_t side)
{
    struct fold fold = {.ranges = ranges, .side = side};
    enum err err = ranges_batch_begin(ranges, &fold.batch);
    if (err != ERR_OK)
        return err;
    buf_init(&fold.key);
    buf_init(&fold.key2);
    buf_init(&fold.value);
    err = write_all(&fold, dirty);
    if (err == ERR_OK)
        err = ranges_batch_commit(fold.batch);
    else
        ranges_batch_abort(fold.batch);
    buf_deinit(&fold.key);
    buf_deinit(&fold.key2);
    buf_deinit(&fold.value);
    return err;
}
