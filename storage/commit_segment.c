#include "storage/commit_segment.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/hmap.h"
#include "storage/commit_log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SEGMENT_MAGIC   BYTES("WEIRLOG\n")
#define SEGMENT_VERSION 1
/* The part of the header block that is not zero, without and with its checksum; all versions have
 * it in this form. */
#define HEADER_CHECKED_BYTES 32
#define HEADER_USED_BYTES    40
/* The part of a record's header that its own checksum covers. */
#define RECORD_CHECKED_BYTES 28
/* One read: large enough that its cost is the copying, small enough for any cache. */
#define WINDOW_BYTES ((size_t)1 << 20)

#define NAME_PREFIX      BYTES("log-")
#define NAME_DIGITS      20
#define FREE_NAME_PREFIX BYTES("free-")

static_assert(COMMIT_PAYLOAD_MAX <= UINT32_MAX, "a record's header has 32 bits for the length");
static_assert(SEGMENT_HEADER_BYTES % RECORD_ALIGN == 0, "the first record is aligned");
static_assert(RECORD_HEADER_BYTES % RECORD_ALIGN == 0, "a header in the window is whole");

void segment_name(uint64_t first, char out[SEGMENT_NAME_BYTES])
{
    (void)snprintf(out, SEGMENT_NAME_BYTES, "log-%020" PRIu64, first);
}

void segment_free_name(uint64_t number, char out[SEGMENT_NAME_BYTES])
{
    (void)snprintf(out, SEGMENT_NAME_BYTES, "free-%" PRIu64, number);
}

/* Cuts `prefix` off the front of `name`. */
static bool name_cut(struct bytes *name, struct bytes prefix)
{
    if (name->len < prefix.len || memcmp(name->data, prefix.data, prefix.len) != 0)
        return false;
    *name = bytes_of(name->data + prefix.len, name->len - prefix.len);
    return true;
}

bool segment_name_parse(struct bytes name, uint64_t *first)
{
    if (!name_cut(&name, NAME_PREFIX) || name.len != NAME_DIGITS)
        return false;
    while (name.len > 1 && name.data[0] == '0')
        name = bytes_of(name.data + 1, name.len - 1);
    return bytes_to_u64(name, first);
}

bool segment_free_name_parse(struct bytes name, uint64_t *number)
{
    return name_cut(&name, FREE_NAME_PREFIX) && bytes_to_u64(name, number);
}

void segment_header_encode(uint64_t first, uint64_t nonce, char out[SEGMENT_HEADER_BYTES])
{
    memset(out, 0, SEGMENT_HEADER_BYTES);
    memcpy(out, SEGMENT_MAGIC.data, SEGMENT_MAGIC.len);
    char *at = encode_u32(out + SEGMENT_MAGIC.len, SEGMENT_VERSION);
    at = encode_u32(at, 0);
    at = encode_u64(at, first);
    at = encode_u64(at, nonce);
    encode_u64(at, hash_bytes(bytes_of(out, HEADER_CHECKED_BYTES), 0));
}

static enum err header_decode(const char *header, uint64_t first, uint64_t *nonce)
{
    struct decoder decoder = decoder_of(bytes_of(header, HEADER_USED_BYTES));
    bool magic = bytes_equal(decoder_take(&decoder, SEGMENT_MAGIC.len), SEGMENT_MAGIC);
    uint32_t version = decoder_u32(&decoder);
    (void)decoder_u32(&decoder);
    uint64_t header_first = decoder_u64(&decoder);
    uint64_t header_nonce = decoder_u64(&decoder);
    uint64_t check = decoder_u64(&decoder);
    if (!magic || check != hash_bytes(bytes_of(header, HEADER_CHECKED_BYTES), 0))
        return ERR_CORRUPT;
    if (version > SEGMENT_VERSION)
        return ERR_TOO_NEW;
    if (header_first != first)
        return ERR_CORRUPT;
    *nonce = header_nonce;
    return ERR_OK;
}

struct record_header {
    uint64_t lsn;
    uint64_t synced;
    uint64_t payload_check;
    uint32_t payload_len;
};

static uint32_t header_check(const char *header, uint64_t nonce)
{
    return (uint32_t)hash_bytes(bytes_of(header, RECORD_CHECKED_BYTES), nonce);
}

void record_header_encode(uint64_t lsn, uint64_t synced, struct bytes payload, uint64_t nonce,
                          char out[RECORD_HEADER_BYTES])
{
    CHECK(payload.len <= COMMIT_PAYLOAD_MAX);
    char *at = encode_u64(out, lsn);
    at = encode_u64(at, synced);
    at = encode_u64(at, hash_bytes(payload, nonce));
    at = encode_u32(at, (uint32_t)payload.len);
    encode_u32(at, header_check(out, nonce));
}

static bool record_header_decode(const char *header, uint64_t nonce, struct record_header *out)
{
    struct decoder decoder = decoder_of(bytes_of(header, RECORD_HEADER_BYTES));
    out->lsn = decoder_u64(&decoder);
    out->synced = decoder_u64(&decoder);
    out->payload_check = decoder_u64(&decoder);
    out->payload_len = decoder_u32(&decoder);
    uint32_t check = decoder_u32(&decoder);
    return out->payload_len <= COMMIT_PAYLOAD_MAX && check == header_check(header, nonce);
}

uint64_t record_bytes(uint64_t payload_len)
{
    uint64_t bytes = RECORD_HEADER_BYTES + payload_len;
    return (bytes + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* Shows the file's bytes [at, at + len), valid until the next call. ERR_END: it is shorter. */
static enum err reader_view(struct segment_reader *reader, uint64_t at, size_t len,
                            const char **out)
{
    if (at > reader->size || reader->size - at < len)
        return ERR_END;
    struct buf *window = &reader->window;
    if (at < reader->window_at || at + len > reader->window_at + window->len) {
        uint64_t left = reader->size - at;
        size_t ahead = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        size_t want = ahead > len ? ahead : len;
        window->len = 0;
        size_t got;
        enum err err = disk_file_read(reader->file, at, buf_reserve(window, want), want, &got);
        if (err != ERR_OK)
            return err;
        if (got < want)
            return ERR_IO;
        window->len = got;
        reader->window_at = at;
    }
    *out = window->data + (at - reader->window_at);
    return ERR_OK;
}

static enum err reader_header(struct segment_reader *reader, uint64_t first)
{
    enum err err = disk_file_size(reader->file, &reader->size);
    if (err != ERR_OK)
        return err;
    const char *header;
    err = reader_view(reader, 0, SEGMENT_HEADER_BYTES, &header);
    if (err == ERR_END)
        return ERR_CORRUPT;
    if (err != ERR_OK)
        return err;
    return header_decode(header, first, &reader->nonce);
}

enum err segment_reader_open(struct segment_reader *reader, struct disk *disk, uint64_t first)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(first, name);
    *reader = (struct segment_reader){.lsn = first, .at = SEGMENT_HEADER_BYTES};
    enum err err = disk_open(disk, name, &reader->file);
    if (err != ERR_OK)
        return err;
    buf_init(&reader->window);
    err = reader_header(reader, first);
    if (err != ERR_OK)
        segment_reader_close(reader);
    return err;
}

void segment_reader_close(struct segment_reader *reader)
{
    buf_deinit(&reader->window);
    disk_file_close(reader->file);
}

/* The payload behind the header at the reader's place. ERR_END: short or damaged. */
static enum err reader_payload(struct segment_reader *reader, const struct record_header *header,
                               struct bytes *out)
{
    const char *record;
    enum err err =
        reader_view(reader, reader->at, RECORD_HEADER_BYTES + (size_t)header->payload_len, &record);
    if (err != ERR_OK)
        return err;
    struct bytes payload = bytes_of(record + RECORD_HEADER_BYTES, header->payload_len);
    if (hash_bytes(payload, reader->nonce) != header->payload_check)
        return ERR_END;
    *out = payload;
    return ERR_OK;
}

enum err segment_reader_next(struct segment_reader *reader, bool with_payload,
                             struct segment_record *out)
{
    const char *bytes;
    enum err err = reader_view(reader, reader->at, RECORD_HEADER_BYTES, &bytes);
    if (err != ERR_OK)
        return err;
    struct record_header header;
    if (!record_header_decode(bytes, reader->nonce, &header) || header.lsn != reader->lsn)
        return ERR_END;
    struct bytes payload = {0};
    if (with_payload)
        err = reader_payload(reader, &header, &payload);
    if (err != ERR_OK)
        return err;
    *out = (struct segment_record){header.lsn, header.synced, payload};
    reader->lsn++;
    reader->at += record_bytes(header.payload_len);
    return ERR_OK;
}

/* A header alone is proof, whatever became of its payload. Records of earlier lives do not decode,
 * and a payload cannot hold a copy of a header that is later than itself. The cheap comparisons
 * spare most places the checksum. */
static bool tells_synced(const struct segment_reader *reader, const char *bytes, uint64_t lsn_end)
{
    struct decoder decoder = decoder_of(bytes_of(bytes, RECORD_HEADER_BYTES));
    uint64_t lsn = decoder_u64(&decoder);
    if (lsn <= reader->lsn || lsn >= lsn_end)
        return false;
    uint64_t synced = decoder_u64(&decoder);
    struct record_header header;
    return synced >= reader->lsn && synced < lsn &&
           record_header_decode(bytes, reader->nonce, &header);
}

enum err segment_reader_was_synced(struct segment_reader *reader, bool *out)
{
    uint64_t lsn_end = reader->lsn + reader->size / RECORD_HEADER_BYTES;
    const char *bytes;
    enum err err;
    uint64_t at = reader->at;
    while ((err = reader_view(reader, at, RECORD_HEADER_BYTES, &bytes)) == ERR_OK) {
        if (tells_synced(reader, bytes, lsn_end)) {
            *out = true;
            return ERR_OK;
        }
        at += RECORD_ALIGN;
    }
    if (err != ERR_END)
        return err;
    *out = false;
    return ERR_OK;
}

enum err segment_reader_settle(struct segment_reader *reader, uint64_t from)
{
    uint64_t end = reader->at < reader->size ? reader->at : reader->size;
    while (from < end) {
        size_t len = end - from < WINDOW_BYTES ? (size_t)(end - from) : WINDOW_BYTES;
        const char *bytes;
        enum err err = reader_view(reader, from, len, &bytes);
        CHECK(err != ERR_END);
        if (err != ERR_OK)
            return err;
        struct bytes part = bytes_of(bytes, len);
        err = disk_file_write(reader->file, from, &part, 1);
        if (err != ERR_OK)
            return err;
        from += len;
    }
    return disk_file_sync(reader->file);
}
