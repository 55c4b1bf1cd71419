/* hold: what the consumer groups of a feed have not acknowledged, where its policy keeps that.
 *
 * A group holds its feed from the first entry that is pending in it, or that it has not delivered.
 * One whose entry there is older than the policy's MAXLAG is parked: it holds nothing. That is
 * logged when it begins, and told by FEED.INFO as it was when the feed was last looked at.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_HOLD_H
#define WEIR_BROKER_HOLD_H

#include "storage/feed_cursor.h"
#include "storage/pending_cursor.h"

/* How looking at a feed went on: it has nothing to do now; it has more to do in the next turn; an
 * errand was sent; reading failed. */
enum look { LOOK_DONE, LOOK_MORE, LOOK_WAIT, LOOK_FAILED };

struct looking;

/* What is being found out, between turns. Groups are asked in the order of their numbers, so new
 * ones last. Answers stay good, since what a group holds moves on; where it goes back, the groups
 * tell (groups_set_back). */
struct hold {
    struct groups *groups; /* one reference; NULL: none were asked */
    uint64_t asked;        /* those up to this number have answered: */
    struct id first;       /* the first id that they hold */

    struct group *group; /* the one being asked; one reference; NULL: none */
    bool in_pending;     /* `pending` is initialized */
    struct pending_cursor pending;
    bool in_feed; /* `entry` is */
    struct feed_cursor entry;
};

/* Forgets all answers. */
void hold_reset(struct hold *hold);

/* The first id that some group holds; ID_MAX: none does. It asks as many groups in one turn as the
 * caretaker has left for it. */
enum look hold_find(const struct looking *looking, struct hold *hold, struct id *out);

#endif
