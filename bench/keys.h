/* keys: the names of feeds, rooms and keys, as redis-benchmark makes them: the stem alone when
 * there is one, else the stem, a colon and twelve digits. */
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

/* Name `index` of `count`; `separator` is between stem and digits. */
struct key key_of(struct bytes stem, char separator, uint64_t index, uint64_t count);
/* The sum of `command key` (XLEN) over all `count` keys of a server. */
uint64_t keys_sum(uint16_t port, struct bytes command, struct bytes stem, uint64_t count);

#endif
