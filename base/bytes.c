#include "base/bytes.h"

/* Digits that always fit a uint64_t; one more may or may not. */
#define SAFE_DIGITS 19

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    }
    return true;
}

/* "0", or digits that do not begin with "0". */
static bool digits_to_u64(const char *digits, size_t len, uint64_t *out)
{
    if (len == 0 || len > SAFE_DIGITS + 1 || (digits[0] == '0' && len > 1))
        return false;
    uint64_t value = 0;
    size_t safe = len <= SAFE_DIGITS ? len : SAFE_DIGITS;
    for (size_t i = 0; i < safe; i++) {
        unsigned digit = (unsigned)(unsigned char)digits[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    if (len > SAFE_DIGITS) {
        unsigned digit = (unsigned)(unsigned char)digits[SAFE_DIGITS] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool bytes_to_u64(struct bytes text, uint64_t *out)
{
    return digits_to_u64(text.data, text.len, out);
}

bool bytes_to_i64(struct bytes text, int64_t *out)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    uint64_t value;
    if (!digits_to_u64(text.data + negative, text.len - negative, &value))
        return false;
    if (negative) {
        if (value == 0 || value > (uint64_t)INT64_MAX + 1)
            return false;
        *out = (int64_t)(0 - value);
        return true;
    }
    if (value > INT64_MAX)
        return false;
    *out = (int64_t)value;
    return true;
}

/* 1233 / 4096 is a little above log10(2): bits * 1233 / 4096 is the count, or one less. */
static size_t digit_count(uint64_t value)
{
    static const uint64_t powers[] = {0,
                                      UINT64_C(10),
                                      UINT64_C(100),
                                      UINT64_C(1000),
                                      UINT64_C(10000),
                                      UINT64_C(100000),
                                      UINT64_C(1000000),
                                      UINT64_C(10000000),
                                      UINT64_C(100000000),
                                      UINT64_C(1000000000),
                                      UINT64_C(10000000000),
                                      UINT64_C(100000000000),
                                      UINT64_C(1000000000000),
                                      UINT64_C(10000000000000),
                                      UINT64_C(100000000000000),
                                      UINT64_C(1000000000000000),
                                      UINT64_C(10000000000000000),
                                      UINT64_C(100000000000000000),
                                      UINT64_C(1000000000000000000),
                                      UINT64_C(10000000000000000000)};
    size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    size_t least = bits * 1233 >> 12;
    return least + (value >= powers[least]);
}

size_t u64_to_text(uint64_t value, char *out)
{
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";
    size_t len = digit_count(value);
    char *at = out + len;
    while (value >= 100) {
        at -= 2;
        memcpy(at, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(at - 2, pairs + value * 2, 2);
    else
        at[-1] = (char)('0' + value);
    return len;
}

size_t i64_to_text(int64_t value, char *out)
{
    if (value >= 0)
        return u64_to_text((uint64_t)value, out);
    *out = '-';
    return 1 + u64_to_text(0 - (uint64_t)value, out + 1);
}
