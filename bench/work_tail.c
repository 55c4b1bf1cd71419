/* One writer and many who follow: XADD to XREAD BLOCK. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "bench/die.h"
#include "bench/readers.h"
#include "bench/workloads.h"

static void add_xadd(struct source *source, struct lane *lane, struct payload item)
{
    struct buf *out = &lane->link.out;
    resp_add_count(out, 5);
    resp_add_word(out, BYTES("XADD"));
    resp_add_word(out, BYTES("feed"));
    resp_add_word(out, BYTES("*"));
    resp_add_word(out, BYTES("f"));
    source_add_payload(source, out, item);
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
    static const struct source_verbs verbs = {.add = add_xadd, .uncounted = true};
    static struct readers readers = {.copies = 1};
    if (resp_call((uint16_t)load->options->port, NULL, "XLEN feed") != 0)
        die("tail wants an empty feed");
    load->fanout = load->options->readers;
    readers_open(&readers, load, &verbs, readers_on_resp_bytes);
    readers_start_resp(&readers, on_value, on_reply, ask);
    source_start(&readers.source);
    load_run(load);
}
