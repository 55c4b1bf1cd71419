/* upkeep: what the server does for a feed by itself, at its time: adding delayed entries, and
 * removing what its policy does not keep.
 *
 * A feed that was never given anything of the kind has no upkeep. Entries that are to be added
 * later lie in a schedule: when they are due and a number make the handle, the value is the
 * entry's fields, as it will be appended.
 *
 * The store has one schedule more, of alarms: at such a time somebody has to look at such a feed.
 * Each feed with something to do has one row there, whose id is the time and the feed's id and
 * whose value says where the feed is. So what is due next is found without looking at any feed, and
 * a feed that is on disk only has its alarm there, too. An alarm may be too early, never too late.
 *
 *   alarm row        = namespace u32 | key name
 *   in an object row = varints: alarm, quiet until, delayed entries, number of the last handle,
 *                      held until;
 *                      texts: policy, ledger
 *
 * Threads: the loop's; the folder reads the sealed side's row and schedule. */
#ifndef WEIR_STORAGE_UPKEEP_H
#define WEIR_STORAGE_UPKEEP_H

#include "storage/entry.h"
#include "storage/ledger.h"
#include "storage/policy.h"
#include "storage/schedule.h"

struct feed;

/* All times are Unix milliseconds; 0: never. */
struct upkeep_row {
    uint64_t alarm_ms;         /* as the store's schedule has it */
    uint64_t quiet_ms;         /* no delayed entry is due before */
    uint64_t delayed;          /* entries */
    uint64_t delayed_last;     /* number of the last handle */
    uint64_t held_ms;          /* the policy is not looked at before */
    bool stirred;              /* something may be held no more since then; not in the row's bytes:
                                * who does not know looks too early */
    struct schedule *schedule; /* of delayed entries; NULL: there never were any */
    struct policy *policy;     /* NULL: none */
    struct ledger *ledger;     /* NULL: the policy does not ask for it */
};

struct upkeep {
    uint8_t side; /* of the newest row */
    struct upkeep_row rows[2];
};

static inline struct upkeep_row *upkeep_row(struct upkeep *upkeep)
{
    return &upkeep->rows[upkeep->side];
}

/* The feed's upkeep, made when it has none. */
struct upkeep *upkeep_of(struct feed *feed);

/* These take NULL for a feed without upkeep. */

/* The schedule of delayed entries, NULL when there never were any. */
static inline struct schedule *upkeep_delayed(const struct upkeep *upkeep)
{
    return upkeep != NULL ? upkeep->rows[upkeep->side].schedule : NULL;
}

void upkeep_destroy(struct upkeep *upkeep);
/* The policy, NULL: there is none. */
static inline struct policy *upkeep_policy(const struct upkeep *upkeep)
{
    return upkeep != NULL ? upkeep->rows[upkeep->side].policy : NULL;
}

/* Makes `side` the newest. */
void upkeep_turn(struct upkeep *upkeep, uint8_t side);
/* The fold of `side` is on disk. Frees `count` rows at most; true: all. */
bool upkeep_folded(struct upkeep *upkeep, uint8_t side, size_t count);
size_t upkeep_bytes(const struct upkeep *upkeep);

/* The changes; the feed is on the writable side. Those that take something to the disk return how
 * much it adds to what the next fold must write. */

/* An entry with `fields` shall be added at handle.ms. */
size_t upkeep_delay(struct feed *feed, struct id handle, struct bytes fields);
/* The delayed entry is none any more. */
size_t upkeep_end_delay(struct feed *feed, struct id handle);
void upkeep_quiet(struct feed *feed, uint64_t until_ms);
/* Groups hold what the policy would remove: nobody looks before `until_ms`, and not much later than
 * that when nothing stirs. */
void upkeep_hold(struct feed *feed, uint64_t until_ms);
/* Groups may have let go of something. */
void upkeep_stir(struct feed *feed);

/* `policy`, NULL: none, is the feed's from now on; takes it. */
void upkeep_set_policy(struct feed *feed, struct policy *policy);
/* An entry was added. */
void upkeep_added(struct upkeep *upkeep, const struct entry *entry);
/* What the entries that nobody had weighed take: see ledger.h. ERR_CORRUPT. */
MUST_CHECK enum err upkeep_weighed(struct feed *feed, struct bytes spans);

/* Brings the ledger up to the feed's first entry; says when somebody has to look at the feed. */
uint64_t upkeep_settle(struct feed *feed);
/* How much older than the policy says entries may become, so that they go several at a time. */
uint64_t upkeep_slack_ms(uint64_t maxage_ms);

void upkeep_encode(struct buf *out, const struct upkeep_row *row);
/* Gives the feed, just made of its row, its upkeep. ERR_CORRUPT leaves it without. */
MUST_CHECK enum err upkeep_decode(struct feed *feed, struct bytes bytes);

/* The value of an alarm. */
void alarm_encode(struct buf *out, uint32_t space, struct bytes key);
struct alarm {
    uint32_t space;
    struct bytes key; /* points into the value */
};
MUST_CHECK enum err alarm_decode(struct bytes value, struct alarm *out);

#endif
