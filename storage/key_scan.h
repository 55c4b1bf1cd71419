/* key_scan: the names of keys that are on disk, in the order of slot and hash, a few at a time.
 *
 * A place in that order fits in 62 bits, so that SCAN's cursor can name it: slot << 48 | upper 40
 * bits of the hash << 8. Names that share a place are never torn apart; the lowest 8 bits, always
 * 0, are free for the cursor. */
#ifndef WEIR_STORAGE_KEY_SCAN_H
#define WEIR_STORAGE_KEY_SCAN_H

#include "storage/key.h"
#include "storage/ranges.h"

#define KEY_PLACE_END (UINT64_C(1) << 62)

/* Of a place, what is not there for the cursor. */
#define KEY_PLACE_MASK (~UINT64_C(0xff))
/* The place of a key of this slot and hash. */
static inline uint64_t key_place(uint16_t slot, uint64_t hash)
{
    return (uint64_t)slot << KEY_HASH_BITS | (hash >> (64 - KEY_HASH_BITS) & KEY_PLACE_MASK);
}

/* Adds to `rows`, each as buf_put_bytes: name, then the head of the row
 * (OBJECT_ROW_HEAD_MAX bytes of it, as far as it is so long); at least `count` names
 * when there are so many at or after *place. *place moves to where the next call goes on;
 * KEY_PLACE_END: all were seen. On an error nothing has changed. */
MUST_CHECK enum err key_scan(struct ranges *ranges, enum tier tier, uint32_t space, uint64_t *place,
                             size_t count, struct buf *rows);
/* The same with whole rows, and not many more names than have `bytes_max` bytes with their rows. */
MUST_CHECK enum err key_scan_rows(struct ranges *ranges, enum tier tier, uint32_t space,
                                  uint64_t *place, size_t count, size_t bytes_max,
                                  struct buf *rows);

#endif
