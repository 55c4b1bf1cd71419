#include "broker/info.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/session.h"
#include "broker/version.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What the sections are written from. */
struct source {
    struct broker *broker;
    const struct options *options;
    struct broker_info info;
    struct server_stats server;
};

static void number(struct buf *out, const char *name, uint64_t value)
{
    buf_addf(out, "%s:%" PRIu64 "\r\n", name, value);
}

static void text(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s:%s\r\n", name, value);
}

/* Fields that are always 0 or empty here, and that tools expect. */
static void constants(struct buf *out, const char *lines)
{
    buf_addf(out, "%s", lines);
}

/* A size for people: "1.11M". */
static void human(struct buf *out, const char *name, uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        buf_addf(out, "%s:%" PRIu64 "B\r\n", name, bytes);
        return;
    }
    for (value /= 1024.0; value >= 1024.0 && unit + 2 < sizeof units; value /= 1024.0)
        unit++;
    buf_addf(out, "%s:%.2f%c\r\n", name, value, units[unit]);
}

/* The value of a choice, as it is written. */
static void option_text(struct buf *out, const struct options *options, const char *field,
                        const char *name)
{
    buf_addf(out, "%s:", field);
    for (size_t i = 0; i < options_count(); i++) {
        if (strcmp(options_name(i), name) == 0)
            options_value(options, i, out);
    }
    buf_addf(out, "\r\n");
}

uint64_t info_resident_set(void)
{
    char line[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, line, sizeof line - 1);
    close(fd);
    if (len <= 0)
        return 0;
    line[len] = '\0';

    unsigned long long pages;
    if (sscanf(line, "%*u %llu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_executable(struct buf *out)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);
    buf_addf(out, "executable:%.*s\r\n", len > 0 ? (int)len : 0, path);
}

static void section_server(struct source *source, struct buf *out)
{
    uint64_t up_s = (clock_mono_us() - source->info.started_us) / 1000000;
    struct utsname os = {0};

    text(out, "redis_version", REDIS_VERSION);
    constants(out, "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n"
                   "redis_mode:standalone\r\n");
    text(out, "weir_version", WEIR_VERSION);
    if (uname(&os) == 0)
        buf_addf(out, "os:%s %s %s\r\n", os.sysname, os.release, os.machine);
    number(out, "arch_bits", sizeof(void *) * 8);
    constants(out, "monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\n");
    number(out, "process_id", (uint64_t)getpid());
    constants(out, "process_supervised:no\r\n");
    text(out, "run_id", source->info.run_id);
    number(out, "tcp_port", (uint64_t)source->options->port);
    number(out, "server_time_usec", clock_wall_us());
    number(out, "uptime_in_seconds", up_s);
    number(out, "uptime_in_days", up_s / 86400);
    number(out, "hz", (uint64_t)source->options->hz);
    number(out, "configured_hz", (uint64_t)source->options->hz);
    add_executable(out);
    text(out, "config_file", source->options->file != NULL ? source->options->file : "");
    constants(out, "io_threads_active:0\r\n");
}

static uint64_t count_blocked(struct server *server)
{
    uint64_t blocked = 0;
    for (struct session *at = server_next_session(server, NULL); at != NULL;
         at = server_next_session(server, at))
        blocked += session_waiting(at) && (at->command->flags & COMMAND_BLOCKING) != 0;
    return blocked;
}

static void section_clients(struct source *source, struct buf *out)
{
    number(out, "connected_clients", source->server.connections);
    constants(out, "cluster_connections:0\r\n");
    number(out, "maxclients", (uint64_t)source->options->maxclients);
    number(out, "blocked_clients", count_blocked(broker_server(source->broker)));
    number(out, "tracking_clients", source->info.tracking_clients);
    number(out, "pubsub_clients", source->info.subscribers);
    number(out, "watching_clients", source->info.watching_clients);
    constants(out, "clients_in_timeout_table:0\r\n");
    number(out, "total_watched_keys", source->info.watched_keys);
}

static uint64_t system_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

static void section_memory(struct source *source, struct buf *out)
{
    uint64_t resident = info_resident_set();
    uint64_t used = mem_used() > 0 ? mem_used() : resident;
    uint64_t dataset =
        source->info.dirty_bytes + source->info.resident_bytes + source->info.memory_bytes;
    struct rusage usage = {0};

    getrusage(RUSAGE_SELF, &usage);
    uint64_t peak = (uint64_t)usage.ru_maxrss * 1024;
    if (peak < resident) /* the system brings it up to date now and then only */
        peak = resident;
    number(out, "used_memory", used);
    human(out, "used_memory_human", used);
    number(out, "used_memory_rss", resident);
    human(out, "used_memory_rss_human", resident);
    number(out, "used_memory_peak", peak);
    human(out, "used_memory_peak_human", peak);
    number(out, "used_memory_dataset", dataset);
    number(out, "used_memory_overhead", used > dataset ? used - dataset : 0);
    number(out, "total_system_memory", system_memory());
    human(out, "total_system_memory_human", system_memory());
    constants(out, "used_memory_lua:0\r\n");
    number(out, "maxmemory", source->options->maxmemory);
    human(out, "maxmemory_human", source->options->maxmemory);
    option_text(out, source->options, "maxmemory_policy", "maxmemory-policy");
    buf_addf(out, "mem_fragmentation_ratio:%.2f\r\n",
             used > 0 ? (double)resident / (double)used : 0.0);
    text(out, "mem_allocator", mem_allocator());
    constants(out, "active_defrag_running:0\r\nlazyfree_pending_objects:0\r\n");
}

static void section_persistence(struct source *source, struct buf *out)
{
    const struct broker_info *info = &source->info;
    const char *write_status = info->failed_text == NULL ? "ok" : "err";

    constants(out, "loading:0\r\nasync_loading:0\r\n");
    number(out, "rdb_changes_since_last_save", info->changes_since_fold);
    number(out, "rdb_bgsave_in_progress", info->fold_running);
    number(out, "rdb_last_save_time", broker_last_fold_s(source->broker));
    text(out, "rdb_last_bgsave_status", info->fold_last_failed ? "err" : "ok");
    number(out, "rdb_last_bgsave_time_sec", info->fold_us_last / 1000000);
    constants(out, "rdb_current_bgsave_time_sec:-1\r\n");
    number(out, "rdb_saves", info->folds);
    constants(out, "aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
                   "aof_last_bgrewrite_status:ok\r\n");
    text(out, "aof_last_write_status", write_status);
    number(out, "aof_current_size", info->log_bytes);
    number(out, "aof_pending_bio_fsync", 0);
}

static void section_stats(struct source *source, struct buf *out)
{
    const struct broker_info *info = &source->info;

    number(out, "total_connections_received", source->server.connections_accepted);
    number(out, "total_commands_processed", info->commands);
    number(out, "instantaneous_ops_per_sec", info->ops_per_second);
    number(out, "total_net_input_bytes", source->server.input_bytes);
    number(out, "total_net_output_bytes", source->server.output_bytes);
    number(out, "rejected_connections", source->server.connections_refused);
    constants(out, "sync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\n");
    number(out, "expired_keys", info->expired_keys);
    number(out, "evicted_keys", info->evicted_keys);
    constants(out, "evicted_clients:0\r\n");
    number(out, "keyspace_hits", info->keyspace_hits);
    number(out, "keyspace_misses", info->keyspace_misses);
    number(out, "pubsub_channels", info->channels);
    number(out, "pubsub_patterns", info->patterns);
    number(out, "pubsubshard_channels", info->shard_channels);
    constants(out, "latest_fork_usec:0\r\ntotal_forks:0\r\n");
    number(out, "tracking_total_keys", info->tracked_keys);
    number(out, "tracking_total_items", info->tracked_items);
    number(out, "tracking_total_prefixes", info->tracked_prefixes);
    number(out, "client_output_buffer_limit_disconnections", info->output_limit_closes);
}

static void section_replication(struct source *source, struct buf *out)
{
    constants(out, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n");
    text(out, "master_replid", source->info.run_id);
    constants(out, "master_replid2:0000000000000000000000000000000000000000\r\n");
    number(out, "master_repl_offset", source->info.durable_lsn);
    constants(out, "second_repl_offset:-1\r\nrepl_backlog_active:0\r\n");
    number(out, "repl_backlog_size", source->options->repl_backlog_size);
    constants(out, "repl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n");
}

static void cpu_time(struct buf *out, const char *name, struct timeval time)
{
    buf_addf(out, "%s:%lld.%06lld\r\n", name, (long long)time.tv_sec, (long long)time.tv_usec);
}

static void section_cpu(struct source *source, struct buf *out)
{
    struct rusage self = {0};
    struct rusage thread = {0};

    (void)source;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_THREAD, &thread);
    cpu_time(out, "used_cpu_sys", self.ru_stime);
    cpu_time(out, "used_cpu_user", self.ru_utime);
    constants(out, "used_cpu_sys_children:0.000000\r\nused_cpu_user_children:0.000000\r\n");
    cpu_time(out, "used_cpu_sys_main_thread", thread.ru_stime);
    cpu_time(out, "used_cpu_user_main_thread", thread.ru_utime);
}

static void section_modules(struct source *source, struct buf *out)
{
    (void)source;
    (void)out;
}

static void section_cluster(struct source *source, struct buf *out)
{
    (void)source;
    constants(out, "cluster_enabled:0\r\n");
}

static void section_keyspace(struct source *source, struct buf *out)
{
    for (unsigned db = 0; db < (unsigned)source->options->databases; db++) {
        struct keyspace_info keyspace;
        broker_keyspace_info(source->broker, db, &keyspace);
        if (keyspace.keys > 0)
            buf_addf(out, "db%u:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRIu64 "\r\n", db,
                     keyspace.keys, keyspace.expires, keyspace.avg_ttl_ms);
    }
}

static void section_weir(struct source *source, struct buf *out)
{
    const struct broker_info *info = &source->info;

    text(out, "weir_version", WEIR_VERSION);
    text(out, "store_state", info->failed_text == NULL ? "ok" : "failed");
    if (info->failed_text != NULL)
        text(out, "store_failure", info->failed_text);
    option_text(out, source->options, "appendfsync", "appendfsync");
    number(out, "durable_lsn", info->durable_lsn);
    number(out, "last_lsn", info->last_lsn);
    number(out, "fold_lsn", info->fold_lsn);
    number(out, "commit_record_bytes", info->record_bytes);
    number(out, "commits", info->commits);
    number(out, "commit_bytes", info->commit_bytes);
    number(out, "commit_stalls", info->stalls);
    number(out, "syncs", info->syncs);
    number(out, "sync_usec", info->sync_us);
    number(out, "sync_usec_max", info->sync_us_max);
    number(out, "log_bytes", info->log_bytes);
    number(out, "fold_running", info->fold_running);
    number(out, "folds", info->folds);
    number(out, "fold_usec", info->fold_us);
    number(out, "fold_usec_last", info->fold_us_last);
    number(out, "dirty_bytes", info->dirty_bytes);
    number(out, "resident_bytes", info->resident_bytes);
    number(out, "resident_objects", info->resident_objects);
    number(out, "memory_range_bytes", info->memory_bytes);
    number(out, "disk_bytes", info->disk_bytes);
    number(out, "block_cache_bytes", info->cache_bytes);
    number(out, "chunk_cache_bytes", info->chunk_cache_bytes);
    number(out, "chunk_cache_hits", info->chunk_cache_hits);
    number(out, "chunk_cache_misses", info->chunk_cache_misses);
    number(out, "compaction_pending_bytes", info->compaction_bytes);
    number(out, "room_subscriptions", info->subscriptions);
    number(out, "rooms_watched", info->watched_rooms);
    number(out, "messages_published", info->published);
    number(out, "message_deliveries", info->deliveries);
    number(out, "message_drops", info->drops);
}

/* In the order in which they are written. */
static const struct section {
    const char *name;
    const char *title;
    void (*write)(struct source *source, struct buf *out);
} sections_known[] = {
    {"server", "Server", section_server},
    {"clients", "Clients", section_clients},
    {"memory", "Memory", section_memory},
    {"persistence", "Persistence", section_persistence},
    {"stats", "Stats", section_stats},
    {"replication", "Replication", section_replication},
    {"cpu", "CPU", section_cpu},
    {"modules", "Modules", section_modules},
    {"cluster", "Cluster", section_cluster},
    {"keyspace", "Keyspace", section_keyspace},
    {"weir", "Weir", section_weir},
};

static bool is_asked_for(const char *name, const struct bytes *sections, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal_nocase(sections[i], bytes_of_string(name)) ||
            bytes_equal_nocase(sections[i], BYTES("all")) ||
            bytes_equal_nocase(sections[i], BYTES("everything")) ||
            bytes_equal_nocase(sections[i], BYTES("default")))
            return true;
    }
    return count == 0;
}

void info_text(struct broker *broker, const struct bytes *sections, size_t count, struct buf *out)
{
    struct source source = {.broker = broker, .options = broker_options(broker)};

    broker_info(broker, &source.info);
    source.server = server_stats(broker_server(broker));
    for (size_t i = 0; i < sizeof sections_known / sizeof sections_known[0]; i++) {
        const struct section *section = &sections_known[i];
        if (!is_asked_for(section->name, sections, count))
            continue;
        buf_addf(out, "%s# %s\r\n", out->len > 0 ? "\r\n" : "", section->title);
        section->write(&source, out);
    }
}
