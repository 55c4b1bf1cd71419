/* Publish and subscribe over RESP: a message to one room's members, a message to the members of all
 * rooms, and what subscribing itself takes. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"
#include "bench/readers.h"
#include "bench/workloads.h"

/* How many rooms a SUBSCRIBE names, patterns a PSUBSCRIBE. */
#define SUBSCRIBE_BATCH 100

static struct key room_of(const struct options *options, uint64_t index)
{
    struct keys rooms = {BYTES("room"), ':', 0, options->keys};
    return key_of(&rooms, index % options->keys);
}

/* ---- readers ---- */

/* Reader N is in --each rooms from room N * --stride on. */
static void subscribe(struct reader *reader)
{
    const struct options *options = reader->readers->source.load->options;
    struct buf *out = &reader->link.out;
    uint64_t at = reader->index * (options->stride > 0 ? options->stride : options->each);
    for (uint64_t end = at + options->each; at < end;) {
        uint64_t n = end - at < SUBSCRIBE_BATCH ? end - at : SUBSCRIBE_BATCH;
        resp_add_count(out, n + 1);
        resp_add_word(out, BYTES("SUBSCRIBE"));
        for (; n > 0; n--, at++) {
            struct key room = room_of(options, at);
            resp_add_word(out, key_bytes(&room));
        }
    }
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

/* How many readers each room has; every message's receivers are compared with it. */
static uint64_t members_of(const struct load *load)
{
    uint64_t places = load->options->readers * load->options->each;
    if (places % load->options->keys != 0 || load->options->each > load->options->keys)
        die("%s wants as many --readers in each of --keys rooms", load->workload);
    return places / load->options->keys;
}

static void run(struct load *load, struct readers *readers, const struct source_verbs *verbs)
{
    readers_open(readers, load, verbs, readers_on_resp_bytes);
    readers_start_resp(readers, on_message, on_whole_message, subscribe);
    load_await(load, &readers->ready, load->options->readers * load->options->each,
               "subscriptions");
    source_start(&readers->source);
    load_run(load);
}

/* ---- rooms ---- */

static void add_publish(struct source *source, struct buf *out, uint64_t room_index,
                        struct payload item)
{
    struct key room = room_of(source->load->options, room_index);
    resp_add_count(out, 3);
    resp_add_word(out, BYTES("PUBLISH"));
    resp_add_word(out, key_bytes(&room));
    source_add_payload(source, out, item);
}

static void publish_to_one(struct source *source, struct lane *lane, struct payload item)
{
    uint64_t index = random_below(&source->load->random, source->load->options->keys);
    add_publish(source, &lane->link.out, index, item);
}

static void expect_receivers(struct source *source, struct lane *lane,
                             const struct resp_value *value)
{
    uint64_t replies = source->verbs->replies > 0 ? source->verbs->replies : 1;
    (void)lane;
    if (value->integer != (int64_t)(source->load->fanout / replies))
        die("%s: a message went to %" PRId64 " of %" PRIu64 " subscribers", source->load->workload,
            value->integer, source->load->fanout / replies);
}

static void ignore_bytes(struct link *link, struct bytes bytes)
{
    (void)link;
    (void)bytes;
}

/* A connection with --patterns patterns that match no room. */
static void add_patterns(struct load *load)
{
    static struct link link;
    const struct keys patterns = {BYTES("other"), ':', 0, load->options->patterns};
    if (load->options->patterns == 0)
        return;
    link_open(&link, &load->loop, (uint16_t)load->options->port, ignore_bytes);
    for (uint64_t i = 0; i < load->options->patterns; i++) {
        struct key key = key_of(&patterns, i);
        resp_addf(&link.out, "PSUBSCRIBE %.*s*", (int)key.len, key.text);
    }
    link_flush(&link);
}

void work_rooms(struct load *load)
{
    static const struct source_verbs verbs = {
        .add = publish_to_one, .on_value = expect_receivers, .uncounted = true};
    static struct readers readers;
    load->fanout = members_of(load);
    readers.copies = load->options->keys == 1;
    add_patterns(load);
    run(load, &readers, &verbs);
}

/* ---- a message to the members of all rooms ---- */

static void publish_to_union(struct source *source, struct lane *lane, struct payload item)
{
    const struct options *options = source->load->options;
    struct buf *out = &lane->link.out;
    resp_add_count(out, options->keys + 3);
    resp_add_word(out, BYTES("ROOM.PUBLISH"));
    source_add_payload(source, out, item);
    resp_add_word(out, BYTES("TO"));
    for (uint64_t i = 0; i < options->keys; i++) {
        struct key room = room_of(options, i);
        resp_add_word(out, key_bytes(&room));
    }
}

static void publish_to_each(struct source *source, struct lane *lane, struct payload item)
{
    for (uint64_t i = 0; i < source->load->options->keys; i++)
        add_publish(source, &lane->link.out, i, item);
}

void work_room_publish(struct load *load)
{
    static const struct source_verbs verbs = {.add = publish_to_union,
                                              .on_value = expect_receivers};
    static struct readers readers = {.copies = 1};
    load->fanout = load->options->readers;
    run(load, &readers, &verbs);
}

void work_publish_each(struct load *load)
{
    static struct source_verbs verbs = {.add = publish_to_each, .on_value = expect_receivers};
    static struct readers readers;
    verbs.replies = load->options->keys;
    readers.copies = load->options->each;
    load->fanout = members_of(load) * load->options->keys;
    run(load, &readers, &verbs);
}

/* ---- subscribing ---- */

static void add_subscribe(struct source *source, struct lane *lane, struct payload item)
{
    const struct options *options = source->load->options;
    uint64_t first = options->operations / options->connections * lane->index;
    struct key room = room_of(options, first + lane->sent);
    (void)item;
    if (lane->sent == options->keys)
        die("subscribe: a connection is in every room already");
    resp_add_count(&lane->link.out, 2);
    resp_add_word(&lane->link.out, BYTES("SUBSCRIBE"));
    resp_add_word(&lane->link.out, key_bytes(&room));
}

static void expect_count(struct source *source, struct lane *lane, const struct resp_value *value)
{
    (void)source;
    if (value->type == RESP_INTEGER && value->integer != (int64_t)lane->done + 1)
        die("subscribe: the server counts %" PRId64 " subscriptions, not %" PRIu64, value->integer,
            lane->done + 1);
}

void work_subscribe(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_subscribe, .on_value = expect_count};
    static struct source source;
    if (load->options->operations == 0)
        die("subscribe wants --operations");
    source_open(&source, load, &verbs);
    source_start(&source);
    load_run(load);
}
