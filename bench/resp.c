#include "bench/resp.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/link.h"

/* The reader moves its rest after each reply: small slices keep that cheap. */
#define SLICE_BYTES ((size_t)4096)

/* ---- replies ---- */

/* A value without text or number, at its place. It is made where it stays, because a copy right
 * behind the writes would wait for them. */
static void value_init(struct resp_value *value, const redisReadTask *task)
{
    unsigned depth = 0;
    value->text = (struct bytes){0};
    value->integer = 0;
    for (const redisReadTask *up = task->parent; up != NULL; up = up->parent)
        depth++;
    CHECK(depth < RESP_DEPTH_MAX);
    value->depth = depth;
    for (const redisReadTask *at = task; depth > 0; at = at->parent)
        value->index[depth--] = (size_t)at->idx;
}

/* hiredis only minds that its objects are not NULL. */
static void *show(const redisReadTask *task, const struct resp_value *value)
{
    struct resp *resp = task->privdata;
    if (resp->on_value != NULL)
        resp->on_value(resp, value);
    return resp;
}

static void *on_string(const redisReadTask *task, char *data, size_t len)
{
    struct resp_value value;
    value_init(&value, task);
    value.text = bytes_of(data, len);
    value.type = task->type == REDIS_REPLY_ERROR    ? RESP_ERROR
                 : task->type == REDIS_REPLY_STATUS ? RESP_STATUS
                                                    : RESP_STRING;
    return show(task, &value);
}

#if HIREDIS_MAJOR >= 1
static void *on_array(const redisReadTask *task, size_t count)
#else
static void *on_array(const redisReadTask *task, int count)
#endif
{
    struct resp_value value;
    value_init(&value, task);
    value.type = RESP_ARRAY;
    value.integer = (int64_t)count;
    return show(task, &value);
}

static void *on_integer(const redisReadTask *task, long long integer)
{
    struct resp_value value;
    value_init(&value, task);
    value.type = RESP_INTEGER;
    value.integer = integer;
    return show(task, &value);
}

static void *on_nil(const redisReadTask *task)
{
    struct resp_value value;
    value_init(&value, task);
    value.type = RESP_NIL;
    return show(task, &value);
}

static void on_free(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
};

void resp_init(struct resp *resp, void (*on_value)(struct resp *, const struct resp_value *),
               void (*on_reply)(struct resp *))
{
    resp->reader = redisReaderCreateWithFunctions(&functions);
    CHECK(resp->reader != NULL);
    resp->reader->privdata = resp;
    resp->on_value = on_value;
    resp->on_reply = on_reply;
}

void resp_deinit(struct resp *resp)
{
    redisReaderFree(resp->reader);
}

static void take_replies(struct resp *resp)
{
    void *reply = NULL;
    do {
        if (redisReaderGetReply(resp->reader, &reply) != REDIS_OK)
            die("not a reply: %s", resp->reader->errstr);
        if (reply != NULL)
            resp->on_reply(resp);
    } while (reply != NULL);
}

void resp_feed(struct resp *resp, struct bytes bytes)
{
    while (bytes.len > 0) {
        size_t len = bytes.len < SLICE_BYTES ? bytes.len : SLICE_BYTES;
        redisReaderFeed(resp->reader, bytes.data, len);
        take_replies(resp);
        bytes = bytes_of(bytes.data + len, bytes.len - len);
    }
}

/* ---- commands ---- */

static void add_line(struct buf *out, char mark, uint64_t number)
{
    char *at = buf_reserve(out, 1 + INTEGER_TEXT_MAX + 2);
    size_t len = 1;
    at[0] = mark;
    len += u64_to_text(number, at + 1);
    at[len++] = '\r';
    at[len++] = '\n';
    out->len += len;
}

void resp_add_count(struct buf *out, size_t words)
{
    add_line(out, '*', words);
}

void resp_add_head(struct buf *out, size_t len)
{
    add_line(out, '$', len);
}

void resp_add_word(struct buf *out, struct bytes word)
{
    resp_add_head(out, word.len);
    buf_add_bytes(out, word);
    buf_add_bytes(out, RESP_END);
}

void resp_add_number(struct buf *out, uint64_t number)
{
    char text[INTEGER_TEXT_MAX];
    resp_add_word(out, bytes_of(text, u64_to_text(number, text)));
}

static size_t count_words(const char *text)
{
    size_t words = 1;
    for (; *text != '\0'; text++)
        words += *text == ' ';
    return words;
}

static void add_words(struct buf *out, const char *text)
{
    resp_add_count(out, count_words(text));
    for (;;) {
        size_t len = strcspn(text, " ");
        resp_add_word(out, bytes_of(text, len));
        if (text[len] == '\0')
            return;
        text += len + 1;
    }
}

void resp_addf(struct buf *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(len > 0 && (size_t)len < sizeof(text));
    add_words(out, text);
}

/* ---- one command at a time ---- */

struct call {
    struct resp resp;
    const char *command;
    const char *allowed;
    int64_t result;
    bool done;
};

static void call_on_value(struct resp *resp, const struct resp_value *value)
{
    struct call *call = container_of(resp, struct call, resp);
    const char *allowed = call->allowed;
    if (value->depth > 0)
        return;
    if (value->type == RESP_INTEGER || value->type == RESP_ARRAY)
        call->result = value->integer;
    if (value->type == RESP_ERROR &&
        (allowed == NULL || strncmp(value->text.data, allowed, strlen(allowed)) != 0))
        die("%s: %.*s", call->command, (int)value->text.len, value->text.data);
}

static void call_on_reply(struct resp *resp)
{
    container_of(resp, struct call, resp)->done = true;
}

int64_t resp_call(uint16_t port, const char *allowed, const char *command)
{
    struct call call = {.command = command, .allowed = allowed, .result = -1};
    struct buf out;
    char piece[SLICE_BYTES];
    int fd = link_dial(port);
    buf_init(&out);
    resp_init(&call.resp, call_on_value, call_on_reply);
    add_words(&out, command);
    if (write(fd, out.data, out.len) != (ssize_t)out.len)
        die("%s: write: %s", command, strerror(errno));
    while (!call.done) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n <= 0)
            die("%s: no reply", command);
        resp_feed(&call.resp, bytes_of(piece, (size_t)n));
    }
    resp_deinit(&call.resp);
    buf_deinit(&out);
    close(fd);
    return call.result;
}
