/* id_set: a set of entry ids, for the entries of a feed that were deleted but not yet
 * rewritten by a fold. Open addressing; 16 bytes a slot, at most three quarters full.
 * Membership is O(1); an empty set owns no memory. */
#ifndef WEIR_STORAGE_ID_SET_H
#define WEIR_STORAGE_ID_SET_H

#include "storage/id.h"

struct id_set {
    struct id *slots; /* 1 << bits of them; 0-0 is free: no entry has that id */
    size_t count;
    unsigned bits;
};

void id_set_deinit(struct id_set *set); /* leaves an empty set */
/* `id` is not 0-0. False when it was there. */
bool id_set_add(struct id_set *set, struct id id);
bool id_set_has(const struct id_set *set, struct id id);
/* Writes the ids in ascending order to `out` (room for `count`). */
void id_set_sorted(const struct id_set *set, struct id *out);

#endif
