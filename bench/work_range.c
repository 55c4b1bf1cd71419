/* Reads of what fill wrote: range, replay, and what is pending in a group: xpending, xclaim. Every
 * entry that comes is compared with what was written. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"
#include "bench/source.h"
#include "bench/workloads.h"

#define FEED BYTES("feed")

/* Where an XRANGE's entries have their id and their value. */
#define IS_ID(value)    ((value)->depth == 2 && (value)->index[2] == 0)
#define IS_VALUE(value) ((value)->depth == 3 && (value)->index[3] == 1)

/* The number in "number-1". */
static uint64_t number_of_id(struct bytes id)
{
    uint64_t number;
    if (id.len < 3 || memcmp(id.data + id.len - 2, "-1", 2) != 0 ||
        !bytes_to_u64(bytes_of(id.data, id.len - 2), &number))
        die("not an id that was written: %.*s", (int)id.len, id.data);
    return number;
}

static void check_value(struct bytes text, uint64_t number, size_t len)
{
    struct payload payload;
    if (text.len != len || !payload_read(text, &payload) || payload.number != number)
        die("entry %" PRIu64 " is not what was written", number);
}

/* ---- range ---- */

/* Operations are answered in their order, and an answer may come in pieces. */
struct ranges {
    struct source source;
    uint64_t *firsts; /* first numbers, by lane and operation modulo the pipeline */
    uint64_t *nexts;  /* by lane: entry that the answer under way has to show */
};

static struct ranges *ranges_of(struct source *source)
{
    return container_of(source, struct ranges, source);
}

static uint64_t *first_of(struct ranges *ranges, const struct lane *lane, uint64_t operation)
{
    uint64_t pipeline = ranges->source.load->options->pipeline;
    return &ranges->firsts[lane->index * pipeline + operation % pipeline];
}

/* A place from which there are `count` entries of the feed to come. */
static void add_range(struct source *source, struct lane *lane, struct payload item)
{
    const struct options *options = source->load->options;
    uint64_t places = options->entries - (options->count - 1) * options->keys;
    uint64_t first = 1 + random_below(&source->load->random, places);
    struct keys feeds = {FEED, ':', 0, options->keys};
    struct key key = key_of(&feeds, first % feeds.count);
    (void)item;
    *first_of(ranges_of(source), lane, lane->sent) = first;
    resp_add_count(&lane->link.out, 6);
    resp_add_word(&lane->link.out, BYTES("XRANGE"));
    resp_add_word(&lane->link.out, key_bytes(&key));
    resp_add_number(&lane->link.out, first);
    resp_add_word(&lane->link.out, BYTES("+"));
    resp_add_word(&lane->link.out, BYTES("COUNT"));
    resp_add_number(&lane->link.out, options->count);
}

static void check_range(struct source *source, struct lane *lane, const struct resp_value *value)
{
    struct ranges *ranges = ranges_of(source);
    const struct options *options = source->load->options;
    uint64_t *next = &ranges->nexts[lane->index];
    if (value->depth == 0) {
        if (value->type != RESP_ARRAY || value->integer != (int64_t)options->count)
            die("range: asked for %" PRIu64 " entries, got %" PRId64, options->count,
                value->integer);
        *next = *first_of(ranges, lane, lane->done);
    } else if (IS_ID(value)) {
        if (number_of_id(value->text) != *next)
            die("range: entry %" PRIu64 " is missing", *next);
    } else if (IS_VALUE(value)) {
        check_value(value->text, *next, options->payload);
        *next += options->keys;
    }
}

void work_range(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_range, .on_value = check_range};
    const struct options *options = load->options;
    static struct ranges ranges;
    if (options->entries < options->count * options->keys || options->rate > 0)
        die("range wants at least count * keys --entries, and a closed loop");
    ranges.firsts = mem_zalloc(options->connections * options->pipeline * sizeof(uint64_t));
    ranges.nexts = mem_zalloc(options->connections * sizeof(uint64_t));
    source_open(&ranges.source, load, &verbs);
    source_start(&ranges.source);
    load_run(load);
    mem_free(ranges.firsts);
    mem_free(ranges.nexts);
}

/* ---- replay ---- */

struct replay {
    struct source source;
    uint64_t next; /* entry to come */
};

static void add_replay(struct source *source, struct lane *lane, struct payload item)
{
    struct replay *replay = container_of(source, struct replay, source);
    (void)item;
    if (replay->next > source->load->options->entries)
        replay->next = 1;
    resp_addf(&lane->link.out, "XRANGE feed %" PRIu64 " + COUNT %" PRIu64, replay->next,
              source->load->options->count);
}

static void check_replay(struct source *source, struct lane *lane, const struct resp_value *value)
{
    struct replay *replay = container_of(source, struct replay, source);
    uint64_t left = source->load->options->entries - replay->next + 1;
    uint64_t count = source->load->options->count;
    (void)lane;
    if (value->depth == 0 && value->integer != (int64_t)(left < count ? left : count))
        die("replay: %" PRId64 " entries from entry %" PRIu64, value->integer, replay->next);
    if (IS_ID(value) && number_of_id(value->text) != replay->next)
        die("replay: entry %" PRIu64 " is missing", replay->next);
    if (IS_VALUE(value))
        check_value(value->text, replay->next++, source->load->options->payload);
}

void work_replay(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_replay, .on_value = check_replay};
    static struct replay replay = {.next = 1};
    if (load->options->connections != 1 || load->options->pipeline != 1)
        die("replay wants --connections 1 and --pipeline 1");
    source_open(&replay.source, load, &verbs);
    source_start(&replay.source);
    load_run(load);
}

/* ---- xpending, xclaim ---- */

#define PENDING_COUNT 10
#define SETUP_COUNT   10000

/* A group to whose consumer c0 all entries were delivered; none is acknowledged. */
static void deliver_all(const struct options *options)
{
    uint16_t port = (uint16_t)options->port;
    char command[128];
    if (resp_call(port, NULL, "XINFO GROUPS feed") > 0)
        return;
    resp_call(port, NULL, "XGROUP CREATE feed group 0");
    snprintf(command, sizeof(command), "XREADGROUP GROUP group c0 COUNT %d STREAMS feed >",
             SETUP_COUNT);
    for (uint64_t read = 0; read < options->entries; read += SETUP_COUNT) {
        if (resp_call(port, NULL, command) != 1)
            die("pending: there are fewer than %" PRIu64 " entries", options->entries);
    }
}

static uint64_t random_pending(struct source *source)
{
    uint64_t places = source->load->options->entries - PENDING_COUNT + 1;
    return 1 + random_below(&source->load->random, places);
}

static void add_xpending(struct source *source, struct lane *lane, struct payload item)
{
    (void)item;
    resp_addf(&lane->link.out, "XPENDING feed group %" PRIu64 " + %d", random_pending(source),
              PENDING_COUNT);
}

static void add_xclaim(struct source *source, struct lane *lane, struct payload item)
{
    struct buf *out = &lane->link.out;
    uint64_t first = random_pending(source);
    (void)item;
    resp_add_count(out, 5 + PENDING_COUNT + 1);
    resp_add_word(out, BYTES("XCLAIM"));
    resp_add_word(out, FEED);
    resp_add_word(out, BYTES("group"));
    resp_add_word(out, BYTES("c1"));
    resp_add_word(out, BYTES("0"));
    for (uint64_t i = 0; i < PENDING_COUNT; i++) {
        char id[INTEGER_TEXT_MAX + 2];
        size_t len = u64_to_text(first + i, id);
        memcpy(id + len, "-1", 2);
        resp_add_word(out, bytes_of(id, len + 2));
    }
    resp_add_word(out, BYTES("JUSTID"));
}

static void check_pending(struct source *source, struct lane *lane, const struct resp_value *value)
{
    (void)lane;
    if (value->depth == 0 && value->integer != PENDING_COUNT)
        die("%s: asked for %d entries, got %" PRId64, source->load->workload, PENDING_COUNT,
            value->integer);
}

static void run_pending(struct load *load, const struct source_verbs *verbs)
{
    static struct source source;
    if (load->options->entries < PENDING_COUNT)
        die("%s wants --entries", load->workload);
    deliver_all(load->options);
    source_open(&source, load, verbs);
    source_start(&source);
    load_run(load);
}

void work_xpending(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_xpending, .on_value = check_pending};
    run_pending(load, &verbs);
}

void work_xclaim(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_xclaim, .on_value = check_pending};
    run_pending(load, &verbs);
}
