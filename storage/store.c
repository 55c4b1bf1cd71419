#include "storage/store.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "storage/expiry_index.h"
#include "storage/folder.h"
#include "storage/key.h"
#include "storage/upkeep.h"

/* Objects let go of a turn after a fold: some hundred microseconds of work. */
#define RELEASE_PER_TURN 512

/* The writable set may grow to this many times fold_bytes while a fold is under way; then writers
 * wait. */
#define DIRTY_FACTOR_MAX 2

/* The log may have so many times fold_bytes before it is folded, however little there is to write:
 * what is overwritten again and again makes a long log and few rows. */
#define LOG_FACTOR_MAX 4

/* The open record is left to grow for no more than so many bytes and turns: a wait that is far
 * below a sync's time. */
#define HAND_OVER_BYTES    ((size_t)256 << 10)
#define SETTLING_TURNS_MAX 4

enum fold_state { FOLD_IDLE, FOLD_SEALED, FOLD_WRITING, FOLD_RELEASING };

struct store {
    struct disk *disk;
    struct ranges *ranges;
    struct store_options options;
    struct store_hooks hooks;
    struct commit_log *log;
    struct committer *committer;
    struct folder *folder;
    struct chunk_cache chunk_cache;
    struct catalog catalog;
    struct schedule alarms;

    struct buf record;       /* open */
    size_t record_ops;       /* in it */
    size_t settled_len;      /* of it when store_growing looked last */
    unsigned settling_turns; /* that it has been left to grow */
    uint64_t next_lsn;       /* of the open record */
    uint64_t durable_lsn;
    uint64_t log_bytes; /* of records since the last seal */
    enum err failure;

    struct dirty sides[2];
    uint8_t side; /* writable */
    enum fold_state fold;
    uint64_t view;
    uint64_t fold_asked; /* tickets: asked for, sealed, done */
    uint64_t fold_sealed;
    uint64_t fold_done;
    uint64_t fold_started_us;
    uint64_t fold_us; /* sum */
    uint64_t fold_us_last;
    bool fold_failed;
    uint64_t fold_wall_ms_last;
};

static void begin_side(struct store *store, uint8_t side)
{
    dirty_init(&store->sides[side]);
    store->sides[side].alarms = &store->alarms;
}

static enum err read_catalog(struct store *store)
{
    struct buf key, row;
    buf_init(&key);
    buf_init(&row);
    key_system(&key, BYTES("catalog"));
    enum err err = ranges_get(store->ranges, buf_bytes(&key), TIER_DISK, &row);
    if (err == ERR_OK)
        err = catalog_decode(buf_bytes(&row), &store->catalog);
    buf_deinit(&key);
    buf_deinit(&row);
    return err;
}

/* The hash seed must be on disk before anything that depends on it. */
static enum err write_catalog(struct store *store)
{
    struct dirty *dirty = &store->sides[store->side];
    catalog_copy(&dirty->catalog, &store->catalog);
    enum err err = fold_write(store->ranges, dirty, store->side);
    catalog_deinit(&dirty->catalog);
    return err;
}

/* The catalog says that there is an index when all of it is there. */
static enum err index_expiry(struct store *store, struct buf *reason)
{
    if (store->catalog.format >= CATALOG_FORMAT_WITH_EXPIRY || !catalog_expires(&store->catalog))
        return ERR_OK;
    buf_addf(reason, "make the index of times of expiry");
    enum err err = expiry_index_build(store->ranges, &store->catalog);
    return err == ERR_OK ? write_catalog(store) : err;
}

static enum err load_catalog(struct store *store, struct buf *reason)
{
    enum err err = read_catalog(store);
    if (err == ERR_OK)
        return index_expiry(store, reason);
    buf_addf(reason, "read catalog");
    if (err != ERR_NOT_FOUND)
        return err;
    reason->len = 0;
    buf_addf(reason, "write catalog");
    catalog_init(&store->catalog, store->options.databases, random_seed());
    return write_catalog(store);
}

enum err store_open(struct disk *disk, struct ranges *ranges, const struct store_options *options,
                    const struct store_hooks *hooks, struct buf *reason, struct store **out)
{
    struct store *store = mem_zalloc(sizeof(*store));
    store->disk = disk;
    store->ranges = ranges;
    store->options = *options;
    store->hooks = *hooks;
    buf_init(&store->record);
    chunk_cache_init(&store->chunk_cache, options->chunk_cache_bytes);
    schedule_init(&store->alarms, KEY_ALARM, (struct chunk_home){0}, true);
    begin_side(store, 0);
    begin_side(store, 1);
    enum err err = load_catalog(store, reason);
    if (err != ERR_OK) {
        store_close(store);
        return err;
    }
    reason->len = 0;
    *out = store;
    return ERR_OK;
}

static enum err replay_record(void *context, uint64_t lsn, struct bytes payload)
{
    struct store *store = context;
    struct decoder decoder = decoder_of(payload);
    struct record_head head;
    enum err err = record_head_decode(&decoder, &head);
    store->next_lsn = lsn;
    while (err == ERR_OK) {
        struct op op;
        err = op_decode(&decoder, &op);
        if (err == ERR_OK)
            err = store->hooks.replay(store->hooks.context, &op);
    }
    return err == ERR_END ? ERR_OK : err;
}

/* The open record is empty: everything in the set is in records below next_lsn. */
static void seal(struct store *store)
{
    struct dirty *dirty = &store->sides[store->side];
    store->fold_sealed = store->fold_asked;
    store->log_bytes = 0;
    store->catalog.fold_lsn = store->next_lsn - 1;
    catalog_copy(&dirty->catalog, &store->catalog);
    store->side ^= 1;
    store->fold = FOLD_SEALED;
}

/* Delayed entries may be many to one object: true when the object's are let go of. */
static bool release_upkeep(const struct object *object, uint8_t side)
{
    const struct feed *feed = object_state_feed(&object->states[side]);
    return feed == NULL || upkeep_folded(feed_upkeep(feed), side, RELEASE_PER_TURN);
}

/* True when the sealed set is gone. */
static bool release_some(struct store *store)
{
    uint8_t side = store->side ^ 1;
    struct dirty *dirty = &store->sides[side];
    int left = RELEASE_PER_TURN;
    schedule_folded(&store->alarms, side);
    if (!schedule_sweep(&store->alarms, RELEASE_PER_TURN))
        return false;
    for (; left > 0 && !list_empty(&dirty->groups); left--)
        dirty_release_group(dirty, container_of(dirty->groups.next, struct group, links[side]),
                            side);
    for (; left > 0 && !list_empty(&dirty->objects); left--) {
        struct object *object = container_of(dirty->objects.next, struct object, links[side]);
        if (!release_upkeep(object, side))
            return false;
        catalog_due(&store->catalog.folded_due_ms, object->states[side].expiry_ms);
        if (dirty_release(dirty, object, side) || object->detached)
            store->hooks.clean(store->hooks.context, object);
    }
    if (!list_empty(&dirty->groups) || !list_empty(&dirty->objects))
        return false;
    dirty_deinit(dirty);
    begin_side(store, side);
    return true;
}

/* Makes the databases that the configuration has and the store has not. On disk before anything is
 * written to them: their namespaces must not depend on how often the store was started. Only after
 * the replay, whose ops may give out namespaces. */
static enum err grow_databases(struct store *store)
{
    if (store->options.databases <= store->catalog.count)
        return ERR_OK;
    catalog_grow(&store->catalog, store->options.databases);
    seal(store);
    uint8_t side = store->side ^ 1;
    enum err err = fold_write(store->ranges, &store->sides[side], side);
    if (err != ERR_OK)
        return err;
    while (!release_some(store))
        ;
    store->fold = FOLD_IDLE;
    return ERR_OK;
}

enum err store_recover(struct store *store, struct buf *reason)
{
    uint64_t started = clock_mono_us();
    uint64_t first = store->catalog.fold_lsn + 1;
    buf_addf(reason, "read commit log from record %llu", (unsigned long long)first);
    enum err err =
        commit_log_open(store->disk, &store->options.log, first, replay_record, store, &store->log);
    if (err != ERR_OK)
        return err;
    store->next_lsn = commit_log_next(store->log);
    store->durable_lsn = store->next_lsn - 1;
    LOG(LOG_NOTICE, "recovered", "records=%llu next_lsn=%llu ms=%llu",
        (unsigned long long)(store->next_lsn - first), (unsigned long long)store->next_lsn,
        (unsigned long long)(clock_mono_us() - started) / 1000);
    reason->len = 0;
    buf_addf(reason, "write catalog");
    err = grow_databases(store);
    if (err != ERR_OK)
        return err;
    reason->len = 0;
    buf_addf(reason, "start threads");
    err = committer_start(store->log, store->options.sync, store->hooks.wake, store->hooks.context,
                          &store->committer);
    if (err != ERR_OK)
        return err;
    err = folder_start(store->ranges, store->hooks.wake, store->hooks.context, &store->folder);
    if (err == ERR_OK)
        reason->len = 0;
    return err;
}

/* Objects of flushed namespaces are in no table: nobody else knows them. */
static void dirty_forget(struct store *store, uint8_t side)
{
    struct dirty *dirty = &store->sides[side];
    while (!list_empty(&dirty->groups)) {
        struct group *group = container_of(dirty->groups.next, struct group, links[side]);
        list_remove(&group->links[side]);
        group_unref(group);
    }
    while (!list_empty(&dirty->objects)) {
        struct object *object = container_of(dirty->objects.next, struct object, links[side]);
        list_remove(&object->links[side]);
        if (object->detached)
            object_destroy(object);
    }
    dirty_deinit(dirty);
}

void store_close(struct store *store)
{
    if (store->folder != NULL)
        folder_stop(store->folder);
    if (store->committer != NULL && committer_stop(store->committer) != ERR_OK)
        LOG(LOG_WARNING, "commit log failed", "durable_lsn=%llu",
            (unsigned long long)store->durable_lsn);
    if (store->log != NULL)
        commit_log_close(store->log);
    dirty_forget(store, 0);
    dirty_forget(store, 1);
    chunk_cache_deinit(&store->chunk_cache);
    schedule_deinit(&store->alarms);
    catalog_deinit(&store->catalog);
    buf_deinit(&store->record);
    mem_free(store);
}

struct catalog *store_catalog(struct store *store)
{
    return &store->catalog;
}

struct ranges *store_ranges(struct store *store)
{
    return store->ranges;
}

struct chunk_cache *store_chunk_cache(struct store *store)
{
    return &store->chunk_cache;
}

struct schedule *store_alarms(struct store *store)
{
    return &store->alarms;
}

struct dirty *store_dirty(struct store *store)
{
    return &store->sides[store->side];
}

uint8_t store_side(const struct store *store)
{
    return store->side;
}

bool store_is_clean(const struct store *store)
{
    return store->sides[0].count == 0 && store->sides[1].count == 0;
}

void store_grew(struct store *store, size_t bytes)
{
    store->sides[store->side].bytes += bytes;
}

uint64_t store_log(struct store *store, const struct op *op)
{
    if (store->record.len == 0)
        record_head_encode(&store->record, &(struct record_head){.wall_ms = clock_wall_ms()});
    op_encode(&store->record, op);
    store->record_ops++;
    return store->next_lsn;
}

uint64_t store_last(const struct store *store)
{
    return store->record.len > 0 ? store->next_lsn : store->next_lsn - 1;
}

uint64_t store_durable(const struct store *store)
{
    return store->durable_lsn;
}

enum err store_failure(const struct store *store)
{
    return store->failure;
}

bool store_stalled(const struct store *store)
{
    return store->record.len >= store->options.record_bytes ||
           store->sides[store->side].bytes >= DIRTY_FACTOR_MAX * store->options.fold_bytes;
}

size_t store_record_bytes(const struct store *store)
{
    return store->record.len;
}

uint64_t store_view(const struct store *store)
{
    return store->view;
}

bool store_growing(struct store *store)
{
    bool idle = store->record.len > 0 && !committer_busy(store->committer);
    bool grew = store->record.len > store->settled_len;
    store->settled_len = store->record.len;
    if (idle && grew && store->record_ops < STORE_GROWING_OPS &&
        store->record.len < HAND_OVER_BYTES && ++store->settling_turns < SETTLING_TURNS_MAX)
        return true;
    store->settling_turns = 0;
    store->settled_len = 0;
    return false;
}

static void hand_over(struct store *store)
{
    if (store->record.len == 0 || committer_busy(store->committer))
        return;
    store->log_bytes += store->record.len;
    committer_submit(store->committer, store->next_lsn, &store->record);
    store->next_lsn++;
    store->record_ops = 0;
}

static bool wants_fold(const struct store *store)
{
    const struct dirty *dirty = &store->sides[store->side];
    return dirty->bytes >= store->options.fold_bytes ||
           store->log_bytes >= LOG_FACTOR_MAX * store->options.fold_bytes ||
           store->fold_asked > store->fold_sealed;
}

static void submit_fold(struct store *store)
{
    store->fold_started_us = clock_mono_us();
    store->fold = FOLD_WRITING;
    folder_submit(store->folder, &store->sides[store->side ^ 1], store->side ^ 1);
}

bool store_turn_end(struct store *store)
{
    if (store->failure != ERR_OK)
        return false;
    hand_over(store);
    if (store->fold == FOLD_IDLE && store->record.len == 0 && wants_fold(store))
        seal(store);
    if (store->fold == FOLD_SEALED &&
        store->durable_lsn >= store->sides[store->side ^ 1].catalog.fold_lsn)
        submit_fold(store);
    if (store->fold != FOLD_RELEASING)
        return false;
    if (!release_some(store))
        return true;
    store->fold = FOLD_IDLE;
    store->fold_done = store->fold_sealed;
    return wants_fold(store);
}

static void fail(struct store *store, enum err err, const char *what)
{
    if (store->failure != ERR_OK)
        return;
    store->failure = err;
    LOG(LOG_WARNING, "store failed",
        "what=%s error=\"%s\" durable_lsn=%llu; writes are refused until a restart", what,
        err_text(err), (unsigned long long)store->durable_lsn);
}

static void poll_fold(struct store *store)
{
    enum err result;
    if (store->fold != FOLD_WRITING || !folder_poll(store->folder, &result))
        return;
    if (result != ERR_OK) {
        store->fold_failed = true;
        fail(store, result, "fold");
        return;
    }
    const struct dirty *sealed = &store->sides[store->side ^ 1];
    store->fold_us_last = clock_mono_us() - store->fold_started_us;
    store->fold_us += store->fold_us_last;
    store->fold_wall_ms_last = clock_wall_ms();
    LOG(LOG_VERBOSE, "folded", "lsn=%llu objects=%zu bytes=%zu ms=%llu",
        (unsigned long long)sealed->catalog.fold_lsn, sealed->count, sealed->bytes,
        (unsigned long long)store->fold_us_last / 1000);
    store->view++;
    store->fold = FOLD_RELEASING;
    committer_release(store->committer, sealed->catalog.fold_lsn);
}

bool store_poll(struct store *store)
{
    uint64_t lsn = store->durable_lsn;
    enum err before = store->failure;
    enum err err = committer_report(store->committer, &lsn);
    bool moved = lsn != store->durable_lsn;
    store->durable_lsn = lsn;
    if (err != ERR_OK)
        fail(store, err, "commit");
    poll_fold(store);
    return moved || store->failure != before;
}

uint64_t store_fold(struct store *store)
{
    return ++store->fold_asked;
}

bool store_folded(const struct store *store, uint64_t ticket)
{
    return store->fold_done >= ticket;
}

void store_set_sync(struct store *store, enum sync_mode sync)
{
    store->options.sync = sync;
    committer_set_mode(store->committer, sync);
}

void store_set_limits(struct store *store, uint64_t fold_bytes, uint64_t record_bytes)
{
    store->options.fold_bytes = fold_bytes;
    store->options.record_bytes = record_bytes;
}

void store_stats(struct store *store, struct store_stats *out)
{
    const struct dirty *sealed = &store->sides[store->side ^ 1];
    *out = (struct store_stats){
        .lsn = store_last(store),
        .durable_lsn = store->durable_lsn,
        .fold_lsn = store->catalog.fold_lsn,
        .dirty_bytes = store->sides[store->side].bytes,
        .sealed_bytes = store->fold == FOLD_IDLE ? 0 : sealed->bytes,
        .record_bytes = store->record.len,
        .folds = store->view,
        .fold_us = store->fold_us,
        .fold_failed = store->fold_failed,
        .fold_us_last = store->fold_us_last,
        .fold_wall_ms_last = store->fold_wall_ms_last,
        .folding = store->fold != FOLD_IDLE,
        .chunk_cache_bytes = store->chunk_cache.bytes,
        .chunk_cache_hits = store->chunk_cache.hits,
        .chunk_cache_misses = store->chunk_cache.misses,
    };
    committer_stats(store->committer, &out->committer);
    ranges_stats(store->ranges, &out->ranges);
}
