/* One writer and many who follow, over RESP: tail (XADD to XREAD BLOCK), rooms (PUBLISH to
 * SUBSCRIBE). */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"
#include "bench/readers.h"
#include "bench/workloads.h"

static void add_payload(struct source *source, struct buf *out, struct payload item)
{
    resp_add_head(out, source->load->options->payload);
    payload_add(out, item, source->load->options->payload);
    buf_add_bytes(out, RESP_END);
}

static void start(struct readers *readers,
                  void (*on_value)(struct resp *, const struct resp_value *),
                  void (*on_reply)(struct resp *), void (*ask)(struct reader *))
{
    for (unsigned i = 0; i < readers->source.load->options->readers; i++) {
        resp_init(&readers->all[i].resp, on_value, on_reply);
        ask(&readers->all[i]);
    }
}

static void on_bytes(struct link *link, struct bytes bytes)
{
    struct reader *reader = container_of(link, struct reader, link);
    resp_feed(&reader->resp, bytes);
    source_resume(&reader->readers->source);
}

static struct reader *reader_of(struct resp *resp, const struct resp_value *value)
{
    if (value->type == RESP_ERROR)
        die("%.*s", (int)value->text.len, value->text.data);
    return container_of(resp, struct reader, resp);
}

/* ---- tail ---- */

static void add_xadd(struct source *source, struct lane *lane, struct payload item)
{
    struct buf *out = &lane->link.out;
    resp_add_count(out, 5);
    resp_add_word(out, BYTES("XADD"));
    resp_add_word(out, BYTES("feed"));
    resp_add_word(out, BYTES("*"));
    resp_add_word(out, BYTES("f"));
    add_payload(source, out, item);
}

static void ask(struct reader *reader)
{
    resp_addf(&reader->link.out, "XREAD COUNT %" PRIu64 " BLOCK 0 STREAMS feed %s",
              reader->readers->source.load->options->count,
              reader->last_id[0] == '\0' ? "0" : reader->last_id);
    link_flush(&reader->link);
}

/* A reply is [[feed, [[id, [f, payload]], ...]]]. */
static void on_value(struct resp *resp, const struct resp_value *value)
{
    struct reader *reader = reader_of(resp, value);
    if (value->depth == 4 && value->index[4] == 0)
        snprintf(reader->last_id, sizeof(reader->last_id), "%.*s", (int)value->text.len,
                 value->text.data);
    else if (value->depth == 5 && value->index[5] == 1)
        reader_take(reader, value->text);
}

static void on_reply(struct resp *resp)
{
    ask(container_of(resp, struct reader, resp));
}

void work_tail(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_xadd, .readers_count = true};
    static struct readers readers;
    if (resp_call((uint16_t)load->options->port, NULL, "XLEN feed") != 0)
        die("tail wants an empty feed");
    load->fanout = load->options->readers;
    readers_open(&readers, load, &verbs, on_bytes);
    start(&readers, on_value, on_reply, ask);
    source_start(&readers.source);
    load_run(load);
}

/* ---- rooms ---- */

static struct key room_of(const struct options *options, uint64_t index)
{
    struct keys rooms = {BYTES("room"), ':', 0, options->keys};
    return key_of(&rooms, index);
}

static void add_publish(struct source *source, struct lane *lane, struct payload item)
{
    const struct options *options = source->load->options;
    struct buf *out = &lane->link.out;
    struct key room = room_of(options, random_below(&source->load->random, options->keys));
    resp_add_count(out, 3);
    resp_add_word(out, BYTES("PUBLISH"));
    resp_add_word(out, key_bytes(&room));
    add_payload(source, out, item);
}

static void expect_receivers(struct source *source, struct lane *lane,
                             const struct resp_value *value)
{
    (void)lane;
    if (value->integer != (int64_t)source->load->fanout)
        die("rooms: a message went to %" PRId64 " of %" PRIu64 " subscribers", value->integer,
            source->load->fanout);
}

static void subscribe(struct reader *reader)
{
    const struct options *options = reader->readers->source.load->options;
    struct key room = room_of(options, reader->index % options->keys);
    resp_addf(&reader->link.out, "SUBSCRIBE %.*s", (int)room.len, room.text);
    link_flush(&reader->link);
}

/* [subscribe, room, count], then [message, room, payload] again and again. */
static void on_message(struct resp *resp, const struct resp_value *value)
{
    struct reader *reader = reader_of(resp, value);
    if (value->depth != 1 || value->index[1] != 2)
        return;
    if (value->type == RESP_INTEGER)
        reader->readers->ready++;
    else
        reader_take(reader, value->text);
}

static void on_whole_message(struct resp *resp)
{
    (void)resp;
}

void work_rooms(struct load *load)
{
    static const struct source_verbs verbs = {
        .add = add_publish, .on_value = expect_receivers, .readers_count = true};
    const struct options *options = load->options;
    static struct readers readers;
    if (options->readers % options->keys != 0)
        die("rooms wants as many --readers in each of --keys rooms");
    load->fanout = options->readers / options->keys;
    readers_open(&readers, load, &verbs, on_bytes);
    start(&readers, on_message, on_whole_message, subscribe);
    load_await(load, &readers.ready, options->readers, "subscriptions");
    source_start(&readers.source);
    load_run(load);
}
