#include "broker/reply.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

/* A type byte, a number, and the line's end. */
#define HEADER_MAX (1 + INTEGER_TEXT_MAX + 2)

/* The longest text of "%.17g", and the NUL. */
#define DOUBLE_TEXT_MAX 32

static char *write_line_end(char *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

/* Writes "<type><value>\r\n" where there is HEADER_MAX room. */
static char *write_header(char *at, char type, uint64_t value)
{
    *at++ = type;
    if (value < 10)
        *at++ = (char)('0' + value);
    else
        at += u64_to_text(value, at);
    return write_line_end(at);
}

static void add_header(struct reply *reply, char type, uint64_t value)
{
    char *at = buf_reserve(reply->out, HEADER_MAX);

    reply->out->len += (size_t)(write_header(at, type, value) - at);
}

static void add_text(struct reply *reply, const char *text)
{
    buf_add(reply->out, text, strlen(text));
}

void reply_status(struct reply *reply, const char *text)
{
    size_t len = strlen(text);
    char *at = buf_reserve(reply->out, len + 3);

    *at++ = '+';
    memcpy(at, text, len);
    write_line_end(at + len);
    reply->out->len += len + 3;
}

void reply_error(struct reply *reply, const char *text, ...)
{
    struct buf *out = reply->out;
    va_list args;
    int size;

    va_start(args, text);
    size = vsnprintf(NULL, 0, text, args);
    va_end(args);
    CHECK(size >= 0);

    char *at = buf_reserve(out, (size_t)size + HEADER_MAX);
    *at++ = '-';
    va_start(args, text);
    vsnprintf(at, (size_t)size + 1, text, args);
    va_end(args);
    for (int i = 0; i < size; i++) {
        if (at[i] == '\r' || at[i] == '\n')
            at[i] = ' ';
    }
    write_line_end(at + size);
    out->len += (size_t)size + 3;
}

void reply_integer(struct reply *reply, int64_t value)
{
    char *at = buf_reserve(reply->out, HEADER_MAX);
    size_t len;

    at[0] = ':';
    len = 1 + i64_to_text(value, at + 1);
    write_line_end(at + len);
    reply->out->len += len + 2;
}

void reply_bulk(struct reply *reply, struct bytes bytes)
{
    char *start = buf_reserve(reply->out, bytes.len + HEADER_MAX + 2);
    char *at = write_header(start, '$', bytes.len);

    if (bytes.len != 0)
        memcpy(at, bytes.data, bytes.len);
    at = write_line_end(at + bytes.len);
    reply->out->len += (size_t)(at - start);
}

void reply_bulk_string(struct reply *reply, const char *string)
{
    reply_bulk(reply, bytes_of_string(string));
}

void reply_bulk_u64(struct reply *reply, uint64_t value)
{
    char text[INTEGER_TEXT_MAX];

    reply_bulk(reply, bytes_of(text, u64_to_text(value, text)));
}

void reply_bulkf(struct reply *reply, const char *format, ...)
{
    struct buf *out = reply->out;
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(size >= 0);

    add_header(reply, '$', (uint64_t)size);
    char *at = buf_reserve(out, (size_t)size + 2);
    va_start(args, format);
    vsnprintf(at, (size_t)size + 1, format, args);
    va_end(args);
    write_line_end(at + size);
    out->len += (size_t)size + 2;
}

void reply_verbatim(struct reply *reply, struct bytes text)
{
    if (reply->version < 3) {
        reply_bulk(reply, text);
        return;
    }
    add_header(reply, '=', text.len + 4);
    add_text(reply, "txt:");
    buf_add_bytes(reply->out, text);
    add_text(reply, "\r\n");
}

void reply_null(struct reply *reply)
{
    add_text(reply, reply->version < 3 ? "$-1\r\n" : "_\r\n");
}

void reply_null_array(struct reply *reply)
{
    add_text(reply, reply->version < 3 ? "*-1\r\n" : "_\r\n");
}

void reply_bool(struct reply *reply, bool value)
{
    if (reply->version < 3)
        add_text(reply, value ? ":1\r\n" : ":0\r\n");
    else
        add_text(reply, value ? "#t\r\n" : "#f\r\n");
}

static void double_to_text(double value, char text[DOUBLE_TEXT_MAX])
{
    if (!isfinite(value)) {
        snprintf(text, DOUBLE_TEXT_MAX, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    /* 17 digits always tell a double exactly; most need fewer. */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, DOUBLE_TEXT_MAX, "%.*g", digits, value);
        if (!islessgreater(strtod(text, NULL), value))
            return;
    }
}

void reply_double(struct reply *reply, double value)
{
    char text[DOUBLE_TEXT_MAX];

    double_to_text(value, text);
    if (reply->version < 3) {
        reply_bulk_string(reply, text);
        return;
    }
    add_text(reply, ",");
    add_text(reply, text);
    add_text(reply, "\r\n");
}

void reply_array(struct reply *reply, size_t count)
{
    add_header(reply, '*', count);
}

void reply_map(struct reply *reply, size_t pairs)
{
    if (reply->version < 3)
        add_header(reply, '*', 2 * pairs);
    else
        add_header(reply, '%', pairs);
}

void reply_set(struct reply *reply, size_t count)
{
    add_header(reply, reply->version < 3 ? '*' : '~', count);
}

void reply_push(struct reply *reply, size_t count)
{
    add_header(reply, reply->version < 3 ? '*' : '>', count);
}

struct reply_deferred reply_deferred_begin(struct reply *reply)
{
    struct reply_deferred deferred = {reply->out->len};

    buf_reserve(reply->out, HEADER_MAX);
    reply->out->len += HEADER_MAX;
    return deferred;
}

/* Writes the header into its room and closes the gap behind it. */
static void end_deferred(struct reply *reply, struct reply_deferred deferred, char type,
                         size_t count)
{
    struct buf *out = reply->out;
    size_t elements_at = deferred.at + HEADER_MAX;
    char header[HEADER_MAX];
    size_t header_len = (size_t)(write_header(header, type, count) - header);

    CHECK(out->len >= elements_at);
    memcpy(out->data + deferred.at, header, header_len);
    memmove(out->data + deferred.at + header_len, out->data + elements_at, out->len - elements_at);
    out->len -= HEADER_MAX - header_len;
}

void reply_deferred_end_array(struct reply *reply, struct reply_deferred deferred, size_t count)
{
    end_deferred(reply, deferred, '*', count);
}

void reply_deferred_end_map(struct reply *reply, struct reply_deferred deferred, size_t pairs)
{
    if (reply->version < 3)
        end_deferred(reply, deferred, '*', 2 * pairs);
    else
        end_deferred(reply, deferred, '%', pairs);
}
