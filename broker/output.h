/* output: bytes on their way to a client, some of which have to wait.
 *
 *            head (does not move)         tail (written to)
 *     +---------+----------------+  +--------+--------+-----------+
 *     |  sent   |    unsent      |  |  sent  | unsent | gate: LSN |
 *     +---------+----------------+  +--------+--------+-----------+
 *
 * New bytes go to the tail. When the socket takes no more, the tail becomes the head, which
 * stays where it is until it is sent, so that the system may read from it meanwhile; the tail
 * goes on in another buffer. So megabytes are never moved but by the tail's own growth.
 *
 * A gate is a position and an LSN: what lies behind the position leaves when that record is
 * durable. Positions count the bytes ever written, so moving bytes does not change them.
 *
 * Invariants
 *   1. Gates ascend in position and LSN, both strictly.
 *   2. While the head holds unsent bytes nothing of the tail is sent. */
#ifndef WEIR_BROKER_OUTPUT_H
#define WEIR_BROKER_OUTPUT_H

#include "base/buf.h"

/* One record is with the committer, one is open: two LSNs are not durable. With more, the last
 * gate takes them all, which holds bytes back for longer than needed, never shorter. */
#define OUTPUT_GATES_MAX 4

struct output_gate {
    uint64_t at;
    uint64_t lsn;
};

struct output {
    struct buf head;
    size_t head_sent;
    struct buf tail;
    size_t tail_sent;
    uint64_t tail_at; /* position of tail.data[0] */
    struct output_gate gates[OUTPUT_GATES_MAX];
    unsigned gate_count;
};

void output_init(struct output *output);
void output_deinit(struct output *output);

/* What is written behind the first `tail_len` bytes of the tail waits for `lsn`. Gates up to
 * `durable` are forgotten. */
void output_gate(struct output *output, size_t tail_len, uint64_t lsn, uint64_t durable);

/* Takes back what is behind the first `tail_len` bytes of the tail, gates included. Bytes before
 * them wait no shorter. */
void output_rewind(struct output *output, size_t tail_len);

/* Unsent bytes. */
static inline size_t output_size(const struct output *output)
{
    return output->head.len - output->head_sent + output->tail.len - output->tail_sent;
}

/* Those that may be sent with records up to `durable` durable. */
size_t output_ready(const struct output *output, uint64_t durable);

/* The first `max` unsent bytes in at most two spans; returns how many. Valid until the next
 * change. */
unsigned output_spans(const struct output *output, size_t max, struct bytes spans[2]);

/* The first `max` unsent bytes, or as many of them as lie in one block. They stay where they are
 * until output_sent has counted them. */
struct bytes output_pin(struct output *output, size_t max);

/* The first `size` unsent bytes are sent; records up to `durable` are durable. */
void output_sent(struct output *output, size_t size, uint64_t durable);

/* Gives back the memory of empty blocks. */
void output_shrink(struct output *output);

#endif
