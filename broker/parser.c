#include "broker/parser.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "broker/inline_words.h"
#include "broker/wire_scan.h"

/* What the reader gets at a time. What lies behind the command's end was copied in vain; small
 * slices cost calls. */
#define SLICE_BYTES ((size_t)4096)

/* Buffers keep this much between commands. */
#define KEEP_BYTES ((size_t)32 * 1024)

/* "$", a length, "\r\n" */
#define BULK_HEADER_MAX (1 + INTEGER_TEXT_MAX + 2)

static enum err fail(struct parser *parser, const char *error)
{
    if (parser->error == NULL)
        parser->error = error;
    return ERR_INVALID;
}

static enum err fail_type(struct parser *parser, char got)
{
    snprintf(parser->error_text, sizeof(parser->error_text), "expected '$', got '%c'", got);
    return fail(parser, parser->error_text);
}

/* ---- arguments ---- */

static size_t digits_of(size_t value)
{
    size_t digits = 1;

    for (; value >= 10; value /= 10)
        digits++;
    return digits;
}

static size_t bulk_header_size(size_t len)
{
    return 1 + digits_of(len) + 2;
}

/* The wire buffer has moved: the arguments follow from their lengths. */
static void rebase_arguments(struct parser *parser)
{
    const char *at = parser->wire.data;

    for (size_t i = 0; i < parser->argc; i++) {
        at += bulk_header_size(parser->argv[i].len);
        parser->argv[i].data = at;
        at += parser->argv[i].len + 2;
    }
}

static char *reserve_wire(struct parser *parser, size_t size)
{
    if (parser->wire.cap - parser->wire.len < size) {
        buf_grow(&parser->wire, size);
        rebase_arguments(parser);
    }
    return parser->wire.data + parser->wire.len;
}

static void grow_argv(struct parser *parser)
{
    parser->argv_cap = parser->argv_cap == 0 ? 8 : parser->argv_cap * 2;
    parser->argv = mem_realloc(parser->argv, parser->argv_cap * sizeof(parser->argv[0]));
}

static void add_argument(struct parser *parser, const char *data, size_t len)
{
    char *start = reserve_wire(parser, len + BULK_HEADER_MAX + 2);
    char *at = start;

    if (parser->argc == parser->argv_cap)
        grow_argv(parser);
    *at++ = '$';
    if (len < 10)
        *at++ = (char)('0' + len);
    else
        at += u64_to_text(len, at);
    *at++ = '\r';
    *at++ = '\n';
    parser->argv[parser->argc++] = bytes_of(at, len);
    if (len > 0)
        memcpy(at, data, len);
    at += len;
    *at++ = '\r';
    *at++ = '\n';
    parser->wire.len += (size_t)(at - start);
}

static void clear_arguments(struct parser *parser)
{
    parser->argc = 0;
    parser->wire.len = 0;
    parser->done = false;
}

struct bytes parser_wire(const struct bytes *argv, size_t first, size_t count)
{
    if (count == 0)
        return (struct bytes){0};
    struct bytes from = argv[first];
    struct bytes to = argv[first + count - 1];
    const char *start = from.data - bulk_header_size(from.len);

    return bytes_of(start, (size_t)(to.data + to.len + 2 - start));
}

/* ---- lengths ---- */

static enum err check_bulk_len(struct parser *parser, int64_t len)
{
    if (len < 0 || (uint64_t)len > parser->limits.bulk_bytes_max)
        return fail(parser, "invalid bulk length");
    if (parser->limits.unauthenticated && len > PARSER_UNAUTHENTICATED_BULK_MAX)
        return fail(parser, "unauthenticated bulk length");
    return ERR_OK;
}

static enum err check_count(struct parser *parser, int64_t count)
{
    if (count > PARSER_ARGS_MAX)
        return fail(parser, "invalid multibulk length");
    if (parser->limits.unauthenticated && count > PARSER_UNAUTHENTICATED_ARGS_MAX)
        return fail(parser, "unauthenticated multibulk length");
    return ERR_OK;
}

/* Reads "<number>\r\n" at the start of `ahead`. ERR_END: the line is not whole. ERR_FULL: it is
 * longer than lines may be. */
static enum err read_length(struct bytes ahead, int64_t *number, size_t *size)
{
    const char *end = memmem(ahead.data, ahead.len, "\r\n", 2);

    if (end == NULL)
        return ahead.len > PARSER_LINE_MAX ? ERR_FULL : ERR_END;
    *size = (size_t)(end + 2 - ahead.data);
    if (*size > PARSER_LINE_MAX)
        return ERR_FULL;
    if (!bytes_to_i64(bytes_of(ahead.data, *size - 2), number))
        return ERR_INVALID;
    return ERR_OK;
}

/* Looks at the start of a command. ERR_NOT_FOUND: it is an inline line. */
static enum err read_count(struct parser *parser, struct bytes ahead, int64_t *count, size_t *size)
{
    enum err err;

    if (ahead.len == 0)
        return ERR_END;
    if (ahead.data[0] != '*')
        return ERR_NOT_FOUND;
    err = read_length(bytes_of(ahead.data + 1, ahead.len - 1), count, size);
    if (err == ERR_FULL)
        return fail(parser, "too big mbulk count string");
    if (err == ERR_INVALID)
        return fail(parser, "invalid multibulk length");
    if (err == ERR_END)
        return err;
    *size += 1;
    return check_count(parser, *count);
}

/* Looks at an argument, of which not all is there, behind its '$'. ERR_END: all is well so far, and
 * `*missing` bytes of it are to come where that is known. */
static enum err check_length(struct parser *parser, struct bytes ahead, size_t *missing)
{
    int64_t len;
    size_t line;
    enum err err = read_length(ahead, &len, &line);

    if (err == ERR_END)
        return ERR_END;
    if (err == ERR_FULL)
        return fail(parser, "too big bulk count string");
    if (err != ERR_OK)
        return fail(parser, "invalid bulk length");
    err = check_bulk_len(parser, len);
    if (err != ERR_OK)
        return err;
    if (line + (size_t)len + 2 > ahead.len)
        *missing = line + (size_t)len + 2 - ahead.len;
    return ERR_END;
}

/* ---- the reader ----
 *
 * The objects that hiredis asks for are the parser itself: it only minds that they are not NULL,
 * which stops it. */

static void *on_string(const redisReadTask *task, char *data, size_t len)
{
    struct parser *parser = task->privdata;
    redisReader *reader = parser->reader;

    if (task->type != REDIS_REPLY_STRING || check_bulk_len(parser, (int64_t)len) != ERR_OK)
        return NULL;
    parser->unparsed = reader->len - (size_t)(data + len + 2 - reader->buf);
    add_argument(parser, data, len);
    return parser;
}

#if HIREDIS_MAJOR >= 1
typedef size_t reader_count;
#else
typedef int reader_count;
#endif

static void *on_array(const redisReadTask *task, reader_count count)
{
    (void)count;
    return task->parent == NULL ? task->privdata : NULL;
}

static void *on_integer(const redisReadTask *task, long long value)
{
    (void)task;
    (void)value;
    return NULL;
}

static void *on_nil(const redisReadTask *task)
{
    (void)task;
    return NULL;
}

#if HIREDIS_MAJOR >= 1
static void *on_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)task;
    (void)value;
    (void)text;
    (void)len;
    return NULL;
}

static void *on_bool(const redisReadTask *task, int value)
{
    (void)task;
    (void)value;
    return NULL;
}
#endif

static void on_free(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions reader_calls = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = on_double,
    .createBool = on_bool,
#endif
    .freeObject = on_free,
};

static void drop_reader(struct parser *parser)
{
    if (parser->reader != NULL)
        redisReaderFree(parser->reader);
    parser->reader = NULL;
    parser->reader_len_max = 0;
    parser->unparsed = 0;
}

static redisReader *get_reader(struct parser *parser)
{
    if (parser->reader == NULL) {
        parser->reader = redisReaderCreateWithFunctions(&reader_calls);
        CHECK(parser->reader != NULL);
        parser->reader->privdata = parser;
    }
    return parser->reader;
}

/* Gives the next slice of the input to the reader, at least the `missing` bytes of an argument. */
static void feed_slice(struct parser *parser, size_t missing)
{
    redisReader *reader = get_reader(parser);
    size_t size = missing > SLICE_BYTES ? missing : SLICE_BYTES;

    if (size > parser->input.len)
        size = parser->input.len;
    CHECK(redisReaderFeed(reader, parser->input.data, size) == REDIS_OK);
    parser->input = bytes_of(parser->input.data + size, parser->input.len - size);
    parser->slice = size;
    parser->unparsed += size;
    if (parser->reader_len_max < reader->len)
        parser->reader_len_max = reader->len;
}

/* Between commands: makes the reader's rest input again. It is the end of the last slice, since the
 * start of a command is looked at as soon as it is there. */
static void take_back(struct parser *parser)
{
    redisReader *reader = parser->reader;
    void *nothing = NULL;

    if (parser->unparsed == 0)
        return;
    CHECK(!parser->in_command && parser->unparsed <= parser->slice);
    parser->input.data -= parser->unparsed;
    parser->input.len += parser->unparsed;
    parser->unparsed = 0;
    reader->pos = reader->len;
    /* With nothing to parse it only gives up what is behind its position. */
    CHECK(redisReaderGetReply(reader, &nothing) == REDIS_OK);
}

/* Looks at the argument behind the last whole one, as far as it is there.
 *
 * Where it began in the last slice, it is looked at there: hiredis has taken its type, and may have
 * moved what follows. Where it began earlier its type is known to be right. */
static enum err check_rest(struct parser *parser, size_t *missing)
{
    const redisReader *reader = parser->reader;
    struct bytes rest = {parser->input.data, parser->unparsed};

    if (rest.len == 0)
        return ERR_END;
    if (rest.len > parser->slice)
        return check_length(parser, bytes_of(reader->buf + reader->pos, reader->len - reader->pos),
                            missing);
    rest.data -= rest.len;
    if (rest.data[0] != '$')
        return fail_type(parser, rest.data[0]);
    return check_length(parser, bytes_of(rest.data + 1, rest.len - 1), missing);
}

/* hiredis stopped at the argument behind the last whole one, and has dropped its buffer. */
static enum err reader_error(struct parser *parser)
{
    size_t missing = 0;

    if (parser->error == NULL && parser->unparsed <= parser->slice)
        (void)!check_rest(parser, &missing);
    return fail(parser, "invalid bulk length");
}

/* ---- commands ---- */

static enum err too_large(struct parser *parser)
{
    fail(parser, "too big command");
    return ERR_FULL;
}

/* The rest of a command whose header is parsed. */
static enum err next_arguments(struct parser *parser)
{
    size_t missing = 0;
    void *whole = NULL;
    enum err err;

    for (;;) {
        if (redisReaderGetReply(parser->reader, &whole) != REDIS_OK)
            return reader_error(parser);
        if (whole != NULL)
            break;
        err = check_rest(parser, &missing);
        if (err != ERR_END)
            return err;
        if (parser->wire.len + parser->unparsed > parser->limits.input_bytes_max)
            return too_large(parser);
        if (parser->input.len == 0) {
            parser->slice = 0; /* its memory is the caller's again */
            return ERR_END;
        }
        feed_slice(parser, missing);
        missing = 0;
    }
    parser->in_command = false;
    parser->done = true;
    return ERR_OK;
}

/* The words of a line, as arguments. */
static enum err split_line(struct parser *parser, struct bytes line)
{
    struct buf word;
    enum err err;

    buf_init(&word);
    while ((err = inline_next_word(&line, &word)) == ERR_OK) {
        add_argument(parser, word.data, word.len);
        word.len = 0;
    }
    buf_deinit(&word);
    if (err != ERR_END)
        return fail(parser, "unbalanced quotes in request");
    parser->done = parser->argc > 0;
    return ERR_OK;
}

/* An inline line at the start of the input. */
static enum err next_line(struct parser *parser)
{
    struct bytes input = parser->input;
    const char *end = memchr(input.data, '\n', input.len);
    size_t size = end == NULL ? input.len : (size_t)(end - input.data);

    if (size > PARSER_LINE_MAX)
        return fail(parser, "too big inline request");
    if (end == NULL)
        return ERR_END;
    parser->input = bytes_of(end + 1, input.len - size - 1);
    if (size > 0 && input.data[size - 1] == '\r')
        size--;
    return split_line(parser, bytes_of(input.data, size));
}

/* A command that is whole in the input, as nearly all are, needs no reader: its arguments are
 * looked at where they lie, and copied in one piece. False: nothing is done. */
static bool take_whole(struct parser *parser)
{
    const char *end = parser->input.data + parser->input.len;
    size_t count = 0;
    const char *first = wire_scan_number(parser->input.data, end, '*', &count);
    const char *at = first;

    if (first == NULL || count == 0 || parser->limits.unauthenticated)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (i == parser->argv_cap)
            grow_argv(parser);
        at = wire_scan_argument(at, end, &parser->argv[i]);
        if (at == NULL || parser->argv[i].len > parser->limits.bulk_bytes_max)
            return false;
    }
    buf_add(&parser->wire, first, (size_t)(at - first));
    for (size_t i = 0; i < count; i++)
        parser->argv[i].data = parser->wire.data + (parser->argv[i].data - first);
    parser->argc = count;
    parser->done = true;
    parser->input = bytes_of(at, (size_t)(end - at));
    return true;
}

/* The input is at the start of a command, the reader is empty. ERR_OK: `done`, or `in_command`, or
 * something empty was skipped. */
static enum err begin_in_input(struct parser *parser)
{
    int64_t count;
    size_t size;
    enum err err = read_count(parser, parser->input, &count, &size);

    if (err == ERR_NOT_FOUND)
        return next_line(parser);
    if (err != ERR_OK)
        return err;
    if (count <= 0) {
        parser->input = bytes_of(parser->input.data + size, parser->input.len - size);
        return ERR_OK;
    }
    feed_slice(parser, 0);
    parser->in_command = true;
    parser->unparsed -= size;
    return ERR_OK;
}

/* To the end of the next command that has arguments. */
static enum err find_command(struct parser *parser)
{
    enum err err = ERR_OK;

    while (err == ERR_OK && !parser->done) {
        if (parser->in_command) {
            err = next_arguments(parser);
        } else {
            take_back(parser);
            if (!take_whole(parser))
                err = begin_in_input(parser);
        }
    }
    return err;
}

enum err parser_next(struct parser *parser)
{
    enum err err;

    if (parser->error != NULL)
        return ERR_INVALID;
    if (!parser->in_command)
        clear_arguments(parser);
    err = find_command(parser);
    if (err == ERR_END && !parser->in_command) {
        buf_reset(&parser->wire, KEEP_BYTES);
        if (parser->reader_len_max > KEEP_BYTES)
            drop_reader(parser);
    }
    return err;
}

/* ---- input and memory ---- */

void parser_init(struct parser *parser, struct parser_limits limits)
{
    *parser = (struct parser){.limits = limits};
    buf_init(&parser->kept);
    buf_init(&parser->wire);
}

void parser_deinit(struct parser *parser)
{
    drop_reader(parser);
    buf_deinit(&parser->kept);
    buf_deinit(&parser->wire);
    mem_free(parser->argv);
}

static bool input_is_kept(const struct parser *parser)
{
    return parser->kept.len > 0 &&
           parser->input.data + parser->input.len == parser->kept.data + parser->kept.len;
}

void parser_feed(struct parser *parser, struct bytes input)
{
    if (parser->input.len == 0) {
        parser->input = input;
        return;
    }
    CHECK(input_is_kept(parser));
    buf_consume(&parser->kept, parser->kept.len - parser->input.len);
    buf_add_bytes(&parser->kept, input);
    parser->input = buf_bytes(&parser->kept);
}

void parser_keep(struct parser *parser)
{
    if (!parser->in_command)
        take_back(parser);
    if (parser->input.len == 0) {
        buf_reset(&parser->kept, KEEP_BYTES);
        parser->input = (struct bytes){0};
        return;
    }
    if (input_is_kept(parser))
        return;
    CHECK(parser->kept.len == 0);
    buf_add_bytes(&parser->kept, parser->input);
    parser->input = buf_bytes(&parser->kept);
}

struct bytes parser_ahead(const struct parser *parser)
{
    /* What the reader holds is the end of the last slice. */
    CHECK(!parser->in_command && parser->unparsed <= parser->slice);
    return bytes_of(parser->input.data - parser->unparsed, parser->input.len + parser->unparsed);
}

size_t parser_memory(const struct parser *parser)
{
    return parser->kept.cap + parser->wire.cap + parser->argv_cap * sizeof(parser->argv[0]) +
           parser->reader_len_max;
}

void parser_shrink(struct parser *parser)
{
    if (parser->in_command || parser->done || parser->input.len > 0 || parser->unparsed > 0)
        return;
    drop_reader(parser);
    buf_deinit(&parser->kept);
    buf_deinit(&parser->wire);
    mem_free(parser->argv);
    parser->argv = NULL;
    parser->argv_cap = 0;
}
