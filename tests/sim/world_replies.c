/* The model's replies: their wire form, and what is left of a real one when it is compared. */
#include "tests/sim/world_model_internal.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

#define PADDING_MAX 6000

void model_reply_number(struct buf *out, uint64_t n)
{
    buf_addf(out, ":%" PRIu64 "\r\n", n);
}

void model_reply_text(struct buf *out, struct bytes text)
{
    buf_addf(out, "$%zu\r\n", text.len);
    buf_add_bytes(out, text);
    buf_add(out, "\r\n", 2);
}

void model_reply_string(struct buf *out, const char *text)
{
    model_reply_text(out, bytes_of_string(text));
}

void model_reply_id(struct buf *out, struct id id)
{
    char text[ID_TEXT_MAX];
    model_reply_text(out, bytes_of(text, id_to_text(id, text)));
}

void model_reply_key(struct buf *out, unsigned key)
{
    buf_addf(out, "$2\r\nk%u\r\n", key);
}

void model_fields(uint64_t token, struct buf *out)
{
    char text[INTEGER_TEXT_MAX];
    size_t padding = token % 16 == 0 ? token % PADDING_MAX : token % 150;
    buf_add(out, "*4\r\n$1\r\nt\r\n", 11);
    model_reply_text(out, bytes_of(text, u64_to_text(token, text)));
    buf_addf(out, "$1\r\np\r\n$%zu\r\n", padding);
    memset(buf_reserve(out, padding), 'p', padding);
    out->len += padding;
    buf_add(out, "\r\n", 2);
}

void model_reply_entry(struct buf *out, const struct model_entry *entry)
{
    buf_add(out, "*2\r\n", 4);
    model_reply_id(out, entry->id);
    model_fields(entry->token, out);
}

/* ---- comparing ---- */

static int compare_names(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

static void sort_names(struct bytes reply, struct buf *out)
{
    const char *end = memchr(reply.data, '\n', reply.len);
    size_t head = (size_t)(end + 1 - reply.data);
    buf_add_bytes(out, reply);
    /* Each name is "$2\r\nkN\r\n": 8 bytes. */
    qsort(out->data + out->len - reply.len + head, (reply.len - head) / 8, 8, compare_names);
}

static bool is_unknown_field(struct bytes line)
{
    return bytes_equal(line, BYTES("consumers\r\n")) ||
           bytes_equal(line, BYTES("entries-read\r\n")) || bytes_equal(line, BYTES("lag\r\n"));
}

/* Blanks what follows certain fields; or else, where integers come in pairs of an idle time and
 * another one, the idle times. */
static void blank(struct bytes reply, bool fields, struct buf *out)
{
    struct bytes last = {0};
    bool idle = true;
    for (size_t at = 0; at < reply.len;) {
        const char *end = memchr(reply.data + at, '\n', reply.len - at);
        struct bytes line = bytes_of(reply.data + at, (size_t)(end + 1 - reply.data) - at);
        bool integer = line.data[0] == ':';
        if (fields ? is_unknown_field(last) : integer && idle)
            buf_addf(out, ":?\r\n");
        else
            buf_add_bytes(out, line);
        idle = integer ? !idle : idle;
        last = line;
        at += line.len;
    }
}

void model_comparable(const struct model_command *command, struct bytes reply, struct buf *out)
{
    bool list = reply.len > 0 && reply.data[0] == '*';
    if (list && command->kind == MODEL_KEYS_ALL)
        sort_names(reply, out);
    else if (list && command->kind == MODEL_XINFO_GROUPS)
        blank(reply, true, out);
    else if (list && (command->kind == MODEL_XPENDING_ALL || command->claims))
        blank(reply, false, out);
    else
        buf_add_bytes(out, reply);
}
