/* Times of expiry: https://redis.io/docs/latest/commands/expire/ */
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/families.h"
#include "broker/keys_commands.h"
#include "broker/string_args.h"

static void write_expiry(struct session *session, struct bytes key, struct object *object,
                         uint64_t expiry_ms, const char *event)
{
    struct op op = {
        .kind = OP_EXPIRE, .db = session->db, .key = key, .number = expiry_ms, .object = object};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_GENERIC, event, session->db, key);
}

void keys_set_expiry(struct session *session, struct bytes key, struct object *object,
                     int64_t expiry_ms)
{
    if (expiry_ms == 0) {
        if (object_expiry(object) > 0)
            write_expiry(session, key, object, 0, "persist");
    } else if (expiry_ms <= (int64_t)broker_now_ms(session->broker)) {
        keys_delete(session, key, object);
    } else {
        write_expiry(session, key, object, (uint64_t)expiry_ms, "expire");
    }
}

/* ---- EXPIRE ---- */

struct expire_if {
    bool none;  /* NX */
    bool some;  /* XX */
    bool later; /* GT */
    bool sooner;
};

static bool parse_conditions(struct session *session, struct expire_if *out)
{
    struct expire_if conditions = {0};
    for (size_t i = 3; i < session->argc; i++) {
        if (argument_is(session, i, "nx")) {
            conditions.none = true;
        } else if (argument_is(session, i, "xx")) {
            conditions.some = true;
        } else if (argument_is(session, i, "gt")) {
            conditions.later = true;
        } else if (argument_is(session, i, "lt")) {
            conditions.sooner = true;
        } else {
            reply_error(&session->reply, "ERR Unsupported option %.*s",
                        (int)(session->argv[i].len < 128 ? session->argv[i].len : 128),
                        session->argv[i].data);
            return false;
        }
    }
    if (conditions.none && (conditions.some || conditions.later || conditions.sooner)) {
        reply_error(&session->reply, "ERR NX and XX, GT or LT options at the same time are not "
                                     "compatible");
        return false;
    }
    if (conditions.later && conditions.sooner) {
        reply_error(&session->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *out = conditions;
    return true;
}

/* No time of expiry is later than any. */
static bool holds(const struct expire_if *conditions, uint64_t old_ms, int64_t new_ms)
{
    bool has = old_ms > 0;
    if ((conditions->none && has) || (conditions->some && !has))
        return false;
    if (conditions->later && (!has || new_ms <= (int64_t)old_ms))
        return false;
    return !conditions->sooner || !has || new_ms < (int64_t)old_ms;
}

static enum flow expire(struct session *session, enum time_form form)
{
    struct expire_if conditions;
    struct object *object;
    int64_t expiry_ms;
    if (!parse_conditions(session, &conditions) ||
        !expiry_argument(session, 2, form, true, &expiry_ms))
        return FLOW_DONE;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool may =
        object_type(object) != OBJECT_NONE && holds(&conditions, object_expiry(object), expiry_ms);
    if (may)
        keys_set_expiry(session, session->argv[1], object, expiry_ms > 0 ? expiry_ms : 1);
    reply_integer(&session->reply, may);
    return FLOW_DONE;
}

enum flow expire_command(struct session *session)
{
    return expire(session, TIME_EX);
}

enum flow pexpire_command(struct session *session)
{
    return expire(session, TIME_PX);
}

enum flow expireat_command(struct session *session)
{
    return expire(session, TIME_EXAT);
}

enum flow pexpireat_command(struct session *session)
{
    return expire(session, TIME_PXAT);
}

enum flow persist_command(struct session *session)
{
    struct object *object;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool has = object_expiry(object) > 0;
    if (has)
        keys_set_expiry(session, session->argv[1], object, 0);
    reply_integer(&session->reply, has);
    return FLOW_DONE;
}

/* ---- TTL ---- */

static enum flow tell(struct session *session, bool absolute, bool seconds)
{
    struct object *object;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    uint64_t expiry_ms = object_expiry(object);
    uint64_t now_ms = absolute ? 0 : broker_now_ms(session->broker);
    uint64_t value = expiry_ms > now_ms ? expiry_ms - now_ms : 0;
    if (object_type(object) == OBJECT_NONE)
        reply_integer(&session->reply, -2);
    else if (expiry_ms == 0)
        reply_integer(&session->reply, -1);
    else
        reply_integer(&session->reply, (int64_t)(seconds ? (value + 500) / 1000 : value));
    return FLOW_DONE;
}

enum flow ttl_command(struct session *session)
{
    return tell(session, false, true);
}

enum flow pttl_command(struct session *session)
{
    return tell(session, false, false);
}

enum flow expiretime_command(struct session *session)
{
    return tell(session, true, true);
}

enum flow pexpiretime_command(struct session *session)
{
    return tell(session, true, false);
}
