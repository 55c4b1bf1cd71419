/* Strings as rows of bits, the highest bit of a byte first:
 * https://redis.io/docs/latest/commands/?group=bitmap */
#include "broker/string_commands.h"

#include "broker/families.h"
#include "broker/string_args.h"

/* A bit's place in a value. */
static bool bit_argument(struct session *session, size_t index, uint64_t *out)
{
    uint64_t bit;
    if (bytes_to_u64(session->argv[index], &bit) && bit >> 3 < VALUE_BYTES_MAX) {
        *out = bit;
        return true;
    }
    reply_error(&session->reply, "ERR bit offset is not an integer or out of range");
    return false;
}

static unsigned bit_at(struct bytes value, uint64_t bit)
{
    uint64_t byte = bit >> 3;
    return byte < value.len ? (unsigned)(unsigned char)value.data[byte] >> (7 - (bit & 7)) & 1u : 0;
}

enum flow getbit_command(struct session *session)
{
    struct object *object;
    uint64_t bit;
    if (!bit_argument(session, 2, &bit))
        return FLOW_DONE;
    enum access access = access_string(session, session->argv[1], &object);
    if (access == ACCESS_READY)
        reply_integer(&session->reply, bit_at(string_bytes(object), bit));
    return access_flow(access);
}

/* The value becomes as long as the bit needs. Nothing is written when it has it already. */
static void write_bit(struct session *session, struct object *object, uint64_t bit, bool on)
{
    struct bytes value = string_bytes(object);
    uint64_t byte = bit >> 3;
    if (byte < value.len && bit_at(value, bit) == on)
        return;
    unsigned mask = 1u << (7 - (bit & 7));
    unsigned old = byte < value.len ? (unsigned char)value.data[byte] : 0;
    char changed = (char)(on ? old | mask : old & ~mask);
    string_splice(session, session->argv[1], object, (size_t)byte, bytes_of(&changed, 1), "setbit");
}

enum flow setbit_command(struct session *session)
{
    struct object *object;
    uint64_t bit;
    int64_t on;
    if (!bit_argument(session, 2, &bit))
        return FLOW_DONE;
    if (!bytes_to_i64(session->argv[3], &on) || on < 0 || on > 1) {
        reply_error(&session->reply, "ERR bit is not an integer or out of range");
        return FLOW_DONE;
    }
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    reply_integer(&session->reply, bit_at(string_bytes(object), bit));
    write_bit(session, object, bit, on == 1);
    return FLOW_DONE;
}

/* ---- ranges of bits ---- */

/* Bits [first, last] of a value; none when first > last. */
struct bit_span {
    int64_t first;
    int64_t last;
};

/* [start [end [BYTE|BIT]]] */
struct span_args {
    int64_t start;
    int64_t end;
    bool bits;
    bool end_given;
    bool nothing; /* whatever the value is */
};

static bool parse_unit(struct session *session, size_t at, bool *bits)
{
    *bits = session->argc > at && argument_is(session, at, "bit");
    if (session->argc <= at || *bits || argument_is(session, at, "byte"))
        return true;
    session_syntax_error(session);
    return false;
}

/* Reads it from argument `at` on; false: replied.
 * Neither command has arguments behind the unit, whatever those before it are. BITCOUNT (`ordered`)
 * takes a start behind its end, both from the end of the value, for nothing, and reads no further.
 * BITPOS looks at the unit before the end, and lets both numbers become the first bit when they are
 * far enough from the end. */
static bool parse_span(struct session *session, size_t at, bool ordered, struct span_args *out)
{
    struct span_args args = {.end = -1, .end_given = session->argc > at + 1};
    if (session->argc > at + 3) {
        session_syntax_error(session);
        return false;
    }
    bool fits = session->argc <= at || bytes_to_i64(session->argv[at], &args.start);
    if (fits && !ordered && !parse_unit(session, at + 2, &args.bits))
        return false;
    if (fits && args.end_given)
        fits = bytes_to_i64(session->argv[at + 1], &args.end);
    if (!fits) {
        session_not_integer(session);
        return false;
    }
    args.nothing = ordered && args.start < 0 && args.end < 0 && args.start > args.end;
    if (ordered && !args.nothing && !parse_unit(session, at + 2, &args.bits))
        return false;
    *out = args;
    return true;
}

static struct bit_span span_of(struct bytes value, const struct span_args *args)
{
    int64_t len = (int64_t)value.len * (args->bits ? 8 : 1);
    int64_t start = args->start;
    int64_t end = args->end;
    if (args->nothing || !range_within(len, &start, &end))
        return (struct bit_span){1, 0};
    if (args->bits)
        return (struct bit_span){start, end};
    return (struct bit_span){start * 8, end * 8 + 7};
}

/* 1 for the bits of a byte that lie in the span. */
static unsigned mask_of(int64_t byte, struct bit_span span)
{
    unsigned mask = 0xffu;
    if (byte == span.first >> 3)
        mask &= 0xffu >> (span.first & 7);
    if (byte == span.last >> 3)
        mask &= 0xff00u >> ((span.last & 7) + 1);
    return mask;
}

/* The byte's bits that lie in the span, the others 0. */
static unsigned masked(struct bytes value, int64_t byte, struct bit_span span)
{
    return (unsigned char)value.data[byte] & mask_of(byte, span);
}

/* Eight bytes from `byte` on. */
static uint64_t word_at(struct bytes value, int64_t byte)
{
    uint64_t word;
    memcpy(&word, value.data + byte, sizeof(word));
    return word;
}

static int64_t count_bits(struct bytes value, struct bit_span span)
{
    int64_t count = 0;
    if (span.first > span.last)
        return 0;
    int64_t byte = span.first >> 3;
    int64_t last = span.last >> 3;
    count += __builtin_popcount(masked(value, byte, span));
    byte++;
    for (; byte + 8 <= last; byte += 8)
        count += __builtin_popcountll(word_at(value, byte));
    for (; byte <= last; byte++)
        count += __builtin_popcount(masked(value, byte, span));
    return count;
}

enum flow bitcount_command(struct session *session)
{
    struct object *object;
    struct span_args args;
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct bytes value = string_bytes(object);
    if (object_type(object) == OBJECT_NONE)
        reply_integer(&session->reply, 0);
    else if (session->argc == 3)
        session_syntax_error(session);
    else if (parse_span(session, 2, true, &args))
        reply_integer(&session->reply, count_bits(value, span_of(value, &args)));
    return FLOW_DONE;
}

/* The first bit of the span that is `on`; -1: none. */
static int64_t find_bit(struct bytes value, struct bit_span span, bool on)
{
    if (span.first > span.last)
        return -1;
    int64_t last = span.last >> 3;
    const uint64_t none = on ? 0 : UINT64_MAX;
    for (int64_t byte = span.first >> 3; byte <= last; byte++) {
        unsigned bits = (unsigned char)value.data[byte];
        unsigned hits = (on ? bits : ~bits) & mask_of(byte, span);
        if (hits != 0)
            return byte * 8 + __builtin_clz(hits) - 24;
        while (byte + 8 < last && word_at(value, byte + 1) == none)
            byte += 8;
    }
    return -1;
}

enum flow bitpos_command(struct session *session)
{
    struct object *object;
    struct span_args args;
    int64_t on;
    if (!bytes_to_i64(session->argv[2], &on)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    if (on < 0 || on > 1) {
        reply_error(&session->reply, "ERR The bit argument must be 1 or 0.");
        return FLOW_DONE;
    }
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_type(object) == OBJECT_NONE) {
        reply_integer(&session->reply, on == 1 ? -1 : 0);
        return FLOW_DONE;
    }
    if (!parse_span(session, 3, false, &args))
        return FLOW_DONE;
    struct bytes value = string_bytes(object);
    struct bit_span span = span_of(value, &args);
    int64_t at = find_bit(value, span, on == 1);
    /* Behind a value without an end given there are zeros for ever. */
    if (at < 0 && on == 0 && !args.end_given && span.first <= span.last)
        at = (int64_t)value.len * 8;
    reply_integer(&session->reply, at);
    return FLOW_DONE;
}
