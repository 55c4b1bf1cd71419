#include "storage/key.h"

#include "base/codec.h"

#define HEADER_SIZE 7
#define HASH_SIZE   6
#define TIMED_SIZE  (HEADER_SIZE + 24)
#define GROUP_SIZE  (HEADER_SIZE + 16)

/* CRC-16/XMODEM, polynomial 0x1021, a nibble at a time: a key name is short. */
static uint16_t crc16(struct bytes bytes)
{
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    unsigned crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte = (unsigned char)bytes.data[i];
        crc = (crc << 4) ^ table[((crc >> 12) ^ (byte >> 4)) & 15];
        crc = (crc << 4) ^ table[((crc >> 12) ^ byte) & 15];
    }
    return (uint16_t)crc;
}

/* What counts for the slot: between the first '{' and the next '}', when not empty. */
static struct bytes hash_tag(struct bytes name)
{
    const char *open = name.len > 0 ? memchr(name.data, '{', name.len) : NULL;
    if (open == NULL)
        return name;
    size_t left = name.len - (size_t)(open + 1 - name.data);
    const char *close = left > 0 ? memchr(open + 1, '}', left) : NULL;
    if (close == NULL || close == open + 1)
        return name;
    return bytes_of(open + 1, (size_t)(close - open - 1));
}

uint16_t key_slot(struct bytes name)
{
    return crc16(hash_tag(name)) & (KEY_SLOTS - 1);
}

static char *put_header(char *at, uint32_t space, uint16_t slot, enum key_kind kind)
{
    at = encode_u32(at, space);
    at = encode_u16(at, slot);
    *at = (char)kind;
    return at + 1;
}

static char *start(struct buf *out, size_t size)
{
    out->len = 0;
    char *at = buf_reserve(out, size);
    out->len = size;
    return at;
}

void key_system(struct buf *out, struct bytes name)
{
    char *at = put_header(start(out, HEADER_SIZE + name.len), 0, 0, KEY_SYSTEM);
    memcpy(at, name.data, name.len);
}

static char *put_hash(char *at, uint64_t hash)
{
    at = encode_u32(at, (uint32_t)(hash >> 32));
    return encode_u16(at, (uint16_t)(hash >> 16));
}

void key_object(struct buf *out, uint32_t space, uint16_t slot, uint64_t hash, struct bytes name)
{
    char *at = start(out, HEADER_SIZE + HASH_SIZE + name.len);
    at = put_hash(put_header(at, space, slot, KEY_OBJECT), hash);
    if (name.len > 0)
        memcpy(at, name.data, name.len);
}

void key_object_from(struct buf *out, uint32_t space, uint16_t slot, uint64_t hash)
{
    key_object(out, space, slot, hash, BYTES(""));
}

void key_space(struct buf *out, uint32_t space)
{
    put_header(start(out, HEADER_SIZE), space, 0, KEY_SYSTEM);
}

void key_timed(struct buf *out, enum key_kind kind, struct chunk_home home, struct id id)
{
    char *at = put_header(start(out, TIMED_SIZE), home.space, home.slot, kind);
    at = encode_u64(at, home.feed);
    at = encode_u64(at, id.ms);
    encode_u64(at, id.seq);
}

void key_timed_end(struct buf *out, enum key_kind kind, struct chunk_home home)
{
    char *at = put_header(start(out, HEADER_SIZE + 8), home.space, home.slot, kind);
    encode_u64(at, home.feed + 1);
}

void key_group(struct buf *out, struct chunk_home home, uint64_t group)
{
    char *at = put_header(start(out, GROUP_SIZE), home.space, home.slot, KEY_GROUP);
    at = encode_u64(at, home.feed);
    encode_u64(at, group);
}

void key_group_end(struct buf *out, struct chunk_home home)
{
    key_timed_end(out, KEY_GROUP, home);
}

void key_pending(struct buf *out, struct chunk_home home, uint64_t group, struct id base)
{
    char *at = put_header(start(out, GROUP_SIZE + 16), home.space, home.slot, KEY_PENDING);
    at = encode_u64(encode_u64(at, home.feed), group);
    at = encode_u64(at, base.ms);
    encode_u64(at, base.seq);
}

void key_pending_end(struct buf *out, struct chunk_home home, uint64_t group)
{
    char *at = put_header(start(out, GROUP_SIZE), home.space, home.slot, KEY_PENDING);
    encode_u64(encode_u64(at, home.feed), group + 1);
}

void key_expiry(struct buf *out, uint32_t space, uint64_t expiry_ms, struct bytes name)
{
    char *at = start(out, HEADER_SIZE + 8 + name.len);
    at = encode_u64(put_header(at, space, KEY_SLOTS, KEY_EXPIRY), expiry_ms);
    if (name.len > 0)
        memcpy(at, name.data, name.len);
}

/* Takes a key's head off. False: it is not of this kind or home. */
static bool take_home(struct decoder *decoder, enum key_kind kind, struct chunk_home home)
{
    bool fits = decoder_u32(decoder) == home.space;
    fits &= decoder_u16(decoder) == home.slot;
    fits &= decoder_u8(decoder) == kind;
    fits &= decoder_u64(decoder) == home.feed;
    return fits && !decoder->failed;
}

static enum err take_base(struct decoder *decoder, struct id *base)
{
    struct id id = {.ms = decoder_u64(decoder)};
    id.seq = decoder_u64(decoder);
    if (decoder->failed || decoder_left(decoder) > 0)
        return ERR_CORRUPT;
    *base = id;
    return ERR_OK;
}

enum err key_timed_id(struct bytes key, enum key_kind kind, struct chunk_home home, struct id *id)
{
    struct decoder decoder = decoder_of(key);
    return take_home(&decoder, kind, home) ? take_base(&decoder, id) : ERR_CORRUPT;
}

enum err key_pending_base(struct bytes key, struct chunk_home home, uint64_t group, struct id *base)
{
    struct decoder decoder = decoder_of(key);
    if (!take_home(&decoder, KEY_PENDING, home) || decoder_u64(&decoder) != group)
        return ERR_CORRUPT;
    return take_base(&decoder, base);
}

enum err key_group_number(struct bytes key, struct chunk_home home, uint64_t *number)
{
    struct decoder decoder = decoder_of(key);
    if (!take_home(&decoder, KEY_GROUP, home))
        return ERR_CORRUPT;
    uint64_t group = decoder_u64(&decoder);
    if (decoder.failed || decoder_left(&decoder) > 0)
        return ERR_CORRUPT;
    *number = group;
    return ERR_OK;
}

void key_chunk(struct buf *out, struct chunk_home home, struct id base)
{
    key_timed(out, KEY_CHUNK, home, base);
}

void key_chunk_end(struct buf *out, struct chunk_home home)
{
    key_timed_end(out, KEY_CHUNK, home);
}

enum err key_chunk_base(struct bytes key, struct chunk_home home, struct id *base)
{
    return key_timed_id(key, KEY_CHUNK, home, base);
}

enum err key_expiry_parse(struct bytes key, uint32_t space, uint64_t *expiry_ms, struct bytes *name)
{
    struct decoder decoder = decoder_of(key);
    bool fits = decoder_u32(&decoder) == space;
    fits &= decoder_u16(&decoder) == KEY_SLOTS;
    fits &= decoder_u8(&decoder) == KEY_EXPIRY;
    uint64_t ms = decoder_u64(&decoder);
    if (!fits || decoder.failed)
        return ERR_CORRUPT;
    *expiry_ms = ms;
    *name = bytes_of(decoder.at, decoder_left(&decoder));
    return ERR_OK;
}

enum err key_object_parse(struct bytes key, struct object_key *out)
{
    struct decoder decoder = decoder_of(key);
    uint32_t space = decoder_u32(&decoder);
    uint16_t slot = decoder_u16(&decoder);
    uint8_t kind = decoder_u8(&decoder);
    if (decoder.failed || kind != KEY_OBJECT)
        return ERR_NOT_FOUND;
    uint64_t hash = (uint64_t)decoder_u32(&decoder) << 32;
    hash |= (uint64_t)decoder_u16(&decoder) << 16;
    if (decoder.failed)
        return ERR_CORRUPT;
    *out = (struct object_key){space, slot, hash, bytes_of(decoder.at, decoder_left(&decoder))};
    return ERR_OK;
}
