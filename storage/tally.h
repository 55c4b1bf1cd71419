/* tally: how many durable keys are under a range rule, and what they take.
 *
 * Each database has a tally of each rule that has keys in it. Counting goes by rounds: a round
 * begins with nothing counted, whenever keys come under another rule without being written, and
 * walks over all keys (broker/range_count.h). A key is counted, in the round that goes on, when
 *
 *   1. it is in memory, and its object says so (object.tallied), or
 *   2. it is on disk only, and its place (key_scan.h) lies before database.tallied.
 *
 * What is counted is kept up to date by every op. A round that is complete is stored with the
 * catalog.
 *
 * Threads: the loop's. */
#ifndef WEIR_STORAGE_TALLY_H
#define WEIR_STORAGE_TALLY_H

#include "storage/object.h"

struct tally {
    uint64_t keys;
    uint64_t bytes;   /* names, and values of strings and hashes, packed */
    uint64_t entries; /* of feeds; how many bytes these take is known on average only */
};

/* What the key adds; nothing where there is no key. */
struct tally tally_of(const struct object *object);
/* The same for a key that is on disk only. ERR_CORRUPT. */
MUST_CHECK enum err tally_of_row(struct bytes name, struct bytes row, struct tally *out);

static inline void tally_add(struct tally *to, const struct tally *tally)
{
    to->keys += tally->keys;
    to->bytes += tally->bytes;
    to->entries += tally->entries;
}

static inline void tally_subtract(struct tally *from, const struct tally *tally)
{
    from->keys -= tally->keys;
    from->bytes -= tally->bytes;
    from->entries -= tally->entries;
}

#endif
