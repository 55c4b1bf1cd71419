/* The broker's figures, for INFO. */
#include "broker/broker_internal.h"

#include "base/clock.h"

/* ops_per_second is counted anew when the last count is this old. */
#define OPS_WINDOW_US UINT64_C(1000000)

static uint64_t ops_per_second(struct broker *broker)
{
    uint64_t now_us = clock_mono_us();
    uint64_t elapsed_us = now_us - broker->ops_mark_us;
    uint64_t commands = broker->counters.commands;
    if (elapsed_us >= OPS_WINDOW_US) {
        broker->counters.ops_per_second =
            (commands - broker->ops_mark) * UINT64_C(1000000) / elapsed_us;
        broker->ops_mark_us = now_us;
        broker->ops_mark = commands;
    }
    return broker->counters.ops_per_second;
}

static void rooms_info(const struct fanout *fanout, struct broker_info *out)
{
    const struct membership *membership = &fanout->membership;
    out->channels = rooms_count(&membership->rooms[ROOM_CHANNEL]);
    out->shard_channels = rooms_count(&membership->rooms[ROOM_SHARD]);
    out->patterns = rooms_count(&membership->rooms[ROOM_PATTERN]);
    out->watched_rooms = rooms_count(&membership->rooms[ROOM_WATCH]);
    out->subscribers = membership->subscribers;
    out->subscriptions = membership->subscriptions;
    out->published = fanout->published;
    out->deliveries = fanout->deliveries;
    out->drops = fanout->drops;
}

static void tracking_info(const struct tracking *tracking, struct broker_info *out)
{
    struct tracking_stats stats = tracking_stats(tracking);
    out->tracking_clients = tracking->client_count;
    out->tracked_keys = stats.keys;
    out->tracked_items = stats.items;
    out->tracked_prefixes = stats.prefixes;
}

void broker_info(struct broker *broker, struct broker_info *out)
{
    struct store_stats stats;
    store_stats(broker->store, &stats);
    *out = broker->counters;
    out->durable_lsn = stats.durable_lsn;
    out->last_lsn = stats.lsn;
    out->fold_lsn = stats.fold_lsn;
    out->record_bytes = stats.record_bytes;
    out->log_bytes = stats.committer.log_bytes;
    out->commits = stats.committer.records;
    out->commit_bytes = stats.committer.bytes;
    out->syncs = stats.committer.syncs;
    out->sync_us = stats.committer.sync_us;
    out->sync_us_max = stats.committer.sync_us_max;
    if (store_failure(broker->store) != ERR_OK)
        out->failed_text = err_text(store_failure(broker->store));
    out->fold_running = stats.folding;
    out->fold_last_failed = stats.fold_failed;
    out->folds = stats.folds;
    out->fold_us = stats.fold_us;
    out->fold_us_last = stats.fold_us_last;
    out->changes_since_fold = stats.lsn - stats.fold_lsn;
    out->dirty_bytes = stats.dirty_bytes + stats.sealed_bytes;
    out->resident_bytes = broker->keyspace.table.clean_bytes;
    out->memory_bytes = memory_bytes(&broker->keyspace.memory);
    out->resident_objects = broker->keyspace.table.map.count;
    out->disk_bytes = stats.ranges.disk_bytes;
    out->cache_bytes = stats.ranges.cache_bytes;
    out->chunk_cache_bytes = stats.chunk_cache_bytes;
    out->chunk_cache_hits = stats.chunk_cache_hits;
    out->chunk_cache_misses = stats.chunk_cache_misses;
    out->compaction_bytes = stats.ranges.pending_compaction_bytes;
    out->ops_per_second = ops_per_second(broker);
    out->keyspace_hits = broker->keyspace.hits;
    out->keyspace_misses = broker->keyspace.misses;
    out->expired_keys = broker->expiry.expired_keys;
    out->evicted_keys = broker->keyspace.evictions;
    rooms_info(&broker->fanout, out);
    out->watching_clients = broker->watches.sessions;
    out->watched_keys = key_watches_count(&broker->watches);
    tracking_info(&broker->tracking, out);
}

void broker_keyspace_info(struct broker *broker, unsigned db, struct keyspace_info *out)
{
    const struct database *database = keyspace_database(&broker->keyspace, db);
    uint64_t sum = database->expiry_sum + database->memory_expiry_sum;
    *out = (struct keyspace_info){.keys = database->keys + database->memory_keys,
                                  .expires = database->expires + database->memory_expires};
    if (out->expires == 0)
        return;
    uint64_t mean_ms = catalog_expiry_mean(sum, out->expires);
    uint64_t now_ms = clock_wall_ms();
    out->avg_ttl_ms = mean_ms > now_ms ? mean_ms - now_ms : 0;
}

void broker_reset_stats(struct broker *broker)
{
    broker->counters.stalls = 0;
    broker->counters.commands = 0;
    broker->counters.ops_per_second = 0;
    broker->ops_mark = 0;
    broker->keyspace.hits = 0;
    broker->keyspace.misses = 0;
    broker->keyspace.evictions = 0;
    broker->expiry.expired_keys = 0;
    broker->counters.output_limit_closes = 0;
    broker->fanout.published = 0;
    broker->fanout.deliveries = 0;
    broker->fanout.drops = 0;
}
