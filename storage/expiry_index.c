#include "storage/expiry_index.h"

#include "base/alloc.h"
#include "base/codec.h"
#include "storage/key_scan.h"
#include "storage/object.h"

#include <stdlib.h>

/* Names in memory at a time while the index is made: some megabytes. */
#define BUILD_NAMES 65536

/* ---- reading ---- */

struct reading {
    struct ranges *ranges;
    const struct expiry_span *span;
    struct buf *rows;
    struct buf key;
    struct buf row;
};

/* The row may be another one already: a fold has come between. Then memory knows better. */
static enum err add_key(struct reading *reading, uint64_t expiry_ms, struct bytes name)
{
    const struct expiry_span *span = reading->span;
    key_object(&reading->key, span->space, key_slot(name),
               object_hash(span->hash_seed, span->space, name), name);
    reading->row.len = 0;
    enum err err = ranges_get(reading->ranges, buf_bytes(&reading->key), TIER_DISK, &reading->row);
    if (err == ERR_OK && object_row_expiry(buf_bytes(&reading->row)) == expiry_ms) {
        buf_put_bytes(reading->rows, name);
        buf_put_bytes(reading->rows, buf_bytes(&reading->row));
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err add_keys(struct reading *reading, struct ranges_iter *iter, struct buf *from,
                         uint64_t *next_ms)
{
    const struct expiry_span *span = reading->span;
    size_t before = reading->rows->len;
    enum err err = ranges_iter_seek(iter, buf_bytes(from));
    for (size_t looked = 0; err == ERR_OK; looked++) {
        uint64_t expiry_ms;
        struct bytes name;
        err = key_expiry_parse(ranges_iter_key(iter), span->space, &expiry_ms, &name);
        if (err != ERR_OK)
            return err;
        if (expiry_ms > span->until_ms || looked >= span->rows_max ||
            reading->rows->len - before >= span->bytes_max) {
            from->len = 0;
            buf_add_bytes(from, ranges_iter_key(iter));
            *next_ms = expiry_ms;
            return ERR_OK;
        }
        err = add_key(reading, expiry_ms, name);
        if (err == ERR_OK)
            err = ranges_iter_next(iter);
    }
    if (err != ERR_END)
        return err;
    *next_ms = UINT64_MAX;
    return ERR_OK;
}

enum err expiry_index_read(struct ranges *ranges, const struct expiry_span *span, struct buf *from,
                           struct buf *rows, uint64_t *next_ms)
{
    struct reading reading = {.ranges = ranges, .span = span, .rows = rows};
    size_t before = rows->len;
    buf_init(&reading.key);
    buf_init(&reading.row);
    key_expiry(&reading.key, span->space, OBJECT_EXPIRY_MAX + 1, BYTES(""));
    struct ranges_iter *iter =
        ranges_iter_open(ranges, buf_bytes(from), buf_bytes(&reading.key), TIER_DISK);
    enum err err = add_keys(&reading, iter, from, next_ms);
    ranges_iter_close(iter);
    buf_deinit(&reading.key);
    buf_deinit(&reading.row);
    if (err != ERR_OK)
        rows->len = before;
    return err;
}

/* ---- making one ---- */

struct expiring {
    uint64_t expiry_ms;
    struct bytes name;
};

static int compare_expiring(const void *a, const void *b)
{
    const struct expiring *x = a;
    const struct expiring *y = b;
    if (x->expiry_ms != y->expiry_ms)
        return x->expiry_ms < y->expiry_ms ? -1 : 1;
    return bytes_compare(x->name, y->name);
}

/* Those of `rows` (key_scan.h) that expire, in order. */
static size_t collect(struct bytes rows, struct database *database, struct expiring **out)
{
    struct buf found;
    buf_init(&found);
    struct decoder decoder = decoder_of(rows);
    while (decoder_left(&decoder) > 0) {
        struct expiring expiring = {.name = decoder_bytes(&decoder)};
        expiring.expiry_ms = object_row_expiry(decoder_bytes(&decoder));
        if (expiring.expiry_ms == 0)
            continue;
        database->expiry_sum += catalog_expiry(expiring.expiry_ms);
        buf_add(&found, &expiring, sizeof(expiring));
    }
    size_t count = found.len / sizeof(struct expiring);
    *out = mem_copy(found.data, found.len);
    buf_deinit(&found);
    if (count > 0)
        qsort(*out, count, sizeof(**out), compare_expiring);
    return count;
}

static enum err write_rows(struct ranges *ranges, uint32_t space, const struct expiring *expiring,
                           size_t count)
{
    struct ranges_batch *batch;
    struct buf key;
    enum err err = ranges_batch_begin(ranges, &batch);
    if (err != ERR_OK)
        return err;
    buf_init(&key);
    for (size_t i = 0; i < count; i++) {
        key_expiry(&key, space, expiring[i].expiry_ms, expiring[i].name);
        ranges_batch_put(batch, buf_bytes(&key), BYTES(""));
    }
    buf_deinit(&key);
    return ranges_batch_commit(batch);
}

static enum err delete_rows(struct ranges *ranges, uint32_t space)
{
    struct ranges_batch *batch;
    struct buf lower, upper;
    enum err err = ranges_batch_begin(ranges, &batch);
    if (err != ERR_OK)
        return err;
    buf_init(&lower);
    buf_init(&upper);
    key_expiry(&lower, space, 0, BYTES(""));
    key_expiry(&upper, space, OBJECT_EXPIRY_MAX + 1, BYTES(""));
    ranges_batch_delete_range(batch, buf_bytes(&lower), buf_bytes(&upper));
    buf_deinit(&lower);
    buf_deinit(&upper);
    return ranges_batch_commit(batch);
}

static enum err build(struct ranges *ranges, struct database *database)
{
    struct buf rows;
    uint64_t place = 0;
    buf_init(&rows);
    database->expiry_sum = 0;
    enum err err = delete_rows(ranges, database->space);
    while (err == ERR_OK && place < KEY_PLACE_END) {
        rows.len = 0;
        err = key_scan(ranges, TIER_DISK, database->space, &place, BUILD_NAMES, &rows);
        if (err != ERR_OK)
            break;
        struct expiring *expiring;
        size_t count = collect(buf_bytes(&rows), database, &expiring);
        if (count > 0)
            err = write_rows(ranges, database->space, expiring, count);
        mem_free(expiring);
    }
    buf_deinit(&rows);
    return err;
}

enum err expiry_index_build(struct ranges *ranges, struct catalog *catalog)
{
    enum err err = ERR_OK;
    for (uint32_t db = 0; err == ERR_OK && db < catalog->count; db++) {
        if (catalog->databases[db].expires > 0)
            err = build(ranges, &catalog->databases[db]);
    }
    return err;
}
