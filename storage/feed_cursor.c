/* Upwards, a chunk's entries are decoded one by one. Downwards the chunk is decoded whole first:
 * entries have no way back. */
#include "storage/feed_cursor.h"

#include "base/check.h"

/* A fetch brings at first little, for the many that want few entries, then more. */
#define SLICE_BYTES_FIRST ((size_t)16 << 10)
#define SLICE_BYTES_MAX   ((size_t)512 << 10)

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

void feed_cursor_deinit(struct feed_cursor *cursor)
{
    close_iter(cursor);
    buf_deinit(&cursor->entries);
    buf_deinit(&cursor->rows);
    feed_unref(cursor->feed);
}

/* Lets go of the chunk. */
static void leave_chunk(struct feed_cursor *cursor)
{
    close_iter(cursor);
    cursor->chunk = decoder_of(BYTES(""));
    cursor->is_piece = false;
    cursor->entries_left = 0;
}

void feed_cursor_pause(struct feed_cursor *cursor)
{
    bool in_chunk = decoder_left(&cursor->chunk) > 0 || cursor->entries_left > 0;
    if (decoder_left(&cursor->rows_left) > 0 || (in_chunk && !cursor->is_piece))
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

static enum err begin_chunk(struct feed_cursor *cursor, struct bytes data, struct id base)
{
    cursor->chunk = decoder_of(data);
    cursor->base = base;
    const struct id *memory = feed_memory_first(cursor->feed);
    cursor->stops = memory != NULL;
    if (memory != NULL)
        cursor->stop = *memory;
    cursor->is_piece = false;
    cursor->is_writable = false;
    cursor->chunks++;
    return cursor->reverse ? decode_reverse(cursor) : ERR_OK;
}

static enum err raw_next(struct feed_cursor *cursor, struct entry *out)
{
    if (!cursor->reverse)
        return entry_read(&cursor->chunk, cursor->base, out);
    if (cursor->entries_left == 0)
        return ERR_END;
    memcpy(out, cursor->entries.data + --cursor->entries_left * sizeof(*out), sizeof(*out));
    return ERR_OK;
}

/* The row on which the cursor's fetched rows stand. ERR_END: none left. */
static enum err take_row(struct feed_cursor *cursor)
{
    if (decoder_left(&cursor->rows_left) == 0)
        return ERR_END;
    struct bytes key = decoder_bytes(&cursor->rows_left);
    struct bytes value = decoder_bytes(&cursor->rows_left);
    CHECK(!cursor->rows_left.failed);
    struct id base;
    enum err err = key_chunk_base(key, cursor->feed->home, &base);
    if (err != ERR_OK)
        return err;
    cursor->row_base = base;
    return begin_chunk(cursor, value, base);
}

/* Where on disk the walk goes on: the lowest id that may be there still, or downwards the highest.
 */
static struct id disk_position(const struct feed_cursor *cursor)
{
    if (!cursor->reverse)
        return cursor->from;
    const struct id *memory = feed_memory_first(cursor->feed);
    if (memory == NULL)
        return cursor->to;
    struct id last = *memory;
    return id_prev(&last) ? id_min(cursor->to, last) : ID_MIN;
}

static void disk_bounds(const struct feed_cursor *cursor, struct buf *lower, struct buf *upper)
{
    const struct id *end = feed_memory_first(cursor->feed);
    key_chunk(lower, cursor->feed->home, ID_MIN);
    if (end == NULL)
        key_chunk_end(upper, cursor->feed->home);
    else
        key_chunk(upper, cursor->feed->home, *end);
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
    key_chunk(&key, cursor->feed->home, disk_position(cursor));
    enum err err = ranges_iter_seek_prev(cursor->iter, buf_bytes(&key));
    if (err == ERR_END && !cursor->reverse) {
        key_chunk(&key, cursor->feed->home, ID_MIN);
        err = ranges_iter_seek(cursor->iter, buf_bytes(&key));
    }
    buf_deinit(&key);
    return err;
}

/* What is on disk now ends before this. An entry that is appended later lies beyond, too. */
static struct id disk_end(struct feed *feed)
{
    const struct id *memory = feed_memory_first(feed);
    if (memory != NULL)
        return *memory;
    struct id end = feed_row(feed)->last_id;
    return id_next(&end) ? end : ID_MAX;
}

/* All rows below rows_end were walked. True: a fold has moved the end of what is on disk up since,
 * and the walk goes on there. */
static bool rows_passed(struct feed_cursor *cursor)
{
    cursor->from = id_max(cursor->from, cursor->rows_end);
    cursor->have_rows = false;
    return id_less(cursor->from, disk_end(cursor->feed)) && !id_less(cursor->to, cursor->from);
}

/* The next chunk from disk. ERR_END: nothing more there. */
static enum err next_from_disk(struct feed_cursor *cursor)
{
    if (cursor->have_rows) {
        enum err err = take_row(cursor);
        if (err != ERR_END)
            return err;
        if (!cursor->rows_complete)
            return ERR_COLD;
        if (cursor->reverse || !rows_passed(cursor))
            return ERR_END;
    }
    if (cursor->iter == NULL)
        open_iter(cursor);
    enum err err;
    if (!cursor->iter_placed)
        err = place_iter(cursor);
    else
        err = cursor->reverse ? ranges_iter_prev(cursor->iter) : ranges_iter_next(cursor->iter);
    if (err != ERR_OK)
        return err;
    cursor->iter_placed = true;
    struct id base;
    err = key_chunk_base(ranges_iter_key(cursor->iter), cursor->feed->home, &base);
    if (err != ERR_OK)
        return err;
    return begin_chunk(cursor, ranges_iter_value(cursor->iter), base);
}

static enum err begin_piece(struct feed_cursor *cursor, const struct tail *tail, uint32_t index)
{
    const struct piece *piece = &tail->pieces[index];
    enum err err = begin_chunk(cursor, bytes_of(piece->data, piece->len), piece->base);
    cursor->stops = false;
    cursor->is_piece = true;
    cursor->is_writable = tail == &cursor->feed->tails[cursor->feed->side];
    cursor->piece_first = piece->first;
    cursor->piece_last = piece->last;
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
    const struct id *memory = feed_memory_first(feed);
    if (feed->on_disk && (memory == NULL || id_less(cursor->from, *memory))) {
        enum err err = next_from_disk(cursor);
        if (err != ERR_END || memory == NULL)
            return err;
        cursor->from = id_max(cursor->from, *memory);
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
    const struct id *memory = feed_memory_first(feed);
    return memory == NULL || id_less(cursor->from, *memory) ? next_from_disk(cursor) : ERR_END;
}

static bool shown(const struct feed_cursor *cursor, const struct entry *entry)
{
    return !id_less(entry->id, cursor->from) && !id_less(cursor->to, entry->id) &&
           (!cursor->stops || id_less(entry->id, cursor->stop)) &&
           (cursor->is_writable || !feed_deleted(cursor->feed, entry->id));
}

/* The walk ends before this entry, whether it is live or not. */
static bool beyond(const struct feed_cursor *cursor, const struct entry *entry)
{
    if (cursor->reverse)
        return id_less(entry->id, cursor->from);
    return id_less(cursor->to, entry->id) && (!cursor->stops || id_less(entry->id, cursor->stop));
}

/* A piece that ends in deleted entries must not be found again. */
static void leave_piece(struct feed_cursor *cursor)
{
    if (!cursor->is_piece)
        return;
    cursor->is_piece = false;
    if (cursor->reverse) {
        struct id before = cursor->piece_first;
        cursor->ended = !id_prev(&before);
        cursor->to = id_min(cursor->to, before);
    } else {
        struct id after = cursor->piece_last;
        cursor->ended = !id_next(&after);
        cursor->from = id_max(cursor->from, after);
    }
}

/* What is left to walk is beyond `id` now. */
static void move_past(struct feed_cursor *cursor, struct id id)
{
    if (cursor->reverse) {
        cursor->to = id;
        cursor->ended = !id_prev(&cursor->to) || id_less(cursor->to, cursor->from);
    } else {
        cursor->from = id;
        cursor->ended = !id_next(&cursor->from) || id_less(cursor->to, cursor->from);
    }
}

enum err feed_cursor_next(struct feed_cursor *cursor, struct entry *out)
{
    while (!cursor->ended && !cursor->feed->dropped && feed_row(cursor->feed)->length > 0) {
        struct entry entry;
        enum err err = raw_next(cursor, &entry);
        if (err == ERR_END) {
            leave_piece(cursor);
            if (cursor->ended)
                break;
            err = cursor->reverse ? next_chunk_down(cursor) : next_chunk_up(cursor);
            if (err == ERR_OK)
                continue;
            cursor->ended = err == ERR_END;
            return err;
        }
        if (err != ERR_OK)
            return err;
        cursor->ended = beyond(cursor, &entry);
        if (!shown(cursor, &entry))
            continue;
        move_past(cursor, entry.id);
        *out = entry;
        return ERR_OK;
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
    cursor->rows_end = disk_end(cursor->feed);
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
    cursor->have_rows = true;
    cursor->rows_complete = fetch->complete;
    return ERR_OK;
}
