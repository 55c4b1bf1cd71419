#include "broker/retention.h"

#include "broker/caretaker_internal.h"

/* Entries that go, or are weighed, in one turn: some hundred microseconds of work. */
#define TRIM_PER_TURN  10000
#define WEIGH_PER_TURN 10000

void retention_init(struct retention *retention)
{
    *retention = (struct retention){0};
    buf_init(&retention->spans);
}

void retention_reset(struct retention *retention)
{
    if (retention->planned)
        trim_plan_deinit(&retention->plan);
    if (retention->weighing)
        feed_cursor_deinit(&retention->cursor);
    hold_reset(&retention->hold);
    if (retention->feed != NULL)
        feed_unref(retention->feed);
    policy_unref(retention->policy);
    buf_deinit(&retention->spans);
    retention_init(retention);
}

static void begin(struct retention *retention, struct feed *feed)
{
    struct policy *policy = upkeep_policy(feed_upkeep(feed));
    if (retention->feed == feed && retention->policy == policy)
        return;
    retention_reset(retention);
    retention->feed = feed;
    retention->policy = policy_ref(policy);
    feed_ref(feed);
}

/* ---- reading ---- */

static enum err take_rows(struct errand *errand, struct broker *broker)
{
    struct retention *retention = &broker->caretaker.retention;
    if (retention->feed != errand->feed || errand->fetch.view != store_view(broker->store))
        return ERR_OK; /* it asks again */
    if (retention->weighing)
        return feed_cursor_take(&retention->cursor, &errand->fetch);
    if (retention->planned && retention->plan.walking)
        return feed_cursor_take(&retention->plan.cursor, &errand->fetch);
    return ERR_OK;
}

static enum look read_rows(const struct looking *looking, struct feed_cursor *cursor)
{
    struct errand *errand = errand_begin(looking->caretaker, looking->feed, take_rows);
    feed_cursor_plan(cursor, &errand->fetch, UINT64_MAX);
    return errand_send(errand, looking->broker);
}

/* ---- weighing ---- */

static struct span *newest_first(struct retention *retention, size_t *count)
{
    *count = retention->spans.len / sizeof(struct span);
    return (struct span *)(void *)retention->spans.data;
}

static void weigh_entry(struct retention *retention, const struct entry *entry, uint64_t span_bytes)
{
    size_t count;
    struct span *spans = newest_first(retention, &count);
    retention->weight += entry->fields.len;
    if (count > 0 && spans[count - 1].bytes < span_bytes) {
        spans[count - 1].bytes += entry->fields.len;
        return;
    }
    struct span span = {entry->id, entry->fields.len};
    buf_add(&retention->spans, &span, sizeof(span));
}

/* Tells the ledger, oldest span first. */
static void tell_weight(const struct looking *looking, struct retention *retention)
{
    size_t count;
    struct span *spans = newest_first(retention, &count);
    struct buf *data = &looking->broker->scratch;
    struct op op = looking_op(looking, OP_WEIGHED);
    data->len = 0;
    for (size_t i = count; i > 0; i--)
        ledger_encode_spans(data, &spans[i - 1], 1);
    op.data = buf_bytes(data);
    (void)keyspace_write(&looking->broker->keyspace, &op);
    retention_reset(retention);
}

static void begin_weighing(const struct looking *looking, struct retention *retention,
                           struct id unweighed)
{
    if (retention->weighing && id_equal(retention->unweighed, unweighed))
        return;
    retention_reset(retention);
    begin(retention, looking->feed);
    feed_cursor_init(&retention->cursor, looking->feed, store_ranges(looking->broker->store),
                     ID_MIN, unweighed, true);
    retention->weighing = true;
    retention->unweighed = unweighed;
}

static enum look weigh(const struct looking *looking, uint64_t maxbytes,
                       const struct ledger *ledger)
{
    struct retention *retention = &looking->caretaker->retention;
    begin_weighing(looking, retention, ledger->unweighed);
    for (unsigned i = 0; i < WEIGH_PER_TURN; i++) {
        struct entry entry;
        enum err err = feed_cursor_next(&retention->cursor, &entry);
        if (err == ERR_COLD)
            return read_rows(looking, &retention->cursor);
        if (err != ERR_OK && err != ERR_END)
            return caretaker_failed(looking->caretaker, err);
        /* An entry behind the limit: it and all that is older goes. */
        bool enough = retention->weight > maxbytes;
        if (err == ERR_OK)
            weigh_entry(retention, &entry, enough ? 0 : ledger->span_bytes);
        if (err == ERR_END || enough) {
            tell_weight(looking, retention);
            return LOOK_MORE;
        }
    }
    feed_cursor_pause(&retention->cursor);
    return LOOK_MORE;
}

/* ---- trimming ---- */

static void trim(const struct looking *looking, struct id first, uint64_t removed)
{
    struct op op = looking_op(looking, OP_TRIM);
    op.id = first;
    op.number = removed;
    (void)keyspace_write(&looking->broker->keyspace, &op);
    keyspace_event_of(looking->broker, EVENT_STREAM, "xtrim", looking->db, looking->key);
}

/* The plan is void where it would remove what groups hold: then as much as they let go. */
static enum err step_plan(const struct looking *looking, struct trim_plan *plan, struct id held)
{
    enum err err = trim_plan_step(plan);
    if (err != ERR_OK || plan->removed == 0 || !id_less(held, plan->first))
        return err;
    struct trim less = plan->trim;
    less.kind = TRIM_MINID;
    less.minid = held;
    trim_plan_deinit(plan);
    trim_plan_init(plan, looking->feed, store_ranges(looking->broker->store), &less);
    return trim_plan_step(plan);
}

/* One plan, begun or gone on with. *removed: how many it took away. */
static enum look run_plan(const struct looking *looking, const struct trim *wanted, struct id held,
                          uint64_t *removed)
{
    struct retention *retention = &looking->caretaker->retention;
    if (retention->weighing)
        retention_reset(retention);
    begin(retention, looking->feed);
    if (!retention->planned)
        trim_plan_init(&retention->plan, looking->feed, store_ranges(looking->broker->store),
                       wanted);
    retention->planned = true;
    enum err err = step_plan(looking, &retention->plan, held);
    if (err == ERR_COLD)
        return read_rows(looking, &retention->plan.cursor);
    *removed = retention->plan.removed;
    if (err == ERR_OK && *removed > 0)
        trim(looking, retention->plan.first, *removed);
    retention_reset(retention);
    return err == ERR_OK ? LOOK_DONE : caretaker_failed(looking->caretaker, err);
}

/* Whole chunks as long as there are any to remove, then the rest. */
static enum look enforce(const struct looking *looking, struct trim wanted, struct id held)
{
    uint64_t removed = 0;
    wanted.approximate = true;
    wanted.limit = TRIM_PER_TURN;
    enum look look = run_plan(looking, &wanted, held, &removed);
    if (look == LOOK_DONE && removed == 0) {
        wanted.approximate = false;
        wanted.limit = 0;
        look = run_plan(looking, &wanted, held, &removed);
    } else if (look == LOOK_DONE) {
        look = LOOK_MORE;
    }
    return look;
}

/* The first id that age and bytes let stay. */
static struct id first_to_stay(const struct policy *policy, const struct ledger *ledger,
                               uint64_t now_ms)
{
    struct id first = ID_MIN;
    if (policy->maxage_ms > 0 && now_ms > policy->maxage_ms)
        first.ms = now_ms - policy->maxage_ms + 1;
    if (ledger != NULL)
        first = id_max(first, ledger_first(ledger, policy->maxbytes));
    return first;
}

enum look retention_step(const struct looking *looking)
{
    const struct upkeep_row *upkeep = upkeep_row(feed_upkeep(looking->feed));
    const struct policy *policy = upkeep->policy;
    if (policy == NULL)
        return LOOK_DONE;
    if (upkeep->ledger != NULL && !id_is_zero(upkeep->ledger->unweighed))
        return weigh(looking, policy->maxbytes, upkeep->ledger);
    struct id held = ID_MAX;
    enum look look =
        policy->acked ? hold_find(looking, &looking->caretaker->retention.hold, &held) : LOOK_DONE;
    if (look != LOOK_DONE)
        return look;
    struct trim by_id = {.kind = TRIM_MINID,
                         .minid = first_to_stay(policy, upkeep->ledger, looking->now_ms)};
    struct trim by_length = {.kind = TRIM_MAXLEN, .maxlen = policy->maxlen};
    if (policy->maxlen > 0 && feed_row(looking->feed)->length > policy->maxlen)
        look = enforce(looking, by_length, held);
    if (look == LOOK_DONE && id_less(feed_row(looking->feed)->first_id, by_id.minid))
        look = enforce(looking, by_id, held);
    return look;
}
