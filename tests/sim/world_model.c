#include "tests/sim/world_model.h"

#include "base/alloc.h"
#include "base/check.h"
#include "tests/sim/world_model_internal.h"

#include <inttypes.h>

/* ---- streams ---- */

static void stream_clear(struct model_stream *stream)
{
    mem_free(stream->entries);
    model_groups_clear(stream);
    *stream = (struct model_stream){0};
}

static void stream_copy(struct model_stream *to, const struct model_stream *from)
{
    stream_clear(to);
    *to = *from;
    to->entries = NULL;
    to->cap = from->count;
    if (from->count > 0) {
        to->entries = mem_alloc(from->count * sizeof(*to->entries));
        memcpy(to->entries, from->entries, from->count * sizeof(*to->entries));
    }
    model_groups_copy(to, from);
}

void model_deinit(struct model *model)
{
    for (unsigned db = 0; db < MODEL_DBS; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++)
            stream_clear(&model->streams[db][key]);
    }
    *model = (struct model){0};
}

void model_copy(struct model *to, const struct model *from)
{
    for (unsigned db = 0; db < MODEL_DBS; db++) {
        for (unsigned key = 0; key < MODEL_KEYS; key++)
            stream_copy(&to->streams[db][key], &from->streams[db][key]);
    }
    memcpy(to->touched, from->touched, sizeof(to->touched));
    memcpy(to->keys_touched, from->keys_touched, sizeof(to->keys_touched));
    to->writes = from->writes;
}

static void append(struct model_stream *stream, struct id id, uint64_t token)
{
    if (stream->count == stream->cap) {
        stream->cap = stream->cap * 2 + 8;
        stream->entries = mem_realloc(stream->entries, stream->cap * sizeof(*stream->entries));
    }
    stream->entries[stream->count++] = (struct model_entry){id, token};
    stream->last = id;
    stream->stored = id;
    stream->added++;
}

static void remove_first(struct model_stream *stream, size_t n)
{
    CHECK(n <= stream->count);
    stream->count -= n;
    if (n > 0 && stream->count > 0)
        memmove(stream->entries, stream->entries + n, stream->count * sizeof(*stream->entries));
}

static bool remove_id(struct model_stream *stream, struct id id)
{
    for (size_t i = 0; i < stream->count; i++) {
        if (!id_equal(stream->entries[i].id, id))
            continue;
        memmove(stream->entries + i, stream->entries + i + 1,
                (stream->count - i - 1) * sizeof(*stream->entries));
        stream->count--;
        stream->max_deleted = id_max(stream->max_deleted, id);
        return true;
    }
    return false;
}

/* How many entries exact trimming removes. */
static size_t too_many(const struct model_stream *stream, const struct model_command *command)
{
    size_t n = 0;
    if (command->trim == MODEL_TRIM_MAXLEN && stream->count > command->number)
        n = stream->count - (size_t)command->number;
    while (command->trim == MODEL_TRIM_MINID && n < stream->count &&
           id_less(stream->entries[n].id, command->id2))
        n++;
    return n;
}

/* ---- replies ---- */

static bool in_range(const struct model_entry *entry, struct id from, struct id to)
{
    return !id_less(entry->id, from) && !id_less(to, entry->id);
}

/* Entries of [from, to]; `count` 0: all. */
static size_t reply_range(struct buf *out, const struct model_stream *stream, struct id from,
                          struct id to, bool reverse, uint64_t count)
{
    struct buf entries;
    size_t n = 0;
    buf_init(&entries);
    for (size_t i = 0; i < stream->count && (count == 0 || n < count); i++) {
        const struct model_entry *entry = &stream->entries[reverse ? stream->count - 1 - i : i];
        if (!in_range(entry, from, to))
            continue;
        model_reply_entry(&entries, entry);
        n++;
    }
    buf_addf(out, "*%zu\r\n", n);
    buf_add_bytes(out, buf_bytes(&entries));
    buf_deinit(&entries);
    return n;
}

/* ---- what a reply decides ---- */

static bool number_of_reply(struct bytes reply, uint64_t *out)
{
    return reply.len > 3 && reply.data[0] == ':' &&
           bytes_to_u64(bytes_of(reply.data + 1, reply.len - 3), out);
}

static bool id_of_reply(struct bytes reply, struct id *out)
{
    const char *start = reply.len > 0 ? memchr(reply.data, '\n', reply.len) : NULL;
    if (start == NULL || reply.data[0] != '$')
        return false;
    size_t at = (size_t)(start + 1 - reply.data);
    return reply.len > at + 2 &&
           id_from_text(bytes_of(reply.data + at, reply.len - at - 2), 0, out);
}

/* ---- writes ---- */

struct model_stream *model_stream_of(struct model *model, unsigned db, unsigned key)
{
    return &model->streams[db][key];
}

void model_touch(struct model *model, unsigned db, unsigned key)
{
    model->touched[db][key] = model->writes;
}

/* The key appeared or went. */
void model_touch_keys(struct model *model, unsigned db, unsigned key)
{
    model_touch(model, db, key);
    model->keys_touched[db] = model->writes;
}

static bool chosen_id(const struct model_stream *stream, struct model_command *command,
                      struct bytes actual)
{
    struct id id;
    if (command->resolved || (!command->auto_id && !command->auto_seq))
        return true;
    if (command->auto_seq && command->id.ms < stream->last.ms)
        return true; /* refused */
    if (!id_of_reply(actual, &id))
        return false;
    if (command->auto_seq) {
        uint64_t seq = id.ms == stream->last.ms && stream->last.ms > 0 ? stream->last.seq + 1 : 0;
        if (id.ms != command->id.ms || (id.seq != seq && id.ms != 0))
            return false;
    }
    command->id = id;
    return true;
}

static bool run_xadd(struct model *model, struct model_command *command, struct bytes actual,
                     struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    if (!stream->exists && command->no_create) {
        buf_addf(out, "$-1\r\n");
        return true;
    }
    if (!chosen_id(stream, command, actual))
        return false;
    if (!id_less(stream->last, command->id)) {
        buf_addf(out, "-ERR The ID specified in XADD is equal or smaller than the target stream "
                      "top item\r\n");
        return true;
    }
    if (!stream->exists)
        model_touch_keys(model, command->db, command->key);
    stream->exists = true;
    append(stream, command->id, command->token);
    remove_first(stream, too_many(stream, command));
    model_touch(model, command->db, command->key);
    model_reply_id(out, command->id);
    return true;
}

static void run_xdel(struct model *model, const struct model_command *command, struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    uint64_t n = 0;
    for (unsigned i = 0; i < command->id_count; i++)
        n += remove_id(stream, command->ids[i]);
    if (n > 0)
        model_touch(model, command->db, command->key);
    model_reply_number(out, n);
}

static bool run_xtrim(struct model *model, struct model_command *command, struct bytes actual,
                      struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    uint64_t n = too_many(stream, command);
    if (command->approximate && !command->resolved) {
        if (!number_of_reply(actual, &command->removed) || command->removed > n)
            return false;
    }
    if (command->approximate)
        n = command->removed;
    remove_first(stream, n);
    if (n > 0)
        model_touch(model, command->db, command->key);
    model_reply_number(out, n);
    return true;
}

static const char *setid_error(const struct model_stream *stream,
                               const struct model_command *command)
{
    if (!stream->exists)
        return "no such key";
    if (id_less(command->id, stream->max_deleted))
        return "The ID specified in XSETID is smaller than current max_deleted_entry_id";
    if (stream->count > 0 && id_less(command->id, stream->entries[stream->count - 1].id))
        return "The ID specified in XSETID is smaller than the target stream top item";
    if (stream->count > 0 && id_less(command->id, stream->stored))
        return "The ID specified in XSETID is smaller than current max_deleted_entry_id";
    if (command->number > 0 && stream->count > command->number - 1)
        return "The entries_added specified in XSETID is smaller than the target stream length";
    return NULL;
}

static void run_xsetid(struct model *model, const struct model_command *command, struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    const char *error = setid_error(stream, command);
    if (error != NULL) {
        buf_addf(out, "-ERR %s\r\n", error);
        return;
    }
    if (id_less(command->id, stream->stored))
        stream->stored = ID_MIN; /* an empty stream begins anew */
    stream->last = command->id;
    if (command->number > 0)
        stream->added = command->number - 1;
    if (!id_is_zero(command->id2))
        stream->max_deleted = command->id2;
    model_touch(model, command->db, command->key);
    buf_addf(out, "+OK\r\n");
}

static bool drop(struct model *model, unsigned db, unsigned key)
{
    struct model_stream *stream = model_stream_of(model, db, key);
    if (!stream->exists)
        return false;
    stream_clear(stream);
    model_touch_keys(model, db, key);
    return true;
}

static void run_del(struct model *model, const struct model_command *command, struct buf *out)
{
    uint64_t n = drop(model, command->db, command->key);
    if (command->two_keys)
        n += drop(model, command->db, command->key2);
    model_reply_number(out, n);
}

static void run_rename(struct model *model, const struct model_command *command, struct buf *out)
{
    struct model_stream *from = model_stream_of(model, command->db, command->key);
    struct model_stream *to = model_stream_of(model, command->db, command->key2);
    bool only_if_free = command->kind == MODEL_RENAMENX;
    if (!from->exists) {
        buf_addf(out, "-ERR no such key\r\n");
        return;
    }
    if (only_if_free && to->exists) {
        model_reply_number(out, 0);
        return;
    }
    if (from != to) {
        stream_clear(to);
        *to = *from;
        *from = (struct model_stream){0};
        model_touch_keys(model, command->db, command->key);
        model_touch_keys(model, command->db, command->key2);
    }
    buf_addf(out, only_if_free ? ":1\r\n" : "+OK\r\n");
}

static void run_copy(struct model *model, const struct model_command *command, struct buf *out)
{
    const struct model_stream *from = model_stream_of(model, command->db, command->key);
    struct model_stream *to = model_stream_of(model, command->db2, command->key2);
    bool copies = from->exists && (!to->exists || command->replace);
    if (copies) {
        stream_copy(to, from);
        to->stored = to->count > 0 ? to->entries[to->count - 1].id : ID_MIN;
        model_touch_keys(model, command->db2, command->key2);
    }
    model_reply_number(out, copies);
}

static void flush(struct model *model, unsigned db)
{
    bool empty = true;
    for (unsigned key = 0; key < MODEL_KEYS; key++)
        empty = empty && !model_stream_of(model, db, key)->exists;
    for (unsigned key = 0; key < MODEL_KEYS && !empty; key++) {
        stream_clear(model_stream_of(model, db, key));
        model_touch_keys(model, db, key);
    }
}

static void swap(struct model *model, unsigned a, unsigned b)
{
    for (unsigned key = 0; key < MODEL_KEYS && a != b; key++) {
        struct model_stream *one = model_stream_of(model, a, key);
        struct model_stream *other = model_stream_of(model, b, key);
        struct model_stream swapped = *one;
        *one = *other;
        *other = swapped;
        model_touch_keys(model, a, key);
        model_touch_keys(model, b, key);
    }
}

static bool run_write(struct model *model, struct model_command *command, struct bytes actual,
                      struct buf *out)
{
    model->writes++;
    if (command->kind >= MODEL_XGROUP_CREATE)
        return model_run_group_write(model, command, out);
    switch (command->kind) {
    case MODEL_XADD:
        return run_xadd(model, command, actual, out);
    case MODEL_XTRIM:
        return run_xtrim(model, command, actual, out);
    case MODEL_XDEL:
        run_xdel(model, command, out);
        return true;
    case MODEL_XSETID:
        run_xsetid(model, command, out);
        return true;
    case MODEL_DEL:
        run_del(model, command, out);
        return true;
    case MODEL_RENAME:
    case MODEL_RENAMENX:
        run_rename(model, command, out);
        return true;
    case MODEL_COPY:
        run_copy(model, command, out);
        return true;
    case MODEL_SWAPDB:
        swap(model, command->db, command->db2);
        break;
    case MODEL_FLUSHDB:
        flush(model, command->db);
        break;
    default:
        for (unsigned db = 0; db < MODEL_DBS; db++)
            flush(model, db);
        break;
    }
    buf_addf(out, "+OK\r\n");
    return true;
}

/* ---- reads ---- */

static void run_xread(struct model *model, const struct model_command *command, struct buf *out)
{
    const unsigned keys[2] = {command->key, command->key2};
    struct buf streams;
    unsigned served = 0;
    buf_init(&streams);
    for (unsigned i = 0; i < (command->two_keys ? 2u : 1u); i++) {
        struct id from = command->ids[i];
        size_t before = streams.len;
        CHECK(id_next(&from));
        buf_add(&streams, "*2\r\n", 4);
        model_reply_key(&streams, keys[i]);
        if (reply_range(&streams, model_stream_of(model, command->db, keys[i]), from, ID_MAX, false,
                        command->number) > 0)
            served++;
        else
            streams.len = before;
    }
    if (served == 0)
        buf_addf(out, "*-1\r\n");
    else
        buf_addf(out, "*%u\r\n", served);
    buf_add_bytes(out, buf_bytes(&streams));
    buf_deinit(&streams);
}

static void info_number(struct buf *out, const char *name, uint64_t n)
{
    model_reply_string(out, name);
    model_reply_number(out, n);
}

static void info_id(struct buf *out, const char *name, struct id id)
{
    model_reply_string(out, name);
    model_reply_id(out, id);
}

static void info_entry(struct buf *out, const char *name, const struct model_entry *entry)
{
    model_reply_string(out, name);
    if (entry != NULL)
        model_reply_entry(out, entry);
    else
        buf_addf(out, "$-1\r\n");
}

static void run_xinfo(const struct model_stream *stream, struct buf *out)
{
    bool any = stream->count > 0;
    if (!stream->exists) {
        buf_addf(out, "-ERR no such key\r\n");
        return;
    }
    buf_add(out, "*20\r\n", 5);
    info_number(out, "length", stream->count);
    info_number(out, "radix-tree-keys", any ? 1 : 0);
    info_number(out, "radix-tree-nodes", any ? 2 : 1);
    info_id(out, "last-generated-id", stream->last);
    info_id(out, "max-deleted-entry-id", stream->max_deleted);
    info_number(out, "entries-added", stream->added);
    info_id(out, "recorded-first-entry-id", any ? stream->entries[0].id : ID_MIN);
    info_number(out, "groups", model_groups_count(stream));
    info_entry(out, "first-entry", any ? &stream->entries[0] : NULL);
    info_entry(out, "last-entry", any ? &stream->entries[stream->count - 1] : NULL);
}

static unsigned count_keys(struct model *model, unsigned db)
{
    unsigned n = 0;
    for (unsigned key = 0; key < MODEL_KEYS; key++)
        n += model_stream_of(model, db, key)->exists;
    return n;
}

static void run_keys(struct model *model, unsigned db, struct buf *out)
{
    buf_addf(out, "*%u\r\n", count_keys(model, db));
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        if (model_stream_of(model, db, key)->exists)
            model_reply_key(out, key);
    }
}

bool model_run(struct model *model, struct model_command *command, struct bytes actual,
               struct buf *expected)
{
    if (model_writes(command->kind)) {
        bool possible = run_write(model, command, actual, expected);
        command->resolved = true;
        return possible;
    }
    const struct model_stream *stream = model_stream_of(model, command->db, command->key);
    if (command->kind >= MODEL_XPENDING)
        model_run_group_read(model, command, expected);
    else if (command->kind == MODEL_SELECT)
        buf_addf(expected, "+OK\r\n");
    else if (command->kind == MODEL_XRANGE || command->kind == MODEL_XREVRANGE)
        reply_range(expected, stream, command->id, command->id2, command->kind == MODEL_XREVRANGE,
                    command->number);
    else if (command->kind == MODEL_XLEN)
        model_reply_number(expected, stream->count);
    else if (command->kind == MODEL_XREAD)
        run_xread(model, command, expected);
    else if (command->kind == MODEL_XINFO)
        run_xinfo(stream, expected);
    else if (command->kind == MODEL_DBSIZE)
        model_reply_number(expected, count_keys(model, command->db));
    else if (command->kind == MODEL_KEYS_ALL)
        run_keys(model, command->db, expected);
    else if (command->kind == MODEL_TYPE)
        buf_addf(expected, stream->exists ? "+stream\r\n" : "+none\r\n");
    else
        model_reply_number(
            expected,
            (uint64_t)stream->exists +
                (command->two_keys && model_stream_of(model, command->db, command->key2)->exists));
    return true;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t model_depends_on(const struct model *model, const struct model_command *command)
{
    uint64_t key = model->touched[command->db][command->key];
    switch (command->kind) {
    case MODEL_SELECT:
        return 0;
    case MODEL_SWAPDB:
        return command->db == command->db2 ? 0 : model->writes;
    case MODEL_FLUSHDB:
    case MODEL_DBSIZE:
    case MODEL_KEYS_ALL:
        return model->keys_touched[command->db];
    case MODEL_FLUSHALL:
        return max_of(model->keys_touched[0], model->keys_touched[1]);
    case MODEL_RENAME:
    case MODEL_RENAMENX:
        return max_of(key, model->touched[command->db][command->key2]);
    case MODEL_COPY:
        return max_of(key, model->touched[command->db2][command->key2]);
    default:
        return command->two_keys ? max_of(key, model->touched[command->db][command->key2]) : key;
    }
}
