#include "broker/options.h"
#include "broker/options_internal.h"

#include "base/alloc.h"
#include "base/check.h"

#include <inttypes.h>

#define ROW(type, member, name, initial, form, flags, doc)                                         \
    {name, OPTION_##type, offsetof(struct options, member), initial, form, flags, doc},
#define PASSIVE_ROW(type, member, name, initial, form, flags)                                      \
    {name, OPTION_##type, offsetof(struct options, member), initial, form, flags, NULL},

const struct option_row option_rows[] = {
    OPTION_TABLE(ROW) OPTION_PASSIVE_TABLE(PASSIVE_ROW){.name = NULL},
};
#undef ROW
#undef PASSIVE_ROW

#define ROW_COUNT (sizeof option_rows / sizeof option_rows[0] - 1)

/* Names that Redis gave up for better ones, and that tools still use. */
static const struct alias {
    const char *name;
    const char *now;
} aliases[] = {
    {"hash-max-ziplist-entries", "hash-max-listpack-entries"},
    {"hash-max-ziplist-value", "hash-max-listpack-value"},
    {"zset-max-ziplist-entries", "zset-max-listpack-entries"},
    {"zset-max-ziplist-value", "zset-max-listpack-value"},
    {"list-max-ziplist-size", "list-max-listpack-size"},
    {"busy-reply-threshold", "lua-time-limit"},
    {"slaveof", "replicaof"},
    {"slave-read-only", "replica-read-only"},
    {"slave-serve-stale-data", "replica-serve-stale-data"},
    {"slave-priority", "replica-priority"},
    {"min-slaves-to-write", "min-replicas-to-write"},
    {"min-slaves-max-lag", "min-replicas-max-lag"},
};

#define ALIAS_COUNT (sizeof aliases / sizeof aliases[0])

static const struct option_row *find_row(struct bytes name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (bytes_equal_nocase(name, bytes_of_string(option_rows[i].name)))
            return &option_rows[i];
    }
    return NULL;
}

const struct option_row *option_find(struct bytes name)
{
    for (size_t i = 0; i < ALIAS_COUNT; i++) {
        if (bytes_equal_nocase(name, bytes_of_string(aliases[i].name)))
            return find_row(bytes_of_string(aliases[i].now));
    }
    return find_row(name);
}

static bool is_text(const struct option_row *row)
{
    return row->type == OPTION_TEXT || row->type == OPTION_WORDS ||
           row->type == OPTION_SAVE_POINTS || row->type == OPTION_EVENTS ||
           row->type == OPTION_RULES;
}

static char **text_of(struct options *options, const struct option_row *row)
{
    return (char **)(void *)((char *)options + row->offset);
}

void options_init(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        CHECK(option_parse(options, row, bytes_of_string(row->initial)) == ERR_OK);
    }
}

void options_deinit(struct options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (is_text(&option_rows[i]))
            mem_free(*text_of(options, &option_rows[i]));
    }
    mem_free(options->file);
}

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : mem_copy(text, strlen(text) + 1);
}

void options_copy(struct options *to, const struct options *from)
{
    *to = *from;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (is_text(&option_rows[i])) {
            char **text = text_of(to, &option_rows[i]);
            *text = copy_text(*text);
        }
    }
    to->file = copy_text(from->file);
}

enum err options_check(const struct options *options, struct buf *why)
{
    if (options->commit_record_bytes > options->fold_bytes) {
        buf_addf(why,
                 "commit-record-bytes (%" PRIu64 ") must not be more than fold-bytes (%" PRIu64 ")",
                 options->commit_record_bytes, options->fold_bytes);
        return ERR_RANGE;
    }
    return ERR_OK;
}

static enum err set_one(struct options *options, const struct option_row *row, struct bytes value,
                        struct buf *why)
{
    if (row->flags & OPTION_AT_START) {
        buf_addf(why, "can't set immutable config");
        return ERR_DENIED;
    }
    enum err err = option_parse(options, row, value);
    if (err == ERR_OK)
        return ERR_OK;
    option_explain_to_client(row, err, why);
    return err == ERR_NOT_FOUND ? ERR_INVALID : err;
}

/* The first change that names no option, or one twice; sets `rows` meanwhile. */
static enum err find_rows(const struct option_change *changes, size_t count,
                          const struct option_row **rows, size_t *culprit, struct buf *why)
{
    for (size_t i = 0; i < count; i++) {
        rows[i] = option_find(changes[i].name);
        *culprit = i;
        if (rows[i] == NULL)
            return ERR_NOT_FOUND;
        for (size_t j = 0; j < i; j++) {
            if (bytes_equal_nocase(changes[j].name, changes[i].name)) {
                buf_addf(why, "duplicate parameter");
                return ERR_INVALID;
            }
        }
    }
    return ERR_OK;
}

static enum err set_rows(struct options *options, const struct option_change *changes, size_t count,
                         const struct option_row *const *rows, size_t *culprit, struct buf *why)
{
    struct options next;
    enum err err = ERR_OK;

    options_copy(&next, options);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        *culprit = i;
        err = set_one(&next, rows[i], changes[i].value, why);
    }
    if (err == ERR_OK)
        err = options_check(&next, why);
    if (err != ERR_OK) {
        options_deinit(&next);
        return err;
    }
    options_deinit(options);
    *options = next;
    return ERR_OK;
}

enum err options_set_all(struct options *options, const struct option_change *changes, size_t count,
                         size_t *culprit, struct buf *why)
{
    /* More changes than names cannot all be different: the first twin lies within these. */
    const struct option_row *rows[ROW_COUNT + ALIAS_COUNT + 1];
    size_t rows_max = sizeof rows / sizeof rows[0];
    size_t looked_at = count < rows_max ? count : rows_max;

    enum err err = find_rows(changes, looked_at, rows, culprit, why);
    if (err != ERR_OK)
        return err;
    return set_rows(options, changes, count, rows, culprit, why);
}

size_t options_count(void)
{
    return ROW_COUNT + ALIAS_COUNT;
}

const char *options_name(size_t index)
{
    return index < ROW_COUNT ? option_rows[index].name : aliases[index - ROW_COUNT].name;
}

bool options_is_alias(size_t index)
{
    return index >= ROW_COUNT;
}

void options_value(const struct options *options, size_t index, struct buf *out)
{
    option_format(options, option_find(bytes_of_string(options_name(index))), out);
}
