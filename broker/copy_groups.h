/* copy_groups: the consumer groups of a feed that is copied: read first, then written with the
 * copy.
 */
#ifndef WEIR_BROKER_COPY_GROUPS_H
#define WEIR_BROKER_COPY_GROUPS_H

#include "broker/group_writes.h"
#include "broker/pending_walk.h"

struct group_copy {
    struct group *group; /* one reference */
    uint64_t edits;      /* of it when it was read */
    struct buf items;    /* struct pending each */
};

struct copy_groups {
    bool open;
    struct groups *groups; /* one reference; NULL: there are none */
    struct group_copy *copies;
    uint32_t count;
    uint32_t at; /* groups before this one are read */
    bool walk_open;
    struct pending_walk walk;
    uint64_t bytes; /* about what they take, in memory and in the record */
};

void copy_groups_end(struct copy_groups *copy);

/* Reads the groups of `feed`, from the start where they have changed. ERR_OK: all is read, as of
 * this turn. ERR_COLD: a reader is at work. ERR_FULL: they take more than `bytes_max`. ERR_IO,
 * ERR_CORRUPT. */
MUST_CHECK enum err copy_groups_read(struct copy_groups *copy, struct session *session,
                                     struct feed *feed, uint64_t bytes_max);
/* Gives them to the feed of `target`. */
void copy_groups_write(const struct copy_groups *copy, struct session *session, unsigned db,
                       struct bytes key, struct object *target);

#endif
