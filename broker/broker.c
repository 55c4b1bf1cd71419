#include "broker/broker_internal.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "broker/blocking.h"
#include "broker/command_keys.h"
#include "broker/eviction.h"
#include "broker/monitor.h"
#include "broker/options.h"
#include "broker/range_change.h"
#include "broker/server.h"
#include "broker/session.h"
#include "broker/transaction.h"

#include <assert.h>
#include <unistd.h>

/* Clean objects that leave memory a turn, at most: about as much work as one read's commands. */
#define EVICT_PER_TURN 256

/* Segments of the commit log: zero-filled ahead in steps that a sync hides, as large as a fold's
 * worth, and two kept for reuse: one filling, one folding. */
#define LOG_EXTEND_BYTES (UINT64_C(4) << 20)
#define LOG_RECYCLED_MAX 2

/* How long the final fold sleeps between looks at the threads. */
#define CLOSE_POLL_US 200

static_assert((int)SYNC_ALWAYS == 0 && (int)SYNC_EVERYSEC == 1 && (int)SYNC_NO == 2,
              "the words of the option appendfsync are in the order of enum sync_mode");

/* An op that finds the open record just below its limit must still fit: an entry, a copy, the keys
 * of a DEL. */
#define RECORD_ROOM (COMMIT_PAYLOAD_MAX - (size_t)OPTION_COMMIT_RECORD_BYTES_MAX)
static_assert(ENTRY_BYTES_MAX + 2 * KEY_NAME_MAX < RECORD_ROOM, "XADD fits");
static_assert(VALUE_BYTES_MAX + HASH_BYTES_MAX + 4 * KEY_NAME_MAX < RECORD_ROOM, "SET fits");
static_assert(OPTION_COPY_BYTES_MAX + 4 * KEY_NAME_MAX < RECORD_ROOM, "COPY fits");

static enum err on_replay(void *context, const struct op *op)
{
    struct broker *broker = context;
    return keyspace_replay(&broker->keyspace, op);
}

static void on_changed(void *context, const struct op *op, uint64_t lsn)
{
    struct broker *broker = context;
    if (!key_watches_empty(&broker->watches))
        key_watch_changed(broker, op, lsn);
    if (broker->tracking.client_count > 0)
        tracking_changed(broker, op);
    if (range_move_runs(&broker->move))
        range_move_changed(&broker->move, op);
}

static void on_clean(void *context, struct object *object)
{
    struct broker *broker = context;
    keyspace_clean(&broker->keyspace, object);
}

static void on_wake(void *context)
{
    struct broker *broker = context;
    broker->hooks.wake(broker->hooks.context);
}

static struct store_options store_options(const struct options *options)
{
    return (struct store_options){
        .sync = (enum sync_mode)options->appendfsync,
        .fold_bytes = options->fold_bytes,
        .record_bytes = options->commit_record_bytes,
        .chunk_cache_bytes = options->chunk_cache_bytes,
        .databases = (uint32_t)options->databases,
        .log = {.extend_bytes = LOG_EXTEND_BYTES,
                .segment_bytes = options->fold_bytes,
                .recycled_max = LOG_RECYCLED_MAX},
    };
}

static void make_run_id(char *out)
{
    struct random random;
    random_init(&random, random_seed());
    for (int i = 0; i < RUN_ID_LEN; i++)
        out[i] = "0123456789abcdef"[random_below(&random, 16)];
    out[RUN_ID_LEN] = '\0';
}

static struct broker *create(struct options *options, const struct broker_hooks *hooks)
{
    struct broker *broker = mem_zalloc(sizeof(*broker));
    broker->options = options;
    broker->hooks = *hooks;
    broker->started_s = clock_wall_ms() / 1000;
    broker->counters.started_us = clock_mono_us();
    make_run_id(broker->counters.run_id);
    buf_init(&broker->scratch);
    buf_init(&broker->entries);
    waiters_init(&broker->waiters);
    list_init(&broker->blocked);
    list_init(&broker->ready);
    list_init(&broker->room_waiters);
    list_init(&broker->fold_waiters);
    heap_init(&broker->deadlines);
    keyspace_init(&broker->keyspace);
    expiry_init(&broker->expiry);
    range_move_init(&broker->move, broker);
    range_count_init(&broker->count, broker);
    key_watches_init(&broker->watches);
    tracking_init(&broker->tracking);
    broker->keyspace.changed = on_changed;
    broker->keyspace.changed_context = broker;
    fanout_init(&broker->fanout);
    keyspace_events_init(&broker->events, options->notify_keyspace_events);
    caretaker_init(&broker->caretaker, broker);
    return broker;
}

static void destroy(struct broker *broker)
{
    if (broker->store != NULL)
        store_close(broker->store);
    caretaker_deinit(&broker->caretaker);
    keyspace_events_deinit(&broker->events);
    fanout_deinit(&broker->fanout);
    expiry_deinit(&broker->expiry);
    range_move_deinit(&broker->move);
    range_count_deinit(&broker->count);
    keyspace_deinit(&broker->keyspace);
    tracking_deinit(&broker->tracking);
    key_watches_deinit(&broker->watches);
    heap_deinit(&broker->deadlines);
    waiters_deinit(&broker->waiters);
    buf_deinit(&broker->scratch);
    buf_deinit(&broker->entries);
    mem_free(broker);
}

enum err broker_open(struct options *options, const struct broker_hooks *hooks, struct disk *disk,
                     struct ranges *ranges, struct buf *reason, struct broker **out)
{
    struct broker *broker = create(options, hooks);
    struct store_options limits = store_options(options);
    struct store_hooks store_hooks = {broker, on_replay, on_clean, on_wake};
    enum err err = store_open(disk, ranges, &limits, &store_hooks, reason, &broker->store);
    broker->keyspace.store = broker->store;
    if (err == ERR_OK)
        err = store_recover(broker->store, reason);
    if (err == ERR_OK)
        err = range_change_start(&broker->keyspace, options, reason);
    if (err != ERR_OK) {
        destroy(broker);
        return err;
    }
    broker->keyspace.tier = TIER_MEMORY;
    range_move_resume(&broker->move);
    *out = broker;
    return ERR_OK;
}

enum err broker_close(struct broker *broker, bool fold)
{
    uint64_t ticket = fold ? store_fold(broker->store) : 0;
    while (store_failure(broker->store) == ERR_OK && !store_folded(broker->store, ticket)) {
        store_turn_end(broker->store);
        store_poll(broker->store);
        if (!store_folded(broker->store, ticket))
            usleep(CLOSE_POLL_US);
    }
    enum err err = store_failure(broker->store);
    destroy(broker);
    return err;
}

void broker_set_server(struct broker *broker, struct server *server)
{
    broker->server = server;
}

struct server *broker_server(const struct broker *broker)
{
    return broker->server;
}

const struct options *broker_options(const struct broker *broker)
{
    return broker->options;
}

struct options *broker_options_to_change(struct broker *broker)
{
    return broker->options;
}

void broker_options_changed(struct broker *broker)
{
    const struct options *options = broker->options;
    store_set_sync(broker->store, (enum sync_mode)options->appendfsync);
    store_set_limits(broker->store, options->fold_bytes, options->commit_record_bytes);
    chunk_cache_set_limit(store_chunk_cache(broker->store), options->chunk_cache_bytes);
    logger_set_level((enum log_level)options->loglevel);
    keyspace_events_choose(&broker->events, options->notify_keyspace_events);
    eviction_budgets_changed(broker);
}

uint64_t broker_now_ms(struct broker *broker)
{
    if (broker->now_ms == 0)
        broker->now_ms = clock_wall_ms();
    return broker->now_ms;
}

bool broker_failed(const struct broker *broker)
{
    return store_failure(broker->store) != ERR_OK;
}

uint64_t broker_durable(const struct broker *broker)
{
    return store_durable(broker->store);
}

bool broker_stalled(const struct broker *broker)
{
    return store_stalled(broker->store);
}

bool broker_out_of_memory(struct broker *broker, unsigned db, const struct command_row *row,
                          const struct bytes *argv, size_t argc)
{
    if (!(row->flags & COMMAND_DENYOOM))
        return false;
    struct key_span keys = command_keys(row, argv, argc);
    for (size_t i = 0; i < keys.count; i++) {
        struct bytes key = argv[keys.first + i * keys.step];
        if (eviction_full(broker, keyspace_range(&broker->keyspace, db, key)))
            return true;
    }
    return false;
}

bool broker_paused(const struct broker *broker, bool write)
{
    return broker->pause_until_ms > 0 && (write || !broker->pause_writes_only);
}

void broker_pause(struct broker *broker, uint64_t until_ms, bool writes_only)
{
    bool paused = broker->pause_until_ms > 0;
    broker->pause_writes_only = paused ? broker->pause_writes_only && writes_only : writes_only;
    if (until_ms > broker->pause_until_ms)
        broker->pause_until_ms = until_ms;
}

void broker_unpause(struct broker *broker)
{
    broker->pause_until_ms = 0;
}

void broker_wait_for_room(struct broker *broker, struct session *session)
{
    if (broker_stalled(broker))
        broker->counters.stalls++;
    list_push_back(&broker->room_waiters, &session->wait_link);
}

void broker_prefetch(struct broker *broker, unsigned db, const struct bytes *keys, unsigned count)
{
    keyspace_prefetch(&broker->keyspace, db, keys, count);
}

bool broker_prefetch_pays(const struct broker *broker)
{
    return keyspace_prefetch_pays(&broker->keyspace);
}

void broker_after_command(struct broker *broker, struct session *session)
{
    broker->counters.commands++;
    if (broker->monitors > 0)
        monitor_feed(broker->server, session, broker_now_ms(broker));
    if (session->tracking != NULL)
        tracking_after_command(session);
    if (transaction_runs(session))
        return;
    eviction_run(broker);
    if (!list_empty(&broker->ready))
        blocking_serve(broker);
}

void broker_command_waits(struct session *session)
{
    if (session->tracking != NULL)
        tracking_waits(session);
}

void broker_forget(struct broker *broker, struct session *session)
{
    if (session->subscriber.count > 0)
        fanout_leave_all(&broker->fanout, session);
    broker_discard(session);
    tracking_stop(session);
}

void broker_discard(struct session *session)
{
    if (session->transaction == NULL)
        return;
    key_watch_end(session);
    transaction_clear(session);
    transaction_drop_idle(session);
}

void broker_count_output_limit(struct broker *broker, uint64_t lost)
{
    broker->counters.output_limit_closes++;
    broker->fanout.drops += lost;
}

void broker_monitor(struct broker *broker, struct session *session, bool on)
{
    if (session->monitor != on)
        broker->monitors += on ? 1 : (size_t)-1;
    session->monitor = on;
}

void broker_remove(struct broker *broker, unsigned db, struct bytes key, struct object *object)
{
    struct op op = {.kind = OP_DROP, .db = db, .key = key, .object = object};
    broker->removing = true;
    (void)keyspace_write(&broker->keyspace, &op);
    broker->removing = false;
}

/* Resumes every session in `waiting`; those that wait again have joined a list anew. */
static void resume_all(struct list *waiting)
{
    struct list ready;
    list_move(&ready, waiting);
    while (!list_empty(&ready)) {
        struct session *session = container_of(ready.next, struct session, wait_link);
        list_remove(&session->wait_link);
        session_resume(session);
    }
}

static bool has_room(const struct broker *broker)
{
    return !list_empty(&broker->room_waiters) && !broker_paused(broker, true) &&
           (!store_stalled(broker->store) || broker_failed(broker));
}

static void end_pause(struct broker *broker)
{
    if (broker->pause_until_ms > 0 && clock_wall_ms() >= broker->pause_until_ms)
        broker->pause_until_ms = 0;
}

bool broker_growing(struct broker *broker)
{
    return !broker->stopping && !broker_failed(broker) && store_growing(broker->store);
}

bool broker_turn_end(struct broker *broker)
{
    end_pause(broker);
    expiry_run(broker);
    if (heap_first(&broker->deadlines) != NULL)
        blocking_expire(broker, clock_mono_us());
    if (!list_empty(&broker->ready)) /* of keys that expired; of a line whose first one left */
        blocking_serve(broker);
    if (has_room(broker))
        resume_all(&broker->room_waiters);
    bool more = range_move_work(&broker->move);
    more |= range_count_work(&broker->count);
    if (!list_empty(&broker->fold_waiters))
        resume_all(&broker->fold_waiters);
    eviction_run(broker);
    more |= caretaker_work(&broker->caretaker);
    more |= store_turn_end(broker->store);
    table_evict(&broker->keyspace.table, broker->options->resident_bytes, EVICT_PER_TURN);
    broker->now_ms = 0;
    return more || has_room(broker);
}

/* The earlier of two deadlines, of which 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

uint64_t broker_deadline(struct broker *broker)
{
    const struct heap_node *node = heap_first(&broker->deadlines);
    uint64_t deadline =
        earlier(node != NULL ? node->key : 0, caretaker_deadline(&broker->caretaker));
    deadline = earlier(deadline, expiry_deadline(broker));
    deadline = earlier(deadline, range_move_deadline(&broker->move));
    deadline = earlier(deadline, range_count_deadline(&broker->count));
    if (broker->pause_until_ms == 0)
        return deadline;
    uint64_t now_ms = clock_wall_ms();
    uint64_t left_ms = broker->pause_until_ms > now_ms ? broker->pause_until_ms - now_ms : 0;
    return earlier(deadline, clock_mono_us() + left_ms * 1000);
}

void broker_poll(struct broker *broker)
{
    if (!store_poll(broker->store))
        return;
    broker->hooks.durable_moved(broker->hooks.context);
    keyspace_events_publish(&broker->events, broker_durable(broker), &broker->fanout);
}

struct fold_wait {
    struct work work;
    uint64_t ticket;
};

static void fold_wait_destroy(struct work *work)
{
    mem_free(container_of(work, struct fold_wait, work));
}

enum flow broker_fold_now(struct session *session)
{
    struct broker *broker = session->broker;
    if (session->work == NULL) {
        struct fold_wait *wait = mem_alloc(sizeof(*wait));
        *wait = (struct fold_wait){{fold_wait_destroy}, store_fold(broker->store)};
        session->work = &wait->work;
    }
    const struct fold_wait *wait = container_of(session->work, struct fold_wait, work);
    if (broker_failed(broker)) {
        reply_error(&session->reply, "ERR the store has failed: %s",
                    err_text(store_failure(broker->store)));
        return FLOW_DONE;
    }
    if (store_folded(broker->store, wait->ticket)) {
        reply_status(&session->reply, "OK");
        return FLOW_DONE;
    }
    list_push_back(&broker->fold_waiters, &session->wait_link);
    return FLOW_WAIT;
}

bool broker_fold_start(struct broker *broker)
{
    struct store_stats stats;
    store_stats(broker->store, &stats);
    if (stats.folding)
        return false;
    store_fold(broker->store);
    return true;
}

uint64_t broker_last_fold_s(const struct broker *broker)
{
    struct store_stats stats;
    store_stats(broker->store, &stats);
    return stats.fold_wall_ms_last > 0 ? stats.fold_wall_ms_last / 1000 : broker->started_s;
}

void broker_shutdown(struct broker *broker, bool save)
{
    if (broker->stopping)
        return;
    broker->stopping = true;
    broker->stop_with_fold = save;
    LOG(LOG_NOTICE, "stopping", "fold=%s", save ? "yes" : "no");
    broker->hooks.stop(broker->hooks.context);
}
