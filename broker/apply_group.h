/* apply_group: what the ops of consumer groups do (broker/apply.h). */
#ifndef WEIR_BROKER_APPLY_GROUP_H
#define WEIR_BROKER_APPLY_GROUP_H

#include "broker/keyspace.h"

/* `object` names a feed; it and its feed are touched already, their groups loaded. ERR_CORRUPT. */
MUST_CHECK enum err apply_group(struct keyspace *keyspace, const struct op *op,
                                struct object *object);

#endif
