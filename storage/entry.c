#include "storage/entry.h"

#include "base/check.h"

static uint64_t relative_seq(struct id base, struct id id)
{
    return id.ms == base.ms ? id.seq - base.seq : id.seq;
}

size_t entry_size(struct id base, const struct entry *entry)
{
    return varint_size(entry->fields.len) + varint_size(entry->id.ms - base.ms) +
           varint_size(relative_seq(base, entry->id)) + entry->fields.len;
}

char *entry_write(char *at, struct id base, const struct entry *entry)
{
    at = encode_varint(at, entry->fields.len);
    at = encode_varint(at, entry->id.ms - base.ms);
    at = encode_varint(at, relative_seq(base, entry->id));
    memcpy(at, entry->fields.data, entry->fields.len);
    return at + entry->fields.len;
}

enum err entry_read(struct decoder *chunk, struct id base, struct entry *out)
{
    if (decoder_left(chunk) == 0)
        return ERR_END;
    uint64_t len = decoder_varint(chunk);
    uint64_t delta_ms = decoder_varint(chunk);
    uint64_t seq = decoder_varint(chunk);
    struct bytes fields = decoder_take(chunk, len);
    uint64_t first_seq = delta_ms == 0 ? base.seq : 0;
    if (chunk->failed || delta_ms > UINT64_MAX - base.ms || seq > UINT64_MAX - first_seq)
        return ERR_CORRUPT;
    *out = (struct entry){{base.ms + delta_ms, first_seq + seq}, fields};
    return ERR_OK;
}
