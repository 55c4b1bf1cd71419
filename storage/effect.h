/* effect: what an op does to the state of a key, whichever store the key lives in.
 *
 * This is what durable keys and those in memory have in common: all ops on strings and hashes, and
 * those on any key. Whoever calls it has made the state writable before and counts afterwards: see
 * broker/keyspace.h. */
#ifndef WEIR_STORAGE_EFFECT_H
#define WEIR_STORAGE_EFFECT_H

#include "storage/object.h"
#include "storage/op.h"

/* True: the op is of the kinds that effect_apply knows. */
bool effect_is_of_values(enum op_kind kind);

/* Applies the op; a state of type OBJECT_NONE afterwards is a key that is gone. ERR_CORRUPT, and
 * nothing has changed but for what an op's damaged `data` did before the damage: the op does not
 * fit the state. */
MUST_CHECK enum err effect_apply(struct object_state *state, const struct op *op);

#endif
