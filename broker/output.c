#include "broker/output.h"

#include "base/check.h"

/* Empty blocks keep this much: the replies of a usual pipeline. */
#define KEEP_BYTES ((size_t)16 * 1024)

/* A tail that never runs empty gives up what is sent of it from here on, when that is half of it:
 * each byte is moved once for each that was sent. */
#define MOVE_BYTES_MIN ((size_t)4096)

void output_init(struct output *output)
{
    *output = (struct output){0};
    buf_init(&output->head);
    buf_init(&output->tail);
}

void output_deinit(struct output *output)
{
    buf_deinit(&output->head);
    buf_deinit(&output->tail);
}

static size_t head_left(const struct output *output)
{
    return output->head.len - output->head_sent;
}

/* Position of the first unsent byte. */
static uint64_t unsent_at(const struct output *output)
{
    return output->tail_at + output->tail_sent - head_left(output);
}

/* Records up to `durable` hold nothing back any more. */
static void drop_open_gates(struct output *output, uint64_t durable)
{
    unsigned open = 0;

    while (open < output->gate_count && output->gates[open].lsn <= durable)
        open++;
    output->gate_count -= open;
    memmove(output->gates, output->gates + open, output->gate_count * sizeof(output->gates[0]));
}

void output_gate(struct output *output, size_t tail_len, uint64_t lsn, uint64_t durable)
{
    struct output_gate gate = {output->tail_at + tail_len, lsn};
    struct output_gate *last;

    drop_open_gates(output, durable);
    if (output->gate_count > 0) {
        last = &output->gates[output->gate_count - 1];
        if (last->lsn >= lsn)
            return;
        if (last->at >= gate.at || output->gate_count == OUTPUT_GATES_MAX) {
            last->lsn = lsn;
            return;
        }
    }
    output->gates[output->gate_count++] = gate;
}

void output_rewind(struct output *output, size_t tail_len)
{
    uint64_t at = output->tail_at + tail_len;

    CHECK(tail_len <= output->tail.len);
    output->tail.len = tail_len;
    while (output->gate_count > 0 && output->gates[output->gate_count - 1].at >= at)
        output->gate_count--;
}

size_t output_ready(const struct output *output, uint64_t durable)
{
    for (unsigned i = 0; i < output->gate_count; i++) {
        if (output->gates[i].lsn > durable)
            return (size_t)(output->gates[i].at - unsent_at(output));
    }
    return output_size(output);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

unsigned output_spans(const struct output *output, size_t max, struct bytes spans[2])
{
    size_t from_head = min_size(max, head_left(output));
    size_t from_tail = min_size(max - from_head, output->tail.len - output->tail_sent);
    unsigned count = 0;

    if (from_head > 0)
        spans[count++] = bytes_of(output->head.data + output->head_sent, from_head);
    if (from_tail > 0)
        spans[count++] = bytes_of(output->tail.data + output->tail_sent, from_tail);
    return count;
}

struct bytes output_pin(struct output *output, size_t max)
{
    struct buf empty = output->head;

    if (head_left(output) == 0) {
        output->tail_at += output->tail.len;
        output->head = output->tail;
        output->head_sent = output->tail_sent;
        output->tail = empty;
        output->tail.len = 0;
        output->tail_sent = 0;
    }
    return bytes_of(output->head.data + output->head_sent, min_size(max, head_left(output)));
}

static void tail_sent(struct output *output, size_t size)
{
    output->tail_sent += size;
    CHECK(output->tail_sent <= output->tail.len);
    if (output->tail_sent == output->tail.len) {
        output->tail_at += output->tail.len;
        output->tail_sent = 0;
        buf_reset(&output->tail, KEEP_BYTES);
    } else if (output->tail_sent >= MOVE_BYTES_MIN &&
               output->tail_sent >= output->tail.len - output->tail_sent) {
        output->tail_at += output->tail_sent;
        buf_consume(&output->tail, output->tail_sent);
        output->tail_sent = 0;
    }
}

void output_sent(struct output *output, size_t size, uint64_t durable)
{
    size_t from_head = min_size(size, head_left(output));

    drop_open_gates(output, durable);
    output->head_sent += from_head;
    if (head_left(output) > 0)
        return;
    output->head_sent = 0;
    buf_reset(&output->head, KEEP_BYTES);
    tail_sent(output, size - from_head);
}

void output_shrink(struct output *output)
{
    if (output->head.len == 0)
        buf_deinit(&output->head);
    if (output->tail.len == 0)
        buf_deinit(&output->tail);
}
