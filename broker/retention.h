/* retention: removes what a feed's policy does not keep, as ops like XTRIM's.
 *
 * First whole chunks go, a bounded number of entries a turn, then what is too old or too much in
 * the chunk that is left. A feed whose entries nobody has weighed yet is weighed before
 * (weighing.h). Where the policy keeps what groups have not acknowledged, they are asked first
 * (hold.h).
 *
 * One feed at a time: what is being found out about it stays here between turns.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_RETENTION_H
#define WEIR_BROKER_RETENTION_H

#include "broker/weighing.h"
#include "storage/feed_plan.h"

struct retention {
    struct feed *feed;     /* one reference; NULL: nothing is being found out */
    struct policy *policy; /* one reference: what it is found out for */
    bool planned;          /* `plan` is initialized */
    struct trim_plan plan;
    struct hold hold;
    struct weighing weighing; /* maybe of another feed */
};

void retention_init(struct retention *retention);
void retention_deinit(struct retention *retention);
/* Lets go of feeds that are no more, which nobody will look at. */
void retention_forget_dropped(struct retention *retention);

/* The next step for the feed that is looked at. */
enum look retention_step(const struct looking *looking);

#endif
