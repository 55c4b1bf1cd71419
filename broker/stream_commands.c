/* The rows of the stream family. */
#include "broker/stream_commands.h"

#include "broker/group_commands.h"

#define STREAM_ROW(name, run, arity, flags, since, complexity, summary)                            \
    {                                                                                              \
        name, run, arity, flags, 1, 1, 1, "stream", since, complexity, summary, NULL               \
    }

static const struct command_row xinfo_subcommands[] = {
    {"consumers", xinfo_consumers_command, 4, COMMAND_READONLY, 2, 2, 1, "stream", "5.0.0",
     "O(1) for each consumer", "The consumers of a group", NULL},
    {"groups", xinfo_groups_command, 3, COMMAND_READONLY, 2, 2, 1, "stream", "5.0.0",
     "O(1) for each group", "The consumer groups of a feed", NULL},
    {"help", xinfo_help_command, 2, COMMAND_LOADING | COMMAND_STALE, 0, 0, 0, "stream", "5.0.0",
     "O(1)", "Tells the subcommands", NULL},
    {"stream", xinfo_stream_command, -3, COMMAND_READONLY, 2, 2, 1, "stream", "5.0.0",
     "O(1), with FULL O(N), N entries shown", "Counters and edges of a feed", NULL},
    {.name = NULL},
};

const struct command_row stream_commands[] = {
    STREAM_ROW("xack", xack_command, -4, COMMAND_WRITE | COMMAND_FAST, "5.0.0", "O(1) for each id",
               "Acknowledges entries that a group has delivered"),
    STREAM_ROW("xackdel", xackdel_command, -6, COMMAND_WRITE | COMMAND_FAST, "8.2.0",
               "O(1) for each id and group", "Acknowledges entries and deletes them"),
    STREAM_ROW("xadd", xadd_command, -5, COMMAND_WRITE | COMMAND_FAST, "5.0.0",
               "O(1), with trimming O(N), N entries that go", "Appends an entry to a feed"),
    STREAM_ROW("xautoclaim", xautoclaim_command, -6, COMMAND_WRITE | COMMAND_FAST, "6.2.0",
               "O(1) for each entry looked at", "Claims what others have left pending for long"),
    STREAM_ROW("xclaim", xclaim_command, -6, COMMAND_WRITE | COMMAND_FAST, "5.0.0",
               "O(1) for each id", "Makes a consumer the owner of pending entries"),
    STREAM_ROW("xdel", xdel_command, -3, COMMAND_WRITE | COMMAND_FAST, "5.0.0", "O(1) for each id",
               "Deletes entries"),
    STREAM_ROW("xdelex", xdelex_command, -5, COMMAND_WRITE | COMMAND_FAST, "8.2.0",
               "O(1) for each id and group",
               "Deletes entries, by whether groups still refer to them"),
    {"xgroup", NULL, -2, 0, 0, 0, 0, "stream", "5.0.0", "depends on the subcommand",
     "Makes and removes consumer groups", xgroup_subcommands},
    {"xinfo", NULL, -2, 0, 0, 0, 0, "stream", "5.0.0", "depends on the subcommand",
     "What there is to know about feeds", xinfo_subcommands},
    STREAM_ROW("xlen", xlen_command, 2, COMMAND_READONLY | COMMAND_FAST, "5.0.0", "O(1)",
               "Number of entries"),
    STREAM_ROW("xnack", xnack_command, -7, COMMAND_WRITE | COMMAND_FAST, "8.8.0",
               "O(1) for each id", "Gives pending entries back, for others to have"),
    STREAM_ROW("xpending", xpending_command, -3, COMMAND_READONLY, "5.0.0",
               "O(N), N consumers, or entries looked at",
               "What a group has delivered and nobody has acknowledged"),
    STREAM_ROW("xrange", xrange_command, -4, COMMAND_READONLY, "5.0.0", "O(N), N entries shown",
               "Entries of a range of ids"),
    {"xread", xread_command, -4, COMMAND_READONLY | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS, 0, 0,
     0, "stream", "5.0.0", "O(N), N entries shown",
     "Entries behind given ids, of several feeds; may wait", NULL},
    {"xreadgroup", xreadgroup_command, -7, COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
     0, 0, 0, "stream", "5.0.0", "O(N), N entries shown",
     "New entries of several feeds, each for one consumer of a group", NULL},
    STREAM_ROW("xrevrange", xrevrange_command, -4, COMMAND_READONLY, "5.0.0",
               "O(N), N entries shown", "Entries of a range of ids, newest first"),
    STREAM_ROW("xsetid", xsetid_command, -3, COMMAND_WRITE | COMMAND_FAST, "5.0.0", "O(1)",
               "Sets a feed's last id and counters"),
    STREAM_ROW("xtrim", xtrim_command, -4, COMMAND_WRITE, "5.0.0", "O(N), N entries that go",
               "Removes the oldest entries"),
    {.name = NULL},
};
