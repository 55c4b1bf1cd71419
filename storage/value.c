#include "storage/value.h"

#include "base/alloc.h"
#include "base/check.h"

/* Growing values get so much more room than they need, as a share: adding is amortized O(1). */
#define GROWTH_SHARE 4

static struct value *make(size_t len, size_t room)
{
    CHECK(len <= room && room <= UINT32_MAX - sizeof(struct value));
    struct value *value = mem_alloc(sizeof(*value) + room);
    *value = (struct value){.len = (uint32_t)len, .refs = 1};
    return value;
}

struct value *value_create(struct bytes bytes)
{
    struct value *value = make(bytes.len, bytes.len);
    if (bytes.len > 0)
        memcpy(value->data, bytes.data, bytes.len);
    return value;
}

void value_ref(struct value *value)
{
    CHECK(value->refs < UINT16_MAX);
    value->refs++;
}

void value_unref(struct value *value)
{
    if (--value->refs == 0)
        mem_free(value);
}

static size_t size_for(size_t len)
{
    return mem_rounded(sizeof(struct value) + len);
}

static bool fits(const struct value *value, size_t len)
{
    return !value->edited && (len == value->len || size_for(len) == size_for(value->len));
}

struct value *value_replace(struct value *value, struct bytes bytes)
{
    if (value->refs > 1 || !fits(value, bytes.len)) {
        value_unref(value);
        return value_create(bytes);
    }
    if (bytes.len > 0)
        memcpy(value->data, bytes.data, bytes.len);
    value->len = (uint32_t)bytes.len;
    return value;
}

/* A value of its own with room for `len` bytes. */
static struct value *open_up(struct value *value, size_t len)
{
    size_t room = len > value->len ? len + len / GROWTH_SHARE : value->len;
    if (value->refs == 1) {
        if (len > mem_usable(value) - sizeof(*value))
            value = mem_realloc(value, sizeof(*value) + room);
        return value;
    }
    struct value *own = make(value->len, room);
    memcpy(own->data, value->data, value->len);
    value_unref(value);
    return own;
}

struct value *value_splice(struct value *value, size_t offset, struct bytes bytes)
{
    size_t end = offset + bytes.len;
    CHECK(end <= VALUE_BYTES_MAX);
    value = open_up(value, end);
    if (offset > value->len)
        memset(value->data + value->len, 0, offset - value->len);
    if (bytes.len > 0)
        memcpy(value->data + offset, bytes.data, bytes.len);
    if (end > value->len)
        value->len = (uint32_t)end;
    value->edited = true;
    return value;
}

size_t value_size(const struct value *value)
{
    return value->edited ? mem_usable(value) : size_for(value->len);
}
