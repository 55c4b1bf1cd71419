/* pending_lookup: finds out which of some ids are pending in a group, and where.
 *
 * Where that takes several turns of the loop, what was found is looked at again at the end, and
 * from the start where a fold has taken it out of memory meanwhile: so the result is true when it
 * is there. A lookup lies on the stack as long as all is in memory, as a pending_walk does. */
#ifndef WEIR_BROKER_PENDING_LOOKUP_H
#define WEIR_BROKER_PENDING_LOOKUP_H

#include "broker/pending_walk.h"

struct pending_lookup {
    struct group *group; /* one reference */
    uint64_t view;       /* of the store when it began */
    size_t at;           /* ids before this one are looked up */
    bool waited;
    struct pending_set found; /* the result: those that are pending */
    bool open;
    struct pending_walk walk; /* for the id at `at` */
};

/* Takes a reference of `group`. */
void pending_lookup_begin(struct pending_lookup *lookup, struct session *session,
                          struct group *group);
void pending_lookup_end(struct pending_lookup *lookup);

/* ERR_OK: the result is there. ERR_COLD: move the lookup to where it can stay and call
 * pending_lookup_wait. ERR_IO, ERR_CORRUPT. The ids are the same in each step. */
MUST_CHECK enum err pending_lookup_step(struct pending_lookup *lookup, struct session *session,
                                        const struct id *ids, size_t count);
void pending_lookup_wait(struct pending_lookup *lookup, struct session *session,
                         const struct id *ids);
/* What was looked up in an earlier turn, in the same view of ranges, is brought up to date. */
void pending_lookup_refresh(struct pending_lookup *lookup, const struct id *ids, size_t count);

#endif
