#include "storage/pending_cursor.h"

#include "base/check.h"

/* A fetch brings at first little, for the many that want few entries, then more: three blocks at
 * least, so that one is known to end. */
#define SLICE_BYTES_FIRST ((size_t)16 << 10)
#define SLICE_BYTES_MAX   ((size_t)256 << 10)

/* Some 40,000 entries: a millisecond. */
#define BLOCKS_PER_TURN 64u

void pending_cursor_init(struct pending_cursor *cursor, struct group *group, struct ranges *ranges,
                         struct id from, struct id to, bool reverse)
{
    *cursor = (struct pending_cursor){.group = group,
                                      .ranges = ranges,
                                      .from = from,
                                      .to = to,
                                      .reverse = reverse,
                                      .slice_bytes = SLICE_BYTES_FIRST};
    cursor->ended = id_less(to, from);
    group_ref(group);
    buf_init(&cursor->items);
    buf_init(&cursor->rows);
}

static void let_go(struct pending_cursor *cursor)
{
    if (cursor->held != NULL)
        cached_chunk_unref(cursor->held);
    cursor->held = NULL;
    cursor->has_block = false;
    cursor->has_item = false;
    cursor->items_left = 0;
}

void pending_cursor_pause(struct pending_cursor *cursor)
{
    let_go(cursor);
    if (cursor->iter != NULL)
        ranges_iter_close(cursor->iter);
    cursor->iter = NULL;
    cursor->iter_placed = false;
    cursor->have_rows = false;
    cursor->placed = false;
    cursor->blocks = 0;
    cursor->alive = 0;
}

void pending_cursor_deinit(struct pending_cursor *cursor)
{
    pending_cursor_pause(cursor);
    buf_deinit(&cursor->items);
    buf_deinit(&cursor->rows);
    group_unref(cursor->group);
}

/* ---- blocks ---- */

static enum err base_of(const struct pending_cursor *cursor, struct bytes key, struct id *base)
{
    return key_pending_base(key, cursor->group->home, cursor->group->entry.number, base);
}

static void block_key(const struct pending_cursor *cursor, struct buf *out, struct id base)
{
    key_pending(out, cursor->group->home, cursor->group->entry.number, base);
}

/* The next item of the block, upwards. */
static enum err step_item(struct pending_cursor *cursor)
{
    enum err err = pending_read(&cursor->block, &cursor->item);
    cursor->has_item = err == ERR_OK;
    return err == ERR_END ? ERR_OK : err;
}

static enum err decode_items(struct pending_cursor *cursor)
{
    enum err err;
    cursor->items.len = 0;
    while ((err = pending_read(&cursor->block, &cursor->item)) == ERR_OK)
        buf_add(&cursor->items, &cursor->item, sizeof(cursor->item));
    cursor->items_left = cursor->items.len / sizeof(cursor->item);
    return err == ERR_END ? ERR_OK : err;
}

/* Goes to a block, of which the caller gives a reference; NULL: nothing lies in the span. */
static enum err begin_block(struct pending_cursor *cursor, struct cached_chunk *chunk,
                            struct id first, struct id last)
{
    let_go(cursor);
    cursor->has_block = true;
    cursor->first = first;
    cursor->last = last;
    cursor->held = chunk;
    if (chunk == NULL)
        return ERR_OK;
    cursor->block = decoder_of(bytes_of(chunk->data, chunk->len));
    cursor->item = (struct pending){.id = chunk->base};
    return cursor->reverse ? decode_items(cursor) : step_item(cursor);
}

static enum err begin_row(struct pending_cursor *cursor, struct id base, struct bytes value,
                          struct id first, struct id last)
{
    struct cached_chunk *chunk = cached_chunk_create(base, value);
    chunk_shelf_add_span(&cursor->group->shelf, chunk, first, last);
    return begin_block(cursor, chunk, first, last);
}

/* Upwards: the fetched block that has `from`. Where a block ends is told by the next one. */
static enum err next_fetched_up(struct pending_cursor *cursor)
{
    struct decoder *rows = &cursor->rows_left;
    while (decoder_left(rows) > 0) {
        struct id base, last = ID_MAX;
        enum err err = base_of(cursor, decoder_bytes(rows), &base);
        struct bytes value = decoder_bytes(rows);
        struct decoder ahead = *rows;
        if (err == ERR_OK && decoder_left(rows) > 0) {
            err = base_of(cursor, decoder_bytes(&ahead), &last);
            id_prev(&last);
        } else if (err == ERR_OK && !cursor->rows_complete) {
            return ERR_COLD;
        }
        if (err != ERR_OK)
            return err;
        if (!id_less(last, cursor->from))
            return begin_row(cursor, base, value, id_min(base, cursor->from), last);
    }
    return cursor->rows_complete ? begin_block(cursor, NULL, cursor->from, ID_MAX) : ERR_COLD;
}

static enum err next_fetched_down(struct pending_cursor *cursor)
{
    struct decoder *rows = &cursor->rows_left;
    while (decoder_left(rows) > 0) {
        struct id base;
        enum err err = base_of(cursor, decoder_bytes(rows), &base);
        struct bytes value = decoder_bytes(rows);
        if (err != ERR_OK)
            return err;
        if (!id_less(cursor->to, base))
            return begin_row(cursor, base, value, base, cursor->to);
    }
    return cursor->rows_complete ? begin_block(cursor, NULL, ID_MIN, cursor->to) : ERR_COLD;
}

static void open_iter(struct pending_cursor *cursor)
{
    struct buf lower, upper;
    buf_init(&lower);
    buf_init(&upper);
    block_key(cursor, &lower, ID_MIN);
    key_pending_end(&upper, cursor->group->home, cursor->group->entry.number);
    cursor->iter =
        ranges_iter_open(cursor->ranges, buf_bytes(&lower), buf_bytes(&upper), TIER_MEMORY);
    buf_deinit(&lower);
    buf_deinit(&upper);
}

/* The row that may have `id`; upwards, without such a row, the first one. */
static enum err seek_row(struct pending_cursor *cursor, struct id id)
{
    struct buf key;
    buf_init(&key);
    block_key(cursor, &key, id);
    enum err err = ranges_iter_seek_prev(cursor->iter, buf_bytes(&key));
    if (err == ERR_END && !cursor->reverse) {
        block_key(cursor, &key, ID_MIN);
        err = ranges_iter_seek(cursor->iter, buf_bytes(&key));
    }
    buf_deinit(&key);
    return err;
}

static enum err next_in_memory_down(struct pending_cursor *cursor)
{
    enum err err = seek_row(cursor, cursor->to);
    if (err == ERR_END)
        return begin_block(cursor, NULL, ID_MIN, cursor->to);
    struct id base;
    if (err == ERR_OK)
        err = base_of(cursor, ranges_iter_key(cursor->iter), &base);
    if (err != ERR_OK)
        return err;
    return begin_row(cursor, base, ranges_iter_value(cursor->iter), base, cursor->to);
}

/* Takes the row on which the iterator stands, and steps to the one behind it. */
static enum err take_iter_row(struct pending_cursor *cursor)
{
    struct id base, last = ID_MAX;
    enum err err = base_of(cursor, ranges_iter_key(cursor->iter), &base);
    if (err != ERR_OK)
        return err;
    struct cached_chunk *chunk = cached_chunk_create(base, ranges_iter_value(cursor->iter));
    err = ranges_iter_next(cursor->iter);
    cursor->iter_placed = err == ERR_OK;
    if (err == ERR_OK) {
        err = base_of(cursor, ranges_iter_key(cursor->iter), &last);
        id_prev(&last);
    }
    if (err != ERR_OK && err != ERR_END) {
        cached_chunk_unref(chunk);
        return err;
    }
    struct id first = id_min(base, cursor->from);
    chunk_shelf_add_span(&cursor->group->shelf, chunk, first, last);
    return begin_block(cursor, chunk, first, last);
}

static enum err next_in_memory_up(struct pending_cursor *cursor)
{
    if (!cursor->iter_placed) {
        enum err err = seek_row(cursor, cursor->from);
        if (err == ERR_END)
            return begin_block(cursor, NULL, cursor->from, ID_MAX);
        if (err != ERR_OK)
            return err;
    }
    return take_iter_row(cursor);
}

/* Goes to the block that has the next id on disk. */
static enum err load_block(struct pending_cursor *cursor)
{
    if (cursor->have_rows)
        return cursor->reverse ? next_fetched_down(cursor) : next_fetched_up(cursor);
    if (cursor->blocks++ == BLOCKS_PER_TURN)
        return ERR_COLD;
    struct id at = cursor->reverse ? cursor->to : cursor->from;
    struct cached_chunk *chunk = chunk_shelf_find(&cursor->group->shelf, at);
    if (chunk != NULL) {
        cached_chunk_ref(chunk);
        cursor->iter_placed = false;
        return begin_block(cursor, chunk, chunk->first, chunk->last);
    }
    if (cursor->iter == NULL)
        open_iter(cursor);
    return cursor->reverse ? next_in_memory_down(cursor) : next_in_memory_up(cursor);
}

/* ---- upwards ---- */

static void skip(const struct pending_set *set, struct pending_peek *peek, struct id from)
{
    while (peek->item != NULL && id_less(peek->item->id, from))
        peek->item = pending_set_next(set, &peek->place);
}

/* The changed items at or after `from`, on both sides. */
static void peek_up(struct pending_cursor *cursor)
{
    const struct group *group = cursor->group;
    const struct pending_set *sealed = &group->states[group->side ^ 1].changes;
    const struct pending_set *writable = &group->states[group->side].changes;
    if (!cursor->placed) {
        cursor->sealed.item = pending_set_seek(sealed, cursor->from, &cursor->sealed.place);
        cursor->writable.item = pending_set_seek(writable, cursor->from, &cursor->writable.place);
        cursor->placed = true;
    }
    skip(sealed, &cursor->sealed, cursor->from);
    skip(writable, &cursor->writable, cursor->from);
}

/* The newest of what three sources say about the lowest id; NULL: none has any. */
static const struct pending *lowest(const struct pending_cursor *cursor)
{
    const struct pending *best = cursor->writable.item;
    const struct pending *sealed = cursor->sealed.item;
    if (best == NULL || (sealed != NULL && id_less(sealed->id, best->id)))
        best = sealed;
    if (cursor->has_item && (best == NULL || id_less(cursor->item.id, best->id)))
        best = &cursor->item;
    return best;
}

/* Finds the block's first item at or after `from`; loads the block if it is another one. */
static enum err place_up(struct pending_cursor *cursor)
{
    bool on_disk = !id_less(group_state(cursor->group)->stored_last, cursor->from);
    if (!on_disk) {
        cursor->has_item = false;
        return ERR_OK;
    }
    enum err err = ERR_OK;
    if (!cursor->has_block || id_less(cursor->last, cursor->from) ||
        id_less(cursor->from, cursor->first))
        err = load_block(cursor);
    while (err == ERR_OK && cursor->has_item && id_less(cursor->item.id, cursor->from))
        err = step_item(cursor);
    return err;
}

/* The block has no more, and what lies behind it may come before anything in memory. */
static bool must_go_on(const struct pending_cursor *cursor, const struct pending *best)
{
    struct id stored_last = group_state(cursor->group)->stored_last;
    return cursor->has_block && !cursor->has_item && id_less(cursor->last, stored_last) &&
           id_less(cursor->last, cursor->to) && (best == NULL || id_less(cursor->last, best->id));
}

static enum err next_up(struct pending_cursor *cursor, struct pending *out)
{
    enum err err = place_up(cursor);
    if (err != ERR_OK)
        return err;
    peek_up(cursor);
    const struct pending *best = lowest(cursor);
    if (must_go_on(cursor, best)) {
        cursor->from = cursor->last;
        id_next(&cursor->from);
        out->consumer = 0;
        return ERR_OK;
    }
    if (best == NULL || id_less(cursor->to, best->id))
        return ERR_END;
    *out = *best;
    cursor->from = best->id;
    cursor->ended = !id_next(&cursor->from);
    return ERR_OK;
}

/* ---- downwards ---- */

static const struct pending *highest(const struct pending_cursor *cursor,
                                     const struct pending *block)
{
    struct pending_place place;
    const struct group *group = cursor->group;
    const struct pending *best =
        pending_set_seek_prev(&group->states[group->side].changes, cursor->to, &place);
    const struct pending *sealed =
        pending_set_seek_prev(&group->states[group->side ^ 1].changes, cursor->to, &place);
    if (best == NULL || (sealed != NULL && id_less(best->id, sealed->id)))
        best = sealed;
    if (best == NULL || (block != NULL && id_less(best->id, block->id)))
        best = block;
    return best;
}

/* The block's last item at or before `to`, NULL: it has none. */
static enum err place_down(struct pending_cursor *cursor, const struct pending **item)
{
    *item = NULL;
    if (id_is_zero(group_state(cursor->group)->stored_last))
        return ERR_OK;
    if (!cursor->has_block || id_less(cursor->to, cursor->first) ||
        id_less(cursor->last, cursor->to)) {
        enum err err = load_block(cursor);
        if (err != ERR_OK)
            return err;
    }
    const struct pending *items = (const struct pending *)(const void *)cursor->items.data;
    while (cursor->items_left > 0 && id_less(cursor->to, items[cursor->items_left - 1].id))
        cursor->items_left--;
    if (cursor->items_left > 0)
        *item = &items[cursor->items_left - 1];
    return ERR_OK;
}

static enum err next_down(struct pending_cursor *cursor, struct pending *out)
{
    const struct pending *item;
    enum err err = place_down(cursor, &item);
    if (err != ERR_OK)
        return err;
    const struct pending *best = highest(cursor, item);
    bool go_on = cursor->has_block && item == NULL && id_less(cursor->from, cursor->first) &&
                 (best == NULL || id_less(best->id, cursor->first));
    if (go_on) {
        cursor->to = cursor->first;
        id_prev(&cursor->to);
        out->consumer = 0;
        return ERR_OK;
    }
    if (best == NULL || id_less(best->id, cursor->from))
        return ERR_END;
    *out = *best;
    cursor->to = best->id;
    cursor->ended = !id_prev(&cursor->to);
    return ERR_OK;
}

/* ---- both ---- */

static bool is_alive(struct pending_cursor *cursor, uint32_t consumer)
{
    if (consumer == 0 || consumer == cursor->alive)
        return consumer != 0;
    if (group_state_consumer(group_state(cursor->group), consumer) == NULL)
        return false;
    cursor->alive = consumer;
    return true;
}

enum err pending_cursor_next(struct pending_cursor *cursor, struct pending *out)
{
    struct pending item;
    do {
        if (cursor->ended || cursor->group->dropped || group_state(cursor->group)->pending == 0)
            return ERR_END;
        enum err err = cursor->reverse ? next_down(cursor, &item) : next_up(cursor, &item);
        if (err != ERR_OK)
            return err;
        if (id_less(cursor->to, cursor->from))
            cursor->ended = true;
    } while (!is_alive(cursor, item.consumer));
    *out = item;
    return ERR_OK;
}

void pending_cursor_plan(struct pending_cursor *cursor, struct fetch *fetch)
{
    fetch_reset(fetch);
    fetch->ranges = cursor->ranges;
    fetch->kind = cursor->reverse ? FETCH_SCAN_REVERSE : FETCH_SCAN;
    fetch->rows_max = SIZE_MAX;
    fetch->bytes_max = cursor->slice_bytes;
    block_key(cursor, &fetch->lower, ID_MIN);
    key_pending_end(&fetch->upper, cursor->group->home, cursor->group->entry.number);
    block_key(cursor, &fetch->from, cursor->reverse ? cursor->to : cursor->from);
    if (cursor->slice_bytes < SLICE_BYTES_MAX)
        cursor->slice_bytes *= 2;
}

enum err pending_cursor_take(struct pending_cursor *cursor, struct fetch *fetch)
{
    if (fetch->err != ERR_OK)
        return fetch->err;
    struct buf rows = cursor->rows;
    cursor->rows = fetch->rows;
    fetch->rows = rows;
    cursor->rows_left = decoder_of(buf_bytes(&cursor->rows));
    cursor->rows_complete = fetch->complete;
    cursor->have_rows = true;
    return ERR_OK;
}

/* What a set says: ERR_NOT_FOUND is its word, too. ERR_END: nothing. */
static enum err find_in(struct group *group, uint8_t side, struct id id, struct pending *out)
{
    const struct pending *item = pending_set_find(&group->states[side].changes, id);
    if (item == NULL)
        return ERR_END;
    if (item->consumer == 0 || group_state_consumer(group_state(group), item->consumer) == NULL)
        return ERR_NOT_FOUND;
    *out = *item;
    return ERR_OK;
}

enum err pending_find(struct group *group, struct ranges *ranges, struct id id, struct pending *out)
{
    if (group_state(group)->pending == 0)
        return ERR_NOT_FOUND;
    enum err err = find_in(group, group->side, id, out);
    if (err == ERR_END)
        err = find_in(group, group->side ^ 1, id, out);
    if (err != ERR_END)
        return err;
    if (id_less(group_state(group)->stored_last, id))
        return ERR_NOT_FOUND;
    struct pending_cursor cursor;
    pending_cursor_init(&cursor, group, ranges, id, id, false);
    err = pending_cursor_next(&cursor, out);
    pending_cursor_deinit(&cursor);
    return err == ERR_END ? ERR_NOT_FOUND : err;
}

bool pending_recheck(struct group *group, struct pending *item)
{
    struct id id = item->id;
    if (group_state_consumer(group_state(group), item->consumer) == NULL)
        item->consumer = 0; /* unless somebody else has it now */
    enum err err = find_in(group, group->side, id, item);
    if (err == ERR_END)
        err = find_in(group, group->side ^ 1, id, item);
    return err == ERR_OK || (err == ERR_END && item->consumer != 0);
}

bool pending_changed(struct group *group, const struct pending *item)
{
    struct pending now = *item;
    return !pending_recheck(group, &now) || now.consumer != item->consumer ||
           now.deliveries != item->deliveries || now.delivered_ms != item->delivered_ms;
}
