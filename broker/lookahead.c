#include "broker/lookahead.h"

#include "broker/wire_scan.h"

unsigned lookahead_keys(struct bytes input, struct bytes *keys, unsigned max)
{
    const char *at = input.data;
    const char *end = input.data + input.len;
    struct bytes other;
    size_t args;

    for (unsigned count = 0; count < max; count++) {
        at = wire_scan_number(at, end, '*', &args);
        if (at == NULL || args < 2 || (at = wire_scan_argument(at, end, &other)) == NULL ||
            (at = wire_scan_argument(at, end, &keys[count])) == NULL)
            return count;
        for (size_t i = 2; i < args; i++) {
            at = wire_scan_argument(at, end, &other);
            if (at == NULL)
                return count + 1;
        }
    }
    return max;
}
