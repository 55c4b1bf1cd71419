/* buf: a growing byte buffer in the caller's memory.
 *
 * `data[0 .. len)` is the content. Growth doubles, so adding is amortized O(1).
 * Out of memory stops the process (base/alloc.h). A pointer into `data` is valid
 * until the next call that may grow the buffer. Not thread safe. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include "base/bytes.h"

struct buf {
    char *data;
    size_t len;
    size_t cap;
};

void buf_init(struct buf *buf);
void buf_deinit(struct buf *buf);

/* Makes `cap` at least `len + extra`. */
void buf_grow(struct buf *buf, size_t extra);

/* Room for `extra` more bytes, which the caller writes and then adds to `len`. */
static inline char *buf_reserve(struct buf *buf, size_t extra)
{
    if (buf->cap - buf->len < extra)
        buf_grow(buf, extra);
    return buf->data + buf->len;
}

static inline void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), data, len);
    buf->len += len;
}

static inline void buf_add_bytes(struct buf *buf, struct bytes bytes)
{
    buf_add(buf, bytes.data, bytes.len);
}

/* printf into the buffer. */
__attribute__((format(printf, 2, 3))) void buf_addf(struct buf *buf, const char *format, ...);

/* In quotes, as redis-cli writes strings: what is printable as it is, the rest escaped. */
void buf_add_quoted(struct buf *buf, struct bytes text);

/* Empties the buffer. Memory above `keep` bytes of capacity is given back. */
void buf_reset(struct buf *buf, size_t keep);

/* Drops the first `n` bytes; the rest moves to the front. */
void buf_consume(struct buf *buf, size_t n);

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->data, buf->len};
}

/* On-disk integers: big endian, or LEB128 varints (at most VARINT_MAX bytes). */
#define VARINT_MAX 10
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
void buf_put_varint(struct buf *buf, uint64_t value);
/* A varint length, then the bytes. */
void buf_put_bytes(struct buf *buf, struct bytes bytes);

#endif
