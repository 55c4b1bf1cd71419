#include "broker/caretaker.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/caretaker_internal.h"
#include "broker/expiry.h"

/* The piece of work of one turn: about as long as one read's commands take. */
#define FEEDS_PER_TURN   64
#define ENTRIES_PER_TURN 512
#define BYTES_PER_TURN   ((size_t)1 << 20)
#define GROUPS_PER_TURN  256

/* After a read that failed. */
#define RETRY_US 1000000

/* Sleeps no longer, in case the system's clock is set meanwhile. */
#define SLEEP_MS_MAX 60000

/* What groups hold is looked at again. */
#define HOLD_MS 1000

/* A feed whose last id is the greatest there is takes no entry: it is looked at again. */
#define FULL_RETRY_MS 60000

void caretaker_init(struct caretaker *caretaker, struct broker *broker)
{
    *caretaker = (struct caretaker){.broker = broker};
    buf_init(&caretaker->key);
    retention_init(&caretaker->retention);
}

void caretaker_deinit(struct caretaker *caretaker)
{
    if (caretaker->errand != NULL)
        caretaker->errand->caretaker = NULL;
    buf_deinit(&caretaker->key);
    retention_deinit(&caretaker->retention);
}

/* ---- errands ---- */

static void errand_destroy(struct errand *errand)
{
    if (errand->feed != NULL)
        feed_unref(errand->feed);
    fetch_deinit(&errand->fetch);
    buf_deinit(&errand->key);
    mem_free(errand);
}

enum look caretaker_failed(struct caretaker *caretaker, enum err err)
{
    caretaker->retry_us = clock_mono_us() + RETRY_US;
    LOG(LOG_WARNING, "upkeep waits", "error=\"%s\"", err_text(err));
    return LOOK_FAILED;
}

static void on_errand_done(void *context)
{
    struct errand *errand = context;
    struct caretaker *caretaker = errand->caretaker;
    if (caretaker != NULL) {
        caretaker->errand = NULL;
        enum err err = errand->take(errand, caretaker->broker);
        if (err != ERR_OK && err != ERR_COLD)
            (void)caretaker_failed(caretaker, err);
    }
    errand_destroy(errand);
}

struct errand *errand_begin(struct caretaker *caretaker, struct feed *feed,
                            enum err (*take)(struct errand *errand, struct broker *broker))
{
    struct errand *errand = mem_zalloc(sizeof(*errand));
    errand->caretaker = caretaker;
    errand->take = take;
    errand->feed = feed;
    if (feed != NULL)
        feed_ref(feed);
    fetch_init(&errand->fetch);
    buf_init(&errand->key);
    caretaker->errand = errand;
    return errand;
}

enum look errand_send(struct errand *errand, struct broker *broker)
{
    access_read_for(broker, &errand->fetch, on_errand_done, errand);
    return LOOK_WAIT;
}

static enum err take_alarms(struct errand *errand, struct broker *broker)
{
    if (errand->fetch.view != store_view(broker->store))
        return ERR_COLD;
    return schedule_take(store_alarms(broker->store), &errand->fetch);
}

static void read_alarms(struct caretaker *caretaker)
{
    struct store *store = caretaker->broker->store;
    struct errand *errand = errand_begin(caretaker, NULL, take_alarms);
    schedule_plan(store_alarms(store), store_ranges(store), &errand->fetch);
    (void)errand_send(errand, caretaker->broker);
}

static enum err take_object(struct errand *errand, struct broker *broker)
{
    return keyspace_take(&broker->keyspace, errand->db, buf_bytes(&errand->key), &errand->fetch);
}

static enum look read_object(const struct looking *looking)
{
    struct errand *errand = errand_begin(looking->caretaker, NULL, take_object);
    errand->db = looking->db;
    buf_add_bytes(&errand->key, looking->key);
    keyspace_plan(&looking->broker->keyspace, looking->db, looking->key, &errand->fetch);
    return errand_send(errand, looking->broker);
}

static enum err take_delayed(struct errand *errand, struct broker *broker)
{
    if (errand->fetch.view != store_view(broker->store))
        return ERR_COLD;
    return schedule_take(upkeep_delayed(feed_upkeep(errand->feed)), &errand->fetch);
}

static enum look read_delayed(const struct looking *looking)
{
    struct errand *errand = errand_begin(looking->caretaker, looking->feed, take_delayed);
    schedule_plan(upkeep_delayed(feed_upkeep(errand->feed)), store_ranges(looking->broker->store),
                  &errand->fetch);
    return errand_send(errand, looking->broker);
}

/* ---- looking at a feed ---- */

struct op looking_op(const struct looking *looking, enum op_kind kind)
{
    return (struct op){
        .kind = kind, .db = looking->db, .key = looking->key, .object = looking->object};
}

/* Appends a delayed entry; false: the feed's ids are used up. */
static bool append_due(const struct looking *looking, const struct scheduled *row)
{
    struct op op = looking_op(looking, OP_DUE);
    struct id last = feed_row(looking->feed)->last_id;
    op.id = (struct id){looking->now_ms, 0};
    if (op.id.ms <= last.ms) {
        op.id = last;
        if (!id_next(&op.id))
            return false;
    }
    op.id2 = row->id;
    op.data = scheduled_data(row);
    (void)keyspace_write(&looking->broker->keyspace, &op);
    keyspace_event_of(looking->broker, EVENT_STREAM, "xadd", looking->db, looking->key);
    return true;
}

static void be_quiet(const struct looking *looking, uint64_t until_ms)
{
    struct op op = looking_op(looking, OP_QUIET);
    op.number = until_ms;
    if (upkeep_row(feed_upkeep(looking->feed))->quiet_ms != until_ms)
        (void)keyspace_write(&looking->broker->keyspace, &op);
}

/* Appends what is due, as far as this turn's work allows. */
static enum look serve_delayed(const struct looking *looking)
{
    struct caretaker *caretaker = looking->caretaker;
    const struct upkeep_row *upkeep = upkeep_row(feed_upkeep(looking->feed));
    if (upkeep->quiet_ms == 0 || upkeep->quiet_ms > looking->now_ms)
        return LOOK_DONE;
    for (;;) {
        const struct scheduled *row;
        enum err err = schedule_first(upkeep->schedule, &row);
        if (err == ERR_COLD)
            return read_delayed(looking);
        if (err == ERR_END || row->id.ms > looking->now_ms) {
            be_quiet(looking, err == ERR_END ? 0 : row->id.ms);
            return LOOK_DONE;
        }
        if (caretaker->entries_left == 0 || caretaker->bytes_left == 0)
            return LOOK_MORE;
        size_t size = row->len;
        if (!append_due(looking, row)) {
            be_quiet(looking, looking->now_ms + FULL_RETRY_MS);
            return LOOK_DONE;
        }
        caretaker->entries_left--;
        caretaker->bytes_left -= size < caretaker->bytes_left ? size : caretaker->bytes_left;
    }
}

/* The alarm of a feed that was flushed while it was on disk only: nobody else knows of it. */
static enum look forget_alarm(const struct looking *looking)
{
    struct store *store = looking->broker->store;
    store_grew(store, schedule_remove(store_alarms(store), store_side(store), looking->alarm));
    return LOOK_DONE;
}

static bool find_database(struct looking *looking, uint32_t space)
{
    const struct catalog *catalog = store_catalog(looking->broker->store);
    for (uint32_t db = 0; db < catalog->count; db++) {
        if (catalog->databases[db].space == space) {
            looking->db = db;
            return true;
        }
    }
    return false;
}

static bool is_about(const struct looking *looking)
{
    const struct feed *feed = looking->feed;
    return feed != NULL && feed->home.feed == looking->alarm.seq && feed_upkeep(feed) != NULL &&
           upkeep_row(feed_upkeep(feed))->alarm_ms == looking->alarm.ms;
}

/* All was done, and still the alarm is on: groups hold what the policy would remove. */
static void hold_back(const struct looking *looking)
{
    const struct upkeep_row *row = upkeep_row(feed_upkeep(looking->feed));
    if (row->alarm_ms == 0 || row->alarm_ms > looking->now_ms)
        return;
    struct op op = looking_op(looking, OP_HOLD);
    op.number = looking->now_ms + HOLD_MS;
    (void)keyspace_write(&looking->broker->keyspace, &op);
}

static enum look look_at(struct caretaker *caretaker, const struct scheduled *row, uint64_t now_ms)
{
    struct alarm alarm;
    struct looking looking = {
        .caretaker = caretaker, .broker = caretaker->broker, .now_ms = now_ms, .alarm = row->id};
    if (alarm_decode(scheduled_data(row), &alarm) != ERR_OK)
        return forget_alarm(&looking);
    caretaker->key.len = 0;
    buf_add_bytes(&caretaker->key, alarm.key);
    looking.key = buf_bytes(&caretaker->key);
    if (!find_database(&looking, alarm.space))
        return forget_alarm(&looking);
    enum err err =
        keyspace_find(&looking.broker->keyspace, looking.db, looking.key, &looking.object);
    if (err == ERR_COLD)
        return read_object(&looking);
    if (err != ERR_OK)
        return caretaker_failed(caretaker, err);
    if (keyspace_expired(looking.object, now_ms)) {
        (void)expiry_drop(looking.broker, looking.db, looking.key, looking.object);
        return LOOK_DONE;
    }
    looking.feed = object_feed(looking.object);
    if (!is_about(&looking))
        return forget_alarm(&looking);
    unsigned entries = caretaker->entries_left;
    enum look look = serve_delayed(&looking);
    if (caretaker->entries_left != entries)
        blocking_signal(looking.broker, looking.db, looking.key);
    if (look == LOOK_DONE)
        look = retention_step(&looking);
    if (look == LOOK_DONE)
        hold_back(&looking);
    return look;
}

/* Something else must happen before it can go on. */
static bool is_held_up(const struct caretaker *caretaker)
{
    const struct broker *broker = caretaker->broker;
    return caretaker->errand != NULL || broker->stopping || broker_failed(broker) ||
           broker_stalled(broker) || broker_paused(broker, true);
}

/* True: there is more to do. */
static bool work_some(struct caretaker *caretaker)
{
    uint64_t now_ms = broker_now_ms(caretaker->broker);
    for (unsigned feeds = 0; feeds < FEEDS_PER_TURN; feeds++) {
        const struct scheduled *row;
        enum err err = schedule_first(store_alarms(caretaker->broker->store), &row);
        if (err == ERR_COLD)
            read_alarms(caretaker);
        if (err != ERR_OK || row->id.ms > now_ms || broker_stalled(caretaker->broker))
            return false;
        enum look look = look_at(caretaker, row, now_ms);
        if (look != LOOK_DONE)
            return look == LOOK_MORE;
    }
    return true;
}

bool caretaker_work(struct caretaker *caretaker)
{
    retention_forget_dropped(&caretaker->retention);
    if (is_held_up(caretaker) || clock_mono_us() < caretaker->retry_us)
        return false;
    caretaker->retry_us = 0;
    caretaker->entries_left = ENTRIES_PER_TURN;
    caretaker->bytes_left = BYTES_PER_TURN;
    caretaker->groups_left = GROUPS_PER_TURN;
    bool more = work_some(caretaker);
    blocking_serve(caretaker->broker);
    return more;
}

uint64_t caretaker_deadline(struct caretaker *caretaker)
{
    const struct scheduled *row;
    if (is_held_up(caretaker))
        return 0;
    if (caretaker->retry_us != 0)
        return caretaker->retry_us;
    if (schedule_first(store_alarms(caretaker->broker->store), &row) != ERR_OK)
        return 0;
    uint64_t now_ms = clock_wall_ms();
    uint64_t left_ms = row->id.ms > now_ms ? row->id.ms - now_ms : 0;
    return clock_mono_us() + (left_ms < SLEEP_MS_MAX ? left_ms : SLEEP_MS_MAX) * 1000;
}
