#include "broker/string_args.h"

#include "base/hmap.h"
#include "broker/broker.h"
#include "broker/families.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Longest text that is read as a number with a fraction. */
#define FLOAT_DIGITS_MAX 5000

bool time_form_of(struct bytes word, enum time_form *out)
{
    static const char *const words[] = {"ex", "px", "exat", "pxat"};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (bytes_equal_nocase(word, bytes_of_string(words[i]))) {
            *out = (enum time_form)i;
            return true;
        }
    }
    return false;
}

bool time_option(struct session *session, size_t *at, struct time_option *option)
{
    enum time_form form;
    if (*at + 1 == session->argc || !time_form_of(session->argv[*at], &form) ||
        (option->given && option->form != form))
        return false;
    *option = (struct time_option){.given = true, .form = form, .at = ++*at};
    return true;
}

bool comparison_option(struct session *session, size_t *at, struct comparison *comparison)
{
    static const char *const words[] = {
        [COMPARE_SAME] = "ifeq",
        [COMPARE_OTHER] = "ifne",
        [COMPARE_DIGEST] = "ifdeq",
        [COMPARE_OTHER_DIGEST] = "ifdne",
    };
    for (enum compare how = COMPARE_SAME; how <= COMPARE_OTHER_DIGEST; how++) {
        if (!argument_is(session, *at, words[how]))
            continue;
        if (*at + 1 == session->argc || (comparison->how != COMPARE_NONE && comparison->how != how))
            return false;
        *comparison = (struct comparison){.how = how, .with = session->argv[++*at]};
        return true;
    }
    return false;
}

bool comparison_fits(struct session *session, const struct comparison *comparison)
{
    bool fits = comparison->how < COMPARE_DIGEST || comparison->with.len == DIGEST_DIGITS;
    for (size_t i = 0; fits && comparison->how >= COMPARE_DIGEST && i < DIGEST_DIGITS; i++)
        fits = isxdigit((unsigned char)comparison->with.data[i]);
    if (!fits)
        reply_error(&session->reply, "ERR a digest must be exactly %d hexadecimal characters",
                    DIGEST_DIGITS);
    return fits;
}

void digest_to_text(struct bytes value, char *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t digest = hash_bytes(value, 0);
    for (size_t i = DIGEST_DIGITS; i > 0; i--, digest >>= 4)
        out[i - 1] = digits[digest & 15];
}

bool comparison_holds(const struct comparison *comparison, const struct bytes *value)
{
    char digest[DIGEST_DIGITS];
    bool same = false;
    if (value != NULL && comparison->how >= COMPARE_DIGEST) {
        digest_to_text(*value, digest);
        same = bytes_equal_nocase(bytes_of(digest, sizeof(digest)), comparison->with);
    } else if (value != NULL) {
        same = bytes_equal(*value, comparison->with);
    }
    return same == (comparison->how == COMPARE_SAME || comparison->how == COMPARE_DIGEST);
}

static bool to_unix_ms(struct session *session, enum time_form form, int64_t *value)
{
    bool seconds = form == TIME_EX || form == TIME_EXAT;
    bool relative = form == TIME_EX || form == TIME_PX;
    if (seconds && __builtin_mul_overflow(*value, (int64_t)1000, value))
        return false;
    int64_t now_ms = (int64_t)broker_now_ms(session->broker);
    return !relative || !__builtin_add_overflow(*value, now_ms, value);
}

bool expiry_argument(struct session *session, size_t index, enum time_form form, bool any,
                     int64_t *out)
{
    int64_t value;
    if (!bytes_to_i64(session->argv[index], &value)) {
        session_not_integer(session);
        return false;
    }
    if ((value <= 0 && !any) || !to_unix_ms(session, form, &value)) {
        char name[64];
        command_full_name(session->container, session->command, name, sizeof(name));
        reply_error(&session->reply, "ERR invalid expire time in '%s' command", name);
        return false;
    }
    *out = value < (int64_t)OBJECT_EXPIRY_MAX ? value : (int64_t)OBJECT_EXPIRY_MAX;
    return true;
}

bool range_within(int64_t len, int64_t *start, int64_t *end)
{
    int64_t first = *start < 0 ? *start + len : *start;
    int64_t last = *end < 0 ? *end + len : *end;
    *start = first < 0 ? 0 : first;
    *end = last < 0 ? 0 : last;
    if (*end >= len)
        *end = len - 1;
    return *start <= *end;
}

bool value_fits(struct session *session, uint64_t len)
{
    if (len <= VALUE_BYTES_MAX)
        return true;
    reply_error(&session->reply, "ERR string exceeds maximum allowed size (%zu bytes)",
                VALUE_BYTES_MAX);
    return false;
}

bool float_of_text(struct bytes text, long double *out)
{
    char copy[FLOAT_DIGITS_MAX + 1];
    char *end;
    if (text.len == 0 || text.len > FLOAT_DIGITS_MAX || isspace((unsigned char)text.data[0]))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    errno = 0;
    long double value = strtold(copy, &end);
    bool range = errno == ERANGE && (isinf(value) || value == 0.0L);
    if ((size_t)(end - copy) != text.len || range || isnan(value))
        return false;
    *out = value;
    return true;
}

size_t float_to_text(long double value, char *out)
{
    int size = snprintf(out, FLOAT_TEXT_MAX, "%.17Lf", value);
    size_t len = size > 0 && size < FLOAT_TEXT_MAX ? (size_t)size : 0;
    while (len > 0 && out[len - 1] == '0')
        len--;
    if (len > 0 && out[len - 1] == '.')
        len--;
    if (len == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        len = 1;
    }
    return len;
}
