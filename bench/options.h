/* options: what weir-bench is told: `weir-bench WORKLOAD --NAME VALUE ...`.
 *
 * All values are whole numbers. Which of them a workload looks at is in its row (workloads.h). */
#ifndef WEIR_BENCH_OPTIONS_H
#define WEIR_BENCH_OPTIONS_H

#include <stdint.h>

/*  field        default  min        max  meaning */
#define OPTION_TABLE(X)                                                                            \
    X(port, 0, 1, 65535, "the server's port on 127.0.0.1")                                         \
    X(pid, 0, 0, INT32_MAX, "the server's process, whose CPU time is read; 0: none")               \
    X(warm_ms, 500, 0, 600000, "time before measuring begins")                                     \
    X(ms, 3000, 1, 86400000, "time of measuring")                                                  \
    X(drain_ms, 10000, 1, 600000, "patience for what is still due in the end")                     \
    X(rate, 0, 0, 10000000, "operations a second, sent when due; 0: when replies are in")          \
    X(connections, 50, 1, 10000, "connections that send")                                          \
    X(pipeline, 1, 1, 10000, "commands that a connection sends at once, and awaits")               \
    X(payload, 100, 32, 1 << 20, "bytes of an entry, a message, a value")                          \
    X(keys, 1, 1, 10000000, "feeds, rooms or keys, one of them at random each time")               \
    X(base, 0, 0, 10000000, "number of the first feed (append) or key (set, get)")                 \
    X(operations, 0, 0, 10000000000, "ends after as many; 0: when the time is over")               \
    X(entries, 0, 0, 10000000000, "entries that are there (range, replay, pending)")               \
    X(count, 100, 1, 100000, "entries of a read")                                                  \
    X(readers, 1, 1, 10000, "connections that read (tail, group, rooms)")                          \
    X(writers, 0, 0, 10000, "connections that SET other keys meanwhile, one at a time (get)")      \
    X(each, 1, 1, 1000000, "rooms that each reader is in")                                         \
    X(stride, 0, 0, 1000000, "rooms from a reader's first to the next reader's; 0: as --each")     \
    X(patterns, 0, 0, 1000000, "patterns that match no room")                                      \
    X(window, 1000, 1, 10000000, "what writers may be ahead of readers by")                        \
    X(seed, 1, 0, INT64_MAX, "of the random numbers")

#define X(field, default_value, min, max, meaning) uint64_t field;
struct options {
    OPTION_TABLE(X)
};
#undef X

/* Reads `argc` words of the form `--name value`; a field's _ is a - there. Dies of what it cannot
 * read. */
void options_read(struct options *options, int argc, char **argv);
void options_print(void);

#endif
