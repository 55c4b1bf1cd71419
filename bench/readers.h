/* readers: connections to which the entries or messages of one source come, each in its order.
 *
 * A workload embeds `struct readers`, which has the source that writes. What a reader takes counts
 * as an arrival and is checked: it is a payload of ours, and the one that is due. */
#ifndef WEIR_BENCH_READERS_H
#define WEIR_BENCH_READERS_H

#include "bench/source.h"

struct readers;

struct reader {
    struct link link;
    struct readers *readers;
    unsigned index;
    uint64_t taken;
    uint64_t next; /* least number that may come */
    struct resp resp;
    struct nats nats;
    char last_id[48]; /* of XREAD; "" when none came */
};

struct readers {
    struct source source;
    struct reader *all;
    uint64_t ready;
    uint64_t copies; /* how often each reader gets each number; 0: some numbers, each once */
};

/* Opens both the source and --readers connections. */
void readers_open(struct readers *readers, struct load *load, const struct source_verbs *verbs,
                  void (*on_bytes)(struct link *link, struct bytes bytes));
void reader_take(struct reader *reader, struct bytes payload);

/* Over RESP: on_bytes is readers_on_resp_bytes, and each reader begins with `ask`. */
void readers_start_resp(struct readers *readers,
                        void (*on_value)(struct resp *, const struct resp_value *),
                        void (*on_reply)(struct resp *), void (*ask)(struct reader *));
void readers_on_resp_bytes(struct link *link, struct bytes bytes);
/* Whose value it is. Dies of an error reply. */
struct reader *reader_of(struct resp *resp, const struct resp_value *value);

#endif
