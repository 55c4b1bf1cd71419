/* eviction: memory ranges keep within their budgets.
 *
 * A range has a budget of its own (its rule's), and all memory ranges together have the option
 * maxmemory. After a command that has written, keys go until the ranges it wrote to are within
 * both; the range's policy chooses them. A range whose policy lets none go refuses what would add
 * to it (eviction_full).
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_EVICTION_H
#define WEIR_BROKER_EVICTION_H

#include "broker/broker.h"
#include "storage/key_ranges.h"

/* Keys that go after one command, at most; the rest follows after the next ones. */
#define EVICTIONS_MAX 1000

/* True: the range is over a budget and lets no key go. */
bool eviction_full(struct broker *broker, const struct key_range *range);

/* After a command; cheap when it wrote to no memory range. */
void eviction_run(struct broker *broker);
/* Budgets have changed: all ranges are looked at after the next command. */
void eviction_budgets_changed(struct broker *broker);

#endif
