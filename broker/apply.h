/* apply: does what an op says; the only code that changes objects.
 *
 * Deterministic: no clock, no randomness, no decision. Commands and recovery call the same
 * function. */
#ifndef WEIR_BROKER_APPLY_H
#define WEIR_BROKER_APPLY_H

#include "broker/keyspace.h"

/* `lsn` becomes the gate of what changes; 0 in recovery, where everything is durable. Where
 * op->object is NULL the key is looked up, which may block: recovery only. Errors are the
 * look-up's, and ERR_CORRUPT when the op does not fit the object. */
MUST_CHECK enum err apply(struct keyspace *keyspace, const struct op *op, uint64_t lsn);

#endif
