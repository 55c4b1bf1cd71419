/* The generic commands on keys and databases: https://redis.io/docs/latest/commands/?group=generic
 */
#include "broker/keys_commands.h"

#include "base/clock.h"
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/dead_letter.h"
#include "broker/families.h"
#include "broker/options.h"
#include "storage/upkeep.h"

/* ---- one key, or several ---- */

void keys_drop(struct session *session, unsigned db, struct bytes key, struct object *object)
{
    struct op op = {.kind = OP_DROP, .db = db, .key = key, .object = object};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    blocking_signal(session->broker, db, key);
}

void keys_delete(struct session *session, struct bytes key, struct object *object)
{
    keys_drop(session, session->db, key, object);
    keyspace_event(session, EVENT_GENERIC, "del", session->db, key);
}

/* What one command drops is one commit record: bounded, so that it fits with what is there already.
 */
#define DROP_BYTES_MAX ((size_t)64 << 20)

static bool names_fit(struct session *session)
{
    if (session_wire(session, 1, session->argc - 1).len <= DROP_BYTES_MAX)
        return true;
    reply_error(&session->reply, "ERR the keys are longer than %zu bytes together", DROP_BYTES_MAX);
    return false;
}

/* Counts the keys among the arguments that exist, and drops them if so wanted. */
static enum flow each_key(struct session *session, bool drop)
{
    int64_t count = 0;
    if (drop && !names_fit(session))
        return FLOW_DONE;
    enum access access = access_keys(session, 1, session->argc - 1, 1);
    if (access != ACCESS_READY)
        return access_flow(access);
    for (size_t i = 1; i < session->argc; i++) {
        struct object *object;
        access = access_key(session, session->argv[i], &object);
        if (access != ACCESS_READY)
            return access_flow(access);
        if (object_type(object) == OBJECT_NONE)
            continue;
        count++;
        if (!drop)
            continue;
        keys_delete(session, session->argv[i], object);
    }
    reply_integer(&session->reply, count);
    return FLOW_DONE;
}

enum flow del_command(struct session *session)
{
    return each_key(session, true);
}

static enum flow exists_command(struct session *session)
{
    return each_key(session, false);
}

static enum flow type_command(struct session *session)
{
    struct object *object;
    enum access access = access_key(session, session->argv[1], &object);
    if (access == ACCESS_READY)
        reply_status(&session->reply, keys_type_name(object_type(object)));
    return access_flow(access);
}

const char *keys_type_name(enum object_type type)
{
    switch (type) {
    case OBJECT_NONE:
        return "none";
    case OBJECT_FEED:
        return "stream";
    case OBJECT_STRING:
        return "string";
    case OBJECT_HASH:
        return "hash";
    }
    return "unknown";
}

/* ---- RENAME ---- */

/* `to` does not exist. Between two stores, and in memory, the value goes by way of its row. */
static void move_key(struct session *session, struct bytes from, struct object *source,
                     struct bytes to, bool to_memory)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct op op = {
        .kind = OP_RENAME, .db = session->db, .key = from, .key2 = to, .object = source};
    if (!source->in_memory && !to_memory) {
        session_gate(session, keyspace_write(keyspace, &op));
        return;
    }
    keys_put(session, session->db, to, object_state(source));
    keys_drop(session, session->db, from, source);
}

void keys_put(struct session *session, unsigned db, struct bytes key,
              const struct object_state *state)
{
    struct buf row;
    buf_init(&row);
    object_row_encode(&row, state, 0);
    struct op op = {.kind = OP_PUT, .db = db, .key = key, .data = buf_bytes(&row)};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    buf_deinit(&row);
}

/* A key that comes to a memory range from elsewhere is one more there; false: replied that it is
 * full. */
static bool has_room(struct session *session, struct bytes from, struct bytes to,
                     const struct object *target)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    return !target->in_memory ||
           keyspace_range(keyspace, session->db, from) ==
               keyspace_range(keyspace, session->db, to) ||
           access_has_room(session, session->db, to);
}

static enum flow rename_key(struct session *session, bool only_if_free)
{
    struct bytes from = session->argv[1];
    struct bytes to = session->argv[2];
    struct object *source;
    struct object *target;
    enum access access = access_keys(session, 1, 2, 1);
    if (access == ACCESS_READY)
        access = access_key(session, from, &source);
    if (access == ACCESS_READY)
        access = access_key(session, to, &target);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_type(source) == OBJECT_NONE) {
        reply_error(&session->reply, "ERR no such key");
        return FLOW_DONE;
    }
    if (only_if_free && object_type(target) != OBJECT_NONE) {
        reply_integer(&session->reply, 0);
        return FLOW_DONE;
    }
    bool to_memory =
        keyspace_range(&session->broker->keyspace, session->db, to)->store == STORE_MEMORY;
    if (to_memory && object_feed(source) != NULL) {
        access_no_feed(session);
        return FLOW_DONE;
    }
    if (!has_room(session, from, to, target))
        return FLOW_DONE;
    const struct feed *feed = object_feed(source);
    if (feed != NULL && dead_letters_own(session, upkeep_policy(feed_upkeep(feed)), to))
        return FLOW_DONE;
    if (source != target) {
        if (object_type(target) != OBJECT_NONE)
            keys_drop(session, session->db, to, target);
        move_key(session, from, source, to, to_memory);
        keyspace_event(session, EVENT_NEW, "new", session->db, to);
        keyspace_event(session, EVENT_GENERIC, "rename_from", session->db, from);
        keyspace_event(session, EVENT_GENERIC, "rename_to", session->db, to);
        blocking_signal(session->broker, session->db, from);
        blocking_signal(session->broker, session->db, to);
    }
    if (only_if_free)
        reply_integer(&session->reply, 1);
    else
        reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

static enum flow rename_command(struct session *session)
{
    return rename_key(session, false);
}

static enum flow renamenx_command(struct session *session)
{
    return rename_key(session, true);
}

/* ---- databases ---- */

static enum flow dbsize_command(struct session *session)
{
    const struct database *database = keyspace_database(&session->broker->keyspace, session->db);
    session_gate(session, database->lsn);
    reply_integer(&session->reply, (int64_t)(database->keys + database->memory_keys));
    return FLOW_DONE;
}

static void flush(struct session *session, unsigned db)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    session_gate(session, keyspace_database(keyspace, db)->lsn);
    if (keyspace_database(keyspace, db)->keys + keyspace_database(keyspace, db)->memory_keys == 0)
        return;
    struct op op = {.kind = OP_FLUSH, .db = db, .number = keyspace_next_space(keyspace)};
    session_gate(session, keyspace_write(keyspace, &op));
    blocking_signal_all(session->broker, db);
}

/* [ASYNC|SYNC]: both are the same here. */
static bool flush_arguments(struct session *session)
{
    if (session->argc == 1 || (session->argc == 2 && (argument_is(session, 1, "async") ||
                                                      argument_is(session, 1, "sync"))))
        return true;
    session_syntax_error(session);
    return false;
}

static enum flow flushdb_command(struct session *session)
{
    if (flush_arguments(session)) {
        flush(session, session->db);
        reply_status(&session->reply, "OK");
    }
    return FLOW_DONE;
}

static enum flow flushall_command(struct session *session)
{
    if (!flush_arguments(session))
        return FLOW_DONE;
    for (unsigned db = 0; db < (unsigned)broker_options(session->broker)->databases; db++)
        flush(session, db);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

static bool parse_db(struct session *session, size_t index, const char *which, int64_t *out)
{
    if (bytes_to_i64(session->argv[index], out) && *out >= INT32_MIN && *out <= INT32_MAX)
        return true;
    reply_error(&session->reply, "ERR invalid %s DB index", which);
    return false;
}

static enum flow swapdb_command(struct session *session)
{
    int64_t first, second;
    int64_t databases = broker_options(session->broker)->databases;
    if (!parse_db(session, 1, "first", &first) || !parse_db(session, 2, "second", &second))
        return FLOW_DONE;
    if (first < 0 || first >= databases || second < 0 || second >= databases) {
        reply_error(&session->reply, "ERR DB index is out of range");
        return FLOW_DONE;
    }
    if (first != second) {
        struct op op = {.kind = OP_SWAP, .db = (uint32_t)first, .number = (uint64_t)second};
        session_gate(session, keyspace_write(&session->broker->keyspace, &op));
        blocking_signal_all(session->broker, (unsigned)first);
        blocking_signal_all(session->broker, (unsigned)second);
    }
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

/* ---- OBJECT, MEMORY USAGE ---- */

/* *out is NULL, and null was replied, when the key does not exist. */
static enum access existing(struct session *session, struct object **out)
{
    enum access access = access_key(session, session->argv[2], out);
    if (access == ACCESS_READY && object_type(*out) == OBJECT_NONE) {
        reply_null(&session->reply);
        *out = NULL;
    }
    return access;
}

/* Redis's longest string that is one allocation with its key's object. */
#define EMBEDDED_MAX 44

static const char *encoding(const struct object *object)
{
    const struct object_state *state = &object->states[object->side];
    int64_t number;
    if (state->type == OBJECT_HASH)
        return hash_is_small(state->hash) ? "listpack" : "hashtable";
    if (state->type != OBJECT_STRING)
        return keys_type_name(state->type);
    if (state->value->edited)
        return "raw";
    if (bytes_to_i64(value_bytes(state->value), &number))
        return "int";
    return state->value->len <= EMBEDDED_MAX ? "embstr" : "raw";
}

enum flow object_encoding_command(struct session *session)
{
    struct object *object;
    enum access access = existing(session, &object);
    if (access == ACCESS_READY && object != NULL)
        reply_bulk_string(&session->reply, encoding(object));
    return access_flow(access);
}

enum flow object_refcount_command(struct session *session)
{
    struct object *object;
    enum access access = existing(session, &object);
    if (access == ACCESS_READY && object != NULL)
        reply_integer(&session->reply, 1);
    return access_flow(access);
}

static bool counts_uses(struct session *session, const struct object *object)
{
    struct bytes key = object_name(object);
    enum key_policy policy = keyspace_range(&session->broker->keyspace, session->db, key)->policy;
    return object->in_memory && (policy == POLICY_ALLKEYS_LFU || policy == POLICY_VOLATILE_LFU);
}

/* Of durable keys nobody knows how long they were idle: they leave memory in the order of their
 * use, and not the store. */
enum flow object_idletime_command(struct session *session)
{
    struct object *object;
    enum access access = existing(session, &object);
    if (access != ACCESS_READY || object == NULL)
        return access_flow(access);
    const struct memory *memory = &session->broker->keyspace.memory;
    if (counts_uses(session, object))
        reply_error(
            &session->reply,
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
            "switching between policies at runtime LRU and LFU data will take some time to "
            "adjust.");
    else
        reply_integer(&session->reply,
                      object->in_memory ? (int64_t)(memory_idle_ms(memory, object) / 1000) : 0);
    return FLOW_DONE;
}

enum flow object_freq_command(struct session *session)
{
    struct object *object;
    enum access access = existing(session, &object);
    if (access != ACCESS_READY || object == NULL)
        return access_flow(access);
    if (counts_uses(session, object))
        reply_integer(&session->reply, memory_frequency(&session->broker->keyspace.memory, object));
    else
        reply_error(
            &session->reply,
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please "
            "note "
            "that when switching between policies at runtime LRU and LFU data will take some time "
            "to adjust.");
    return FLOW_DONE;
}

static bool usage_arguments(struct session *session)
{
    for (size_t i = 3; i < session->argc; i += 2) {
        int64_t samples;
        if (!argument_is(session, i, "samples") || i + 1 == session->argc) {
            session_syntax_error(session);
            return false;
        }
        if (!bytes_to_i64(session->argv[i + 1], &samples)) {
            session_not_integer(session);
            return false;
        }
        if (samples < 0) {
            session_syntax_error(session);
            return false;
        }
    }
    return true;
}

enum flow memory_usage_command(struct session *session)
{
    struct object *object;
    if (!usage_arguments(session))
        return FLOW_DONE;
    enum access access = existing(session, &object);
    if (access == ACCESS_READY && object != NULL) {
        struct feed *feed = object_feed(object);
        size_t tail = feed != NULL ? feed_tail_bytes(feed) : 0;
        reply_integer(&session->reply, (int64_t)(object_bytes(object) + tail));
    }
    return access_flow(access);
}

/* ---- rows ---- */

#define KEYS_ROW(name, run, arity, flags, first, last, since, complexity, summary)                 \
    {                                                                                              \
        name, run, arity, flags, first, last, (first) > 0 ? 1 : 0, "generic", since, complexity,   \
            summary, NULL                                                                          \
    }
#define SERVER_ROW(name, run, arity, flags, since, complexity, summary)                            \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "server", since, complexity, summary, NULL               \
    }

const struct command_row keys_commands[] = {
    KEYS_ROW("copy", copy_command, -3, COMMAND_WRITE | COMMAND_DENYOOM, 1, 2, "6.2.0",
             "O(N), N bytes of the value", "Copies a key's value to another key"),
    SERVER_ROW("dbsize", dbsize_command, 1, COMMAND_READONLY | COMMAND_FAST, "1.0.0", "O(1)",
               "Number of keys in the selected database"),
    KEYS_ROW("del", del_command, -2, COMMAND_WRITE, 1, -1, "1.0.0", "O(N), N keys", "Deletes keys"),
    KEYS_ROW("dump", dump_command, 2, COMMAND_READONLY, 1, 1, "2.6.0", "O(N), N bytes of the value",
             "A key's value in a form that RESTORE takes"),
    KEYS_ROW("exists", exists_command, -2, COMMAND_READONLY | COMMAND_FAST | COMMAND_NO_TOUCH, 1,
             -1, "1.0.0", "O(N), N keys", "How many of the keys exist"),
    KEYS_ROW("expire", expire_command, -3, COMMAND_WRITE | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
             "Sets when a key expires, in seconds from now"),
    KEYS_ROW("expireat", expireat_command, -3, COMMAND_WRITE | COMMAND_FAST, 1, 1, "1.2.0", "O(1)",
             "Sets when a key expires, in Unix seconds"),
    KEYS_ROW("expiretime", expiretime_command, 2,
             COMMAND_READONLY | COMMAND_FAST | COMMAND_NO_TOUCH, 1, 1, "7.0.0", "O(1)",
             "When a key expires, in Unix seconds"),
    SERVER_ROW("flushall", flushall_command, -1, COMMAND_WRITE, "1.0.0", "O(N), N keys in memory",
               "Deletes all keys of all databases"),
    SERVER_ROW("flushdb", flushdb_command, -1, COMMAND_WRITE, "1.0.0", "O(N), N keys in memory",
               "Deletes all keys of the selected database"),
    KEYS_ROW("keys", keys_command, 2, COMMAND_READONLY, 0, 0, "1.0.0", "O(N), N keys",
             "All keys that match a pattern"),
    KEYS_ROW("persist", persist_command, 2, COMMAND_WRITE | COMMAND_FAST, 1, 1, "2.2.0", "O(1)",
             "A key never expires"),
    KEYS_ROW("pexpire", pexpire_command, -3, COMMAND_WRITE | COMMAND_FAST, 1, 1, "2.6.0", "O(1)",
             "Sets when a key expires, in milliseconds from now"),
    KEYS_ROW("pexpireat", pexpireat_command, -3, COMMAND_WRITE | COMMAND_FAST, 1, 1, "2.6.0",
             "O(1)", "Sets when a key expires, in Unix milliseconds"),
    KEYS_ROW("pexpiretime", pexpiretime_command, 2,
             COMMAND_READONLY | COMMAND_FAST | COMMAND_NO_TOUCH, 1, 1, "7.0.0", "O(1)",
             "When a key expires, in Unix milliseconds"),
    KEYS_ROW("pttl", pttl_command, 2, COMMAND_READONLY | COMMAND_FAST | COMMAND_NO_TOUCH, 1, 1,
             "2.6.0", "O(1)", "How long until a key expires, in milliseconds"),
    KEYS_ROW("randomkey", randomkey_command, 1, COMMAND_READONLY, 0, 0, "1.0.0", "O(1)",
             "Some key"),
    KEYS_ROW("rename", rename_command, 3, COMMAND_WRITE, 1, 2, "1.0.0", "O(1)",
             "Renames a key; the new name's old value is gone"),
    KEYS_ROW("renamenx", renamenx_command, 3, COMMAND_WRITE | COMMAND_FAST, 1, 2, "1.0.0", "O(1)",
             "Renames a key if the new name is free"),
    KEYS_ROW("restore", restore_command, -4, COMMAND_WRITE | COMMAND_DENYOOM, 1, 1, "2.6.0",
             "O(N), N bytes of the value", "Makes a key of what DUMP gave"),
    KEYS_ROW("scan", scan_command, -2, COMMAND_READONLY, 0, 0, "2.8.0", "O(1) for each call",
             "Walks all keys, some a call"),
    SERVER_ROW("swapdb", swapdb_command, 3, COMMAND_WRITE | COMMAND_FAST, "4.0.0", "O(1)",
               "Two databases change places"),
    KEYS_ROW("touch", exists_command, -2, COMMAND_READONLY | COMMAND_FAST, 1, -1, "3.2.1",
             "O(N), N keys", "Marks keys as used; how many exist"),
    KEYS_ROW("ttl", ttl_command, 2, COMMAND_READONLY | COMMAND_FAST | COMMAND_NO_TOUCH, 1, 1,
             "1.0.0", "O(1)", "How long until a key expires, in seconds"),
    KEYS_ROW("type", type_command, 2, COMMAND_READONLY | COMMAND_FAST | COMMAND_NO_TOUCH, 1, 1,
             "1.0.0", "O(1)", "What a key holds"),
    KEYS_ROW("unlink", del_command, -2, COMMAND_WRITE | COMMAND_FAST, 1, -1, "4.0.0",
             "O(N), N keys", "Deletes keys"),
    {.name = NULL},
};
