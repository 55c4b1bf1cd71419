/* wire_scan: reads commands where they lie, as far as they are whole and plain.
 *
 * Plain is what clients send: numbers without sign or leading zeros, and a line's end where one
 * belongs. What is not is left to the parser's reader, which tells what is wrong with it.
 *
 * Each returns where what it reads ends; NULL: it is not whole, or not plain. */
#ifndef WEIR_BROKER_WIRE_SCAN_H
#define WEIR_BROKER_WIRE_SCAN_H

#include "base/bytes.h"

/* Larger counts and lengths are no pipeline of small commands. */
#define WIRE_NUMBER_MAX 1000000

/* "\r\n" */
static inline const char *wire_scan_end(const char *at, const char *end)
{
    return end - at < 2 || at[0] != '\r' || at[1] != '\n' ? NULL : at + 2;
}

/* "<mark><number>\r\n" */
static inline const char *wire_scan_number(const char *at, const char *end, char mark,
                                           size_t *number)
{
    size_t digit;

    if (end - at < 4 || at[0] != mark)
        return NULL;
    *number = (size_t)(unsigned char)at[1] - '0';
    if (*number > 9 || (*number == 0 && at[2] != '\r'))
        return NULL;
    for (at += 2; at < end && (digit = (size_t)(unsigned char)*at - '0') <= 9; at++) {
        *number = *number * 10 + digit;
        if (*number > WIRE_NUMBER_MAX)
            return NULL;
    }
    return wire_scan_end(at, end);
}

/* "$<length>\r\n<bytes>\r\n" */
static inline const char *wire_scan_argument(const char *at, const char *end,
                                             struct bytes *argument)
{
    size_t len;

    at = wire_scan_number(at, end, '$', &len);
    if (at == NULL || (size_t)(end - at) < len)
        return NULL;
    *argument = bytes_of(at, len);
    return wire_scan_end(at + len, end);
}

#endif
