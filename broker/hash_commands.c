/* Writing hashes, and the rows of the family: https://redis.io/docs/latest/commands/?group=hash */
#include "broker/hash_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/string_args.h"

#include <math.h>

static uint32_t count_of(const struct object *object)
{
    return hash_of(object) != NULL ? hash_of(object)->count : 0;
}

/* False: replied that the hash would be too large with so many bytes more. */
static bool hash_fits(struct session *session, const struct object *object, size_t more)
{
    size_t bytes = hash_of(object) != NULL ? hash_of(object)->packed_bytes : 0;
    if (more <= HASH_BYTES_MAX && bytes <= HASH_BYTES_MAX - more)
        return true;
    reply_error(&session->reply, "ERR the hash would be larger than %zu bytes", HASH_BYTES_MAX);
    return false;
}

/* Sets what is packed in `data`. */
static void write_fields(struct session *session, struct object *object, struct bytes data,
                         const char *event)
{
    struct bytes key = session->argv[1];
    if (object_type(object) == OBJECT_NONE)
        keyspace_event(session, EVENT_NEW, "new", session->db, key);
    struct op op = {
        .kind = OP_HASH_SET, .db = session->db, .key = key, .data = data, .object = object};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_HASH, event, session->db, key);
}

static void write_field(struct session *session, struct object *object, struct bytes name,
                        struct bytes value, const char *event)
{
    struct buf *packed = &session->broker->scratch;
    buf_reset(packed, SIZE_MAX);
    buf_put_bytes(packed, name);
    buf_put_bytes(packed, value);
    write_fields(session, object, buf_bytes(packed), event);
}

/* The hash of the key, again: the object that was found may have been that of no key. */
static const struct hash *written_hash(struct session *session)
{
    struct object *object;
    enum err err =
        keyspace_find(&session->broker->keyspace, session->db, session->argv[1], &object);
    CHECK(err == ERR_OK && hash_of(object) != NULL);
    return hash_of(object);
}

/* ---- HSET ---- */

/* *added counts new fields. */
static enum access set_pairs(struct session *session, uint32_t *added)
{
    struct object *object;
    struct buf *packed = &session->broker->scratch;
    if (session->argc % 2 != 0) {
        session_wrong_arity(session);
        return ACCESS_FAILED;
    }
    enum access access = access_hash(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access;
    if (!hash_fits(session, object, session_wire(session, 2, session->argc - 2).len))
        return ACCESS_FAILED;
    uint32_t before = count_of(object);
    buf_reset(packed, SIZE_MAX);
    for (size_t i = 2; i < session->argc; i++)
        buf_put_bytes(packed, session->argv[i]);
    write_fields(session, object, buf_bytes(packed), "hset");
    *added = written_hash(session)->count - before;
    return ACCESS_READY;
}

static enum flow hset_command(struct session *session)
{
    uint32_t added;
    enum access access = set_pairs(session, &added);
    if (access == ACCESS_READY)
        reply_integer(&session->reply, added);
    return access_flow(access);
}

static enum flow hmset_command(struct session *session)
{
    uint32_t added;
    enum access access = set_pairs(session, &added);
    if (access == ACCESS_READY)
        reply_status(&session->reply, "OK");
    return access_flow(access);
}

static enum flow hsetnx_command(struct session *session)
{
    struct object *object;
    const struct hash_field *field;
    enum access access = hash_field_access(session, &object, &field);
    if (access != ACCESS_READY)
        return access_flow(access);
    bool there = field != NULL;
    if (!there) {
        if (!hash_fits(session, object, session_wire(session, 2, 2).len))
            return FLOW_DONE;
        write_field(session, object, session->argv[2], session->argv[3], "hset");
    }
    reply_integer(&session->reply, !there);
    return FLOW_DONE;
}

/* ---- HDEL ---- */

static bool has_any(const struct session *session, const struct hash *hash)
{
    for (size_t i = 2; i < session->argc; i++) {
        if (hash_find(hash, session->argv[i]) != NULL)
            return true;
    }
    return false;
}

static enum flow hdel_command(struct session *session)
{
    struct object *object;
    struct bytes key = session->argv[1];
    struct buf *names = &session->broker->scratch;
    enum access access = access_hash(session, key, &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    uint32_t before = count_of(object);
    if (before == 0 || !has_any(session, hash_of(object))) {
        reply_integer(&session->reply, 0);
        return FLOW_DONE;
    }
    buf_reset(names, SIZE_MAX);
    for (size_t i = 2; i < session->argc; i++) {
        if (hash_find(hash_of(object), session->argv[i]) != NULL)
            buf_put_bytes(names, session->argv[i]);
    }
    struct op op = {.kind = OP_HASH_DELETE,
                    .db = session->db,
                    .key = key,
                    .data = buf_bytes(names),
                    .object = object};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_HASH, "hdel", session->db, key);
    if (object_type(object) == OBJECT_NONE)
        keyspace_event(session, EVENT_GENERIC, "del", session->db, key);
    reply_integer(&session->reply, before - count_of(object));
    return FLOW_DONE;
}

/* ---- numbers ---- */

static enum flow hincrby_command(struct session *session)
{
    struct object *object;
    const struct hash_field *field;
    int64_t amount;
    int64_t value = 0;
    if (!bytes_to_i64(session->argv[3], &amount)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    enum access access = hash_field_access(session, &object, &field);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (field != NULL && !bytes_to_i64(hash_field_value(field), &value)) {
        reply_error(&session->reply, "ERR hash value is not an integer");
        return FLOW_DONE;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(&session->reply, "ERR increment or decrement would overflow");
        return FLOW_DONE;
    }
    if (!hash_fits(session, object, session->argv[2].len + INTEGER_TEXT_MAX))
        return FLOW_DONE;
    char text[INTEGER_TEXT_MAX];
    struct bytes sum = bytes_of(text, i64_to_text(value, text));
    write_field(session, object, session->argv[2], sum, "hincrby");
    reply_integer(&session->reply, value);
    return FLOW_DONE;
}

static enum flow hincrbyfloat_command(struct session *session)
{
    struct object *object;
    const struct hash_field *field;
    long double amount;
    long double value = 0;
    if (!float_of_text(session->argv[3], &amount)) {
        reply_error(&session->reply, "ERR value is not a valid float");
        return FLOW_DONE;
    }
    if (isinf(amount)) {
        reply_error(&session->reply, "ERR value is NaN or Infinity");
        return FLOW_DONE;
    }
    enum access access = hash_field_access(session, &object, &field);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (field != NULL && !float_of_text(hash_field_value(field), &value)) {
        reply_error(&session->reply, "ERR hash value is not a float");
        return FLOW_DONE;
    }
    value += amount;
    if (isnan(value) || isinf(value)) {
        reply_error(&session->reply, "ERR increment would produce NaN or Infinity");
        return FLOW_DONE;
    }
    if (!hash_fits(session, object, session->argv[2].len + FLOAT_TEXT_MAX))
        return FLOW_DONE;
    char text[FLOAT_TEXT_MAX];
    struct bytes sum = bytes_of(text, float_to_text(value, text));
    write_field(session, object, session->argv[2], sum, "hincrbyfloat");
    reply_bulk(&session->reply, sum);
    return FLOW_DONE;
}

/* ---- rows ---- */

#define WRITES (COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST)
#define READS  (COMMAND_READONLY | COMMAND_FAST)

#define HASH_ROW(name, run, arity, flags, since, complexity, summary)                              \
    {                                                                                              \
        name, run, arity, flags, 1, 1, 1, "hash", since, complexity, summary, NULL                 \
    }

const struct command_row hash_commands[] = {
    HASH_ROW("hdel", hdel_command, -3, COMMAND_WRITE | COMMAND_FAST, "2.0.0", "O(N), N fields",
             "Deletes fields of a hash"),
    HASH_ROW("hexists", hexists_command, 3, READS, "2.0.0", "O(1)", "Whether a hash has a field"),
    HASH_ROW("hget", hget_command, 3, READS, "2.0.0", "O(1)", "The value of a field"),
    HASH_ROW("hgetall", hgetall_command, 2, COMMAND_READONLY, "2.0.0", "O(N), N fields",
             "All fields of a hash with their values"),
    HASH_ROW("hincrby", hincrby_command, 4, WRITES, "2.0.0", "O(1)",
             "Adds to the number in a field"),
    HASH_ROW("hincrbyfloat", hincrbyfloat_command, 4, WRITES, "2.6.0", "O(1)",
             "Adds to the number with a fraction in a field"),
    HASH_ROW("hkeys", hkeys_command, 2, COMMAND_READONLY, "2.0.0", "O(N), N fields",
             "The names of all fields"),
    HASH_ROW("hlen", hlen_command, 2, READS, "2.0.0", "O(1)", "Number of fields"),
    HASH_ROW("hmget", hmget_command, -3, READS, "2.0.0", "O(N), N fields asked for",
             "The values of several fields"),
    HASH_ROW("hmset", hmset_command, -4, WRITES, "2.0.0", "O(N), N fields", "Sets several fields"),
    HASH_ROW("hrandfield", hrandfield_command, -2, COMMAND_READONLY, "6.2.0",
             "O(N), N fields shown", "Random fields of a hash"),
    HASH_ROW("hscan", hscan_command, -3, COMMAND_READONLY, "2.8.0", "O(1) for each call",
             "Walks the fields of a hash, some a call"),
    HASH_ROW("hset", hset_command, -4, WRITES, "2.0.0", "O(N), N fields", "Sets fields of a hash"),
    HASH_ROW("hsetnx", hsetnx_command, 4, WRITES, "2.0.0", "O(1)",
             "Sets a field if the hash does not have it"),
    HASH_ROW("hstrlen", hstrlen_command, 3, READS, "3.2.0", "O(1)", "Length of a field's value"),
    HASH_ROW("hvals", hvals_command, 2, COMMAND_READONLY, "2.0.0", "O(N), N fields",
             "The values of all fields"),
    {.name = NULL},
};
