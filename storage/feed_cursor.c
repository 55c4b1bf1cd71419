/* Upwards, a chunk's entries are decoded one by one. Downwards the chunk is decoded whole first:
 * entries have no way back. */
#include "storage/feed_cursor.h"

#include "base/check.h"

/* A fetch brings at first little, for the many that want few entries, then more. */
#define SLICE_BYTES_FIRST ((size_t)16 << 10)
#define SLICE_BYTES_MAX   ((size_t)512 << 10)

/* Of a usual chunk all. */
#define PREFETCH_BYTES_MAX CHUNK_BYTES
#define CACHE_LINE         64

void feed_cursor_init(struct feed_cursor *cursor, struct feed *feed, struct ranges *ranges,
                      struct id from, struct id to, bool reverse)
{
    *cursor = (struct feed_cursor){.feed = feed,
                                   .ranges = ranges,
                                   .from = from,
                                   .to = to,
                                   .reverse = reverse,
                                   .slice_bytes = SLICE_BYTES_FIRST};
    cursor->ended = id_less(to, from);
    feed_ref(feed);
    buf_init(&cursor->entries);
    buf_init(&cursor->rows);
}

static void close_iter(struct feed_cursor *cursor)
{
    if (cursor->iter != NULL)
        ranges_iter_close(cursor->iter);
    cursor->iter = NULL;
    cursor->iter_placed = false;
}

/* The row that was read goes to the shelf. */
static void keep_row(struct feed_cursor *cursor)
{
    if (cursor->held_is_row)
        chunk_shelf_add(&cursor->feed->shelf, cursor->held,
                        cursor->row_ends ? &cursor->row_last : NULL, feed_disk_last(cursor->feed));
    cursor->held_is_row = false;
    cursor->row_ends = false;
}

/* Lets go of the chunk's bytes. */
static void let_go(struct feed_cursor *cursor)
{
    keep_row(cursor);
    if (cursor->held != NULL)
        cached_chunk_unref(cursor->held);
    cursor->held = NULL;
    cursor->chunk = decoder_of(BYTES(""));
    cursor->has_span = false;
    cursor->entries_left = 0;
}

static void leave_chunk(struct feed_cursor *cursor)
{
    let_go(cursor);
    close_iter(cursor);
}

void feed_cursor_deinit(struct feed_cursor *cursor)
{
    leave_chunk(cursor);
    buf_deinit(&cursor->entries);
    buf_deinit(&cursor->rows);
    feed_unref(cursor->feed);
}

void feed_cursor_pause(struct feed_cursor *cursor)
{
    bool in_row = !cursor->has_span &&
                  (decoder_left(&cursor->chunk) > 0 || cursor->entries_left > 0);
    if (decoder_left(&cursor->rows_left) > 0 || in_row)
        cursor->have_rows = false; /* what was fetched may be out of date when it goes on */
    leave_chunk(cursor);
}

static enum err decode_reverse(struct feed_cursor *cursor)
{
    cursor->entries.len = 0;
    struct entry entry;
    enum err err;
    while ((err = entry_read(&cursor->chunk, cursor->base, &entry)) == ERR_OK)
        buf_add(&cursor->entries, &entry, sizeof(entry));
    cursor->entries_left = cursor->entries.len / sizeof(entry);
    return err == ERR_END ? ERR_OK : err;
}

/* Nobody has touched a chunk for a while: without this the walk waits for memory at every entry. */
static void prefetch(struct bytes data)
{
    size_t len = data.len < PREFETCH_BYTES_MAX ? data.len : PREFETCH_BYTES_MAX;
    for (size_t at = 0; at < len; at += CACHE_LINE)
        __builtin_prefetch(data.data + at);
}

static enum err begin_chunk(struct feed_cursor *cursor, struct bytes data, struct id base,
                            struct id stop)
{
    const struct feed *feed = cursor->feed;
    prefetch(data);
    cursor->chunk = decoder_of(data);
    cursor->base = base;
    cursor->stop = stop;
    cursor->may_be_deleted = feed->tails[0].deleted.count > 0 || feed->tails[1].deleted.count > 0;
    cursor->chunks++;
    return cursor->reverse ? decode_reverse(cursor) : ERR_OK;
}

/* A chunk that has all entries in [first, last]. */
static enum err begin_span(struct feed_cursor *cursor, struct bytes data, struct id base,
                           struct id first, struct id last)
{
    cursor->has_span = true;
    cursor->first = first;
    cursor->last = last;
    return begin_chunk(cursor, data, base, last);
}

/* No row lies between the one that is walked and this id. */
static void row_ends_at(struct feed_cursor *cursor, struct id last)
{
    cursor->row_ends = true;
    cursor->row_last = last;
}

/* The chunk of a row. Where it lies next to the row before it in the walk, one of the two is known
 * to end there. */
static enum err begin_row(struct feed_cursor *cursor, struct bytes key, struct bytes value)
{
    struct id base;
    enum err err = key_chunk_base(key, cursor->feed->home, &base);
    if (err != ERR_OK)
        return err;
    struct id before = cursor->reverse ? cursor->row_base : base;
    bool known = cursor->row_placed && id_prev(&before);
    if (known && !cursor->reverse)
        row_ends_at(cursor, before);
    let_go(cursor);
    if (known && cursor->reverse)
        row_ends_at(cursor, before);
    cursor->row_base = base;
    cursor->row_placed = true;
    struct id stop = feed_disk_last(cursor->feed);
    if (!chunk_shelf_takes(&cursor->feed->shelf, value.len))
        return begin_chunk(cursor, value, base, stop);
    cursor->held = cached_chunk_create(base, value);
    cursor->held_is_row = true;
    return begin_chunk(cursor, bytes_of(cursor->held->data, cursor->held->len), base, stop);
}

/* The row on which the cursor's fetched rows stand. ERR_END: none left. */
static enum err take_row(struct feed_cursor *cursor)
{
    if (decoder_left(&cursor->rows_left) == 0)
        return ERR_END;
    struct bytes key = decoder_bytes(&cursor->rows_left);
    struct bytes value = decoder_bytes(&cursor->rows_left);
    CHECK(!cursor->rows_left.failed);
    return begin_row(cursor, key, value);
}

/* Where on disk the walk goes on: the lowest id that may be there still, or downwards the highest.
 */
static struct id disk_position(const struct feed_cursor *cursor)
{
    return cursor->reverse ? id_min(cursor->to, feed_disk_last(cursor->feed)) : cursor->from;
}

static void disk_bounds(const struct feed_cursor *cursor, struct buf *lower, struct buf *upper)
{
    struct id end = feed_disk_last(cursor->feed);
    key_chunk(lower, cursor->feed->home, ID_MIN);
    if (id_next(&end))
        key_chunk(upper, cursor->feed->home, end);
    else
        key_chunk_end(upper, cursor->feed->home);
}

static void open_iter(struct feed_cursor *cursor)
{
    struct buf lower, upper;
    buf_init(&lower);
    buf_init(&upper);
    disk_bounds(cursor, &lower, &upper);
    cursor->iter =
        ranges_iter_open(cursor->ranges, buf_bytes(&lower), buf_bytes(&upper), TIER_MEMORY);
    buf_deinit(&lower);
    buf_deinit(&upper);
}

static enum err place_iter(struct feed_cursor *cursor)
{
    struct buf key;
    buf_init(&key);
    cursor->row_placed = false;
    key_chunk(&key, cursor->feed->home, disk_position(cursor));
    enum err err = ranges_iter_seek_prev(cursor->iter, buf_bytes(&key));
    if (err == ERR_END && !cursor->reverse) {
        key_chunk(&key, cursor->feed->home, ID_MIN);
        err = ranges_iter_seek(cursor->iter, buf_bytes(&key));
    }
    buf_deinit(&key);
    return err;
}

/* All rows up to rows_last were walked. True: a fold has moved the end of what is on disk up since,
 * and the walk goes on there. */
static bool rows_passed(struct feed_cursor *cursor)
{
    struct id next = cursor->rows_last;
    cursor->have_rows = false;
    if (!id_next(&next))
        return false;
    cursor->from = id_max(cursor->from, next);
    return !id_less(feed_disk_last(cursor->feed), cursor->from) &&
           !id_less(cursor->to, cursor->from);
}

/* The next chunk from the rows that were fetched. ERR_END: none left, and none is missing. */
static enum err next_fetched(struct feed_cursor *cursor)
{
    enum err err = take_row(cursor);
    if (err != ERR_END)
        return err;
    if (!cursor->rows_complete)
        return ERR_COLD;
    if (!cursor->reverse)
        row_ends_at(cursor, cursor->rows_last);
    return ERR_END;
}

/* The next chunk from the block cache. */
static enum err next_in_memory(struct feed_cursor *cursor)
{
    if (cursor->iter == NULL)
        open_iter(cursor);
    enum err err;
    if (!cursor->iter_placed)
        err = place_iter(cursor);
    else
        err = cursor->reverse ? ranges_iter_prev(cursor->iter) : ranges_iter_next(cursor->iter);
    cursor->iter_placed = err == ERR_OK;
    if (err == ERR_END && !cursor->reverse)
        row_ends_at(cursor, feed_disk_last(cursor->feed));
    if (err != ERR_OK)
        return err;
    return begin_row(cursor, ranges_iter_key(cursor->iter), ranges_iter_value(cursor->iter));
}

/* The chunk on the shelf that has the next id. ERR_END: there is none. */
static enum err next_on_shelf(struct feed_cursor *cursor)
{
    struct cached_chunk *chunk = chunk_shelf_find(&cursor->feed->shelf, disk_position(cursor));
    if (chunk == NULL)
        return ERR_END;
    cached_chunk_ref(chunk); /* the row that is let go of may take its place */
    let_go(cursor);
    cursor->held = chunk;
    cursor->iter_placed = false;
    cursor->have_rows = false;
    return begin_span(cursor, bytes_of(chunk->data, chunk->len), chunk->base, chunk->first,
                      chunk->last);
}

/* The next chunk that is on disk. ERR_END: nothing more there. Rows that were fetched go first: so
 * the walk gets on even where it finds nothing to show in them. */
static enum err next_on_disk(struct feed_cursor *cursor)
{
    if (!cursor->have_rows || decoder_left(&cursor->rows_left) == 0) {
        enum err err = next_on_shelf(cursor);
        if (err != ERR_END)
            return err;
    }
    if (cursor->have_rows) {
        enum err err = next_fetched(cursor);
        if (err != ERR_END || cursor->reverse || !rows_passed(cursor))
            return err;
    }
    return next_in_memory(cursor);
}

static enum err begin_piece(struct feed_cursor *cursor, const struct tail *tail, uint32_t index)
{
    const struct piece *piece = &tail->pieces[index];
    let_go(cursor);
    enum err err = begin_span(cursor, bytes_of(piece->data, piece->len), piece->base, piece->first,
                              piece->last);
    if (tail == &cursor->feed->tails[cursor->feed->side])
        cursor->may_be_deleted = false; /* what is deleted from it is gone */
    return err;
}

/* Upwards: the piece that may hold `from`. ERR_END: nothing at or after it in this tail. */
static enum err next_up(struct feed_cursor *cursor, const struct tail *tail)
{
    if (tail_empty(tail))
        return ERR_END;
    uint32_t index = tail_find(tail, cursor->from);
    if (id_less(tail->pieces[index].last, cursor->from))
        index++;
    return index < tail->count ? begin_piece(cursor, tail, index) : ERR_END;
}

static enum err next_down(struct feed_cursor *cursor, const struct tail *tail)
{
    if (tail_empty(tail))
        return ERR_END;
    uint32_t index = tail_find(tail, cursor->to);
    if (id_less(cursor->to, tail->pieces[index].first))
        return ERR_END;
    return begin_piece(cursor, tail, index);
}

static enum err next_chunk_up(struct feed_cursor *cursor)
{
    struct feed *feed = cursor->feed;
    cursor->from = id_max(cursor->from, feed_row(feed)->first_id);
    if (id_less(cursor->to, cursor->from))
        return ERR_END;
    if (feed->on_disk && !id_less(feed_disk_last(feed), cursor->from)) {
        enum err err = next_on_disk(cursor);
        if (err != ERR_END)
            return err;
    }
    enum err err = next_up(cursor, &feed->tails[feed->side ^ 1]);
    return err == ERR_END ? next_up(cursor, &feed->tails[feed->side]) : err;
}

static enum err next_chunk_down(struct feed_cursor *cursor)
{
    struct feed *feed = cursor->feed;
    cursor->from = id_max(cursor->from, feed_row(feed)->first_id);
    cursor->to = id_min(cursor->to, feed_row(feed)->last_id);
    if (id_less(cursor->to, cursor->from))
        return ERR_END;
    enum err err = next_down(cursor, &feed->tails[feed->side]);
    if (err == ERR_END)
        err = next_down(cursor, &feed->tails[feed->side ^ 1]);
    if (err != ERR_END || !feed->on_disk)
        return err;
    return id_less(feed_disk_last(feed), cursor->from) ? ERR_END : next_on_disk(cursor);
}

/* The chunk is walked. One that has a span must not be found again: it may end in entries that are
 * not shown. */
static void leave_span(struct feed_cursor *cursor)
{
    if (!cursor->has_span)
        return;
    cursor->has_span = false;
    if (cursor->reverse) {
        struct id before = cursor->first;
        cursor->ended = !id_prev(&before);
        cursor->to = id_min(cursor->to, before);
    } else {
        struct id after = cursor->last;
        cursor->ended = !id_next(&after);
        cursor->from = id_max(cursor->from, after);
    }
}

static bool is_deleted(const struct feed_cursor *cursor, struct id id)
{
    return cursor->may_be_deleted && feed_deleted(cursor->feed, id);
}

/* The next entry of the chunk that is to be shown. ERR_END: there is none, and cursor->ended tells
 * whether the walk ends with it. */
static enum err next_entry_up(struct feed_cursor *cursor, struct entry *out)
{
    struct id bound = id_min(cursor->stop, cursor->to);
    struct entry entry;
    enum err err;
    while ((err = entry_read(&cursor->chunk, cursor->base, &entry)) == ERR_OK) {
        if (id_less(bound, entry.id)) {
            /* Beyond `stop`, in memory, there may be older entries than `to`. */
            cursor->ended = !id_less(cursor->stop, entry.id);
            cursor->chunk.at = cursor->chunk.end;
            return ERR_END;
        }
        if (id_less(entry.id, cursor->from) || is_deleted(cursor, entry.id))
            continue;
        cursor->ended = id_equal(entry.id, cursor->to);
        cursor->from = entry.id;
        id_next(&cursor->from);
        *out = entry;
        return ERR_OK;
    }
    return err;
}

static enum err next_entry_down(struct feed_cursor *cursor, struct entry *out)
{
    while (cursor->entries_left > 0) {
        struct entry entry;
        memcpy(&entry, cursor->entries.data + --cursor->entries_left * sizeof(entry),
               sizeof(entry));
        if (id_less(entry.id, cursor->from)) {
            cursor->ended = true;
            return ERR_END;
        }
        if (id_less(cursor->to, entry.id) || id_less(cursor->stop, entry.id) ||
            is_deleted(cursor, entry.id))
            continue;
        cursor->ended = id_equal(entry.id, cursor->from);
        cursor->to = entry.id;
        id_prev(&cursor->to);
        *out = entry;
        return ERR_OK;
    }
    return ERR_END;
}

enum err feed_cursor_next(struct feed_cursor *cursor, struct entry *out)
{
    while (!cursor->ended && !cursor->feed->dropped && feed_row(cursor->feed)->length > 0) {
        enum err err =
            cursor->reverse ? next_entry_down(cursor, out) : next_entry_up(cursor, out);
        if (err != ERR_END)
            return err;
        if (cursor->ended)
            break;
        leave_span(cursor);
        if (cursor->ended)
            break;
        err = cursor->reverse ? next_chunk_down(cursor) : next_chunk_up(cursor);
        if (err == ERR_OK)
            continue;
        cursor->ended = err == ERR_END;
        return err;
    }
    return ERR_END;
}

/* The rows that were taken are walked, and there are more: on with those beyond the last one, even
 * when nothing in it could be shown. It does not grow any more: only a feed's last chunk does. */
static void skip_walked(const struct feed_cursor *cursor, struct fetch *fetch)
{
    struct id base = cursor->row_base;
    if (cursor->reverse)
        key_chunk(&fetch->upper, cursor->feed->home, base);
    else if (id_next(&base))
        key_chunk(&fetch->lower, cursor->feed->home, base);
}

void feed_cursor_plan(struct feed_cursor *cursor, struct fetch *fetch, uint64_t entries_max)
{
    feed_cursor_pause(cursor);
    fetch_reset(fetch);
    fetch->ranges = cursor->ranges;
    fetch->kind = cursor->reverse ? FETCH_SCAN_REVERSE : FETCH_SCAN;
    disk_bounds(cursor, &fetch->lower, &fetch->upper);
    if (cursor->have_rows && !cursor->rows_complete)
        skip_walked(cursor, fetch);
    cursor->rows_last = feed_disk_last(cursor->feed);
    key_chunk(&fetch->from, cursor->feed->home, disk_position(cursor));
    /* A chunk has an entry at least, and the first one may begin before `from`. */
    fetch->rows_max = entries_max < SIZE_MAX - 1 ? (size_t)entries_max + 1 : SIZE_MAX;
    fetch->bytes_max = cursor->slice_bytes;
    if (cursor->slice_bytes < SLICE_BYTES_MAX)
        cursor->slice_bytes *= 2;
}

enum err feed_cursor_take(struct feed_cursor *cursor, struct fetch *fetch)
{
    if (fetch->err != ERR_OK)
        return fetch->err;
    leave_chunk(cursor);
    struct buf rows = cursor->rows;
    cursor->rows = fetch->rows;
    fetch->rows = rows;
    fetch->rows.len = 0;
    cursor->rows_left = decoder_of(buf_bytes(&cursor->rows));
    cursor->row_placed = false;
    cursor->have_rows = true;
    cursor->rows_complete = fetch->complete;
    return ERR_OK;
}
