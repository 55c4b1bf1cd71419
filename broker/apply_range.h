/* apply_range: what the ops of range rules do. A part of apply.c. */
#ifndef WEIR_BROKER_APPLY_RANGE_H
#define WEIR_BROKER_APPLY_RANGE_H

#include "broker/keyspace.h"

/* ERR_CORRUPT: the op does not fit the rules. */
MUST_CHECK enum err apply_range(struct keyspace *keyspace, const struct op *op);

#endif
