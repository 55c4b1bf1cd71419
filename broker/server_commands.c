#include "broker/families.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/info.h"
#include "broker/session.h"
#include "broker/transaction.h"
#include "broker/version.h"

static enum flow info_command(struct session *session)
{
    struct buf text;
    buf_init(&text);
    info_text(session->broker, session->argv + 1, session->argc - 1, &text);
    reply_verbatim(&session->reply, buf_bytes(&text));
    buf_deinit(&text);
    return FLOW_DONE;
}

static enum flow time_command(struct session *session)
{
    uint64_t now = clock_wall_us();
    reply_array(&session->reply, 2);
    reply_bulk_u64(&session->reply, now / 1000000);
    reply_bulk_u64(&session->reply, now % 1000000);
    return FLOW_DONE;
}

/* The replication offset is the durable LSN; there are no replicas. */
static enum flow role_command(struct session *session)
{
    reply_array(&session->reply, 3);
    reply_bulk_string(&session->reply, "master");
    reply_integer(&session->reply, (int64_t)broker_durable(session->broker));
    reply_array(&session->reply, 0);
    return FLOW_DONE;
}

static enum flow lastsave_command(struct session *session)
{
    reply_integer(&session->reply, (int64_t)broker_last_fold_s(session->broker));
    return FLOW_DONE;
}

/* No replica will ever acknowledge anything, so there is nothing to wait for. */
static enum flow wait_command(struct session *session)
{
    int64_t replicas, timeout_ms;

    if (!bytes_to_i64(session->argv[1], &replicas))
        session_not_integer(session);
    else if (!bytes_to_i64(session->argv[2], &timeout_ms))
        reply_error(&session->reply, "ERR timeout is not an integer or out of range");
    else if (timeout_ms < 0)
        reply_error(&session->reply, "ERR timeout is negative");
    else
        reply_integer(&session->reply, 0);
    return FLOW_DONE;
}

static enum flow save_command(struct session *session)
{
    return broker_fold_now(session);
}

static enum flow bgsave_command(struct session *session)
{
    bool schedule = session->argc == 2 && argument_is(session, 1, "schedule");

    if (session->argc > 1 && !schedule)
        session_syntax_error(session);
    else if (!broker_fold_start(session->broker))
        reply_error(&session->reply, "ERR Background save already in progress");
    else
        reply_status(&session->reply, "Background saving started");
    return FLOW_DONE;
}

/* The log shrinks by a fold. */
static enum flow bgrewriteaof_command(struct session *session)
{
    if (broker_fold_start(session->broker))
        reply_status(&session->reply, "Background append only file rewriting started");
    else
        reply_error(&session->reply,
                    "ERR Background append only file rewriting already in progress");
    return FLOW_DONE;
}

/* SHUTDOWN's options. NOW and FORCE change nothing here: there are no replicas to wait for, and a
 * fold that fails loses nothing. */
struct shutdown {
    bool save;
    bool no_save;
    bool abort;
};

static bool shutdown_read(const struct session *session, struct shutdown *shutdown)
{
    for (size_t i = 1; i < session->argc; i++) {
        if (argument_is(session, i, "save"))
            shutdown->save = true;
        else if (argument_is(session, i, "nosave"))
            shutdown->no_save = true;
        else if (argument_is(session, i, "abort"))
            shutdown->abort = true;
        else if (!argument_is(session, i, "now") && !argument_is(session, i, "force"))
            return false;
    }
    return !(shutdown->save && shutdown->no_save) && !(shutdown->abort && session->argc > 2);
}

static enum flow shutdown_command(struct session *session)
{
    struct shutdown shutdown = {0};

    if (!shutdown_read(session, &shutdown))
        session_syntax_error(session);
    else if (shutdown.abort)
        reply_error(&session->reply, "ERR No shutdown in progress.");
    else
        broker_shutdown(session->broker, !shutdown.no_save);
    return FLOW_DONE;
}

static enum flow monitor_command(struct session *session)
{
    if (transaction_runs(session)) {
        reply_error(&session->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return FLOW_DONE;
    }
    reply_status(&session->reply, "OK");
    if (!session->monitor)
        broker_monitor(session->broker, session, true);
    return FLOW_DONE;
}

static enum flow no_cluster_command(struct session *session)
{
    reply_error(&session->reply, "ERR This instance has cluster support disabled");
    return FLOW_DONE;
}

static enum flow lolwut_command(struct session *session)
{
    reply_verbatim(&session->reply,
                   BYTES("Redis ver. " REDIS_VERSION ", Weir ver. " WEIR_VERSION "\n"));
    return FLOW_DONE;
}

static enum flow ok_command(struct session *session)
{
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

static enum flow zero_command(struct session *session)
{
    reply_integer(&session->reply, 0);
    return FLOW_DONE;
}

static enum flow empty_array_command(struct session *session)
{
    reply_array(&session->reply, 0);
    return FLOW_DONE;
}

static enum flow slowlog_get_command(struct session *session)
{
    int64_t count = 0;

    if (session->argc > 3)
        session_wrong_arity(session);
    else if (session->argc == 3 && (!bytes_to_i64(session->argv[2], &count) || count < -1))
        reply_error(&session->reply, "ERR count should be greater than or equal to -1");
    else
        reply_array(&session->reply, 0);
    return FLOW_DONE;
}

static enum flow latency_doctor_command(struct session *session)
{
    reply_verbatim(&session->reply, BYTES("Latencies are not monitored. INFO weir tells the times "
                                          "of syncs and folds.\n"));
    return FLOW_DONE;
}

static enum flow latency_graph_command(struct session *session)
{
    reply_error(&session->reply, "ERR No samples available for event '%.*s'",
                (int)session->argv[2].len, session->argv[2].data);
    return FLOW_DONE;
}

static enum flow latency_histogram_command(struct session *session)
{
    reply_map(&session->reply, 0);
    return FLOW_DONE;
}

static enum flow memory_doctor_command(struct session *session)
{
    reply_verbatim(&session->reply, BYTES("Memory is bounded by fold-bytes, resident-bytes, "
                                          "chunk-cache-bytes and block-cache-bytes. INFO memory "
                                          "and INFO weir tell what is in use.\n"));
    return FLOW_DONE;
}

static enum flow memory_malloc_stats_command(struct session *session)
{
    reply_verbatim(&session->reply, BYTES("Stats not supported for the current allocator"));
    return FLOW_DONE;
}

static void stats_integer(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_string(reply, name);
    reply_integer(reply, (int64_t)value);
}

static enum flow memory_stats_command(struct session *session)
{
    struct reply *reply = &session->reply;
    struct broker_info info;
    uint64_t used = mem_used();
    uint64_t resident = info_resident_set();

    broker_info(session->broker, &info);
    reply_map(reply, 7);
    stats_integer(reply, "total.allocated", used);
    stats_integer(reply, "dataset.bytes", info.dirty_bytes + info.resident_bytes);
    stats_integer(reply, "dirty.bytes", info.dirty_bytes);
    stats_integer(reply, "chunk-cache.bytes", info.chunk_cache_bytes);
    stats_integer(reply, "block-cache.bytes", info.cache_bytes);
    stats_integer(reply, "allocator.resident", resident);
    reply_bulk_string(reply, "fragmentation");
    reply_double(reply, used > 0 ? (double)resident / (double)used : 0.0);
    return FLOW_DONE;
}

static enum flow acl_whoami_command(struct session *session)
{
    reply_bulk_string(&session->reply, "default");
    return FLOW_DONE;
}

static enum flow acl_users_command(struct session *session)
{
    reply_array(&session->reply, 1);
    reply_bulk_string(&session->reply, "default");
    return FLOW_DONE;
}

#define ANY_TIME (COMMAND_LOADING | COMMAND_STALE)
#define USER     (COMMAND_NOSCRIPT | ANY_TIME)
#define ADMIN    (COMMAND_ADMIN | USER)
#define ROW(name, run, arity, flags, since, complexity, summary)                                   \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "server", since, complexity, summary, NULL               \
    }
#define CLUSTER_ROW(name, arity, flags)                                                            \
    {                                                                                              \
        name, no_cluster_command, arity, flags, 0, 0, 0, "cluster", "3.0.0", "O(1)",               \
            "Cluster only", NULL                                                                   \
    }
#define CONTAINER(name, group, since, summary, subcommands)                                        \
    {                                                                                              \
        name, NULL, -2, 0, 0, 0, 0, group, since, "Depends on subcommand.", summary, subcommands   \
    }
#define HELP(since) ROW("help", command_help, 2, ANY_TIME, since, "O(1)", "Prints this help.")

static const struct command_row acl_subcommands[] = {
    HELP("6.0.0"),
    ROW("users", acl_users_command, 2, ADMIN, "6.0.0", "O(1)", "Names of the users: one, default"),
    ROW("whoami", acl_whoami_command, 2, USER, "6.0.0", "O(1)", "User of the connection"),
    {.name = NULL},
};

static const struct command_row latency_subcommands[] = {
    ROW("doctor", latency_doctor_command, 2, ADMIN, "2.8.13", "O(1)", "Where to look instead"),
    ROW("graph", latency_graph_command, 3, ADMIN, "2.8.13", "O(1)", "No samples are kept"),
    HELP("2.8.13"),
    ROW("histogram", latency_histogram_command, -2, ADMIN, "7.0.0", "O(1)",
        "No histograms are kept"),
    ROW("history", empty_array_command, 3, ADMIN, "2.8.13", "O(1)", "No samples are kept"),
    ROW("latest", empty_array_command, 2, ADMIN, "2.8.13", "O(1)", "No samples are kept"),
    ROW("reset", zero_command, -2, ADMIN, "2.8.13", "O(1)", "Nothing to reset"),
    {.name = NULL},
};

static const struct command_row memory_subcommands[] = {
    ROW("doctor", memory_doctor_command, 2, 0, "4.0.0", "O(1)", "Where to look"),
    HELP("4.0.0"),
    ROW("malloc-stats", memory_malloc_stats_command, 2, 0, "4.0.0", "O(1)",
        "Statistics of the allocator"),
    ROW("purge", ok_command, 2, 0, "4.0.0", "O(1)", "Accepted; the allocator purges by itself"),
    ROW("stats", memory_stats_command, 2, 0, "4.0.0", "O(1)", "Memory in use, by what"),
    {"usage", memory_usage_command, -3,
     COMMAND_READONLY | COMMAND_UNNOTICED | COMMAND_UNCOUNTED | COMMAND_NO_TOUCH, 2, 2, 1, "server",
     "4.0.0", "O(1)", "Bytes in memory for a key and its value", NULL},
    {.name = NULL},
};

static const struct command_row module_subcommands[] = {
    HELP("5.0.0"),
    ROW("list", empty_array_command, 2, COMMAND_ADMIN | COMMAND_NOSCRIPT, "4.0.0", "O(1)",
        "There are no modules"),
    {.name = NULL},
};

#define OBJECT_ROW(name, run, since, summary)                                                      \
    {                                                                                              \
        name, run, 3, COMMAND_READONLY | COMMAND_UNNOTICED | COMMAND_NO_TOUCH, 2, 2, 1, "generic", \
            since, "O(1)", summary, NULL                                                           \
    }

static const struct command_row object_subcommands[] = {
    OBJECT_ROW("encoding", object_encoding_command, "2.2.3", "How a key's value is held"),
    OBJECT_ROW("freq", object_freq_command, "4.0.0", "How often a key is used"),
    {"help", command_help, 2, ANY_TIME, 0, 0, 0, "generic", "6.2.0", "O(1)", "Prints this help.",
     NULL},
    OBJECT_ROW("idletime", object_idletime_command, "2.2.3", "Seconds since a key was used"),
    OBJECT_ROW("refcount", object_refcount_command, "2.2.3", "References to a key's value"),
    {.name = NULL},
};

#define SLOWLOG (COMMAND_ADMIN | ANY_TIME)

static const struct command_row slowlog_subcommands[] = {
    ROW("get", slowlog_get_command, -2, SLOWLOG, "2.2.12", "O(1)", "No slow commands are kept"),
    HELP("6.2.0"),
    ROW("len", zero_command, 2, SLOWLOG, "2.2.12", "O(1)", "No slow commands are kept"),
    ROW("reset", ok_command, 2, SLOWLOG, "2.2.12", "O(1)", "Nothing to reset"),
    {.name = NULL},
};

const struct command_row server_commands[] = {
    CONTAINER("acl", "server", "6.0.0", "Commands about users", acl_subcommands),
    CLUSTER_ROW("asking", 1, COMMAND_FAST),
    ROW("bgrewriteaof", bgrewriteaof_command, 1, COMMAND_ADMIN | COMMAND_NOSCRIPT, "1.0.0", "O(1)",
        "Starts a fold, after which the log is let go of"),
    ROW("bgsave", bgsave_command, -1, COMMAND_ADMIN | COMMAND_NOSCRIPT, "1.0.0", "O(1)",
        "Starts a fold of what has changed in memory"),
    CLUSTER_ROW("cluster", -2, 0),
    {"command", command_command, -1, ANY_TIME, 0, 0, 0, "server", "2.8.13", "O(N), N commands",
     "Tells all commands", command_subcommands},
    CONTAINER("config", "server", "2.0.0", "Commands about options", config_subcommands),
    ROW("info", info_command, -1, ANY_TIME, "1.0.0", "O(1)", "Figures and states of the server"),
    ROW("lastsave", lastsave_command, 1, COMMAND_FAST | ANY_TIME, "1.0.0", "O(1)",
        "Unix time of the last fold"),
    CONTAINER("latency", "server", "2.8.13", "Commands about latencies", latency_subcommands),
    ROW("lolwut", lolwut_command, -1, COMMAND_READONLY | COMMAND_FAST, "5.0.0", "O(1)",
        "Tells the version"),
    CONTAINER("memory", "server", "4.0.0", "Commands about memory", memory_subcommands),
    CONTAINER("module", "server", "4.0.0", "Commands about modules", module_subcommands),
    ROW("monitor", monitor_command, 1, ADMIN, "1.0.0", "O(1)",
        "Shows this client every command from now on"),
    CONTAINER("object", "generic", "2.2.3", "Commands about how keys are held", object_subcommands),
    CLUSTER_ROW("readonly", 1, COMMAND_FAST | ANY_TIME),
    CLUSTER_ROW("readwrite", 1, COMMAND_FAST | ANY_TIME),
    ROW("role", role_command, 1, COMMAND_FAST | USER, "2.8.12", "O(1)",
        "Role in replication, offset and replicas"),
    ROW("save", save_command, 1, COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_MULTI, "1.0.0",
        "O(N), N changes", "Folds what has changed in memory and waits for it"),
    ROW("shutdown", shutdown_command, -1, ADMIN | COMMAND_NO_MULTI, "1.0.0", "O(N), N changes",
        "Folds, closes all connections and ends the server"),
    CONTAINER("slowlog", "server", "2.2.12", "Commands about slow commands", slowlog_subcommands),
    ROW("time", time_command, 1, COMMAND_FAST | ANY_TIME, "2.6.0", "O(1)",
        "Seconds and microseconds of the server's clock"),
    {"wait", wait_command, 3, COMMAND_NOSCRIPT, 0, 0, 0, "generic", "3.0.0", "O(1)",
     "Number of replicas that have acknowledged: none", NULL},
    {.name = NULL},
};
