/* entry: one entry of a feed, and how it is kept in a chunk.
 *
 * Fields are kept in wire form, the RESP array in which clients send and get them
 * ("*2\r\n$4\r\nname\r\n$3\r\nAda\r\n"): a reply is a memory copy.
 *
 *   chunk = entry...        entry = len varint | delta-ms varint | seq varint | fields (len bytes)
 *
 * The id is relative to the chunk's base, the id in its key: ms = base.ms + delta-ms; seq counts
 * from base.seq where delta-ms is 0 and from 0 elsewhere. Entries of a chunk ascend. Since an entry
 * depends on the base alone, chunks grow by concatenation. */
#ifndef WEIR_STORAGE_ENTRY_H
#define WEIR_STORAGE_ENTRY_H

#include "base/codec.h"
#include "base/err.h"
#include "storage/id.h"

/* Longest fields of an entry, in wire form: with a full open record before it an entry still fits
 * in one commit record (COMMIT_PAYLOAD_MAX). */
#define ENTRY_BYTES_MAX ((size_t)256 << 20)

struct entry {
    struct id id;
    struct bytes fields; /* borrowed */
};

/* `base` <= entry->id. */
size_t entry_size(struct id base, const struct entry *entry);
/* Writes entry_size bytes and returns their end. */
char *entry_write(char *at, struct id base, const struct entry *entry);
/* The next entry of a chunk; its fields point into it. ERR_END at the end, ERR_CORRUPT. Inline: a
 * range is a hundred of them. */
MUST_CHECK static inline enum err entry_read(struct decoder *chunk, struct id base,
                                             struct entry *out)
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

#endif
