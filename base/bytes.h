/* bytes: a borrowed view of bytes.
 *
 * A `struct bytes` never owns what it points to; the function that hands one
 * out says how long it stays valid. The bytes may hold anything, NUL included,
 * and are not NUL terminated. */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *data;
    size_t len;
};

/* A view of a string literal. */
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

/* The longest text of a 64-bit integer: "-9223372036854775808". */
#define INTEGER_TEXT_MAX 20

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){data, len};
}

static inline struct bytes bytes_of_string(const char *string)
{
    return (struct bytes){string, strlen(string)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* memcmp order; a prefix sorts before what it is a prefix of. */
int bytes_compare(struct bytes a, struct bytes b);

/* Equal but for the case of ASCII letters. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* The canonical decimal text of a 64-bit integer and nothing else: no sign
 * "+", no leading zero, no blank, as Redis reads integers. False leaves *out
 * untouched. */
bool bytes_to_i64(struct bytes text, int64_t *out);
bool bytes_to_u64(struct bytes text, uint64_t *out);

/* Writes the decimal text of `value` to `out` (INTEGER_TEXT_MAX bytes of room)
 * and returns its length. No NUL is written. */
size_t u64_to_text(uint64_t value, char *out);
size_t i64_to_text(int64_t value, char *out);

#endif
