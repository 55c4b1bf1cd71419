#include "storage/ledger.h"

#include "base/alloc.h"

struct ledger *ledger_create(uint64_t max, struct id unweighed)
{
    struct ledger *ledger = mem_zalloc(sizeof(*ledger));
    ledger->span_bytes = max / LEDGER_SPANS + 1;
    ledger->unweighed = unweighed;
    return ledger;
}

struct ledger *ledger_copy(const struct ledger *ledger)
{
    struct ledger *copy = mem_copy(ledger, sizeof(*ledger));
    copy->spans = NULL;
    copy->cap = copy->count;
    if (copy->count > 0)
        copy->spans = mem_copy(ledger->spans, copy->count * sizeof(*copy->spans));
    return copy;
}

void ledger_destroy(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    mem_free(ledger->spans);
    mem_free(ledger);
}

/* Makes half as many of too many spans, each of two. */
static void merge_spans(struct ledger *ledger)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ledger->count; i++, count++) {
        struct span span = ledger->spans[i];
        if (i + 1 < ledger->count) {
            span.bytes += ledger->spans[i + 1].bytes;
            span.last = ledger->spans[++i].last;
        }
        ledger->spans[count] = span;
    }
    ledger->count = count;
}

static void push_span(struct ledger *ledger, struct span span)
{
    if (ledger->count == 2 * LEDGER_SPANS)
        merge_spans(ledger);
    if (ledger->count == ledger->cap) {
        ledger->cap = ledger->cap == 0 ? 4 : ledger->cap * 2;
        ledger->spans = mem_realloc(ledger->spans, ledger->cap * sizeof(*ledger->spans));
    }
    ledger->spans[ledger->count++] = span;
    ledger->total += span.bytes;
}

void ledger_add(struct ledger *ledger, struct id id, uint64_t bytes)
{
    struct span *newest = ledger->count > 0 ? &ledger->spans[ledger->count - 1] : NULL;
    if (newest == NULL || newest->bytes >= ledger->span_bytes) {
        push_span(ledger, (struct span){id, bytes});
        return;
    }
    newest->last = id;
    newest->bytes += bytes;
    ledger->total += bytes;
}

void ledger_forget(struct ledger *ledger, struct id first)
{
    uint32_t gone = 0;
    for (; gone < ledger->count && id_less(ledger->spans[gone].last, first); gone++)
        ledger->total -= ledger->spans[gone].bytes;
    if (gone == 0)
        return;
    ledger->count -= gone;
    memmove(ledger->spans, ledger->spans + gone, ledger->count * sizeof(*ledger->spans));
}

static enum err take_span(struct decoder *decoder, struct ledger *ledger)
{
    struct span span = {.last.ms = decoder_varint(decoder)};
    span.last.seq = decoder_varint(decoder);
    span.bytes = decoder_varint(decoder);
    bool ascends = ledger->count == 0 || id_less(ledger->spans[ledger->count - 1].last, span.last);
    if (decoder->failed || !ascends || span.bytes > UINT64_MAX / 2 - ledger->total)
        return ERR_CORRUPT;
    push_span(ledger, span);
    return ERR_OK;
}

enum err ledger_weighed(struct ledger *ledger, struct bytes spans)
{
    struct ledger whole = {.span_bytes = ledger->span_bytes};
    struct decoder decoder = decoder_of(spans);
    enum err err = ERR_OK;
    while (err == ERR_OK && decoder_left(&decoder) > 0)
        err = take_span(&decoder, &whole);
    if (err == ERR_OK && whole.count > 0 && ledger->count > 0 &&
        !id_less(whole.spans[whole.count - 1].last, ledger->spans[0].last))
        err = ERR_CORRUPT;
    if (err != ERR_OK) {
        mem_free(whole.spans);
        return err;
    }
    for (uint32_t i = 0; i < ledger->count; i++)
        push_span(&whole, ledger->spans[i]);
    mem_free(ledger->spans);
    *ledger = whole;
    return ERR_OK;
}

struct id ledger_first(const struct ledger *ledger, uint64_t max)
{
    uint64_t left = ledger->total;
    struct id first = ID_MIN;
    for (uint32_t i = 0; i + 1 < ledger->count && left > max; i++) {
        left -= ledger->spans[i].bytes;
        first = ledger->spans[i].last;
    }
    if (!id_is_zero(first))
        (void)id_next(&first);
    return first;
}

void ledger_encode_spans(struct buf *out, const struct span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_put_varint(out, spans[i].last.ms);
        buf_put_varint(out, spans[i].last.seq);
        buf_put_varint(out, spans[i].bytes);
    }
}

void ledger_encode(struct buf *out, const struct ledger *ledger)
{
    buf_put_varint(out, ledger->span_bytes);
    buf_put_varint(out, ledger->unweighed.ms);
    buf_put_varint(out, ledger->unweighed.seq);
    ledger_encode_spans(out, ledger->spans, ledger->count);
}

enum err ledger_decode(struct bytes bytes, struct ledger **out)
{
    struct decoder decoder = decoder_of(bytes);
    struct ledger *ledger = ledger_create(0, ID_MIN);
    ledger->span_bytes = decoder_varint(&decoder);
    ledger->unweighed.ms = decoder_varint(&decoder);
    ledger->unweighed.seq = decoder_varint(&decoder);
    enum err err = decoder.failed || ledger->span_bytes == 0 ? ERR_CORRUPT : ERR_OK;
    while (err == ERR_OK && decoder_left(&decoder) > 0)
        err = take_span(&decoder, ledger);
    if (err == ERR_OK)
        *out = ledger;
    else
        ledger_destroy(ledger);
    return err;
}
