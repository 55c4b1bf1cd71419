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
