/* Strings that are numbers: https://redis.io/docs/latest/commands/incr/ */
#include "broker/string_commands.h"

#include "broker/string_args.h"

#include <math.h>

static enum flow add(struct session *session, int64_t amount)
{
    struct object *object;
    int64_t value = 0;
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_type(object) != OBJECT_NONE && !bytes_to_i64(string_bytes(object), &value)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(&session->reply, "ERR increment or decrement would overflow");
        return FLOW_DONE;
    }
    char text[INTEGER_TEXT_MAX];
    struct bytes sum = bytes_of(text, i64_to_text(value, text));
    string_put(session, session->argv[1], object, sum, object_expiry(object), "incrby");
    reply_integer(&session->reply, value);
    return FLOW_DONE;
}

enum flow incr_command(struct session *session)
{
    return add(session, 1);
}

enum flow decr_command(struct session *session)
{
    return add(session, -1);
}

enum flow incrby_command(struct session *session)
{
    int64_t amount;
    if (bytes_to_i64(session->argv[2], &amount))
        return add(session, amount);
    session_not_integer(session);
    return FLOW_DONE;
}

enum flow decrby_command(struct session *session)
{
    int64_t amount;
    if (!bytes_to_i64(session->argv[2], &amount)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    if (amount == INT64_MIN) {
        reply_error(&session->reply, "ERR decrement would overflow");
        return FLOW_DONE;
    }
    return add(session, -amount);
}

enum flow incrbyfloat_command(struct session *session)
{
    struct object *object;
    long double value = 0;
    long double amount;
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if ((object_type(object) != OBJECT_NONE && !float_of_text(string_bytes(object), &value)) ||
        !float_of_text(session->argv[2], &amount)) {
        reply_error(&session->reply, "ERR value is not a valid float");
        return FLOW_DONE;
    }
    value += amount;
    if (isnan(value) || isinf(value)) {
        reply_error(&session->reply, "ERR increment would produce NaN or Infinity");
        return FLOW_DONE;
    }
    char text[FLOAT_TEXT_MAX];
    struct bytes sum = bytes_of(text, float_to_text(value, text));
    string_put(session, session->argv[1], object, sum, object_expiry(object), "incrbyfloat");
    reply_bulk(&session->reply, sum);
    return FLOW_DONE;
}
