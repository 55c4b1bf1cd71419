/* Appends and single keys over RESP: append, fill, set, get, set-each, rewrite. */
#include <inttypes.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"
#include "bench/source.h"
#include "bench/workloads.h"

/* `keys` of them from number `base`, so that several loads need not share. */
static struct keys feeds_of(const struct options *options)
{
    return (struct keys){BYTES("feed"), ':', options->base, options->keys};
}

static struct keys values_of(const struct options *options)
{
    return (struct keys){BYTES("key"), ':', options->base, options->keys};
}

static struct key random_key(struct source *source, struct keys keys)
{
    return key_of(&keys, random_below(&source->load->random, keys.count));
}

static void expect(struct source *source, const struct resp_value *value, enum resp_type type)
{
    if (value->depth == 0 && value->type != type)
        die("%s: an unexpected reply", source->load->workload);
}

/* ---- append, fill ---- */

static void add_xadd(struct source *source, struct lane *lane, struct payload item)
{
    struct buf *out = &lane->link.out;
    struct key key = random_key(source, feeds_of(source->load->options));
    resp_add_count(out, 5);
    resp_add_word(out, BYTES("XADD"));
    resp_add_word(out, key_bytes(&key));
    resp_add_word(out, BYTES("*"));
    resp_add_word(out, BYTES("f"));
    source_add_payload(source, out, item);
}

/* Entry N, from 1, goes to feed N modulo keys under the id N-1. */
static void add_fill(struct source *source, struct lane *lane, struct payload item)
{
    struct buf *out = &lane->link.out;
    struct keys feeds = feeds_of(source->load->options);
    char id[INTEGER_TEXT_MAX + 2];
    item.number++;
    item.start_us = 0;
    struct key key = key_of(&feeds, item.number % feeds.count);
    size_t len = u64_to_text(item.number, id);
    id[len++] = '-';
    id[len++] = '1';
    resp_add_count(out, 5);
    resp_add_word(out, BYTES("XADD"));
    resp_add_word(out, key_bytes(&key));
    resp_add_word(out, bytes_of(id, len));
    resp_add_word(out, BYTES("f"));
    source_add_payload(source, out, item);
}

static void expect_id(struct source *source, struct lane *lane, const struct resp_value *value)
{
    (void)lane;
    expect(source, value, RESP_STRING);
}

/* All feeds have as many more entries as were acknowledged. */
static void run_appends(struct load *load, const struct source_verbs *verbs)
{
    static struct source source;
    uint16_t port = (uint16_t)load->options->port;
    struct keys feeds = feeds_of(load->options);
    uint64_t before = keys_sum(port, BYTES("XLEN"), &feeds);
    source_open(&source, load, verbs);
    source_start(&source);
    load_run(load);
    uint64_t added = keys_sum(port, BYTES("XLEN"), &feeds) - before;
    if (added != load->acknowledged)
        die("%s: acknowledged %" PRIu64 " entries, and the server has %" PRIu64, load->workload,
            load->acknowledged, added);
}

void work_append(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_xadd, .on_value = expect_id};
    run_appends(load, &verbs);
}

void work_fill(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_fill, .on_value = expect_id};
    if (load->options->connections != 1 || load->options->operations == 0)
        die("fill wants --connections 1 and --operations");
    run_appends(load, &verbs);
}

/* ---- set, get, set-each ---- */

static void add_set_of(struct source *source, struct buf *out, uint64_t index, struct payload item)
{
    struct keys keys = values_of(source->options);
    struct key key = key_of(&keys, index);
    resp_add_count(out, 3);
    resp_add_word(out, BYTES("SET"));
    resp_add_word(out, key_bytes(&key));
    source_add_payload(source, out, item);
}

static void add_set(struct source *source, struct lane *lane, struct payload item)
{
    uint64_t keys = source->options->keys;
    add_set_of(source, &lane->link.out, random_below(&source->load->random, keys), item);
}

static void expect_ok(struct source *source, struct lane *lane, const struct resp_value *value)
{
    (void)lane;
    expect(source, value, RESP_STATUS);
}

static void run_plainly(struct source *source, struct load *load, const struct source_verbs *verbs)
{
    source_open(source, load, verbs);
    source_start(source);
    load_run(load);
}

static void add_get(struct source *source, struct lane *lane, struct payload item)
{
    struct key key = random_key(source, values_of(source->options));
    (void)item;
    resp_add_count(&lane->link.out, 2);
    resp_add_word(&lane->link.out, BYTES("GET"));
    resp_add_word(&lane->link.out, key_bytes(&key));
}

static void expect_payload(struct source *source, struct lane *lane, const struct resp_value *value)
{
    struct payload payload;
    (void)lane;
    if (value->type != RESP_STRING || value->text.len != source->options->payload ||
        !payload_read(value->text, &payload))
        die("get: a value that was not set, or none");
}

/* Key N of `keys` gets payload N. */
static void add_each(struct source *source, struct lane *lane, struct payload item)
{
    add_set_of(source, &lane->link.out, item.number, item);
}

/* A load of its own, which sets every key once. */
static void set_all(const struct options *options)
{
    static const struct source_verbs verbs = {.add = add_each, .on_value = expect_ok};
    static struct source source;
    static struct load load;
    struct options all = *options;
    all.operations = options->keys;
    all.connections = 1;
    all.pipeline = 100;
    all.rate = 0;
    load_init(&load, &all, "values");
    run_plainly(&source, &load, &verbs);
}

void work_set(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_set, .on_value = expect_ok};
    static struct source source;
    set_all(load->options);
    run_plainly(&source, load, &verbs);
}

/* Writers of other keys, as many again, who send when their reply is in. They and the readers are
 * one process: what two of them would cost each other is not the server's. */
static void start_writers(struct load *load)
{
    static const struct source_verbs verbs = {
        .add = add_set, .on_value = expect_ok, .uncounted = true};
    static struct source source;
    static struct options options;
    options = *load->options;
    options.connections = options.writers;
    options.base = options.base + options.keys;
    options.rate = 0;
    options.pipeline = 1;
    set_all(&options);
    source_open_beside(&source, load, &options, &verbs);
    source_start(&source);
}

void work_get(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_get, .on_value = expect_payload};
    static struct source source;
    set_all(load->options);
    if (load->options->writers > 0)
        start_writers(load);
    run_plainly(&source, load, &verbs);
}

void work_set_each(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_each, .on_value = expect_ok};
    static struct source source;
    if (load->options->operations != load->options->keys)
        die("set-each wants as many --operations as --keys");
    run_plainly(&source, load, &verbs);
}

/* ---- rewrite ---- */

static void add_rewrite(struct source *source, struct lane *lane, struct payload item)
{
    (void)source;
    (void)item;
    resp_addf(&lane->link.out, "BGREWRITEAOF");
}

/* One that is still under way is as good as a new one. */
void work_rewrite(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_rewrite, .allowed = "ERR Background"};
    static struct source source;
    run_plainly(&source, load, &verbs);
}
