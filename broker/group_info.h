/* group_info: what XINFO STREAM FULL shows of a feed's groups, collected in as many steps as it
 * takes: each group's pending entries are walked once, for itself and for its consumers. */
#ifndef WEIR_BROKER_GROUP_INFO_H
#define WEIR_BROKER_GROUP_INFO_H

#include "broker/group_commands.h"
#include "broker/pending_walk.h"

struct consumer_info {
    uint64_t number;
    uint64_t shown;
    struct buf pending;
};

struct group_info {
    uint64_t limit;        /* pending entries shown of each */
    struct groups *groups; /* one reference; NULL: there are none */
    uint32_t at;           /* groups before this one are in `body` */
    struct buf body;

    /* the group that is walked */
    bool open;
    struct group *group;
    struct pending_walk walk;
    uint64_t shown;
    struct buf pending;
    struct consumer_info *consumers; /* by number, as when the walk began */
    uint32_t count;
    uint32_t unfilled; /* of them, those that may show more */
};

/* The feed of `key`, which must exist, with its groups in memory. */
MUST_CHECK enum access group_info_feed(struct session *session, struct bytes key,
                                       struct object **out);

/* `groups` may be NULL: there are none. `limit` 0: all. */
void group_info_begin(struct group_info *info, struct groups *groups, uint64_t limit);
void group_info_end(struct group_info *info);
/* ERR_OK: all is collected. ERR_COLD: a reader is at work. ERR_FULL, ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err group_info_step(struct group_info *info, struct session *session,
                                    const struct feed_row *row);
/* The array of groups. */
void group_info_reply(const struct group_info *info, struct reply *reply);

#endif
