#include "base/codec.h"

#include <endian.h>

static void fail(struct decoder *decoder)
{
    decoder->failed = true;
    decoder->at = decoder->end;
}

/* Reads `size` bytes, most significant first. */
static uint64_t read_big_endian(struct decoder *decoder, size_t size)
{
    if (decoder_left(decoder) < size) {
        fail(decoder);
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)decoder->at[i];
    decoder->at += size;
    return value;
}

uint8_t decoder_u8(struct decoder *decoder)
{
    return (uint8_t)read_big_endian(decoder, 1);
}

uint16_t decoder_u16(struct decoder *decoder)
{
    return (uint16_t)read_big_endian(decoder, 2);
}

uint32_t decoder_u32(struct decoder *decoder)
{
    return (uint32_t)read_big_endian(decoder, 4);
}

uint64_t decoder_u64(struct decoder *decoder)
{
    return read_big_endian(decoder, 8);
}

uint64_t decoder_varint_long(struct decoder *decoder)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && decoder->at < decoder->end; shift += 7) {
        uint64_t byte = (unsigned char)*decoder->at++;
        /* The tenth byte has one bit of the value to give. */
        if (shift == 63 && byte > 1)
            break;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    fail(decoder);
    return 0;
}

struct bytes decoder_bytes(struct decoder *decoder)
{
    return decoder_take(decoder, decoder_varint(decoder));
}

char *encode_u16(char *at, uint16_t value)
{
    uint16_t big_endian = htobe16(value);
    memcpy(at, &big_endian, sizeof big_endian);
    return at + sizeof big_endian;
}

char *encode_u32(char *at, uint32_t value)
{
    uint32_t big_endian = htobe32(value);
    memcpy(at, &big_endian, sizeof big_endian);
    return at + sizeof big_endian;
}

char *encode_u64(char *at, uint64_t value)
{
    uint64_t big_endian = htobe64(value);
    memcpy(at, &big_endian, sizeof big_endian);
    return at + sizeof big_endian;
}

char *encode_varint(char *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (char)value;
    return at;
}

size_t varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}
