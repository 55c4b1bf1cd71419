#include "broker/lookahead.h"

/* Larger counts and lengths are no pipeline of small commands. */
#define NUMBER_MAX 1000000

/* Each returns where what it reads ends; NULL: it is not whole, or something else. */

/* "<mark><number>\r\n" */
static inline const char *read_number(const char *at, const char *end, char mark, size_t *number)
{
    size_t digit;

    if (end - at < 4 || at[0] != mark)
        return NULL;
    *number = (size_t)(unsigned char)at[1] - '0';
    if (*number > 9)
        return NULL;
    for (at += 2; at < end && (digit = (size_t)(unsigned char)*at - '0') <= 9; at++) {
        *number = *number * 10 + digit;
        if (*number > NUMBER_MAX)
            return NULL;
    }
    return end - at < 2 || *at != '\r' ? NULL : at + 2;
}

static inline const char *read_argument(const char *at, const char *end, struct bytes *argument)
{
    size_t len;

    at = read_number(at, end, '$', &len);
    if (at == NULL || (size_t)(end - at) < len + 2)
        return NULL;
    *argument = bytes_of(at, len);
    return at + len + 2;
}

unsigned lookahead_keys(struct bytes input, struct bytes *keys, unsigned max)
{
    const char *at = input.data;
    const char *end = input.data + input.len;
    struct bytes other;
    size_t args;

    for (unsigned count = 0; count < max; count++) {
        at = read_number(at, end, '*', &args);
        if (at == NULL || args < 2 || (at = read_argument(at, end, &other)) == NULL ||
            (at = read_argument(at, end, &keys[count])) == NULL)
            return count;
        for (size_t i = 2; i < args; i++) {
            at = read_argument(at, end, &other);
            if (at == NULL)
                return count + 1;
        }
    }
    return max;
}
