/* info: the text of INFO, from what the broker, the server and the system tell.
 *
 * https://redis.io/docs/latest/commands/info/
 * The fields that tools read have Redis's names and units; what is Weir's own is in the section
 * "weir". Loop thread only. */
#ifndef WEIR_BROKER_INFO_H
#define WEIR_BROKER_INFO_H

#include "base/buf.h"

struct broker;

/* Length of a run id in hexadecimal digits: as Redis's. */
#define RUN_ID_LEN 40

/* What the broker knows. Counters are since the start or the last CONFIG RESETSTAT. */
struct broker_info {
    char run_id[RUN_ID_LEN + 1]; /* random, of this process */
    uint64_t started_us;         /* clock_mono_us at the start */

    /* The log. */
    uint64_t durable_lsn;
    uint64_t last_lsn;     /* of the open record, or the last one when it is empty */
    uint64_t fold_lsn;     /* everything up to it is in ranges */
    uint64_t record_bytes; /* in the open record */
    uint64_t log_bytes;    /* of segment files in use */
    uint64_t commits;
    uint64_t commit_bytes;
    uint64_t syncs;
    uint64_t sync_us; /* sum of their times */
    uint64_t sync_us_max;
    uint64_t stalls;         /* times writers had to wait for a commit record */
    const char *failed_text; /* why the store refuses writes; NULL: it does not */

    /* Folds. */
    bool fold_running;
    bool fold_last_failed;
    uint64_t folds;
    uint64_t fold_us;      /* sum of their times */
    uint64_t fold_us_last; /* of the last one */
    uint64_t changes_since_fold;

    /* State. */
    uint64_t dirty_bytes;      /* changed since the last fold */
    uint64_t resident_bytes;   /* unchanged objects kept in memory */
    uint64_t memory_bytes;     /* keys of memory ranges */
    uint64_t resident_objects; /* all objects in memory */
    uint64_t disk_bytes;       /* of ranges */
    uint64_t cache_bytes;      /* block cache in use */
    uint64_t chunk_cache_bytes;
    uint64_t chunk_cache_hits;
    uint64_t chunk_cache_misses;
    uint64_t compaction_bytes; /* waiting for compaction */

    /* Commands. */
    uint64_t commands;
    uint64_t ops_per_second;
    uint64_t expired_keys;
    uint64_t evicted_keys;
    uint64_t keyspace_hits;
    uint64_t keyspace_misses;
    uint64_t output_limit_closes; /* connections closed for their output */

    /* Rooms. */
    uint64_t channels;
    uint64_t shard_channels;
    uint64_t patterns;
    uint64_t watched_rooms;
    uint64_t subscribers;   /* connections in any of them */
    uint64_t subscriptions; /* pairs of a connection and one of them */
    uint64_t published;     /* messages */
    uint64_t deliveries;    /* messages written to outputs */
    uint64_t drops;         /* messages that members who were closed did not get */

    /* Keys that clients watch, or cache. */
    uint64_t watching_clients;
    uint64_t watched_keys;
    uint64_t tracking_clients;
    uint64_t tracked_keys;
    uint64_t tracked_items;    /* pairs of a key and a client */
    uint64_t tracked_prefixes; /* different ones */
};

struct keyspace_info {
    uint64_t keys;
    uint64_t expires;
    uint64_t avg_ttl_ms; /* of those that expire, to a sixteenth of a second */
};

/* Provided by broker.c. */
void broker_info(struct broker *broker, struct broker_info *out);
void broker_keyspace_info(struct broker *broker, unsigned db, struct keyspace_info *out);

/* Adds the sections that are asked for, in INFO's own order; none asked for: the default ones.
 * "all", "everything" and "default" are sections; unknown ones add nothing. */
void info_text(struct broker *broker, const struct bytes *sections, size_t count, struct buf *out);

/* Bytes of the process that are in memory; 0 when the system does not tell. */
uint64_t info_resident_set(void);

#endif
