/* trim_refs: what the groups of a feed have to do with its being trimmed: how far ACKED lets it go,
 * and which references DELREF takes away. */
#ifndef WEIR_BROKER_TRIM_REFS_H
#define WEIR_BROKER_TRIM_REFS_H

#include "broker/group_writes.h"
#include "broker/pending_walk.h"

/* Begin with zeros. */
struct trim_refs {
    bool walk_open;
    struct pending_walk walk; /* of the group at hand */

    /* DELREF: */
    struct groups *groups;    /* one reference; NULL: not begun */
    uint32_t count;           /* of them then */
    uint32_t at;              /* groups before this one are read */
    uint64_t edits;           /* of all of them then */
    struct id first;          /* what is below it goes */
    struct pending_set *gone; /* of each group */
};

void trim_refs_end(struct trim_refs *refs);

/* Entries at or above *bound stay: a group may still deliver them, or has them pending. ERR_COLD: a
 * reader is at work; call it again. ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err trim_refs_bound(struct trim_refs *refs, struct session *session,
                                    const struct groups *groups, struct id *bound);
/* Finds out what is pending below `first`, as of this turn. */
MUST_CHECK enum err trim_refs_collect(struct trim_refs *refs, struct session *session,
                                      struct groups *groups, struct id first);
/* Takes it away. */
void trim_refs_release(const struct trim_refs *refs, struct session *session,
                       struct object *object);

#endif
