/* codec: bounds-checked reading and unchecked writing of on-disk integers.
 *
 * A `struct decoder` walks a borrowed span. A read past its end, or of a varint
 * that is too long, sets `failed`, answers 0 or an empty view, and moves to the
 * end: decode everything, then ask `failed` once. */
#ifndef WEIR_BASE_CODEC_H
#define WEIR_BASE_CODEC_H

#include "base/buf.h"

struct decoder {
    const char *at;
    const char *end;
    bool failed;
};

static inline struct decoder decoder_of(struct bytes span)
{
    return (struct decoder){span.data, span.data + span.len, false};
}

static inline size_t decoder_left(const struct decoder *decoder)
{
    return (size_t)(decoder->end - decoder->at);
}

uint8_t decoder_u8(struct decoder *decoder);
uint16_t decoder_u16(struct decoder *decoder);
uint32_t decoder_u32(struct decoder *decoder);
uint64_t decoder_u64(struct decoder *decoder);
/* A varint of more than one byte, or a failure. */
uint64_t decoder_varint_long(struct decoder *decoder);

static inline uint64_t decoder_varint(struct decoder *decoder)
{
    if (decoder->at < decoder->end && (*decoder->at & 0x80) == 0)
        return (unsigned char)*decoder->at++;
    return decoder_varint_long(decoder);
}

/* The next `len` bytes, valid as long as the span. */
static inline struct bytes decoder_take(struct decoder *decoder, uint64_t len)
{
    if (decoder_left(decoder) < len) {
        decoder->failed = true;
        decoder->at = decoder->end;
        return (struct bytes){0};
    }
    struct bytes taken = {decoder->at, (size_t)len};
    decoder->at += len;
    return taken;
}

/* A varint length, then that many bytes. */
struct bytes decoder_bytes(struct decoder *decoder);

/* Writes to memory that has the room; each returns the end of what it wrote. */
char *encode_u16(char *at, uint16_t value);
char *encode_u32(char *at, uint32_t value);
char *encode_u64(char *at, uint64_t value);
char *encode_varint(char *at, uint64_t value);
size_t varint_size(uint64_t value);

/* A signed number as an unsigned one that is small where its distance to 0 is. */
static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

#endif
