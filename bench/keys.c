#include "bench/keys.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/link.h"
#include "bench/resp.h"

#define DIGITS ((size_t)12)
/* Few enough that neither side's socket buffer is full of what the other has not read. */
#define BATCH ((uint64_t)1000)

struct key key_of(const struct keys *keys, uint64_t index)
{
    struct key key = {.len = keys->stem.len};
    char text[INTEGER_TEXT_MAX];
    CHECK(keys->stem.len + 1 + DIGITS <= KEY_MAX);
    memcpy(key.text, keys->stem.data, keys->stem.len);
    if (keys->base == 0 && keys->count == 1)
        return key;
    size_t len = u64_to_text(keys->base + index, text);
    CHECK(len <= DIGITS);
    key.text[key.len++] = keys->separator;
    memset(key.text + key.len, '0', DIGITS);
    key.len += DIGITS;
    memcpy(key.text + key.len - len, text, len);
    return key;
}

struct sum {
    struct resp resp;
    uint64_t total;
    uint64_t replies;
};

static void on_value(struct resp *resp, const struct resp_value *value)
{
    struct sum *sum = container_of(resp, struct sum, resp);
    if (value->type != RESP_INTEGER)
        die("no number: %.*s", (int)value->text.len, value->text.data);
    sum->total += (uint64_t)value->integer;
}

static void on_reply(struct resp *resp)
{
    container_of(resp, struct sum, resp)->replies++;
}

static void write_all(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0)
            die("write: %s", strerror(errno));
        bytes = bytes_of(bytes.data + n, bytes.len - (size_t)n);
    }
}

uint64_t keys_sum(uint16_t port, struct bytes command, const struct keys *keys)
{
    struct sum sum = {0};
    struct buf out;
    char piece[4096];
    int fd = link_dial(port);
    buf_init(&out);
    resp_init(&sum.resp, on_value, on_reply);
    for (uint64_t i = 0; i < keys->count; out.len = 0) {
        for (uint64_t end = i + BATCH; i < end && i < keys->count; i++) {
            struct key key = key_of(keys, i);
            resp_add_count(&out, 2);
            resp_add_word(&out, command);
            resp_add_word(&out, key_bytes(&key));
        }
        write_all(fd, buf_bytes(&out));
        while (sum.replies < i) {
            ssize_t n = read(fd, piece, sizeof(piece));
            if (n <= 0)
                die("%.*s: no reply", (int)command.len, command.data);
            resp_feed(&sum.resp, bytes_of(piece, (size_t)n));
        }
    }
    resp_deinit(&sum.resp);
    buf_deinit(&out);
    close(fd);
    return sum.total;
}
