#include "base/buf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/codec.h"

/* The first allocation: most buffers that are used at all hold a reply line or a key. */
#define BUF_CAP_MIN 64

/* No length in the process comes near this; a wrapped subtraction does. */
#define BUF_CAP_MAX (SIZE_MAX / 4)

void buf_init(struct buf *buf)
{
    *buf = (struct buf){0};
}

void buf_deinit(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf);
}

void buf_grow(struct buf *buf, size_t extra)
{
    CHECK(extra <= BUF_CAP_MAX && buf->len <= BUF_CAP_MAX);
    size_t need = buf->len + extra;
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap * 2;
    if (cap < BUF_CAP_MIN)
        cap = BUF_CAP_MIN;
    if (cap < need)
        cap = need;
    buf->data = mem_realloc(buf->data, cap);
    buf->cap = cap;
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    size_t room = buf->cap - buf->len;
    char *at = buf_reserve(buf, 0);
    va_list args;
    va_start(args, format);
    int wrote = vsnprintf(at, room, format, args);
    va_end(args);
    CHECK(wrote >= 0);
    size_t len = (size_t)wrote;

    /* vsnprintf also wants room for its NUL. */
    if (len >= room) {
        at = buf_reserve(buf, len + 1);
        va_start(args, format);
        vsnprintf(at, len + 1, format, args);
        va_end(args);
    }
    buf->len += len;
}

void buf_reset(struct buf *buf, size_t keep)
{
    buf->len = 0;
    if (buf->cap <= keep)
        return;
    mem_free(buf->data);
    buf->data = keep > 0 ? mem_alloc(keep) : NULL;
    buf->cap = keep;
}

void buf_consume(struct buf *buf, size_t n)
{
    CHECK(n <= buf->len);
    if (n == 0)
        return;
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len);
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
    buf_add(buf, &value, 1);
}

void buf_put_u16(struct buf *buf, uint16_t value)
{
    encode_u16(buf_reserve(buf, sizeof value), value);
    buf->len += sizeof value;
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    encode_u32(buf_reserve(buf, sizeof value), value);
    buf->len += sizeof value;
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    encode_u64(buf_reserve(buf, sizeof value), value);
    buf->len += sizeof value;
}

void buf_put_varint(struct buf *buf, uint64_t value)
{
    char *at = buf_reserve(buf, VARINT_MAX);
    buf->len += (size_t)(encode_varint(at, value) - at);
}

void buf_put_bytes(struct buf *buf, struct bytes bytes)
{
    buf_put_varint(buf, bytes.len);
    buf_add_bytes(buf, bytes);
}

void buf_add_quoted(struct buf *out, struct bytes text)
{
    static const char named[] = "\n\r\t\a\b";
    static const char letters[] = "nrtab";
    buf_add(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        const char *at = c != '\0' ? strchr(named, c) : NULL;
        if (at != NULL)
            buf_addf(out, "\\%c", letters[at - named]);
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (isprint((unsigned char)c))
            buf_add(out, &c, 1);
        else
            buf_addf(out, "\\x%02x", (unsigned char)c);
    }
    buf_add(out, "\"", 1);
}
