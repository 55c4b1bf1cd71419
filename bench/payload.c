#include "bench/payload.h"

#include "base/random.h"

#define LEN_MAX ((size_t)1 << 20)
#define START_BITS                                                                                 \
    16 /* so few places to start at that short payloads come from the CPU's cache                  \
        */
#define DIGITS 16

static char letters[LEN_MAX + (1 << START_BITS)];

void payload_init(void)
{
    static const char alphabet[65] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct random random;
    random_init(&random, 1);
    for (size_t i = 0; i < sizeof(letters); i++)
        letters[i] = alphabet[random_below(&random, 64)];
}

/* Neighbours lie far apart (the multiplier is odd and has no pattern). */
static const char *letters_of(uint64_t number)
{
    return letters + (number * UINT64_C(0x9E3779B97F4A7C15) >> (64 - START_BITS));
}

static void add_digits(char *at, uint64_t value)
{
    for (int i = DIGITS - 1; i >= 0; i--, value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
}

static bool read_digits(const char *at, uint64_t *out)
{
    uint64_t value = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (at[i] >= '0' && at[i] <= '9')
            value = value << 4 | (uint64_t)(at[i] - '0');
        else if (at[i] >= 'a' && at[i] <= 'f')
            value = value << 4 | (uint64_t)(at[i] - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

void payload_add(struct buf *out, struct payload payload, size_t len)
{
    char *at = buf_reserve(out, len);
    add_digits(at, payload.number);
    add_digits(at + DIGITS, payload.start_us);
    memcpy(at + PAYLOAD_MIN, letters_of(payload.number), len - PAYLOAD_MIN);
    out->len += len;
}

bool payload_read(struct bytes bytes, struct payload *out)
{
    struct payload payload;
    if (bytes.len < PAYLOAD_MIN || bytes.len > LEN_MAX)
        return false;
    if (!read_digits(bytes.data, &payload.number) ||
        !read_digits(bytes.data + DIGITS, &payload.start_us))
        return false;
    if (memcmp(bytes.data + PAYLOAD_MIN, letters_of(payload.number), bytes.len - PAYLOAD_MIN) != 0)
        return false;
    *out = payload;
    return true;
}
