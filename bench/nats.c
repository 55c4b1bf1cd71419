#include "bench/nats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/link.h"

#define WORDS_MAX 6

static const char greeting[] =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"0\","
    "\"protocol\":1,\"headers\":true,\"no_responders\":true}\r\n";

/* ---- what comes ---- */

static size_t split(struct bytes line, struct bytes words[WORDS_MAX])
{
    size_t count = 0;
    const char *end = line.data + line.len;
    for (const char *at = line.data; at < end && count < WORDS_MAX;) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        if (blank == NULL)
            blank = end;
        if (blank > at)
            words[count++] = bytes_of(at, (size_t)(blank - at));
        at = blank + 1;
    }
    return count;
}

static size_t length_of(struct bytes word)
{
    uint64_t len;
    if (!bytes_to_u64(word, &len))
        die("nats: not a length: %.*s", (int)word.len, word.data);
    return (size_t)len;
}

/* MSG subject sid [reply] len, HMSG subject sid [reply] headers-len len. `rest` is what follows the
 * line. Returns how much of it the message takes; 0: it is not whole. */
static size_t take_message(struct nats *nats, struct bytes line, struct bytes rest)
{
    struct bytes words[WORDS_MAX];
    struct nats_message message = {0};
    size_t count = split(line, words), headers = 0;
    bool has_headers = line.data[0] == 'H';
    size_t least = has_headers ? 5 : 4;
    if (count != least && count != least + 1)
        die("nats: not a message: %.*s", (int)line.len, line.data);
    size_t len = length_of(words[count - 1]);
    if (rest.len < len + 2)
        return 0;
    if (has_headers)
        headers = length_of(words[count - 2]);
    if (headers > len)
        die("nats: not a message: %.*s", (int)line.len, line.data);
    message.subject = words[1];
    if (count > least)
        message.reply = words[3];
    message.headers = bytes_of(rest.data, headers);
    message.payload = bytes_of(rest.data + headers, len - headers);
    nats->on_message(nats, &message);
    return len + 2;
}

static bool begins(struct bytes line, const char *word)
{
    return line.len >= strlen(word) && memcmp(line.data, word, strlen(word)) == 0;
}

static void take_line(struct nats *nats, struct bytes line)
{
    if (begins(line, "PING"))
        buf_add_bytes(nats->out, BYTES("PONG\r\n"));
    else if (begins(line, "PONG")) {
        if (nats->on_pong != NULL)
            nats->on_pong(nats);
    } else if (begins(line, "-ERR"))
        die("nats: %.*s", (int)line.len, line.data);
    else if (!begins(line, "INFO") && !begins(line, "+OK"))
        die("nats: unexpected: %.*s", (int)line.len, line.data);
}

/* Returns how much of `bytes` was whole. */
static size_t take(struct nats *nats, struct bytes bytes)
{
    size_t taken = 0;
    while (taken < bytes.len) {
        struct bytes rest = bytes_of(bytes.data + taken, bytes.len - taken);
        const char *end = memmem(rest.data, rest.len, "\r\n", 2);
        if (end == NULL)
            break;
        struct bytes line = bytes_of(rest.data, (size_t)(end - rest.data));
        size_t size = line.len + 2;
        if (begins(line, "MSG ") || begins(line, "HMSG ")) {
            size_t body = take_message(nats, line, bytes_of(rest.data + size, rest.len - size));
            if (body == 0)
                break;
            size += body;
        } else {
            take_line(nats, line);
        }
        taken += size;
    }
    return taken;
}

void nats_init(struct nats *nats, struct buf *out,
               void (*on_message)(struct nats *, const struct nats_message *))
{
    memset(nats, 0, sizeof(*nats));
    static unsigned connections;
    buf_init(&nats->in);
    nats->out = out;
    nats->on_message = on_message;
    snprintf(nats->inbox, sizeof(nats->inbox), "_INBOX.%d-%u.", (int)getpid(), connections++);
    buf_add(out, greeting, sizeof(greeting) - 1);
    buf_addf(out, "SUB %s* 1\r\n", nats->inbox);
}

void nats_feed(struct nats *nats, struct bytes bytes)
{
    bool continues = nats->in.len > 0;
    if (!continues) {
        size_t taken = take(nats, bytes);
        bytes = bytes_of(bytes.data + taken, bytes.len - taken);
    }
    buf_add_bytes(&nats->in, bytes);
    if (continues)
        buf_consume(&nats->in, take(nats, buf_bytes(&nats->in)));
}

/* ---- what is sent ---- */

void nats_add_pub(struct buf *out, struct bytes subject, struct bytes reply, size_t len)
{
    char *at = buf_reserve(out, 4 + subject.len + 1 + reply.len + 1 + INTEGER_TEXT_MAX + 2);
    char *start = at;
    memcpy(at, "PUB ", 4);
    at += 4;
    memcpy(at, subject.data, subject.len);
    at += subject.len;
    *at++ = ' ';
    if (reply.len > 0) {
        memcpy(at, reply.data, reply.len);
        at += reply.len;
        *at++ = ' ';
    }
    at += u64_to_text(len, at);
    *at++ = '\r';
    *at++ = '\n';
    out->len += (size_t)(at - start);
}

/* ---- one request at a time ---- */

struct call {
    struct nats nats;
    const char *subject;
    struct buf *answer;
    bool done;
};

static void call_on_message(struct nats *nats, const struct nats_message *message)
{
    struct call *call = container_of(nats, struct call, nats);
    struct bytes payload = message->payload;
    if (message->headers.len > 0)
        die("nats: %s: nobody answers (is JetStream on?)", call->subject);
    if (memmem(payload.data, payload.len, "\"error\"", 7) != NULL)
        die("nats: %s: %.*s", call->subject, (int)payload.len, payload.data);
    buf_reset(call->answer, call->answer->cap);
    buf_add_bytes(call->answer, payload);
    call->done = true;
}

void nats_call(uint16_t port, const char *subject, const char *payload, struct buf *answer)
{
    struct call call = {.subject = subject, .answer = answer};
    struct buf out;
    char piece[4096];
    int fd = link_dial(port);
    buf_init(&out);
    nats_init(&call.nats, &out, call_on_message);
    buf_addf(&out, "PUB %s %scall %zu\r\n%s\r\n", subject, call.nats.inbox, strlen(payload),
             payload);
    while (!call.done) {
        if (out.len > 0 && write(fd, out.data, out.len) != (ssize_t)out.len)
            die("nats: %s: write: %s", subject, strerror(errno));
        out.len = 0;
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n <= 0)
            die("nats: %s: no answer", subject);
        nats_feed(&call.nats, bytes_of(piece, (size_t)n));
    }
    buf_deinit(&call.nats.in);
    buf_deinit(&out);
    close(fd);
}

uint64_t nats_number(struct bytes json, const char *name)
{
    char label[64];
    uint64_t value;
    int len = snprintf(label, sizeof(label), "\"%s\":", name);
    const char *at = memmem(json.data, json.len, label, (size_t)len);
    if (at == NULL)
        die("nats: no %s in %.*s", name, (int)json.len, json.data);
    at += len;
    size_t digits = 0;
    while (at + digits < json.data + json.len && at[digits] >= '0' && at[digits] <= '9')
        digits++;
    if (!bytes_to_u64(bytes_of(at, digits), &value))
        die("nats: no %s in %.*s", name, (int)json.len, json.data);
    return value;
}

static uint64_t stream_call(uint16_t port, const char *subject, const char *payload)
{
    struct buf answer;
    buf_init(&answer);
    nats_call(port, subject, payload, &answer);
    uint64_t messages = nats_number(buf_bytes(&answer), "messages");
    buf_deinit(&answer);
    return messages;
}

uint64_t nats_prepare(uint16_t port)
{
    return stream_call(port, "$JS.API.STREAM.CREATE." NATS_STREAM,
                       "{\"name\":\"" NATS_STREAM "\",\"subjects\":[\"feed\",\"feed.>\"],"
                       "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"old\","
                       "\"num_replicas\":1,\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1}");
}

uint64_t nats_messages(uint16_t port)
{
    return stream_call(port, "$JS.API.STREAM.INFO." NATS_STREAM, "");
}
