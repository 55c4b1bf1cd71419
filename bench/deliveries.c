#include "bench/deliveries.h"

#include <inttypes.h>

#include "bench/die.h"

/* A run that sends more has other troubles than a bit for each. */
#define NUMBERS_MAX (UINT64_C(1) << 33)

struct payload deliveries_take(struct deliveries *deliveries, struct bytes text, size_t len)
{
    struct buf *seen = &deliveries->seen;
    struct payload payload;
    if (text.len != len || !payload_read(text, &payload) || payload.number >= NUMBERS_MAX)
        die("group: what came is not what was sent");
    size_t at = (size_t)(payload.number / 8);
    char bit = (char)(1 << payload.number % 8);
    if (at >= seen->len) {
        size_t more = at + 1 - seen->len;
        memset(buf_reserve(seen, more), 0, more);
        seen->len += more;
    }
    if (seen->data[at] & bit)
        die("group: entry %" PRIu64 " came twice", payload.number);
    seen->data[at] |= bit;
    return payload;
}
