#include "broker/command_facts.h"

#include <stddef.h>
#include <string.h>

#define TOLD_BY_EACH_NODE "nondeterministic_output request_policy:all_nodes response_policy:special"
#define TOLD_BY_EACH_SHARD                                                                         \
    "nondeterministic_output request_policy:all_shards response_policy:special"
#define DONE_BY_ALL_NODES  "request_policy:all_nodes response_policy:all_succeeded"
#define DONE_BY_ALL_SHARDS "request_policy:all_shards response_policy:all_succeeded"
#define SUM_OF_SHARDS      "request_policy:multi_shard response_policy:agg_sum"

/* Key specs: RO reads the value, RW changes it, OW overwrites it whatever it was, RM removes it
 * unseen; then what happens to the user's data in it. */
static const struct command_facts facts[] = {
    {"append", {"RW insert"}, NULL},
    {"client|info", {NULL}, "nondeterministic_output"},
    {"client|list", {NULL}, "nondeterministic_output"},
    {"command", {NULL}, "nondeterministic_output_order"},
    {"command|docs", {NULL}, "nondeterministic_output_order"},
    {"command|info", {NULL}, "nondeterministic_output_order"},
    {"command|list", {NULL}, "nondeterministic_output_order"},
    {"config|set", {NULL}, DONE_BY_ALL_NODES},
    {"copy", {"RO access", "OW update"}, NULL},
    {"dbsize", {NULL}, "request_policy:all_shards response_policy:agg_sum"},
    {"decr", {"RW access update"}, NULL},
    {"decrby", {"RW access update"}, NULL},
    {"del", {"RM delete"}, SUM_OF_SHARDS},
    {"delex", {"RW delete variable_flags"}, NULL},
    {"dump", {NULL}, "nondeterministic_output"},
    {"exists", {"RO"}, SUM_OF_SHARDS},
    {"flushall", {NULL}, DONE_BY_ALL_SHARDS},
    {"flushdb", {NULL}, DONE_BY_ALL_SHARDS},
    {"getdel", {"RW access delete"}, NULL},
    {"getex", {"RW access update"}, NULL},
    {"getset", {"RW access update"}, NULL},
    {"hdel", {"RW delete"}, NULL},
    {"hexists", {"RO"}, NULL},
    {"hgetall", {NULL}, "nondeterministic_output_order"},
    {"hincrby", {"RW access update"}, NULL},
    {"hincrbyfloat", {"RW access update"}, NULL},
    {"hkeys", {NULL}, "nondeterministic_output_order"},
    {"hlen", {"RO"}, NULL},
    {"hrandfield", {NULL}, "nondeterministic_output"},
    {"hscan", {NULL}, "nondeterministic_output"},
    {"hsetnx", {"RW insert"}, NULL},
    {"hstrlen", {"RO"}, NULL},
    {"hvals", {NULL}, "nondeterministic_output_order"},
    {"incr", {"RW access update"}, NULL},
    {"incrby", {"RW access update"}, NULL},
    {"incrbyfloat", {"RW access update"}, NULL},
    {"info", {NULL}, TOLD_BY_EACH_SHARD},
    {"keys", {NULL}, "request_policy:all_shards nondeterministic_output_order"},
    {"lastsave", {NULL}, "nondeterministic_output"},
    {"latency|doctor", {NULL}, TOLD_BY_EACH_NODE},
    {"latency|graph", {NULL}, TOLD_BY_EACH_NODE},
    {"latency|histogram", {NULL}, TOLD_BY_EACH_NODE},
    {"latency|history", {NULL}, TOLD_BY_EACH_NODE},
    {"latency|latest", {NULL}, TOLD_BY_EACH_NODE},
    {"latency|reset", {NULL}, DONE_BY_ALL_NODES},
    {"memory|doctor", {NULL}, TOLD_BY_EACH_SHARD},
    {"memory|malloc-stats", {NULL}, TOLD_BY_EACH_SHARD},
    {"memory|purge", {NULL}, DONE_BY_ALL_SHARDS},
    {"memory|stats", {NULL}, TOLD_BY_EACH_SHARD},
    {"memory|usage", {"RO"}, NULL},
    {"mget", {NULL}, "request_policy:multi_shard"},
    {"module|list", {NULL}, "nondeterministic_output_order"},
    {"mset", {"OW update"}, "request_policy:multi_shard response_policy:all_succeeded"},
    {"msetnx", {"OW insert"}, "request_policy:multi_shard response_policy:agg_min"},
    {"object|encoding", {"RO"}, "nondeterministic_output"},
    {"object|freq", {"RO"}, "nondeterministic_output"},
    {"object|idletime", {"RO"}, "nondeterministic_output"},
    {"object|refcount", {"RO"}, "nondeterministic_output"},
    {"ping", {NULL}, DONE_BY_ALL_SHARDS},
    {"psetex", {"OW update"}, NULL},
    {"pttl", {NULL}, "nondeterministic_output"},
    {"randomkey", {NULL}, "request_policy:all_shards nondeterministic_output"},
    {"rename", {"RW access delete", "OW update"}, NULL},
    {"renamenx", {"RW access delete", "OW insert"}, NULL},
    {"restore", {"OW update"}, NULL},
    {"scan", {NULL}, "nondeterministic_output request_policy:special"},
    {"set", {"RW access update variable_flags"}, NULL},
    {"setbit", {"RW access update"}, NULL},
    {"setex", {"OW update"}, NULL},
    {"setnx", {"OW insert"}, NULL},
    {"slowlog|get", {NULL}, "request_policy:all_nodes nondeterministic_output"},
    {"slowlog|len",
     {NULL},
     "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {"slowlog|reset", {NULL}, DONE_BY_ALL_NODES},
    {"strlen", {"RO"}, NULL},
    {"time", {NULL}, "nondeterministic_output"},
    {"touch", {"RO"}, SUM_OF_SHARDS},
    {"ttl", {NULL}, "nondeterministic_output"},
    {"type", {"RO"}, NULL},
    {"unlink", {"RM delete"}, SUM_OF_SHARDS},
    {"wait", {NULL}, "request_policy:all_shards response_policy:agg_min"},
    {"watch", {"RO"}, NULL},
    {"xackdel", {"RW delete"}, NULL},
    {"xadd", {NULL}, "nondeterministic_output"},
    {"xautoclaim", {"RW delete"}, "nondeterministic_output"},
    {"xclaim", {NULL}, "nondeterministic_output"},
    {"xdel", {"RW delete"}, NULL},
    {"xdelex", {"RW delete"}, NULL},
    {"xgroup|create", {"RW insert"}, NULL},
    {"xgroup|createconsumer", {"RW insert"}, NULL},
    {"xgroup|delconsumer", {"RW delete"}, NULL},
    {"xgroup|destroy", {"RW delete"}, NULL},
    {"xinfo|consumers", {NULL}, "nondeterministic_output"},
    {"xlen", {"RO"}, NULL},
    {"xpending", {NULL}, "nondeterministic_output"},
    {"xreadgroup", {"RO access"}, NULL},
    {"xtrim", {"RW delete"}, "nondeterministic_output"},
};

const struct command_facts *command_facts_of(const char *name)
{
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        if (strcmp(facts[i].name, name) == 0)
            return &facts[i];
    }
    return NULL;
}
