/* range_move: keys go to the other store together with the rule that sends them there.
 *
 * Everything happens in one turn of the loop and in one commit record: the keys leave the store
 * that they were in, the rule is set, the keys come to the other store. So nobody ever misses one,
 * and after a crash either all of it has happened or none. That is why there is a limit to how much
 * moves at once. What lies on disk is read before, maybe in many turns: first the names
 * (range_move_add_rows), then what they name. It counts as long as the change is current
 * (range_change.h); what was written meanwhile is in memory.
 *
 * Watched keys are touched by it, and clients that cache them are told. Keys that come to memory
 * count as used just now.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_RANGE_MOVE_H
#define WEIR_BROKER_RANGE_MOVE_H

#include "broker/access.h"
#include "broker/range_change.h"

/* Keys that move at once: half a second or so, in which nobody else is served. Their bytes are
 * bounded by copy-bytes-max. */
#define RANGE_MOVE_KEYS_MAX 100000u

struct range_move {
    struct buf names; /* on disk: database as u32, name as buf_put_bytes */
    size_t named;     /* how many */
    size_t loaded;    /* bytes of `names` that were loaded, */
    struct buf rows;  /* and what they are: database, name, row */
    struct buf keys;  /* all that move, in the same form */
    size_t count;
};

void range_move_init(struct range_move *move);
void range_move_deinit(struct range_move *move);
/* Forgets everything: the change was begun again. */
void range_move_reset(struct range_move *move);

/* Takes those of the rows (key_scan.h, of change->db) that move. ERR_FULL: too many. */
MUST_CHECK enum err range_move_add_rows(struct range_move *move, const struct range_change *change,
                                        struct bytes rows, uint64_t bytes_max);
/* Reads what was taken; with ACCESS_READY *err says how that went. ERR_FULL: too large. ERR_RANGE:
 * there is a feed among them. */
MUST_CHECK enum access range_move_load(struct session *session, struct range_move *move,
                                       uint64_t bytes_max, enum err *err);
/* Collects all that moves, once, after all was loaded and while the change is current. ERR_FULL:
 * too many or too large. ERR_RANGE: there is a feed among them. */
MUST_CHECK enum err range_move_collect(struct range_move *move, const struct range_change *change,
                                       uint64_t bytes_max);
/* Right after that: makes the change and moves the keys; returns what gates the reply. */
uint64_t range_move_write(struct range_move *move, struct range_change *change);

#endif
