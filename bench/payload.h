/* payload: bytes that say whether they are the right ones.
 *
 *   0        16       32
 *   +--------+--------+---------------------+
 *   | number | start  | letters             |
 *   +--------+--------+---------------------+
 *
 * The number of the entry or message and the microsecond at which it was due, both as 16
 * hexadecimal digits. The letters follow from the number: a slice of random ones, in
 * which a compressor of blocks below 64 KB finds no more than their 6 bits a byte. So any payload
 * can be checked by whoever knows its number. */
#ifndef WEIR_BENCH_PAYLOAD_H
#define WEIR_BENCH_PAYLOAD_H

#include "base/buf.h"

#define PAYLOAD_MIN 32

struct payload {
    uint64_t number;
    uint64_t start_us;
};

/* Once, before anything else here. */
void payload_init(void);
void payload_add(struct buf *out, struct payload payload, size_t len);
/* False: these are not bytes that payload_add made. *out is untouched then. */
bool payload_read(struct bytes bytes, struct payload *out);

#endif
