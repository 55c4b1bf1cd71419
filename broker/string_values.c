/* Whole values: https://redis.io/docs/latest/commands/?group=string */
#include "broker/string_commands.h"

#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/families.h"
#include "broker/keys_commands.h"
#include "broker/string_args.h"

static void tell_new(struct session *session, struct bytes key, const struct object *object)
{
    if (object_type(object) == OBJECT_NONE)
        keyspace_event(session, EVENT_NEW, "new", session->db, key);
}

void string_put(struct session *session, struct bytes key, struct object *object,
                struct bytes value, uint64_t expiry_ms, const char *event)
{
    tell_new(session, key, object);
    if (object_feed(object) != NULL)
        keys_drop(session, session->db, key, object);
    struct op op = {.kind = OP_SET,
                    .db = session->db,
                    .key = key,
                    .number = expiry_ms,
                    .data = value,
                    .object = object};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_STRING, event, session->db, key);
}

void string_splice(struct session *session, struct bytes key, struct object *object, size_t offset,
                   struct bytes data, const char *event)
{
    tell_new(session, key, object);
    struct op op = {.kind = OP_SPLICE,
                    .db = session->db,
                    .key = key,
                    .number = offset,
                    .data = data,
                    .object = object};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_STRING, event, session->db, key);
}

/* ---- GET ---- */

static void reply_value(struct session *session, const struct object *object)
{
    if (object_type(object) == OBJECT_STRING)
        reply_bulk(&session->reply, string_bytes(object));
    else
        reply_null(&session->reply);
}

enum flow get_command(struct session *session)
{
    struct object *object;
    enum access access = access_string(session, session->argv[1], &object);
    if (access == ACCESS_READY)
        reply_value(session, object);
    return access_flow(access);
}

enum flow getdel_command(struct session *session)
{
    struct object *object;
    enum access access = access_string_read(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    reply_value(session, object);
    if (object_type(object) != OBJECT_NONE) {
        keys_delete(session, session->argv[1], object);
    }
    return FLOW_DONE;
}

enum flow getset_command(struct session *session)
{
    struct object *object;
    if (!value_fits(session, session->argv[2].len))
        return FLOW_DONE;
    enum access access = access_string_read(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    reply_value(session, object);
    string_put(session, session->argv[1], object, session->argv[2], 0, "set");
    return FLOW_DONE;
}

enum flow mget_command(struct session *session)
{
    enum access access = access_keys(session, 1, session->argc - 1, 1);
    if (access != ACCESS_READY)
        return access_flow(access);
    reply_array(&session->reply, session->argc - 1);
    for (size_t i = 1; i < session->argc; i++) {
        struct object *object;
        access = access_key(session, session->argv[i], &object);
        if (access != ACCESS_READY)
            return access_flow(access);
        reply_value(session, object);
    }
    return FLOW_DONE;
}

/* ---- SET ---- */

enum set_if { SET_ALWAYS, SET_IF_MISSING, SET_IF_THERE };

struct set_args {
    enum set_if condition;
    struct comparison comparison; /* the other conditions */
    bool get;
    bool keep_expiry;
    struct time_option time;
    int64_t expiry_ms;
};

/* The same condition may be said again. */
static bool set_condition(struct session *session, size_t *at, struct set_args *args)
{
    if (args->condition == SET_ALWAYS && comparison_option(session, at, &args->comparison))
        return true;
    enum set_if condition = argument_is(session, *at, "nx")   ? SET_IF_MISSING
                            : argument_is(session, *at, "xx") ? SET_IF_THERE
                                                              : SET_ALWAYS;
    if (condition == SET_ALWAYS || args->comparison.how != COMPARE_NONE ||
        (args->condition != SET_ALWAYS && args->condition != condition))
        return false;
    args->condition = condition;
    return true;
}

static bool parse_set(struct session *session, struct set_args *args)
{
    *args = (struct set_args){.condition = SET_ALWAYS};
    for (size_t i = 3; i < session->argc; i++) {
        if (argument_is(session, i, "get")) {
            args->get = true;
        } else if (!args->time.given && argument_is(session, i, "keepttl")) {
            args->keep_expiry = true;
        } else if ((args->keep_expiry || !time_option(session, &i, &args->time)) &&
                   !set_condition(session, &i, args)) {
            session_syntax_error(session);
            return false;
        }
    }
    return (!args->time.given ||
            expiry_argument(session, args->time.at, args->time.form, false, &args->expiry_ms)) &&
           comparison_fits(session, &args->comparison) && value_fits(session, session->argv[2].len);
}

static bool may_set(const struct set_args *args, const struct object *object)
{
    bool there = object_type(object) != OBJECT_NONE;
    if (args->comparison.how != COMPARE_NONE) {
        struct bytes value = there ? string_bytes(object) : BYTES("");
        return comparison_holds(&args->comparison, there ? &value : NULL);
    }
    return args->condition == SET_ALWAYS || there == (args->condition == SET_IF_THERE);
}

static enum access find_to_set(struct session *session, const struct set_args *args,
                               struct object **out)
{
    if (args->get)
        return access_string_read(session, session->argv[1], out);
    if (args->comparison.how != COMPARE_NONE)
        return access_string(session, session->argv[1], out);
    return access_key(session, session->argv[1], out);
}

enum flow set_command(struct session *session)
{
    struct set_args args;
    struct object *object;
    struct bytes key = session->argv[1];
    if (!parse_set(session, &args))
        return FLOW_DONE;
    enum access access = find_to_set(session, &args, &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool may = may_set(&args, object);
    if (args.get)
        reply_value(session, object);
    else if (may)
        reply_status(&session->reply, "OK");
    else
        reply_null(&session->reply);
    if (!may)
        return FLOW_DONE;
    uint64_t expiry_ms = args.keep_expiry ? object_expiry(object) : (uint64_t)args.expiry_ms;
    string_put(session, key, object, session->argv[2], expiry_ms, "set");
    if (args.time.given)
        keyspace_event(session, EVENT_GENERIC, "expire", session->db, key);
    return FLOW_DONE;
}

static enum flow set_expiring(struct session *session, enum time_form form)
{
    struct object *object;
    int64_t expiry_ms;
    if (!expiry_argument(session, 2, form, false, &expiry_ms) ||
        !value_fits(session, session->argv[3].len))
        return FLOW_DONE;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    string_put(session, session->argv[1], object, session->argv[3], (uint64_t)expiry_ms, "set");
    keyspace_event(session, EVENT_GENERIC, "expire", session->db, session->argv[1]);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

enum flow setex_command(struct session *session)
{
    return set_expiring(session, TIME_EX);
}

enum flow psetex_command(struct session *session)
{
    return set_expiring(session, TIME_PX);
}

enum flow setnx_command(struct session *session)
{
    struct object *object;
    if (!value_fits(session, session->argv[2].len))
        return FLOW_DONE;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool free_name = object_type(object) == OBJECT_NONE;
    if (free_name)
        string_put(session, session->argv[1], object, session->argv[2], 0, "set");
    reply_integer(&session->reply, free_name);
    return FLOW_DONE;
}

/* ---- several at once: one commit record, and so not larger than one may be ---- */

/* *exist: some of the keys do. */
static enum access find_pairs(struct session *session, bool *exist)
{
    if (session->argc % 2 == 0) {
        session_wrong_arity(session);
        return ACCESS_FAILED;
    }
    if (!value_fits(session, session_wire(session, 1, session->argc - 1).len))
        return ACCESS_FAILED;
    enum access access = access_keys(session, 1, session->argc / 2, 2);
    for (size_t i = 1; i < session->argc && access == ACCESS_READY; i += 2) {
        struct object *object;
        access = access_key(session, session->argv[i], &object);
        if (access == ACCESS_READY && object_type(object) != OBJECT_NONE)
            *exist = true;
    }
    return access;
}

/* What find_pairs has found, and all of it, though the first ones may fill their range. */
static void set_pairs(struct session *session)
{
    for (size_t i = 1; i < session->argc; i += 2) {
        struct object *object;
        struct bytes key = session->argv[i];
        CHECK(keyspace_find(&session->broker->keyspace, session->db, key, &object) == ERR_OK);
        string_put(session, key, object, session->argv[i + 1], 0, "set");
    }
}

enum flow mset_command(struct session *session)
{
    bool exist = false;
    enum access access = find_pairs(session, &exist);
    if (access != ACCESS_READY)
        return access_flow(access);
    set_pairs(session);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

enum flow msetnx_command(struct session *session)
{
    bool exist = false;
    enum access access = find_pairs(session, &exist);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (!exist)
        set_pairs(session);
    reply_integer(&session->reply, !exist);
    return FLOW_DONE;
}

/* ---- GETEX ---- */

struct getex_args {
    bool persist;
    struct time_option time;
};

/* False: replied. */
static bool parse_getex(struct session *session, struct getex_args *args)
{
    *args = (struct getex_args){.persist = false};
    for (size_t i = 2; i < session->argc; i++) {
        if (!args->time.given && argument_is(session, i, "persist")) {
            args->persist = true;
        } else if (args->persist || !time_option(session, &i, &args->time)) {
            session_syntax_error(session);
            return false;
        }
    }
    return true;
}

enum flow getex_command(struct session *session)
{
    struct object *object;
    struct getex_args args;
    int64_t expiry_ms = 0;
    struct bytes key = session->argv[1];
    if (!parse_getex(session, &args))
        return FLOW_DONE;
    enum access access = access_string_read(session, key, &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool there = object_type(object) != OBJECT_NONE;
    if (there && args.time.given &&
        !expiry_argument(session, args.time.at, args.time.form, false, &expiry_ms))
        return FLOW_DONE;
    reply_value(session, object);
    if (there && session->argc > 2)
        keys_set_expiry(session, key, object, expiry_ms);
    return FLOW_DONE;
}
