#include "broker/weighing.h"

#include "broker/caretaker_internal.h"

/* Some hundred microseconds of work. */
#define WEIGH_PER_TURN 10000

void weighing_init(struct weighing *weighing)
{
    *weighing = (struct weighing){0};
    buf_init(&weighing->spans);
}

void weighing_reset(struct weighing *weighing)
{
    if (weighing->feed == NULL)
        return;
    feed_cursor_deinit(&weighing->cursor);
    feed_unref(weighing->feed);
    policy_unref(weighing->policy);
    buf_deinit(&weighing->spans);
    weighing_init(weighing);
}

static void begin(const struct looking *looking, struct weighing *weighing)
{
    const struct upkeep_row *upkeep = upkeep_row(feed_upkeep(looking->feed));
    struct id unweighed = upkeep->ledger->unweighed;
    if (weighing->feed == looking->feed && weighing->policy == upkeep->policy &&
        id_equal(weighing->unweighed, unweighed))
        return;
    weighing_reset(weighing);
    weighing->feed = looking->feed;
    feed_ref(looking->feed);
    weighing->policy = policy_ref(upkeep->policy);
    weighing->unweighed = unweighed;
    feed_cursor_init(&weighing->cursor, looking->feed, store_ranges(looking->broker->store), ID_MIN,
                     unweighed, true);
}

static enum err take_rows(struct errand *errand, struct broker *broker)
{
    struct weighing *weighing = &broker->caretaker.retention.weighing;
    if (weighing->feed != errand->feed || errand->fetch.view != store_view(broker->store))
        return ERR_OK; /* it asks again */
    return feed_cursor_take(&weighing->cursor, &errand->fetch);
}

static enum look read_rows(const struct looking *looking, struct weighing *weighing)
{
    struct errand *errand = errand_begin(looking->caretaker, looking->feed, take_rows);
    feed_cursor_plan(&weighing->cursor, &errand->fetch, UINT64_MAX);
    return errand_send(errand, looking->broker);
}

static struct span *newest_first(struct weighing *weighing, size_t *count)
{
    *count = weighing->spans.len / sizeof(struct span);
    return (struct span *)(void *)weighing->spans.data;
}

static void weigh_entry(struct weighing *weighing, const struct entry *entry, uint64_t span_bytes)
{
    size_t count;
    struct span *spans = newest_first(weighing, &count);
    weighing->weight += entry->fields.len;
    if (count > 0 && spans[count - 1].bytes < span_bytes) {
        spans[count - 1].bytes += entry->fields.len;
        return;
    }
    struct span span = {entry->id, entry->fields.len};
    buf_add(&weighing->spans, &span, sizeof(span));
}

/* Tells the ledger, oldest span first. */
static void tell_weight(const struct looking *looking, struct weighing *weighing)
{
    size_t count;
    struct span *spans = newest_first(weighing, &count);
    struct buf *data = &looking->broker->scratch;
    struct op op = looking_op(looking, OP_WEIGHED);
    data->len = 0;
    for (size_t i = count; i > 0; i--)
        ledger_encode_spans(data, &spans[i - 1], 1);
    op.data = buf_bytes(data);
    (void)keyspace_write(&looking->broker->keyspace, &op);
    weighing_reset(weighing);
}

enum look weighing_step(const struct looking *looking, struct weighing *weighing)
{
    const struct upkeep_row *upkeep = upkeep_row(feed_upkeep(looking->feed));
    uint64_t span_bytes = upkeep->ledger->span_bytes;
    begin(looking, weighing);
    for (unsigned i = 0; i < WEIGH_PER_TURN; i++) {
        struct entry entry;
        enum err err = feed_cursor_next(&weighing->cursor, &entry);
        if (err == ERR_COLD)
            return read_rows(looking, weighing);
        if (err != ERR_OK && err != ERR_END)
            return caretaker_failed(looking->caretaker, err);
        /* An entry behind the limit: it and all that is older goes. */
        bool enough = weighing->weight > upkeep->policy->maxbytes;
        if (err == ERR_OK)
            weigh_entry(weighing, &entry, enough ? 0 : span_bytes);
        if (err == ERR_END || enough) {
            tell_weight(looking, weighing);
            return LOOK_MORE;
        }
    }
    feed_cursor_pause(&weighing->cursor);
    return LOOK_MORE;
}
