/* glob: Redis's glob patterns (https://redis.io/docs/latest/commands/keys/):
 * `?`, `*`, `[abc]`, `[^a]`, `[a-z]`, and `\` to take the next byte as it is.
 *
 * Agrees with redis-server 7.0's matcher to the byte, odd corners included (glob.c lists
 * them). One of them shows: "*" does not match the empty text. Where Redis looks for "*"
 * first, as KEYS and SCAN do, ask glob_matches_all first. */
#ifndef WEIR_BASE_GLOB_H
#define WEIR_BASE_GLOB_H

#include "base/bytes.h"

/* Time is O(pattern * text) at worst: runs of `*` collapse and a match that failed after
 * the last `*` is not tried again from an earlier one. */
bool glob_match(struct bytes pattern, struct bytes text, bool nocase);

/* True when the pattern matches every text ("*"). */
bool glob_matches_all(struct bytes pattern);

#endif
