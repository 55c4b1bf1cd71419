/* A consumer group over JetStream: a durable pull consumer that some connections share. Each pulls
 * --count messages at a time and acknowledges every one as clients do by default: without waiting
 * for an answer. In the end the server has to know of all acknowledgements. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "bench/deliveries.h"
#include "bench/die.h"
#include "bench/nats_lane.h"
#include "bench/workloads.h"

#define CONSUMER "group"

/* How often, and how long apart, the server is asked whether it has taken all acknowledgements. */
#define CONFIRM_TRIES 100
#define CONFIRM_US    20000

struct group;

struct puller {
    struct link link;
    struct nats nats;
    struct group *group;
    uint64_t due; /* messages that are still to come of the last pull */
};

struct group {
    struct source source;
    struct puller *pullers;
    struct deliveries deliveries;
};

static void pull(struct puller *puller)
{
    char payload[32], reply[NATS_INBOX_MAX + 8];
    int len = snprintf(payload, sizeof(payload), "{\"batch\":%" PRIu64 "}",
                       puller->group->source.load->options->count);
    int reply_len = snprintf(reply, sizeof(reply), "%spull", puller->nats.inbox);
    nats_add_pub(&puller->link.out, BYTES("$JS.API.CONSUMER.MSG.NEXT." NATS_STREAM "." CONSUMER),
                 bytes_of(reply, (size_t)reply_len), (size_t)len);
    buf_add(&puller->link.out, payload, (size_t)len);
    buf_add_bytes(&puller->link.out, NATS_END);
    puller->due = puller->group->source.load->options->count;
}

static void on_message(struct nats *nats, const struct nats_message *message)
{
    struct puller *puller = container_of(nats, struct puller, nats);
    struct load *load = puller->group->source.load;
    if (message->headers.len > 0)
        die("nats: %.*s", (int)message->headers.len, message->headers.data);
    struct payload payload =
        deliveries_take(&puller->group->deliveries, message->payload, load->options->payload);
    nats_add_pub(&puller->link.out, message->reply, BYTES(""), 4);
    buf_add_bytes(&puller->link.out, BYTES("+ACK\r\n"));
    load->arrived++;
    load_count(load, payload.start_us);
    if (--puller->due == 0)
        pull(puller);
}

static void on_bytes(struct link *link, struct bytes bytes)
{
    struct puller *puller = container_of(link, struct puller, link);
    nats_feed(&puller->nats, bytes);
    link_flush(link);
    source_resume(&puller->group->source);
}

static void create_consumer(const struct load *load)
{
    struct buf answer;
    buf_init(&answer);
    nats_call((uint16_t)load->options->port,
              "$JS.API.CONSUMER.DURABLE.CREATE." NATS_STREAM "." CONSUMER,
              "{\"stream_name\":\"" NATS_STREAM "\",\"config\":{\"durable_name\":\"" CONSUMER "\","
              "\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\",\"ack_wait\":60000000000,"
              "\"max_ack_pending\":1000000,\"replay_policy\":\"instant\"}}",
              &answer);
    buf_deinit(&answer);
}

static void start_pullers(struct group *group)
{
    struct load *load = group->source.load;
    const struct options *options = load->options;
    group->pullers = mem_zalloc(options->readers * sizeof(group->pullers[0]));
    for (unsigned i = 0; i < options->readers; i++) {
        struct puller *puller = &group->pullers[i];
        puller->group = group;
        link_open(&puller->link, &load->loop, (uint16_t)options->port, on_bytes);
        nats_init(&puller->nats, &puller->link.out, on_message);
        pull(puller);
        link_flush(&puller->link);
    }
}

static void confirm(const struct load *load)
{
    struct buf answer;
    uint64_t unacknowledged = 1, undelivered = 1;
    buf_init(&answer);
    for (int i = 0; i < CONFIRM_TRIES && unacknowledged + undelivered > 0; i++) {
        nats_call((uint16_t)load->options->port, "$JS.API.CONSUMER.INFO." NATS_STREAM "." CONSUMER,
                  "", &answer);
        unacknowledged = nats_number(buf_bytes(&answer), "num_ack_pending");
        undelivered = nats_number(buf_bytes(&answer), "num_pending");
        usleep(CONFIRM_US);
    }
    if (unacknowledged + undelivered > 0)
        die("nats-group: the server misses %" PRIu64 " acknowledgements and %" PRIu64 " deliveries",
            unacknowledged, undelivered);
    buf_deinit(&answer);
}

void work_nats_group(struct load *load)
{
    static const struct source_verbs verbs = {.add = nats_lane_add,
                                              .on_open = nats_lane_open,
                                              .on_bytes = nats_lane_on_bytes,
                                              .uncounted = true};
    static struct group group;
    nats_prepare((uint16_t)load->options->port);
    create_consumer(load);
    load->fanout = 1;
    source_open(&group.source, load, &verbs);
    start_pullers(&group);
    source_start(&group.source);
    load_run(load);
    confirm(load);
}
