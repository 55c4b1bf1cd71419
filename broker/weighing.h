/* weighing: finds out what the entries of a feed take that nobody has weighed yet: those that were
 * there before its policy had MAXBYTES. They are read backwards, newest first, a bounded number a
 * turn, until what was read is all that the policy keeps.
 *
 * One feed at a time, which others that are trimmed meanwhile do not hold up.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_WEIGHING_H
#define WEIR_BROKER_WEIGHING_H

#include "broker/hold.h"
#include "storage/policy.h"

struct weighing {
    struct feed *feed;     /* one reference; NULL: nothing is weighed */
    struct policy *policy; /* one reference: what it is weighed for */
    struct feed_cursor cursor;
    struct id unweighed; /* what the ledger did not know when it began */
    struct buf spans;    /* struct span each, newest first */
    uint64_t weight;     /* of all of them */
};

void weighing_init(struct weighing *weighing);
/* Lets go of the feed, and of all memory. */
void weighing_reset(struct weighing *weighing);

/* The next step for the feed that is looked at, whose ledger has something that is unweighed.
 * LOOK_MORE, too, when all was told to the ledger. */
enum look weighing_step(const struct looking *looking, struct weighing *weighing);

#endif
