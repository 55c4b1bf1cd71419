#include "bench/readers.h"

#include <inttypes.h>

#include "base/alloc.h"
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
    struct payload payload;
    if (text.len != load->options->payload || !payload_read(text, &payload))
        die("%s: what came is not what was sent", load->workload);
    if (payload.number < reader->next ||
        (load->options->keys == 1 && payload.number > reader->next))
        die("%s: number %" PRIu64 " came to reader %u, where %" PRIu64 " was due", load->workload,
            payload.number, reader->index, reader->next);
    reader->next = payload.number + 1;
    load->arrived++;
    load_count(load, payload.start_us);
}
