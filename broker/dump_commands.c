/* DUMP and RESTORE: https://redis.io/docs/latest/commands/restore/
 *
 * The bytes between them are Weir's own (storage/dump.h). */
#include "broker/keys_commands.h"

#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/families.h"
#include "storage/dump.h"

enum flow dump_command(struct session *session)
{
    struct object *object;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_type(object) == OBJECT_NONE) {
        reply_null(&session->reply);
    } else if (object_type(object) == OBJECT_FEED) {
        reply_error(&session->reply, "ERR DUMP knows strings and hashes only, the key is a stream");
    } else {
        struct buf dump;
        buf_init(&dump);
        dump_encode(&dump, object_state(object));
        reply_bulk(&session->reply, buf_bytes(&dump));
        buf_deinit(&dump);
    }
    return FLOW_DONE;
}

/* ---- RESTORE ---- */

struct restore_args {
    bool replace;
    bool absolute; /* ABSTTL */
    bool idle;     /* IDLETIME or FREQ was given, which exclude each other */
    bool often;
};

/* IDLETIME and FREQ say how used a key was where it comes from. Here it begins as a new one, so
 * they are only checked. */
static bool check_use(struct session *session, size_t index, bool idle)
{
    int64_t value;
    if (!bytes_to_i64(session->argv[index], &value)) {
        session_not_integer(session);
        return false;
    }
    if (idle && value < 0) {
        reply_error(&session->reply, "ERR Invalid IDLETIME value, must be >= 0");
        return false;
    }
    if (!idle && (value < 0 || value > 255)) {
        reply_error(&session->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
        return false;
    }
    return true;
}

static bool parse_restore(struct session *session, struct restore_args *out)
{
    struct restore_args args = {0};
    for (size_t i = 4; i < session->argc; i++) {
        bool more = i + 1 < session->argc;
        bool idle = argument_is(session, i, "idletime") && more && !args.often;
        if (argument_is(session, i, "replace")) {
            args.replace = true;
        } else if (argument_is(session, i, "absttl")) {
            args.absolute = true;
        } else if (idle || (argument_is(session, i, "freq") && more && !args.idle)) {
            if (!check_use(session, ++i, idle))
                return false;
            args.idle |= idle;
            args.often |= !idle;
        } else {
            session_syntax_error(session);
            return false;
        }
    }
    *out = args;
    return true;
}

/* When the key expires, in Unix milliseconds; 0: never. */
static bool parse_ttl(struct session *session, bool absolute, uint64_t *out)
{
    int64_t ttl;
    if (!bytes_to_i64(session->argv[2], &ttl)) {
        session_not_integer(session);
        return false;
    }
    if (ttl < 0) {
        reply_error(&session->reply, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    uint64_t expiry_ms = (uint64_t)ttl;
    if (ttl > 0 && !absolute)
        expiry_ms += broker_now_ms(session->broker);
    *out = expiry_ms < OBJECT_EXPIRY_MAX ? expiry_ms : OBJECT_EXPIRY_MAX;
    return true;
}

static bool decode(struct session *session, struct object_state *out)
{
    enum err err = dump_decode(out, session->argv[3]);
    if (err == ERR_OK)
        return true;
    if (err == ERR_INVALID)
        reply_error(&session->reply, "ERR Bad data format");
    else
        reply_error(&session->reply, "ERR DUMP payload version or checksum are wrong");
    return false;
}

/* The key becomes `state`, unless that has expired already. */
static void put(struct session *session, struct object *object, const struct object_state *state)
{
    struct bytes key = session->argv[1];
    bool there = object_type(object) != OBJECT_NONE;
    bool expired = state->expiry_ms > 0 && state->expiry_ms <= broker_now_ms(session->broker);
    if (there && expired)
        keys_delete(session, key, object);
    else if (there)
        keys_drop(session, session->db, key, object);
    if (expired)
        return;
    keys_put(session, session->db, key, state);
    keyspace_event(session, EVENT_NEW, "new", session->db, key);
    keyspace_event(session, EVENT_GENERIC, "restore", session->db, key);
}

enum flow restore_command(struct session *session)
{
    struct restore_args args;
    struct object *object;
    struct object_state state;
    uint64_t expiry_ms;
    if (!parse_restore(session, &args))
        return FLOW_DONE;
    enum access access = access_key(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_type(object) != OBJECT_NONE && !args.replace) {
        reply_error(&session->reply, "BUSYKEY Target key name already exists.");
        return FLOW_DONE;
    }
    if (!parse_ttl(session, args.absolute, &expiry_ms) || !decode(session, &state))
        return FLOW_DONE;
    state.expiry_ms = expiry_ms & OBJECT_EXPIRY_MAX;
    put(session, object, &state);
    object_state_clear(&state);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}
