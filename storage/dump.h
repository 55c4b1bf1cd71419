/* dump: a key's value as DUMP hands it out and RESTORE takes it.
 *
 *   dump = object row without a time of expiry (object.h) | format u8 | XXH3 of all before u64
 *
 * Strings and hashes only: a feed lies in many rows. It comes back from clients, so nothing in it
 * is trusted, whatever its checksum says. */
#ifndef WEIR_STORAGE_DUMP_H
#define WEIR_STORAGE_DUMP_H

#include "storage/object.h"

#define DUMP_FORMAT 1u

/* Adds the dump of a string or a hash. */
void dump_encode(struct buf *out, const struct object_state *state);

/* The state that was dumped, with one reference for the caller; it never expires. ERR_TOO_NEW: a
 * format that this version does not know, or no dump; ERR_CORRUPT: the checksum is wrong;
 * ERR_INVALID: the value is damaged or too large. Then *state is as it was. */
MUST_CHECK enum err dump_decode(struct object_state *state, struct bytes dump);

#endif
