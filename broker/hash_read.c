/* Reading hashes: https://redis.io/docs/latest/commands/?group=hash */
#include "broker/hash_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/random.h"
#include "broker/families.h"

enum access hash_field_access(struct session *session, struct object **object,
                              const struct hash_field **field)
{
    enum access access = access_hash(session, session->argv[1], object);
    if (access == ACCESS_READY)
        *field = hash_of(*object) != NULL ? hash_find(hash_of(*object), session->argv[2]) : NULL;
    return access;
}

static void reply_field_value(struct session *session, const struct hash_field *field)
{
    if (field != NULL)
        reply_bulk(&session->reply, hash_field_value(field));
    else
        reply_null(&session->reply);
}

enum flow hget_command(struct session *session)
{
    struct object *object;
    const struct hash_field *field;
    enum access access = hash_field_access(session, &object, &field);
    if (access == ACCESS_READY)
        reply_field_value(session, field);
    return access_flow(access);
}

enum flow hexists_command(struct session *session)
{
    struct object *object;
    const struct hash_field *field;
    enum access access = hash_field_access(session, &object, &field);
    if (access == ACCESS_READY)
        reply_integer(&session->reply, field != NULL);
    return access_flow(access);
}

enum flow hstrlen_command(struct session *session)
{
    struct object *object;
    const struct hash_field *field;
    enum access access = hash_field_access(session, &object, &field);
    if (access == ACCESS_READY)
        reply_integer(&session->reply, field != NULL ? field->value_len : 0);
    return access_flow(access);
}

enum flow hlen_command(struct session *session)
{
    struct object *object;
    enum access access = access_hash(session, session->argv[1], &object);
    if (access == ACCESS_READY)
        reply_integer(&session->reply, hash_of(object) != NULL ? hash_of(object)->count : 0);
    return access_flow(access);
}

enum flow hmget_command(struct session *session)
{
    struct object *object;
    enum access access = access_hash(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    reply_array(&session->reply, session->argc - 2);
    for (size_t i = 2; i < session->argc; i++) {
        const struct hash *hash = hash_of(object);
        reply_field_value(session, hash != NULL ? hash_find(hash, session->argv[i]) : NULL);
    }
    return FLOW_DONE;
}

/* ---- all of it ---- */

static enum flow all_fields(struct session *session, bool names, bool values)
{
    struct object *object;
    enum access access = access_hash(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    const struct hash *hash = hash_of(object);
    uint32_t count = hash != NULL ? hash->count : 0;
    if (names && values)
        reply_map(&session->reply, count);
    else
        reply_array(&session->reply, count);
    for (uint32_t i = 0; i < count; i++) {
        if (names)
            reply_bulk(&session->reply, hash_field_name(hash->fields[i]));
        if (values)
            reply_bulk(&session->reply, hash_field_value(hash->fields[i]));
    }
    return FLOW_DONE;
}

enum flow hgetall_command(struct session *session)
{
    return all_fields(session, true, true);
}

enum flow hkeys_command(struct session *session)
{
    return all_fields(session, true, false);
}

enum flow hvals_command(struct session *session)
{
    return all_fields(session, false, true);
}

/* ---- HRANDFIELD ---- */

static void reply_random_field(struct session *session, const struct hash_field *field, bool values)
{
    if (values && session->reply.version > 2)
        reply_array(&session->reply, 2);
    reply_bulk(&session->reply, hash_field_name(field));
    if (values)
        reply_bulk(&session->reply, hash_field_value(field));
}

static void reply_count(struct session *session, uint64_t count, bool values)
{
    bool flat = values && session->reply.version == 2;
    reply_array(&session->reply, (size_t)(flat ? 2 * count : count));
}

/* The same one may come again. False: the reply is larger than any client takes. */
static bool reply_any(struct session *session, const struct hash *hash, uint64_t count, bool values,
                      struct random *random)
{
    size_t start = session->reply.out->len;
    reply_count(session, count, values);
    for (uint64_t i = 0; i < count; i++) {
        reply_random_field(session, hash->fields[random_below(random, hash->count)], values);
        if (session->reply.out->len - start > session_reply_max(session))
            return false;
    }
    return true;
}

/* `count` different ones, all of them in their order. */
static void reply_distinct(struct session *session, const struct hash *hash, uint32_t count,
                           bool values, struct random *random)
{
    struct hash_field **fields = mem_copy(hash->fields, hash->count * sizeof(*fields));
    reply_count(session, count, values);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = count < hash->count ? i + (uint32_t)random_below(random, hash->count - i) : i;
        struct hash_field *field = fields[at];
        fields[at] = fields[i];
        reply_random_field(session, field, values);
    }
    mem_free(fields);
}

static bool random_arguments(struct session *session, int64_t *count, bool *values)
{
    *values = session->argc == 4;
    if (!bytes_to_i64(session->argv[2], count)) {
        session_not_integer(session);
        return false;
    }
    if (*count == INT64_MIN) {
        reply_error(&session->reply,
                    "ERR value is out of range, value must between -9223372036854775807 and "
                    "9223372036854775807");
        return false;
    }
    if (session->argc > 4 || (*values && !argument_is(session, 3, "withvalues"))) {
        session_syntax_error(session);
        return false;
    }
    if (*values && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2)) {
        reply_error(&session->reply, "ERR value is out of range");
        return false;
    }
    return true;
}

enum flow hrandfield_command(struct session *session)
{
    struct object *object;
    struct random random;
    int64_t count = 1;
    bool values = false;
    if (session->argc > 2 && !random_arguments(session, &count, &values))
        return FLOW_DONE;
    enum access access = access_hash(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    const struct hash *hash = hash_of(object);
    random_init(&random, random_seed());
    if (hash == NULL && session->argc == 2)
        reply_null(&session->reply);
    else if (hash == NULL)
        reply_array(&session->reply, 0);
    else if (session->argc == 2)
        reply_bulk(&session->reply,
                   hash_field_name(hash->fields[random_below(&random, hash->count)]));
    else if (count >= 0)
        reply_distinct(session, hash, count < hash->count ? (uint32_t)count : hash->count, values,
                       &random);
    else if (!reply_any(session, hash, (uint64_t)-count, values, &random))
        access_error(session, ERR_FULL);
    return FLOW_DONE;
}

/* ---- HSCAN: https://redis.io/docs/latest/commands/hscan/ ---- */

#define SCAN_COUNT     10
#define SCAN_COUNT_MAX 10000

struct hscan_args {
    struct bytes match;
    bool match_all;
    bool no_values;
    int64_t count;
};

static bool parse_hscan(struct session *session, struct hscan_args *args)
{
    *args = (struct hscan_args){.match_all = true, .count = SCAN_COUNT};
    for (size_t i = 3; i < session->argc; i++) {
        bool more = i + 1 < session->argc;
        if (more && argument_is(session, i, "count")) {
            if (!bytes_to_i64(session->argv[++i], &args->count)) {
                session_not_integer(session);
                return false;
            }
        } else if (more && argument_is(session, i, "match")) {
            args->match = session->argv[++i];
            args->match_all = glob_matches_all(args->match);
        } else if (argument_is(session, i, "novalues")) {
            args->no_values = true;
        } else {
            args->count = 0;
        }
        if (args->count < 1) {
            session_syntax_error(session);
            return false;
        }
    }
    if (args->count > SCAN_COUNT_MAX)
        args->count = SCAN_COUNT_MAX;
    return true;
}

static size_t show_field(struct session *session, const struct hscan_args *args,
                         const struct hash_field *field)
{
    if (!args->match_all && !glob_match(args->match, hash_field_name(field), false))
        return 0;
    reply_bulk(&session->reply, hash_field_name(field));
    if (args->no_values)
        return 1;
    reply_bulk(&session->reply, hash_field_value(field));
    return 2;
}

/* Fields that share a place in the order are never torn apart. Returns how many words it wrote. */
static size_t walk_fields(struct session *session, const struct hscan_args *args,
                          const struct hash *hash, uint64_t from)
{
    size_t words = 0;
    bool last = false;
    for (int64_t looked = 0; !last && looked < args->count;) {
        const struct hash_field *field = hash_walk(hash, &from, &last);
        while (field != NULL) {
            words += show_field(session, args, field);
            looked++;
            field = field->node.next != NULL
                        ? container_of(field->node.next, struct hash_field, node)
                        : NULL;
        }
    }
    return words;
}

/* Where walk_fields ends. */
static uint64_t next_cursor(const struct hscan_args *args, const struct hash *hash, uint64_t from)
{
    bool last = false;
    for (int64_t looked = 0; !last && looked < args->count;) {
        const struct hash_field *field = hash_walk(hash, &from, &last);
        for (const struct hmap_node *node = field != NULL ? &field->node : NULL; node != NULL;
             node = node->next)
            looked++;
    }
    return last ? 0 : from;
}

static void reply_scan(struct session *session, const struct hscan_args *args,
                       const struct hash *hash, uint64_t cursor)
{
    bool small = hash == NULL || hash_is_small(hash); /* then it comes whole, as in Redis */
    size_t words = 0;
    reply_array(&session->reply, 2);
    reply_bulk_u64(&session->reply, small ? 0 : next_cursor(args, hash, cursor));
    struct reply_deferred deferred = reply_deferred_begin(&session->reply);
    if (!small)
        words = walk_fields(session, args, hash, cursor);
    for (uint32_t i = 0; small && hash != NULL && i < hash->count; i++)
        words += show_field(session, args, hash->fields[i]);
    reply_deferred_end_array(&session->reply, deferred, words);
}

enum flow hscan_command(struct session *session)
{
    struct hscan_args args = {0};
    struct object *object;
    uint64_t cursor;
    if (!bytes_to_u64(session->argv[2], &cursor)) {
        reply_error(&session->reply, "ERR invalid cursor");
        return FLOW_DONE;
    }
    enum access access = access_hash(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (hash_of(object) == NULL || parse_hscan(session, &args))
        reply_scan(session, &args, hash_of(object), cursor);
    return FLOW_DONE;
}
