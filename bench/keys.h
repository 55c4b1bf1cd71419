/* keys: the names of feeds, rooms and keys, as redis-benchmark makes them: the stem alone when
 * there is only one, else the stem, a separator and twelve digits. */
#ifndef WEIR_BENCH_KEYS_H
#define WEIR_BENCH_KEYS_H

#include "base/bytes.h"

#define KEY_MAX 32

struct key {
    size_t len;
    char text[KEY_MAX];
};

static inline struct bytes key_bytes(const struct key *key)
{
    return bytes_of(key->text, key->len);
}

/* The names from number `base` on. */
struct keys {
    struct bytes stem;
    char separator; /* between stem and digits */
    uint64_t base;
    uint64_t count;
};

struct key key_of(const struct keys *keys, uint64_t index);
/* The sum of `command key` (XLEN) over all of a server's keys. */
uint64_t keys_sum(uint16_t port, struct bytes command, const struct keys *keys);

#endif
