/* patterns: which patterns match a name, without trying them all.
 *
 * A pattern is indexed by its literal prefix, what is in front of its first special character: a
 * name can match it only if it begins with that. All patterns with the same prefix are one set. A
 * look-up asks once for each length that prefixes have, and tries the patterns of the sets that it
 * finds. Prefixes are cut at PATTERN_PREFIX_MAX, so that there are few lengths.
 *
 * Patterns are named by the numbers that their rooms have (pubsub/rooms.h). Threads: the loop's. */
#ifndef WEIR_PUBSUB_PATTERNS_H
#define WEIR_PUBSUB_PATTERNS_H

#include "pubsub/rooms.h"

/* A bit of `lengths` for each length, 0 included. */
#define PATTERN_PREFIX_MAX 63

struct patterns {
    struct hmap prefixes;
    uint64_t seed;
    uint64_t lengths;                        /* bit n: there are prefixes of n bytes */
    uint32_t counts[PATTERN_PREFIX_MAX + 1]; /* how many of them */
};

void patterns_init(struct patterns *patterns, uint64_t seed);
/* There must be no pattern any more. */
void patterns_deinit(struct patterns *patterns);

/* `pattern` is a new room, whose name is the pattern. */
void patterns_add(struct patterns *patterns, const struct room *pattern);
void patterns_remove(struct patterns *patterns, const struct room *pattern);

/* Puts the numbers (uint32_t) of all patterns that match `name` into `out` and returns how many;
 * shorter prefixes first. `rooms` holds the patterns. */
size_t patterns_match(const struct patterns *patterns, const struct rooms *rooms, struct bytes name,
                      struct buf *out, struct buf *scratch);

#endif
