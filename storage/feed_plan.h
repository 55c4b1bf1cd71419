/* feed_plan: finds out what trimming or deleting would do, before anything is changed.
 *
 * A plan is made in steps, since it may have to read chunks that are not in memory: on ERR_COLD the
 * plan's cursor says what to fetch (feed_cursor_plan and _take), then the step is repeated. If the
 * feed was trimmed or lost entries meanwhile, the plan starts over by itself. */
#ifndef WEIR_STORAGE_FEED_PLAN_H
#define WEIR_STORAGE_FEED_PLAN_H

#include "storage/feed_cursor.h"

/* What becomes of a group's references to an entry that is to go. */
enum ref_rule {
    REFS_KEEP,  /* they stay */
    REFS_DROP,  /* they go, too */
    REFS_ACKED, /* an entry that has any does not go */
};

enum trim_kind { TRIM_NONE, TRIM_MAXLEN, TRIM_MINID };

struct trim {
    enum trim_kind kind;
    bool approximate; /* whole chunks only */
    uint64_t maxlen;  /* TRIM_MAXLEN */
    struct id minid;  /* TRIM_MINID */
    uint64_t limit;   /* entries at most, when approximate; 0: no limit */
    enum ref_rule refs;
    bool bounded; /* entries at or above `bound` stay, whatever the rest says */
    struct id bound;
};

struct trim_plan {
    struct feed *feed; /* borrowed */
    struct ranges *ranges;
    struct trim trim;
    bool adding; /* as if an entry with id `added` had been appended */
    struct id added;

    struct feed_cursor cursor;
    bool walking;          /* the cursor is open */
    bool filling;          /* decided; the rest of the first chunk is noted in the head */
    struct feed_head head; /* becomes the feed's */
    uint64_t edits;
    uint64_t chunk; /* of the cursor's chunks, the one that is being counted */
    uint64_t chunk_entries;

    /* the result: entries below `first` go (ID_MAX: all), `removed` of them */
    struct id first;
    uint64_t removed;
};

void trim_plan_init(struct trim_plan *plan, struct feed *feed, struct ranges *ranges,
                    const struct trim *trim);
/* Plans for the feed with one more entry. */
void trim_plan_add(struct trim_plan *plan, struct id added);
void trim_plan_deinit(struct trim_plan *plan);
/* ERR_OK: the result is there. ERR_COLD, ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err trim_plan_step(struct trim_plan *plan);

struct erase_plan {
    struct feed *feed; /* borrowed */
    struct ranges *ranges;
    const struct id *ids; /* borrowed; in any order, maybe twice */
    size_t count;

    struct feed_cursor cursor;
    bool walking;
    uint64_t edits;
    struct id last; /* of the feed at the last step */
    size_t at;      /* ids before this one are looked up */
    struct id_set live;

    /* the result: the ids that are there, and the first live one without them (0-0: none) */
    struct buf found; /* struct id each */
    struct id first;
};

void erase_plan_init(struct erase_plan *plan, struct feed *feed, struct ranges *ranges,
                     const struct id *ids, size_t count);
void erase_plan_deinit(struct erase_plan *plan);
MUST_CHECK enum err erase_plan_step(struct erase_plan *plan);

#endif
