/* The wire form of the model's commands. */
#include "tests/sim/world_model.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

#define ARGS_MAX 16
#define ARG_MAX  48

struct args {
    char text[ARGS_MAX][ARG_MAX];
    unsigned count;
};

static void add(struct args *args, const char *text)
{
    CHECK(args->count < ARGS_MAX);
    snprintf(args->text[args->count++], ARG_MAX, "%s", text);
}

static void add_number(struct args *args, uint64_t n)
{
    CHECK(args->count < ARGS_MAX);
    snprintf(args->text[args->count++], ARG_MAX, "%" PRIu64, n);
}

static void add_key(struct args *args, unsigned key)
{
    CHECK(args->count < ARGS_MAX);
    snprintf(args->text[args->count++], ARG_MAX, "k%u", key);
}

static void add_id(struct args *args, struct id id)
{
    CHECK(args->count < ARGS_MAX);
    snprintf(args->text[args->count++], ARG_MAX, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

static void add_trim(struct args *args, const struct model_command *command)
{
    if (command->trim == MODEL_TRIM_NONE)
        return;
    add(args, command->trim == MODEL_TRIM_MAXLEN ? "MAXLEN" : "MINID");
    if (command->approximate)
        add(args, "~");
    if (command->trim == MODEL_TRIM_MAXLEN)
        add_number(args, command->number);
    else
        add_id(args, command->id2);
}

static void xadd_args(struct args *args, const struct model_command *command)
{
    add_key(args, command->key);
    if (command->no_create)
        add(args, "NOMKSTREAM");
    add_trim(args, command);
    CHECK(args->count < ARGS_MAX);
    if (command->auto_id)
        add(args, "*");
    else if (command->auto_seq)
        snprintf(args->text[args->count++], ARG_MAX, "%" PRIu64 "-*", command->id.ms);
    else
        add_id(args, command->id);
}

static void xsetid_args(struct args *args, const struct model_command *command)
{
    add_key(args, command->key);
    add_id(args, command->id);
    if (command->number > 0) {
        add(args, "ENTRIESADDED");
        add_number(args, command->number - 1);
    }
    if (!id_is_zero(command->id2)) {
        add(args, "MAXDELETEDID");
        add_id(args, command->id2);
    }
}

static void range_args(struct args *args, const struct model_command *command)
{
    bool reverse = command->kind == MODEL_XREVRANGE;
    add_key(args, command->key);
    add_id(args, reverse ? command->id2 : command->id);
    add_id(args, reverse ? command->id : command->id2);
    if (command->number > 0) {
        add(args, "COUNT");
        add_number(args, command->number);
    }
}

static void xread_args(struct args *args, const struct model_command *command)
{
    if (command->number > 0) {
        add(args, "COUNT");
        add_number(args, command->number);
    }
    if (command->block) {
        add(args, "BLOCK");
        add(args, "0");
    }
    add(args, "STREAMS");
    add_key(args, command->key);
    if (command->two_keys)
        add_key(args, command->key2);
    add_id(args, command->ids[0]);
    if (command->two_keys)
        add_id(args, command->ids[1]);
}

static void copy_args(struct args *args, const struct model_command *command)
{
    add_key(args, command->key);
    add_key(args, command->key2);
    add(args, "DB");
    add_number(args, command->db2);
    if (command->replace)
        add(args, "REPLACE");
}

static void add_keys(struct args *args, const struct model_command *command)
{
    add_key(args, command->key);
    if (command->two_keys)
        add_key(args, command->key2);
}

static void add_named(struct args *args, const char *letter, unsigned number)
{
    CHECK(args->count < ARGS_MAX);
    snprintf(args->text[args->count++], ARG_MAX, "%s%u", letter, number);
}

/* The key, the group and, if wanted, the consumer. */
static void add_place(struct args *args, const struct model_command *command, bool consumer)
{
    add_key(args, command->key);
    add_named(args, "g", command->group);
    if (consumer)
        add_named(args, "c", command->consumer);
}

static void add_ids(struct args *args, const struct model_command *command)
{
    for (unsigned i = 0; i < command->id_count; i++)
        add_id(args, command->ids[i]);
}

static void xgroup_args(struct args *args, const struct model_command *command)
{
    bool create = command->kind == MODEL_XGROUP_CREATE;
    if (create)
        add(args, "CREATE");
    else if (command->kind == MODEL_XGROUP_SETID)
        add(args, "SETID");
    else
        add(args, command->kind == MODEL_XGROUP_DESTROY ? "DESTROY" : "DELCONSUMER");
    add_place(args, command, command->kind == MODEL_XGROUP_DELCONSUMER);
    if (create || command->kind == MODEL_XGROUP_SETID)
        add_id(args, command->id);
    if (create && command->make_stream)
        add(args, "MKSTREAM");
}

static void xreadgroup_args(struct args *args, const struct model_command *command)
{
    add(args, "GROUP");
    add_named(args, "g", command->group);
    add_named(args, "c", command->consumer);
    add(args, "COUNT");
    add_number(args, command->number);
    if (command->block) {
        add(args, "BLOCK");
        add(args, "0");
    }
    if (command->claims) {
        add(args, "CLAIM");
        add(args, "0");
    }
    if (command->no_ack)
        add(args, "NOACK");
    add(args, "STREAMS");
    add_key(args, command->key);
    if (command->history)
        add_id(args, command->ids[0]);
    else
        add(args, ">");
}

static void claim_args(struct args *args, const struct model_command *command)
{
    add_place(args, command, true);
    add(args, "0");
    if (command->kind == MODEL_XCLAIM) {
        add_ids(args, command);
    } else {
        add_id(args, command->id);
        add(args, "COUNT");
        add_number(args, command->number);
    }
    if (command->just_id)
        add(args, "JUSTID");
    if (command->force)
        add(args, "FORCE");
}

static void add_group_args(struct args *args, const struct model_command *command)
{
    switch (command->kind) {
    case MODEL_XREADGROUP:
        xreadgroup_args(args, command);
        break;
    case MODEL_XACK:
        add_place(args, command, false);
        add_ids(args, command);
        break;
    case MODEL_XCLAIM:
    case MODEL_XAUTOCLAIM:
        claim_args(args, command);
        break;
    case MODEL_XPENDING:
        add_place(args, command, false);
        break;
    case MODEL_XPENDING_ALL:
        add_place(args, command, false);
        add(args, "-");
        add(args, "+");
        add(args, "1000");
        break;
    case MODEL_XINFO_GROUPS:
        add(args, "GROUPS");
        add_key(args, command->key);
        break;
    default:
        xgroup_args(args, command);
        break;
    }
}

static void add_args(struct args *args, const struct model_command *command)
{
    switch (command->kind) {
    case MODEL_XADD:
        xadd_args(args, command);
        break;
    case MODEL_XDEL:
        add_key(args, command->key);
        add_ids(args, command);
        break;
    case MODEL_XTRIM:
        add_key(args, command->key);
        add_trim(args, command);
        break;
    case MODEL_XSETID:
        xsetid_args(args, command);
        break;
    case MODEL_RENAME:
    case MODEL_RENAMENX:
        add_key(args, command->key);
        add_key(args, command->key2);
        break;
    case MODEL_COPY:
        copy_args(args, command);
        break;
    case MODEL_SWAPDB:
        add_number(args, command->db);
        add_number(args, command->db2);
        break;
    case MODEL_SELECT:
        add_number(args, command->db2);
        break;
    case MODEL_XRANGE:
    case MODEL_XREVRANGE:
        range_args(args, command);
        break;
    case MODEL_XREAD:
        xread_args(args, command);
        break;
    case MODEL_XINFO:
        add(args, "STREAM");
        add_key(args, command->key);
        break;
    case MODEL_KEYS_ALL:
        add(args, "*");
        break;
    case MODEL_FLUSHDB:
    case MODEL_FLUSHALL:
    case MODEL_DBSIZE:
        break;
    case MODEL_DEL:
    case MODEL_EXISTS:
    case MODEL_XLEN:
    case MODEL_TYPE:
        add_keys(args, command);
        break;
    default:
        add_group_args(args, command);
        break;
    }
}

static const char *name_of(enum model_kind kind)
{
    static const char *const names[] = {
        [MODEL_XADD] = "XADD",
        [MODEL_XDEL] = "XDEL",
        [MODEL_XTRIM] = "XTRIM",
        [MODEL_XSETID] = "XSETID",
        [MODEL_DEL] = "DEL",
        [MODEL_RENAME] = "RENAME",
        [MODEL_RENAMENX] = "RENAMENX",
        [MODEL_COPY] = "COPY",
        [MODEL_FLUSHDB] = "FLUSHDB",
        [MODEL_FLUSHALL] = "FLUSHALL",
        [MODEL_SWAPDB] = "SWAPDB",
        [MODEL_SELECT] = "SELECT",
        [MODEL_XRANGE] = "XRANGE",
        [MODEL_XREVRANGE] = "XREVRANGE",
        [MODEL_XLEN] = "XLEN",
        [MODEL_XREAD] = "XREAD",
        [MODEL_XINFO] = "XINFO",
        [MODEL_DBSIZE] = "DBSIZE",
        [MODEL_KEYS_ALL] = "KEYS",
        [MODEL_EXISTS] = "EXISTS",
        [MODEL_TYPE] = "TYPE",
        [MODEL_XGROUP_CREATE] = "XGROUP",
        [MODEL_XGROUP_SETID] = "XGROUP",
        [MODEL_XGROUP_DESTROY] = "XGROUP",
        [MODEL_XGROUP_DELCONSUMER] = "XGROUP",
        [MODEL_XREADGROUP] = "XREADGROUP",
        [MODEL_XACK] = "XACK",
        [MODEL_XCLAIM] = "XCLAIM",
        [MODEL_XAUTOCLAIM] = "XAUTOCLAIM",
        [MODEL_XPENDING] = "XPENDING",
        [MODEL_XPENDING_ALL] = "XPENDING",
        [MODEL_XINFO_GROUPS] = "XINFO",
    };
    return names[kind];
}

void model_encode(const struct model_command *command, struct buf *out)
{
    struct args args = {.count = 0};
    struct buf fields;
    add(&args, name_of(command->kind));
    add_args(&args, command);
    buf_init(&fields);
    if (command->kind == MODEL_XADD)
        model_fields(command->token, &fields);
    buf_addf(out, "*%u\r\n", args.count + (fields.len > 0 ? 4 : 0));
    for (unsigned i = 0; i < args.count; i++)
        buf_addf(out, "$%zu\r\n%s\r\n", strlen(args.text[i]), args.text[i]);
    if (fields.len > 0)
        buf_add(out, fields.data + 4, fields.len - 4); /* without "*4\r\n" */
    buf_deinit(&fields);
}
