/* readers: connections to which the entries or messages of one source come, each in its order.
 *
 * A workload embeds `struct readers`, which has the source that writes. What a reader takes counts
 * as an arrival and is checked: it is a payload of ours, later than the one before it, and with one
 * feed or room the next one. */
#ifndef WEIR_BENCH_READERS_H
#define WEIR_BENCH_READERS_H

#include "bench/source.h"

struct readers;

struct reader {
    struct link link;
    struct readers *readers;
    unsigned index;
    uint64_t next; /* least number that may come */
    struct resp resp;
    struct nats nats;
    char last_id[48]; /* of XREAD; "" when none came */
};

struct readers {
    struct source source;
    struct reader *all;
    uint64_t ready;
};

/* Opens both the source and --readers connections. */
void readers_open(struct readers *readers, struct load *load, const struct source_verbs *verbs,
                  void (*on_bytes)(struct link *link, struct bytes bytes));
void reader_take(struct reader *reader, struct bytes payload);

#endif
