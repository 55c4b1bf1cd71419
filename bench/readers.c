#include "bench/readers.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/check.h"
#include "bench/die.h"

void readers_open(struct readers *readers, struct load *load, const struct source_verbs *verbs,
                  void (*on_bytes)(struct link *link, struct bytes bytes))
{
    const struct options *options = load->options;
    if (options->connections != 1)
        die("%s wants --connections 1: one writer has one order", load->workload);
    source_open(&readers->source, load, verbs);
    readers->all = mem_zalloc(options->readers * sizeof(readers->all[0]));
    for (unsigned i = 0; i < options->readers; i++) {
        struct reader *reader = &readers->all[i];
        reader->readers = readers;
        reader->index = i;
        link_open(&reader->link, &load->loop, (uint16_t)options->port, on_bytes);
    }
}

void reader_take(struct reader *reader, struct bytes text)
{
    struct load *load = reader->readers->source.load;
    uint64_t copies = reader->readers->copies;
    uint64_t due = copies == 0 ? reader->next : reader->taken / copies;
    struct payload payload;
    if (text.len != load->options->payload || !payload_read(text, &payload))
        die("%s: what came is not what was sent", load->workload);
    if (payload.number < due || (copies > 0 && payload.number > due))
        die("%s: number %" PRIu64 " came to reader %u, where %" PRIu64 " was due", load->workload,
            payload.number, reader->index, due);
    reader->next = payload.number + 1;
    reader->taken++;
    load->arrived++;
    if (reader->readers->source.verbs->uncounted)
        load_count(load, payload.start_us);
}

/* ---- over RESP ---- */

void readers_start_resp(struct readers *readers,
                        void (*on_value)(struct resp *, const struct resp_value *),
                        void (*on_reply)(struct resp *), void (*ask)(struct reader *))
{
    for (unsigned i = 0; i < readers->source.load->options->readers; i++) {
        resp_init(&readers->all[i].resp, on_value, on_reply);
        ask(&readers->all[i]);
    }
}

void readers_on_resp_bytes(struct link *link, struct bytes bytes)
{
    struct reader *reader = container_of(link, struct reader, link);
    resp_feed(&reader->resp, bytes);
    source_resume(&reader->readers->source);
}

struct reader *reader_of(struct resp *resp, const struct resp_value *value)
{
    if (value->type == RESP_ERROR)
        die("%.*s", (int)value->text.len, value->text.data);
    return container_of(resp, struct reader, resp);
}
