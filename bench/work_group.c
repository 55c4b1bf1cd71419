/* A consumer group over RESP: writers append, consumers read up to --count new entries at a time
 * and acknowledge them in the same write that asks for the next. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/check.h"
#include "bench/deliveries.h"
#include "bench/die.h"
#include "bench/source.h"
#include "bench/workloads.h"

/* Idle consumers ask again after this long. */
#define BLOCK_MS 1000

struct group;

struct consumer {
    struct link link;
    struct resp resp;
    struct group *group;
    unsigned index;
    bool awaits_ack;  /* the reply to XACK comes before that to XREADGROUP */
    struct buf ids;   /* of the entries under way, as words of a command */
    uint64_t *starts; /* when they were sent; --count of them */
    size_t count;     /* of the entries that are being read */
    size_t ack_count; /* of those that are being acknowledged */
};

struct group {
    struct source source;
    struct consumer *consumers;
    struct deliveries deliveries;
};

static void add_xadd(struct source *source, struct lane *lane, struct payload item)
{
    struct buf *out = &lane->link.out;
    size_t len = source->load->options->payload;
    resp_add_count(out, 5);
    resp_add_word(out, BYTES("XADD"));
    resp_add_word(out, BYTES("feed"));
    resp_add_word(out, BYTES("*"));
    resp_add_word(out, BYTES("f"));
    resp_add_head(out, len);
    payload_add(out, item, len);
    buf_add_bytes(out, RESP_END);
}

static void ask(struct consumer *consumer)
{
    resp_addf(&consumer->link.out,
              "XREADGROUP GROUP group c%u COUNT %" PRIu64 " BLOCK %d STREAMS feed >",
              consumer->index, consumer->group->source.load->options->count, BLOCK_MS);
}

static void acknowledge(struct consumer *consumer)
{
    struct buf *out = &consumer->link.out;
    resp_add_count(out, 3 + consumer->count);
    resp_add_word(out, BYTES("XACK"));
    resp_add_word(out, BYTES("feed"));
    resp_add_word(out, BYTES("group"));
    buf_add_bytes(out, buf_bytes(&consumer->ids));
    buf_reset(&consumer->ids, consumer->ids.cap);
    consumer->ack_count = consumer->count;
    consumer->count = 0;
    consumer->awaits_ack = true;
}

static void take_ack(struct consumer *consumer, const struct resp_value *value)
{
    struct load *load = consumer->group->source.load;
    if (value->integer != (int64_t)consumer->ack_count)
        die("group: acknowledged %zu entries, and the server knew %" PRId64, consumer->ack_count,
            value->integer);
    load->arrived += consumer->ack_count;
    for (size_t i = 0; i < consumer->ack_count; i++)
        load_count(load, consumer->starts[i]);
}

/* XREADGROUP's reply is [[feed, [[id, [f, payload]], ...]]]. */
static void on_value(struct resp *resp, const struct resp_value *value)
{
    struct consumer *consumer = container_of(resp, struct consumer, resp);
    const struct options *options = consumer->group->source.load->options;
    if (value->type == RESP_ERROR)
        die("%.*s", (int)value->text.len, value->text.data);
    if (consumer->awaits_ack) {
        take_ack(consumer, value);
    } else if (value->depth == 4 && value->index[4] == 0) {
        resp_add_word(&consumer->ids, value->text);
    } else if (value->depth == 5 && value->index[5] == 1) {
        if (consumer->count == options->count)
            die("group: more than %" PRIu64 " entries in a reply", options->count);
        consumer->starts[consumer->count++] =
            deliveries_take(&consumer->group->deliveries, value->text, options->payload).start_us;
    }
}

static void on_reply(struct resp *resp)
{
    struct consumer *consumer = container_of(resp, struct consumer, resp);
    if (consumer->awaits_ack) {
        consumer->awaits_ack = false;
        return;
    }
    if (consumer->count > 0)
        acknowledge(consumer);
    ask(consumer);
    link_flush(&consumer->link);
}

static void on_bytes(struct link *link, struct bytes bytes)
{
    struct consumer *consumer = container_of(link, struct consumer, link);
    resp_feed(&consumer->resp, bytes);
    source_resume(&consumer->group->source);
}

static void start_consumers(struct group *group)
{
    struct load *load = group->source.load;
    const struct options *options = load->options;
    group->consumers = mem_zalloc(options->readers * sizeof(group->consumers[0]));
    for (unsigned i = 0; i < options->readers; i++) {
        struct consumer *consumer = &group->consumers[i];
        consumer->group = group;
        consumer->index = i;
        consumer->starts = mem_zalloc(options->count * sizeof(consumer->starts[0]));
        link_open(&consumer->link, &load->loop, (uint16_t)options->port, on_bytes);
        resp_init(&consumer->resp, on_value, on_reply);
        ask(consumer);
        link_flush(&consumer->link);
    }
}

void work_group(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_xadd, .uncounted = true};
    static struct group group;
    resp_call((uint16_t)load->options->port, NULL, "XGROUP CREATE feed group 0 MKSTREAM");
    load->fanout = 1;
    source_open(&group.source, load, &verbs);
    start_consumers(&group);
    source_start(&group.source);
    load_run(load);
}
