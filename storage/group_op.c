#include "storage/group_op.h"

void group_op_put(struct buf *out, const struct group_op *op)
{
    buf_put_varint(out, op->consumer);
    buf_put_varint(out, op->now_ms);
    buf_put_varint(out, op->flags);
    buf_put_varint(out, op->entries_read + 1);
}

static char *put_id(char *at, struct id last, struct id id)
{
    uint64_t delta_ms = id.ms - last.ms;
    at = encode_varint(at, delta_ms);
    return encode_varint(at, delta_ms == 0 ? id.seq - last.seq : id.seq);
}

void group_op_put_ids(struct buf *out, const struct id *ids, size_t count)
{
    if (count == 0)
        return;
    char *start = buf_reserve(out, (1 + count) * 2 * VARINT_MAX);
    char *at = encode_varint(encode_varint(start, 0), count);
    struct id last = ID_MIN;
    for (size_t i = 0; i < count; i++) {
        at = put_id(at, last, ids[i]);
        last = ids[i];
    }
    out->len += (size_t)(at - start);
}

/* How many items from `place` on have the same owner. */
static uint64_t run_length(const struct pending_set *set, const struct pending *item,
                           struct pending_place place)
{
    uint32_t owner = item->consumer;
    uint64_t count = 0;
    for (; item != NULL && item->consumer == owner; item = pending_set_next(set, &place))
        count++;
    return count;
}

static void put_changes(struct buf *out, const struct pending_set *set, const uint64_t *now_ms)
{
    struct pending_place place;
    struct id last = ID_MIN;
    uint64_t left = 0;
    const struct pending *item = pending_set_seek(set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(set, &place)) {
        char *start = buf_reserve(out, 6 * VARINT_MAX);
        char *at = start;
        if (left == 0) {
            left = run_length(set, item, place);
            at = encode_varint(encode_varint(at, item->consumer), left);
        }
        at = put_id(at, last, item->id);
        if (now_ms != NULL) {
            at = encode_varint(at, zigzag((int64_t)(item->delivered_ms - *now_ms)));
            at = encode_varint(at, item->deliveries);
        }
        out->len += (size_t)(at - start);
        last = item->id;
        left--;
    }
}

void group_op_put_acks(struct buf *out, const struct pending_set *set)
{
    put_changes(out, set, NULL);
}

void group_op_put_claims(struct buf *out, const struct pending_set *set, uint64_t now_ms)
{
    put_changes(out, set, &now_ms);
}

enum err group_op_take(struct decoder *data, struct group_op *out)
{
    uint64_t consumer = decoder_varint(data);
    struct group_op op = {.now_ms = decoder_varint(data)};
    uint64_t flags = decoder_varint(data);
    op.entries_read = decoder_varint(data) - 1;
    if (data->failed || consumer > UINT32_MAX || flags > (GROUP_OP_NOACK | GROUP_OP_ACTIVE))
        return ERR_CORRUPT;
    op.consumer = (uint32_t)consumer;
    op.flags = (unsigned)flags;
    *out = op;
    return ERR_OK;
}

void group_changes_init(struct group_changes *changes, struct decoder data, bool claims,
                        uint64_t now_ms)
{
    *changes = (struct group_changes){.data = data, .claims = claims, .now_ms = now_ms};
}

/* The head of the next run. */
static bool begin_run(struct group_changes *changes)
{
    uint64_t owner = decoder_varint(&changes->data);
    changes->left = decoder_varint(&changes->data);
    changes->item.consumer = (uint32_t)owner;
    return !changes->data.failed && owner <= UINT32_MAX && changes->left > 0;
}

enum err group_changes_next(struct group_changes *changes, struct pending *out)
{
    struct decoder *data = &changes->data;
    struct pending *item = &changes->item;
    if (changes->left == 0 && decoder_left(data) == 0)
        return ERR_END;
    if (changes->left == 0 && !begin_run(changes))
        return ERR_CORRUPT;
    uint64_t delta_ms = decoder_varint(data);
    uint64_t seq = decoder_varint(data);
    item->id.seq = delta_ms == 0 ? item->id.seq + seq : seq;
    item->id.ms += delta_ms;
    if (changes->claims) {
        item->delivered_ms = changes->now_ms + (uint64_t)unzigzag(decoder_varint(data));
        item->deliveries = decoder_varint(data);
    }
    if (data->failed)
        return ERR_CORRUPT;
    changes->left--;
    *out = *item;
    return ERR_OK;
}
