/* dead_letter: entries that were delivered too often.
 *
 * Where a feed's policy has MAXDELIVERIES, a command that would deliver an entry once more than
 * that has it leave the group's pending entries instead, and appends it to the dead-letter feed,
 * if the policy names one. Both are ops of one record: a crash leaves an entry pending, or dead.
 *
 * A dead letter has the fields origin, id, group, consumer (the last one's name) and deliveries,
 * then the entry's own. Where the policy's key holds something else, or a feed without an id left,
 * the entry stays pending and is not delivered; that is logged when it begins, and FEED.INFO tells
 * the group (group.stuck).
 *
 * As everything that changes a group, they are collected first, maybe in several turns, and written
 * in one. Threads: the loop's. */
#ifndef WEIR_BROKER_DEAD_LETTER_H
#define WEIR_BROKER_DEAD_LETTER_H

#include "broker/access.h"
#include "broker/group_writes.h"

struct policy;

struct dead_letters {
    struct pending_set items; /* as they are pending */
    struct buf entries;       /* id (2 u64), fields as buf_put_bytes */
};

void dead_letters_deinit(struct dead_letters *dead); /* leaves none */

/* Whether an entry with so many deliveries leaves. */
bool dead_letter_due(const struct feed *feed, uint64_t deliveries);

/* True when a feed of this policy (NULL: none) under this key would be its own dead-letter feed. It
 * has replied then. */
MUST_CHECK bool dead_letters_own(struct session *session, const struct policy *policy,
                                 struct bytes key);

/* Makes sure that what the policy's dead-letter key holds, if there is one, is in memory; before
 * anything is collected, in every run of the command. */
MUST_CHECK enum access dead_letters_access(struct session *session, const struct feed *feed);

/* The entry that is pending as *item leaves. `entry`: as a reading has it, [id, fields]. When there
 * are too many for one record it stays pending, and is not delivered. */
void dead_letters_add(struct dead_letters *dead, const struct pending *item, struct bytes entry);
/* Makes it so, but for those that find no place in the dead-letter feed: these stay pending, too,
 * and are no longer among the items. */
void dead_letters_write(struct session *session, const struct group_place *place,
                        struct dead_letters *dead);

#endif
