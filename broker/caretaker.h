/* caretaker: does what is due for feeds, at its time and without anybody asking: appends delayed
 * entries, and removes what policies do not keep (retention.h).
 *
 * The store's schedule of alarms (storage/upkeep.h) says which feed is next. At the end of a turn
 * the caretaker looks at those whose time has come, a bounded piece of work a turn. What it does
 * are ops in the log as any command's, so blocked readers wake and a crash repeats nothing. Where a
 * row is cold a reader fetches it, one at a time; other feeds wait for that.
 *
 * Times are Unix time, since that is what clients and ids go by: when the system's clock is set,
 * what is due changes with it.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_CARETAKER_H
#define WEIR_BROKER_CARETAKER_H

#include "broker/retention.h"

struct broker;
struct errand;

struct caretaker {
    struct broker *broker;
    struct errand *errand; /* with a reader; NULL: none */
    struct buf key;        /* of the feed that is being looked at */
    struct retention retention;
    uint64_t retry_us;     /* after a failed read: not before; clock_mono_us */
    unsigned entries_left; /* of this turn's piece of work */
    size_t bytes_left;
    unsigned groups_left;
};

void caretaker_init(struct caretaker *caretaker, struct broker *broker);
/* Lets go of an errand that is with a reader. */
void caretaker_deinit(struct caretaker *caretaker);

/* At the end of a turn, before the record is handed over. True: there is more to do at once. */
bool caretaker_work(struct caretaker *caretaker);
/* When it wants to be called again at the latest, in clock_mono_us; 0: whenever something happens.
 */
uint64_t caretaker_deadline(struct caretaker *caretaker);

#endif
