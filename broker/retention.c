#include "broker/retention.h"

#include "broker/caretaker_internal.h"

/* Entries that go in one turn: some hundred microseconds of work. */
#define TRIM_PER_TURN 10000

void retention_init(struct retention *retention)
{
    *retention = (struct retention){0};
    weighing_init(&retention->weighing);
}

/* What is being found out for a trim. */
static void reset(struct retention *retention)
{
    if (retention->feed == NULL)
        return;
    if (retention->planned)
        trim_plan_deinit(&retention->plan);
    hold_reset(&retention->hold);
    feed_unref(retention->feed);
    policy_unref(retention->policy);
    retention->planned = false;
    retention->feed = NULL;
    retention->policy = NULL;
}

void retention_deinit(struct retention *retention)
{
    reset(retention);
    weighing_reset(&retention->weighing);
}

static bool is_dropped(const struct feed *feed)
{
    return feed != NULL && feed->dropped;
}

void retention_forget_dropped(struct retention *retention)
{
    if (is_dropped(retention->feed))
        reset(retention);
    if (is_dropped(retention->weighing.feed))
        weighing_reset(&retention->weighing);
}

static void begin(struct retention *retention, struct feed *feed)
{
    struct policy *policy = upkeep_policy(feed_upkeep(feed));
    if (retention->feed == feed && retention->policy == policy)
        return;
    reset(retention);
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
    reset(retention);
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
    struct retention *retention = &looking->caretaker->retention;
    const struct upkeep_row *upkeep = upkeep_row(feed_upkeep(looking->feed));
    const struct policy *policy = upkeep->policy;
    if (policy == NULL)
        return LOOK_DONE;
    if (upkeep->ledger != NULL && !id_is_zero(upkeep->ledger->unweighed))
        return weighing_step(looking, &retention->weighing);
    struct id held = ID_MAX;
    begin(retention, looking->feed);
    enum look look = policy->acked ? hold_find(looking, &retention->hold, &held) : LOOK_DONE;
    if (look != LOOK_DONE)
        return look;
    struct trim by_id = {.kind = TRIM_MINID,
                         .minid = first_to_stay(policy, upkeep->ledger, looking->now_ms)};
    struct trim by_length = {.kind = TRIM_MAXLEN, .maxlen = policy->maxlen};
    if (policy->maxlen > 0 && feed_row(looking->feed)->length > policy->maxlen)
        look = enforce(looking, by_length, held);
    if (look == LOOK_DONE && id_less(feed_row(looking->feed)->first_id, by_id.minid))
        look = enforce(looking, by_id, held);
    if (look == LOOK_DONE)
        reset(retention);
    return look;
}
