#include "storage/dump.h"

/* Format and checksum. */
#define TAIL_BYTES (1 + 8)

/* Dumps go from server to server: all have the same seed. */
#define CHECKSUM_SEED 0

void dump_encode(struct buf *out, const struct object_state *state)
{
    size_t start = out->len;
    struct object_state lasting = *state;
    lasting.expiry_ms = 0;
    object_row_encode(out, &lasting, 0);
    buf_put_u8(out, DUMP_FORMAT);
    buf_put_u64(out, hash_bytes(bytes_of(out->data + start, out->len - start), CHECKSUM_SEED));
}

enum err dump_decode(struct object_state *state, struct bytes dump)
{
    if (dump.len < TAIL_BYTES)
        return ERR_TOO_NEW;
    struct bytes row = bytes_of(dump.data, dump.len - TAIL_BYTES);
    struct decoder tail = decoder_of(bytes_of(dump.data + row.len, TAIL_BYTES));
    if (decoder_u8(&tail) != DUMP_FORMAT)
        return ERR_TOO_NEW;
    if (decoder_u64(&tail) != hash_bytes(bytes_of(dump.data, row.len + 1), CHECKSUM_SEED))
        return ERR_CORRUPT;
    struct object_state decoded;
    if (object_state_decode(&decoded, row) != ERR_OK)
        return ERR_INVALID;
    if (decoded.type == OBJECT_HASH && decoded.hash->packed_bytes > HASH_BYTES_MAX) {
        object_state_clear(&decoded);
        return ERR_INVALID;
    }
    decoded.expiry_ms = 0;
    *state = decoded;
    return ERR_OK;
}
