#include "storage/fetch.h"

#include "storage/expiry_index.h"
#include "storage/key_scan.h"

/* What a fetch keeps between uses: a chunk's worth of rows, so that the usual cold read does not
 * allocate, and not what a long scan grew to. */
#define FETCH_KEEP_BYTES (16u << 10)

void fetch_init(struct fetch *fetch)
{
    *fetch = (struct fetch){.kind = FETCH_GET};
    buf_init(&fetch->lower);
    buf_init(&fetch->upper);
    buf_init(&fetch->from);
    buf_init(&fetch->rows);
}

void fetch_deinit(struct fetch *fetch)
{
    buf_deinit(&fetch->lower);
    buf_deinit(&fetch->upper);
    buf_deinit(&fetch->from);
    buf_deinit(&fetch->rows);
}

void fetch_reset(struct fetch *fetch)
{
    buf_reset(&fetch->lower, FETCH_KEEP_BYTES);
    buf_reset(&fetch->upper, FETCH_KEEP_BYTES);
    buf_reset(&fetch->from, FETCH_KEEP_BYTES);
    buf_reset(&fetch->rows, FETCH_KEEP_BYTES);
    fetch->err = ERR_OK;
    fetch->complete = false;
}

static enum err run_get(struct fetch *fetch)
{
    struct buf value;
    buf_init(&value);
    enum err err = ranges_get(fetch->ranges, buf_bytes(&fetch->lower), TIER_DISK, &value);
    if (err == ERR_OK) {
        buf_put_bytes(&fetch->rows, buf_bytes(&fetch->lower));
        buf_put_bytes(&fetch->rows, buf_bytes(&value));
    }
    buf_deinit(&value);
    return err;
}

static bool has_room(const struct fetch *fetch, size_t rows, const struct ranges_iter *row)
{
    if (rows == 0)
        return true;
    size_t row_bytes = ranges_iter_key(row).len + ranges_iter_value(row).len;
    return rows < fetch->rows_max && fetch->rows.len + row_bytes <= fetch->bytes_max;
}

static enum err seek_start(const struct fetch *fetch, struct ranges_iter *iter)
{
    struct bytes from = buf_bytes(&fetch->from);
    if (fetch->kind == FETCH_SCAN_REVERSE)
        return ranges_iter_seek_prev(iter, from.len > 0 ? from : buf_bytes(&fetch->upper));
    if (from.len > 0) {
        enum err err = ranges_iter_seek_prev(iter, from);
        if (err != ERR_END)
            return err;
    }
    return ranges_iter_seek(iter, buf_bytes(&fetch->lower));
}

static enum err run_scan(struct fetch *fetch)
{
    bool reverse = fetch->kind == FETCH_SCAN_REVERSE;
    struct ranges_iter *iter = ranges_iter_open(fetch->ranges, buf_bytes(&fetch->lower),
                                                buf_bytes(&fetch->upper), TIER_DISK);
    enum err err = seek_start(fetch, iter);
    for (size_t rows = 0; err == ERR_OK && has_room(fetch, rows, iter); rows++) {
        buf_put_bytes(&fetch->rows, ranges_iter_key(iter));
        buf_put_bytes(&fetch->rows, ranges_iter_value(iter));
        err = reverse ? ranges_iter_prev(iter) : ranges_iter_next(iter);
    }
    ranges_iter_close(iter);
    fetch->complete = err == ERR_END;
    return err == ERR_END ? ERR_OK : err;
}

static enum err run_expired(struct fetch *fetch)
{
    const struct expiry_span span = {.space = fetch->space,
                                     .hash_seed = fetch->hash_seed,
                                     .until_ms = fetch->until_ms,
                                     .rows_max = fetch->rows_max,
                                     .bytes_max = fetch->bytes_max};
    return expiry_index_read(fetch->ranges, &span, &fetch->from, &fetch->rows, &fetch->next_ms);
}

void fetch_run(struct fetch *fetch)
{
    if (fetch->kind == FETCH_GET)
        fetch->err = run_get(fetch);
    else if (fetch->kind == FETCH_KEYS)
        fetch->err = key_scan(fetch->ranges, TIER_DISK, fetch->space, &fetch->place,
                              fetch->rows_max, &fetch->rows);
    else if (fetch->kind == FETCH_OBJECTS)
        fetch->err = key_scan_rows(fetch->ranges, TIER_DISK, fetch->space, &fetch->place,
                                   fetch->rows_max, fetch->bytes_max, &fetch->rows);
    else if (fetch->kind == FETCH_EXPIRED)
        fetch->err = run_expired(fetch);
    else
        fetch->err = run_scan(fetch);
    if (fetch->err != ERR_OK)
        buf_reset(&fetch->rows, FETCH_KEEP_BYTES);
}
