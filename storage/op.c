#include "storage/op.h"

#include "base/check.h"

static unsigned fields_of(enum op_kind kind)
{
    switch (kind) {
#define X(name, number, fields)                                                                    \
    case OP_##name:                                                                                \
        return (fields);
        OP_TABLE(X)
#undef X
    }
    return 0;
}

bool op_has_key(enum op_kind kind)
{
    return (fields_of(kind) & OP_KEY) != 0;
}

static char *put_bytes(char *at, struct bytes bytes)
{
    at = encode_varint(at, bytes.len);
    if (bytes.len > 0)
        memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

void op_encode(struct buf *out, const struct op *op)
{
    unsigned fields = fields_of(op->kind);
    CHECK(fields != 0);
    size_t room = 1 + 9 * VARINT_MAX + op->key.len + op->key2.len + op->data.len;
    char *start = buf_reserve(out, room);
    char *at = start;
    *at++ = (char)op->kind;
    at = encode_varint(at, op->db);
    if (fields & OP_KEY)
        at = put_bytes(at, op->key);
    if (fields & OP_KEY2)
        at = put_bytes(at, op->key2);
    if (fields & OP_NUMBER)
        at = encode_varint(at, op->number);
    if (fields & OP_ID)
        at = encode_varint(encode_varint(at, op->id.ms), op->id.seq);
    if (fields & OP_ID2)
        at = encode_varint(encode_varint(at, op->id2.ms), op->id2.seq);
    if (fields & OP_DATA)
        at = put_bytes(at, op->data);
    out->len += (size_t)(at - start);
}

static struct id take_id(struct decoder *record)
{
    struct id id = {.ms = decoder_varint(record)};
    id.seq = decoder_varint(record);
    return id;
}

enum err op_decode(struct decoder *record, struct op *out)
{
    if (decoder_left(record) == 0)
        return ERR_END;
    struct op op = {.kind = (enum op_kind)decoder_u8(record)};
    unsigned fields = fields_of(op.kind);
    if (fields == 0)
        return ERR_TOO_NEW;
    uint64_t db = decoder_varint(record);
    if (fields & OP_KEY)
        op.key = decoder_bytes(record);
    if (fields & OP_KEY2)
        op.key2 = decoder_bytes(record);
    if (fields & OP_NUMBER)
        op.number = decoder_varint(record);
    if (fields & OP_ID)
        op.id = take_id(record);
    if (fields & OP_ID2)
        op.id2 = take_id(record);
    if (fields & OP_DATA)
        op.data = decoder_bytes(record);
    if (record->failed || db > UINT32_MAX)
        return ERR_CORRUPT;
    op.db = (uint32_t)db;
    *out = op;
    return ERR_OK;
}

void record_head_encode(struct buf *out, const struct record_head *head)
{
    buf_put_u8(out, RECORD_FORMAT);
    buf_put_u32(out, head->epoch);
    buf_put_u64(out, head->wall_ms);
}

enum err record_head_decode(struct decoder *record, struct record_head *out)
{
    uint8_t format = decoder_u8(record);
    struct record_head head = {.epoch = decoder_u32(record)};
    head.wall_ms = decoder_u64(record);
    if (!record->failed && format > RECORD_FORMAT)
        return ERR_TOO_NEW;
    if (record->failed || format != RECORD_FORMAT)
        return ERR_CORRUPT;
    *out = head;
    return ERR_OK;
}
