/* micro: the cases of weir-micro.
 *
 * A case is set up, runs its operation any number of times, and is torn down; one case a process,
 * so cases keep their state in their file. What an operation does must not depend on time, chance
 * or the machine: bench/micro/run counts the instructions of N and of 2 N operations and takes the
 * difference for the cost of N.
 *
 * Threads: one. */
#ifndef WEIR_BENCH_MICRO_MICRO_H
#define WEIR_BENCH_MICRO_MICRO_H

#include "base/buf.h"

struct micro_case {
    const char *name; /* NULL ends a table */
    const char *operation;
    uint64_t count; /* of operations, for counting instructions: some millions of these */
    uint64_t step;  /* the number of operations is a multiple of this; `count` is one */
    void (*set_up)(void);
    void (*run)(uint64_t count);
    void (*tear_down)(void);
};

extern const struct micro_case micro_base_cases[];
extern const struct micro_case micro_storage_cases[];
extern const struct micro_case micro_fold_cases[];
extern const struct micro_case micro_pubsub_cases[];
extern const struct micro_case micro_parser_cases[];
extern const struct micro_case micro_broker_cases[];

/* Takes the result of an operation, so that the compiler has to compute it. */
void micro_use(uint64_t result);

/* What a client sends and an entry holds: as in bench/run, one field of 100 bytes. */
#define MICRO_VALUE_BYTES 100
/* Adds "*5 XADD <key> * f <100 bytes>". */
void micro_add_xadd(struct buf *out, const char *key);
/* Adds the same fields in wire form, as an entry has them. */
void micro_add_fields(struct buf *out);

#endif
