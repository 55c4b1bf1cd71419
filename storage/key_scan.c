#include "storage/key_scan.h"

#include "storage/object.h"

static uint64_t place_of(const struct object_key *key)
{
    return key_place(key->slot, key->hash);
}

static void key_at(struct buf *out, uint32_t space, uint64_t place)
{
    key_object_from(out, space, (uint16_t)(place >> KEY_HASH_BITS), place << (64 - KEY_HASH_BITS));
}

/* Past the rows of other kinds that follow a slot's object rows. */
static uint64_t next_slot(struct bytes key)
{
    uint16_t slot = (uint16_t)((unsigned char)key.data[4] << 8 | (unsigned char)key.data[5]);
    return ((uint64_t)slot + 1) << KEY_HASH_BITS;
}

struct scan {
    struct ranges_iter *iter;
    uint32_t space;
    size_t row_max; /* of a row, its first bytes */
    size_t count;
    size_t bytes_max;
    struct buf key;
    struct buf *rows;
};

/* Moves to the first object row at or after *place, which becomes its place. */
static enum err find_row(struct scan *scan, uint64_t *place, struct object_key *row)
{
    while (*place < KEY_PLACE_END) {
        key_at(&scan->key, scan->space, *place);
        enum err err = ranges_iter_seek(scan->iter, buf_bytes(&scan->key));
        if (err != ERR_OK)
            return err;
        err = key_object_parse(ranges_iter_key(scan->iter), row);
        if (err != ERR_NOT_FOUND) {
            if (err == ERR_OK)
                *place = place_of(row);
            return err;
        }
        *place = next_slot(ranges_iter_key(scan->iter));
    }
    return ERR_END;
}

static enum err add_rows(struct scan *scan, uint64_t *place)
{
    size_t added = 0;
    size_t before = scan->rows->len;
    struct object_key row;
    enum err err = find_row(scan, place, &row);
    while (err == ERR_OK) {
        uint64_t at = place_of(&row);
        bool enough = added >= scan->count || scan->rows->len - before >= scan->bytes_max;
        if (enough && at != *place) {
            *place = at;
            return ERR_OK;
        }
        *place = at;
        struct bytes value = ranges_iter_value(scan->iter);
        buf_put_bytes(scan->rows, row.name);
        size_t len = value.len < scan->row_max ? value.len : scan->row_max;
        buf_put_bytes(scan->rows, bytes_of(value.data, len));
        added++;
        err = ranges_iter_next(scan->iter);
        if (err == ERR_OK)
            err = key_object_parse(ranges_iter_key(scan->iter), &row);
        if (err == ERR_NOT_FOUND) {
            uint64_t next = next_slot(ranges_iter_key(scan->iter));
            err = find_row(scan, &next, &row);
        }
    }
    return err;
}

static enum err run(struct ranges *ranges, enum tier tier, struct scan *scan, uint64_t *place)
{
    struct buf lower, upper;
    size_t before = scan->rows->len;
    uint64_t at = *place;
    buf_init(&scan->key);
    buf_init(&lower);
    buf_init(&upper);
    key_at(&lower, scan->space, at);
    key_space(&upper, scan->space + 1);
    scan->iter = ranges_iter_open(ranges, buf_bytes(&lower), buf_bytes(&upper), tier);
    enum err err = add_rows(scan, &at);
    ranges_iter_close(scan->iter);
    buf_deinit(&scan->key);
    buf_deinit(&lower);
    buf_deinit(&upper);
    if (err == ERR_OK || err == ERR_END) {
        *place = err == ERR_END ? KEY_PLACE_END : at;
        return ERR_OK;
    }
    scan->rows->len = before;
    return err;
}

enum err key_scan(struct ranges *ranges, enum tier tier, uint32_t space, uint64_t *place,
                  size_t count, struct buf *rows)
{
    struct scan scan = {.space = space,
                        .row_max = OBJECT_ROW_HEAD_MAX,
                        .count = count,
                        .bytes_max = SIZE_MAX,
                        .rows = rows};
    return run(ranges, tier, &scan, place);
}

enum err key_scan_rows(struct ranges *ranges, enum tier tier, uint32_t space, uint64_t *place,
                       size_t count, size_t bytes_max, struct buf *rows)
{
    struct scan scan = {
        .space = space, .row_max = SIZE_MAX, .count = count, .bytes_max = bytes_max, .rows = rows};
    return run(ranges, tier, &scan, place);
}
