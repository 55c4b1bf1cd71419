/* value: the bytes of a string key.
 *
 * A value is shared by the states of an object's two sides (storage/object.h) as long as nothing
 * changes it: who writes has it alone, or makes a copy. */
#ifndef WEIR_STORAGE_VALUE_H
#define WEIR_STORAGE_VALUE_H

#include "base/bytes.h"

/* Longest value. Redis lets them have 512 MiB; here one must fit in a commit record beside whatever
 * else is in it. */
#define VALUE_BYTES_MAX ((size_t)256 << 20)

struct value {
    uint32_t len;
    uint16_t refs; /* object states that point here */
    bool edited;   /* by a part, and may have room to spare: what OBJECT ENCODING calls raw */
    char data[];
};

/* Copies `bytes`; returns owned, with one reference. */
struct value *value_create(struct bytes bytes);
void value_ref(struct value *value);
/* The last one frees it. */
void value_unref(struct value *value);

static inline struct bytes value_bytes(const struct value *value)
{
    return bytes_of(value->data, value->len);
}

/* Each takes the caller's reference and returns the one to go on with, at the same address where
 * nobody shares the value and the room suffices. */

/* The value becomes `bytes`, which is not part of it. */
struct value *value_replace(struct value *value, struct bytes bytes);
/* `bytes` are written at `offset`; what lies between the end and `offset` becomes zeros. */
struct value *value_splice(struct value *value, size_t offset, struct bytes bytes);

/* Bytes of memory that it takes. */
size_t value_size(const struct value *value);

#endif
