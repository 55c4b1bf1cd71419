/* What append, tail and rooms are over RESP, over NATS. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"
#include "bench/nats_lane.h"
#include "bench/readers.h"
#include "bench/workloads.h"

static uint16_t port_of(const struct load *load)
{
    return (uint16_t)load->options->port;
}

void work_nats_append(struct load *load)
{
    static const struct source_verbs verbs = {
        .add = nats_lane_add, .on_open = nats_lane_open, .on_bytes = nats_lane_on_bytes};
    static struct source source;
    uint64_t before = nats_prepare(port_of(load));
    source_open(&source, load, &verbs);
    source_start(&source);
    load_run(load);
    uint64_t added = nats_messages(port_of(load)) - before;
    if (added != load->acknowledged)
        die("%s: acknowledged %" PRIu64 " entries, and the server has %" PRIu64, load->workload,
            load->acknowledged, added);
}

/* ---- readers ---- */

static void on_message(struct nats *nats, const struct nats_message *message)
{
    struct reader *reader = container_of(nats, struct reader, nats);
    if (message->headers.len > 0)
        die("nats: %.*s", (int)message->headers.len, message->headers.data);
    reader_take(reader, message->payload);
}

static void on_reader_bytes(struct link *link, struct bytes bytes)
{
    struct reader *reader = container_of(link, struct reader, link);
    nats_feed(&reader->nats, bytes);
    link_flush(link);
    source_resume(&reader->readers->source);
}

/* ---- tail: a push consumer for each reader ---- */

/* The server only looks for a subscription to this very subject, not for one with a *. */
#define TAIL_SUBJECT "tail.%u"

static void create_consumer(const struct reader *reader)
{
    char payload[512];
    struct buf answer;
    buf_init(&answer);
    snprintf(payload, sizeof(payload),
             "{\"stream_name\":\"" NATS_STREAM "\",\"config\":{\"deliver_subject\":\"" TAIL_SUBJECT
             "\","
             "\"deliver_policy\":\"all\",\"ack_policy\":\"none\",\"replay_policy\":\"instant\"}}",
             reader->index);
    nats_call(port_of(reader->readers->source.load), "$JS.API.CONSUMER.CREATE." NATS_STREAM,
              payload, &answer);
    buf_deinit(&answer);
}

void work_nats_tail(struct load *load)
{
    static const struct source_verbs verbs = {.add = nats_lane_add,
                                              .on_open = nats_lane_open,
                                              .on_bytes = nats_lane_on_bytes,
                                              .uncounted = true};
    static struct readers readers = {.copies = 1};
    if (nats_prepare(port_of(load)) != 0)
        die("nats-tail wants an empty stream");
    load->fanout = load->options->readers;
    readers_open(&readers, load, &verbs, on_reader_bytes);
    for (unsigned i = 0; i < load->options->readers; i++) {
        struct reader *reader = &readers.all[i];
        nats_init(&reader->nats, &reader->link.out, on_message);
        buf_addf(&reader->link.out, "SUB " TAIL_SUBJECT " 2\r\n", i);
        link_flush(&reader->link);
        create_consumer(reader);
    }
    source_start(&readers.source);
    load_run(load);
}

/* ---- rooms: NATS acknowledges no publish, so a PING follows what is sent together ---- */

/* How many operations each PING that is under way stands for: a ring, since PONGs come in order. */
#define PINGS_MAX 65536

struct rooms {
    struct readers readers;
    uint64_t pings[PINGS_MAX];
    uint64_t ping_count;
    uint64_t pong_count;
};

static struct rooms *rooms_of(struct source *source)
{
    return container_of(source, struct rooms, readers.source);
}

static struct key room_of(const struct options *options, uint64_t index)
{
    struct keys rooms = {BYTES("room"), '.', 0, options->keys};
    return key_of(&rooms, index);
}

static void add_publish(struct source *source, struct lane *lane, struct payload item)
{
    const struct options *options = source->load->options;
    struct key room = room_of(options, random_below(&source->load->random, options->keys));
    nats_add_pub(&lane->link.out, key_bytes(&room), BYTES(""), options->payload);
    payload_add(&lane->link.out, item, options->payload);
    buf_add_bytes(&lane->link.out, NATS_END);
}

static void add_ping(struct lane *lane)
{
    struct rooms *rooms = rooms_of(lane->source);
    if (rooms->ping_count - rooms->pong_count == PINGS_MAX)
        die("nats-rooms: the server does not keep up");
    rooms->pings[rooms->ping_count++ % PINGS_MAX] = lane->sent;
    buf_add_bytes(&lane->link.out, BYTES("PING\r\n"));
}

static void on_pong(struct nats *nats)
{
    struct lane *lane = container_of(nats, struct lane, nats);
    struct rooms *rooms = rooms_of(lane->source);
    uint64_t sent = rooms->pings[rooms->pong_count++ % PINGS_MAX];
    while (lane->done < sent)
        source_done(lane, lane->done);
}

static void open_publisher(struct lane *lane)
{
    nats_lane_open(lane);
    lane->nats.on_pong = on_pong;
}

static void on_subscribed(struct nats *nats)
{
    container_of(nats, struct reader, nats)->readers->ready++;
}

static void subscribe(struct reader *reader)
{
    const struct options *options = reader->readers->source.load->options;
    struct key room = room_of(options, reader->index % options->keys);
    nats_init(&reader->nats, &reader->link.out, on_message);
    reader->nats.on_pong = on_subscribed;
    buf_addf(&reader->link.out, "SUB %.*s 2\r\nPING\r\n", (int)room.len, room.text);
    link_flush(&reader->link);
}

void work_nats_rooms(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_publish,
                                              .on_open = open_publisher,
                                              .on_bytes = nats_lane_on_bytes,
                                              .before_flush = add_ping,
                                              .uncounted = true};
    static struct rooms rooms;
    const struct options *options = load->options;
    if (options->readers % options->keys != 0)
        die("nats-rooms wants as many --readers in each of --keys rooms");
    load->fanout = options->readers / options->keys;
    rooms.readers.copies = options->keys == 1;
    readers_open(&rooms.readers, load, &verbs, on_reader_bytes);
    for (unsigned i = 0; i < options->readers; i++)
        subscribe(&rooms.readers.all[i]);
    load_await(load, &rooms.readers.ready, options->readers, "subscriptions");
    source_start(&rooms.readers.source);
    load_run(load);
}
