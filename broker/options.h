/* options: everything that can be configured, as rows.
 *
 * A row is a name, a default, the form its values have, and one sentence. From the rows come the
 * members of `struct options`, reading of the configuration file (redis.conf's form) and of the
 * command line, CONFIG GET, SET and REWRITE, and the text of --help: a new option is one row.
 *
 * Options of Redis that mean nothing here are rows as well (OPTION_PASSIVE_TABLE): accepted,
 * checked, kept and told, so that tools which set them go on, and read by nobody.
 *
 * Invariants
 *   1. Every member is within the limits of its row, always.
 *   2. The relations between options (options_check) hold once options_load or options_set_all has
 *      returned without an error.
 *   3. options_set_all changes all that it was given, or nothing.
 *
 * Texts in `struct options` are owned by it and valid until the next change. Not thread safe: the
 * loop owns the options, other threads get copies of values. */
#ifndef WEIR_BROKER_OPTIONS_H
#define WEIR_BROKER_OPTIONS_H

#include "base/buf.h"
#include "base/err.h"

/* For client-output-buffer-limit. */
enum output_class { OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB, OUTPUT_CLASS_COUNT };

/* A connection whose unsent output passes `hard_bytes` is closed, as is one whose output has been
 * over `soft_bytes` for `soft_seconds` without a break. 0 is no limit. */
struct output_limit {
    uint64_t hard_bytes;
    uint64_t soft_bytes;
    uint64_t soft_seconds;
};

struct output_limits {
    struct output_limit of[OUTPUT_CLASS_COUNT];
};

/* What the letter A in notify-keyspace-events stands for. */
#define OPTION_EVENTS_ALL "g$lshzxetd"

/* How a value is written, and what holds it. */
#define OPTION_C_BOOL        bool     /* yes or no */
#define OPTION_C_INTEGER     int64_t  /* decimal */
#define OPTION_C_BYTES       uint64_t /* decimal, with k m g (1000s) or kb mb gb (1024s) */
#define OPTION_C_CHOICE      int      /* one of the row's words; its index is the value */
#define OPTION_C_TEXT        char *   /* one word or quoted text */
#define OPTION_C_WORDS       char *   /* any number of words, one blank between them */
#define OPTION_C_SAVE_POINTS char *   /* pairs of seconds and changes, as Redis's save */
#define OPTION_C_EVENTS      char *   /* letters, as Redis's notify-keyspace-events */
#define OPTION_C_RULES       char *   /* range rules, a comma after each but the last */
#define OPTION_C_LIMITS      struct output_limits /* class hard soft seconds, for some classes */

/* The form of a row's values: what they may be, for its type. */
#define FORM_RANGE(min, max) (min), (max), NULL /* numbers; for texts: lengths in bytes */
#define FORM_WORDS(words)    0, 0, (words)
#define FORM_ANY             0, INT64_MAX, NULL
#define FORM_TEXT            FORM_RANGE(0, OPTION_TEXT_MAX)
/* A path, a password, a list of addresses: what fits in a line of the file. */
#define OPTION_TEXT_MAX 4096

/* Not to be changed while running. */
#define OPTION_AT_START 1u

#define OPTION_KB INT64_C(1024)
#define OPTION_MB (1024 * OPTION_KB)
#define OPTION_GB (1024 * OPTION_MB)

/* Together with one entry they stay below what a commit record may hold (broker.c). */
#define OPTION_COMMIT_RECORD_BYTES_MAX (128 * OPTION_MB)
#define OPTION_COPY_BYTES_MAX          (128 * OPTION_MB)
#define OPTION_TRANSACTION_BYTES_MAX   (128 * OPTION_MB)

#define EVICTION_POLICIES                                                                          \
    "volatile-lru volatile-lfu volatile-random volatile-ttl allkeys-lru allkeys-lfu "              \
    "allkeys-random noeviction"

/* The reasons of the bounds
 *   fold-bytes            below 1 MB a fold costs more than it writes; the upper bound keeps the
 *                         time of a restart, which replays some times as much, in minutes.
 *   resident-, block-cache-bytes   below 1 MB nothing useful stays in memory. Without
 *                         chunk-cache-bytes the block cache does its work, more slowly.
 *   commit-record-bytes   one sync's worth: more only adds to everybody's waiting time.
 *   proto-max-bulk-len    Redis's lower bound; the upper one keeps lengths within 32 bits.
 *   client-output-buffer-limit   Redis leaves normal clients unlimited. Here memory is bounded by
 *                         configuration, so they get twice the longest bulk string: the longest
 *                         possible reply to a single key always fits. No soft limit: reading
 *                         slowly what one has asked for is no fault.
 *   rooms-per-connection  a hundred times what a server of a framework needs; a subscription
 *                         takes some ten to a hundred bytes.
 *   copy-bytes-max        COPY of a feed is one commit record. */
#define OPTION_TABLE(X)                                                                            \
    X(INTEGER, port, "port", "6379", FORM_RANGE(0, 65535), OPTION_AT_START,                        \
      "TCP port; 0 listens on none")                                                               \
    X(WORDS, bind, "bind", "127.0.0.1 -::1", FORM_TEXT, OPTION_AT_START,                           \
      "addresses to listen on; one with a leading '-' may be missing on this machine")             \
    X(TEXT, dir, "dir", "./data", FORM_RANGE(1, OPTION_TEXT_MAX), OPTION_AT_START,                 \
      "directory of the data; made when missing")                                                  \
    X(INTEGER, databases, "databases", "16", FORM_RANGE(1, 4096), OPTION_AT_START,                 \
      "number of databases for SELECT")                                                            \
    X(CHOICE, appendfsync, "appendfsync", "always", FORM_WORDS("always everysec no"), 0,           \
      "when a write is synced: before its reply, once a second, or when the kernel likes")         \
    X(BYTES, fold_bytes, "fold-bytes", "64mb", FORM_RANGE(OPTION_MB, 16 * OPTION_GB), 0,           \
      "changed state in memory at which it is folded to disk")                                     \
    X(BYTES, resident_bytes, "resident-bytes", "128mb", FORM_RANGE(OPTION_MB, INT64_MAX), 0,       \
      "memory for unchanged objects; the least recently used leave first")                         \
    X(BYTES, block_cache_bytes, "block-cache-bytes", "64mb", FORM_RANGE(OPTION_MB, INT64_MAX),     \
      OPTION_AT_START, "memory for blocks read from disk")                                         \
    X(BYTES, chunk_cache_bytes, "chunk-cache-bytes", "128mb", FORM_RANGE(0, INT64_MAX), 0,         \
      "memory for entries that were folded or read lately")                                        \
    X(BYTES, commit_record_bytes, "commit-record-bytes", "16mb",                                   \
      FORM_RANGE(64 * OPTION_KB, OPTION_COMMIT_RECORD_BYTES_MAX), 0,                               \
      "writers wait while the open commit record holds more")                                      \
    X(INTEGER, background_threads, "background-threads", "2", FORM_RANGE(1, 64), OPTION_AT_START,  \
      "threads for compaction")                                                                    \
    X(BYTES, fold_write_rate, "fold-write-rate", "0", FORM_ANY, OPTION_AT_START,                   \
      "bytes a second that folding and compaction may write; 0 is no limit")                       \
    X(BYTES, copy_bytes_max, "copy-bytes-max", "64mb", FORM_RANGE(0, OPTION_COPY_BYTES_MAX), 0,    \
      "COPY refuses a feed that is larger")                                                        \
    X(BYTES, transaction_bytes_max, "transaction-bytes-max", "64mb",                               \
      FORM_RANGE(64 * OPTION_KB, OPTION_TRANSACTION_BYTES_MAX), 0,                                 \
      "commands that one connection may queue for EXEC, and keys that it watches")                 \
    X(INTEGER, stream_node_max_entries, "stream-node-max-entries", "100", FORM_ANY, 0,             \
      "a hundred times this is what ~ trims at most without LIMIT; chunks are cut by size")        \
    X(INTEGER, tracking_table_max_keys, "tracking-table-max-keys", "1000000", FORM_ANY, 0,         \
      "keys that are remembered for clients that cache them; 0 is no limit")                       \
    X(BYTES, maxmemory, "maxmemory", "0", FORM_ANY, 0,                                             \
      "bytes of keys that all memory ranges together may have; 0: as their own budgets say")       \
    X(CHOICE, maxmemory_policy, "maxmemory-policy", "noeviction", FORM_WORDS(EVICTION_POLICIES),   \
      0, "which keys leave a memory range whose rule names no policy of its own")                  \
    X(RULES, range, "range", "", FORM_TEXT, OPTION_AT_START,                                       \
      "database (* for all), prefix, durable or memory, [maxmemory N] [policy P]: where keys are") \
    X(INTEGER, maxclients, "maxclients", "10000", FORM_RANGE(1, 1000000), 0,                       \
      "connections at a time; more are told so and closed")                                        \
    X(INTEGER, timeout, "timeout", "0", FORM_RANGE(0, INT32_MAX), 0,                               \
      "seconds after which an idle connection is closed; 0 is never")                              \
    X(INTEGER, tcp_keepalive, "tcp-keepalive", "300", FORM_RANGE(0, INT32_MAX), 0,                 \
      "seconds of silence before a connection's peer is probed; 0 is never")                       \
    X(INTEGER, tcp_backlog, "tcp-backlog", "511", FORM_RANGE(1, 65535), OPTION_AT_START,           \
      "connections that may wait to be accepted")                                                  \
    X(BYTES, proto_max_bulk_len, "proto-max-bulk-len", "512mb",                                    \
      FORM_RANGE(OPTION_MB, 2 * OPTION_GB), 0, "longest argument of a command")                    \
    X(BYTES, client_query_buffer_limit, "client-query-buffer-limit", "1gb",                        \
      FORM_RANGE(OPTION_MB, INT64_MAX), 0,                                                         \
      "input of a connection that is not a whole command yet")                                     \
    X(LIMITS, client_output_buffer_limit, "client-output-buffer-limit",                            \
      "normal 1gb 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60", FORM_ANY, 0,                      \
      "class, hard limit, soft limit, seconds: unsent output that closes a connection")            \
    X(INTEGER, rooms_per_connection, "rooms-per-connection", "1000000", FORM_RANGE(1, 1000000000), \
      0, "channels, patterns and watched rooms of one connection")                                 \
    X(EVENTS, notify_keyspace_events, "notify-keyspace-events", "", FORM_TEXT, 0,                  \
      "classes of changes that are published, and how (K, E), in Redis's letters; empty: none")    \
    X(TEXT, requirepass, "requirepass", "", FORM_TEXT, 0,                                          \
      "password that clients must give; empty: none")                                              \
    X(CHOICE, loglevel, "loglevel", "notice", FORM_WORDS("debug verbose notice warning nothing"),  \
      0, "least important lines that are logged")                                                  \
    X(TEXT, logfile, "logfile", "", FORM_TEXT, OPTION_AT_START,                                    \
      "file that the log is added to; empty: standard error")

/* A choice of one word is an honest answer: what else Redis would take is refused. */
#define OPTION_PASSIVE_TABLE(X)                                                                    \
    X(CHOICE, appendonly, "appendonly", "yes", FORM_WORDS("yes"), 0)                               \
    X(CHOICE, daemonize, "daemonize", "no", FORM_WORDS("no"), OPTION_AT_START)                     \
    X(CHOICE, supervised, "supervised", "no", FORM_WORDS("no"), OPTION_AT_START)                   \
    X(CHOICE, protected_mode, "protected-mode", "no", FORM_WORDS("no"), 0)                         \
    X(CHOICE, cluster_enabled, "cluster-enabled", "no", FORM_WORDS("no"), OPTION_AT_START)         \
    X(INTEGER, tls_port, "tls-port", "0", FORM_RANGE(0, 0), 0)                                     \
    X(TEXT, unixsocket, "unixsocket", "", FORM_RANGE(0, 0), OPTION_AT_START)                       \
    X(TEXT, replicaof, "replicaof", "", FORM_RANGE(0, 0), OPTION_AT_START)                         \
    X(SAVE_POINTS, save, "save", "", FORM_TEXT, 0)                                                 \
    X(TEXT, dbfilename, "dbfilename", "dump.rdb", FORM_TEXT, 0)                                    \
    X(TEXT, appendfilename, "appendfilename", "appendonly.aof", FORM_TEXT, OPTION_AT_START)        \
    X(TEXT, appenddirname, "appenddirname", "appendonlydir", FORM_TEXT, OPTION_AT_START)           \
    X(TEXT, pidfile, "pidfile", "", FORM_TEXT, OPTION_AT_START)                                    \
    X(BOOL, always_show_logo, "always-show-logo", "no", FORM_ANY, OPTION_AT_START)                 \
    X(BOOL, aof_use_rdb_preamble, "aof-use-rdb-preamble", "yes", FORM_ANY, 0)                      \
    X(BOOL, no_appendfsync_on_rewrite, "no-appendfsync-on-rewrite", "no", FORM_ANY, 0)             \
    X(INTEGER, auto_aof_rewrite_percentage, "auto-aof-rewrite-percentage", "100", FORM_ANY, 0)     \
    X(BYTES, auto_aof_rewrite_min_size, "auto-aof-rewrite-min-size", "64mb", FORM_ANY, 0)          \
    X(BOOL, aof_load_truncated, "aof-load-truncated", "yes", FORM_ANY, 0)                          \
    X(BOOL, rdbcompression, "rdbcompression", "yes", FORM_ANY, 0)                                  \
    X(BOOL, rdbchecksum, "rdbchecksum", "yes", FORM_ANY, OPTION_AT_START)                          \
    X(BOOL, stop_writes_on_bgsave_error, "stop-writes-on-bgsave-error", "yes", FORM_ANY, 0)        \
    X(INTEGER, maxmemory_samples, "maxmemory-samples", "5", FORM_RANGE(1, INT32_MAX), 0)           \
    X(BYTES, maxmemory_clients, "maxmemory-clients", "0", FORM_ANY, 0)                             \
    X(INTEGER, lfu_log_factor, "lfu-log-factor", "10", FORM_RANGE(0, INT32_MAX), 0)                \
    X(INTEGER, lfu_decay_time, "lfu-decay-time", "1", FORM_RANGE(0, INT32_MAX), 0)                 \
    X(BOOL, replica_read_only, "replica-read-only", "yes", FORM_ANY, 0)                            \
    X(BOOL, replica_serve_stale_data, "replica-serve-stale-data", "yes", FORM_ANY, 0)              \
    X(INTEGER, replica_priority, "replica-priority", "100", FORM_RANGE(0, INT32_MAX), 0)           \
    X(BYTES, repl_backlog_size, "repl-backlog-size", "1mb", FORM_RANGE(1, INT64_MAX), 0)           \
    X(INTEGER, repl_timeout, "repl-timeout", "60", FORM_RANGE(1, INT32_MAX), 0)                    \
    X(BOOL, repl_diskless_sync, "repl-diskless-sync", "yes", FORM_ANY, 0)                          \
    X(INTEGER, min_replicas_to_write, "min-replicas-to-write", "0", FORM_RANGE(0, 0), 0)           \
    X(INTEGER, min_replicas_max_lag, "min-replicas-max-lag", "10", FORM_RANGE(0, INT32_MAX), 0)    \
    X(INTEGER, hash_max_listpack_entries, "hash-max-listpack-entries", "512", FORM_ANY, 0)         \
    X(BYTES, hash_max_listpack_value, "hash-max-listpack-value", "64", FORM_ANY, 0)                \
    X(INTEGER, set_max_intset_entries, "set-max-intset-entries", "512", FORM_ANY, 0)               \
    X(INTEGER, set_max_listpack_entries, "set-max-listpack-entries", "128", FORM_ANY, 0)           \
    X(BYTES, set_max_listpack_value, "set-max-listpack-value", "64", FORM_ANY, 0)                  \
    X(INTEGER, zset_max_listpack_entries, "zset-max-listpack-entries", "128", FORM_ANY, 0)         \
    X(BYTES, zset_max_listpack_value, "zset-max-listpack-value", "64", FORM_ANY, 0)                \
    X(INTEGER, list_max_listpack_size, "list-max-listpack-size", "-2",                             \
      FORM_RANGE(INT32_MIN, INT32_MAX), 0)                                                         \
    X(INTEGER, list_compress_depth, "list-compress-depth", "0", FORM_RANGE(0, INT32_MAX), 0)       \
    X(BYTES, hll_sparse_max_bytes, "hll-sparse-max-bytes", "3000", FORM_ANY, 0)                    \
    X(BYTES, stream_node_max_bytes, "stream-node-max-bytes", "4096", FORM_ANY, 0)                  \
    X(INTEGER, lua_time_limit, "lua-time-limit", "5000", FORM_RANGE(0, INT64_MAX), 0)              \
    X(INTEGER, slowlog_log_slower_than, "slowlog-log-slower-than", "10000",                        \
      FORM_RANGE(-1, INT64_MAX), 0)                                                                \
    X(INTEGER, slowlog_max_len, "slowlog-max-len", "128", FORM_ANY, 0)                             \
    X(INTEGER, latency_monitor_threshold, "latency-monitor-threshold", "0", FORM_ANY, 0)           \
    X(BOOL, latency_tracking, "latency-tracking", "yes", FORM_ANY, 0)                              \
    X(BOOL, lazyfree_lazy_eviction, "lazyfree-lazy-eviction", "no", FORM_ANY, 0)                   \
    X(BOOL, lazyfree_lazy_expire, "lazyfree-lazy-expire", "no", FORM_ANY, 0)                       \
    X(BOOL, lazyfree_lazy_server_del, "lazyfree-lazy-server-del", "no", FORM_ANY, 0)               \
    X(BOOL, lazyfree_lazy_user_del, "lazyfree-lazy-user-del", "no", FORM_ANY, 0)                   \
    X(BOOL, lazyfree_lazy_user_flush, "lazyfree-lazy-user-flush", "no", FORM_ANY, 0)               \
    X(BOOL, activedefrag, "activedefrag", "no", FORM_ANY, 0)                                       \
    X(BOOL, activerehashing, "activerehashing", "yes", FORM_ANY, 0)                                \
    X(INTEGER, active_expire_effort, "active-expire-effort", "1", FORM_RANGE(1, 10), 0)            \
    X(INTEGER, io_threads, "io-threads", "1", FORM_RANGE(1, 128), OPTION_AT_START)                 \
    X(BOOL, io_threads_do_reads, "io-threads-do-reads", "no", FORM_ANY, OPTION_AT_START)           \
    X(INTEGER, hz, "hz", "10", FORM_RANGE(0, INT32_MAX), 0)                                        \
    X(BOOL, dynamic_hz, "dynamic-hz", "yes", FORM_ANY, 0)                                          \
    X(INTEGER, acllog_max_len, "acllog-max-len", "128", FORM_ANY, 0)                               \
    X(INTEGER, shutdown_timeout, "shutdown-timeout", "10", FORM_RANGE(0, INT32_MAX), 0)

struct options {
#define MEMBER(type, member, name, initial, form, flags, doc) OPTION_C_##type member;
    OPTION_TABLE(MEMBER)
#undef MEMBER
#define MEMBER(type, member, name, initial, form, flags) OPTION_C_##type member;
    OPTION_PASSIVE_TABLE(MEMBER)
#undef MEMBER
    char *file; /* absolute path of the configuration file; NULL when there is none */
};

/* The defaults. */
void options_init(struct options *options);
void options_deinit(struct options *options);

enum options_outcome {
    OPTIONS_RUN,    /* go on */
    OPTIONS_TELL,   /* `text` is what --help or --version asked for: print it and end well */
    OPTIONS_REFUSE, /* `text` is what is wrong and where: print it and end badly */
};

/* Takes in the file that `argv` names, if any, then the rest of the command line:
 * [FILE] [--name value...]... Adds to `text`. Blocks (reads the file). */
enum options_outcome options_load(struct options *options, int argc, char *const *argv,
                                  struct buf *text);

/* A change of one option, as clients ask for it. */
struct option_change {
    struct bytes name; /* any case */
    struct bytes value;
};

/* Makes all changes, or none: CONFIG SET. On an error `culprit` is the index of the change it lies
 * with and `why` gets Redis's words for it (nothing for ERR_NOT_FOUND).
 * ERR_NOT_FOUND: no such option. ERR_DENIED: not while running. ERR_INVALID, ERR_RANGE: the value,
 * a name given twice, or a relation to another option. */
MUST_CHECK enum err options_set_all(struct options *options, const struct option_change *changes,
                                    size_t count, size_t *culprit, struct buf *why);

/* The number of options, names of old that Redis still knows included; they are numbered from 0. */
size_t options_count(void);
const char *options_name(size_t index);
/* Adds the value's text to `out`, as CONFIG GET tells it. */
void options_value(const struct options *options, size_t index, struct buf *out);
/* True for a name of old: another option with a better name holds the value. */
bool options_is_alias(size_t index);

/* Writes what differs from the file into it; comments and order stay. The file is replaced as a
 * whole. Blocks. ERR_NOT_FOUND when there is no file; errors of the system otherwise. */
MUST_CHECK enum err options_rewrite(const struct options *options);

/* A size as the options of that form take it. */
MUST_CHECK enum err options_parse_bytes(struct bytes text, uint64_t *out);

/* Takes the next word off the front of `*rest`, as in `bind`; false when none is left. */
bool options_next_word(struct bytes *rest, struct bytes *word);

#endif
