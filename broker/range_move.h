/* range_move: keys go to the other store when a range rule sends them there.
 *
 * A move goes through these states:
 *
 *   none -> looking -> carrying -> none       the rule is there, and so are its keys
 *             |           |
 *             |           +-> carrying back -> none      no rule, the keys are where they were
 *             +-> none                        nothing has happened
 *
 * Looking finds out whether the keys can live where they shall: where durable ones would come to
 * memory there must be no feed among them, and a range that lets no key go must have room for them.
 * It is left out where nothing can come to memory.
 *
 * Carrying begins with the new rules (OP_RANGE_MOVE) and ends when no key is in an old place
 * (OP_RANGE_MOVED). Between these the rules before are kept, in the catalog too, and a key is where
 * either of them says (keyspace.h): one that is written stays where it is until it is carried, one
 * that is made goes to its new place, so that old places only get emptier. Keys are carried some a
 * turn, each as ops of the turn's record: an OP_DROP of what goes to memory, an OP_PUT of what
 * becomes durable. Nobody is told, since for nobody anything changes.
 *
 * After a crash keys in memory are gone, as ever. What is durable and should be in memory is
 * carried on at the next start. A move that finds no room, or a key that it cannot carry, goes
 * back; so does one that cannot read.
 *
 * What lies on disk is read by a reader, slice by slice. A slice counts only while nothing has
 * become visible on disk since it was asked for, then what is new is in memory.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_RANGE_MOVE_H
#define WEIR_BROKER_RANGE_MOVE_H

#include "storage/fetch.h"
#include "storage/key_ranges.h"
#include "storage/op.h"

struct broker;

/* Who waits for the end of a move. */
struct range_move_wait {
    bool done;
    enum err err;
    uint64_t lsn; /* gates the answer */
};

enum range_move_state { MOVE_NONE, MOVE_LOOKING, MOVE_CARRYING };

/* The places where keys are looked for, one after the other. */
enum range_move_stage { MOVE_RESIDENTS, MOVE_ROWS, MOVE_MEMORY, MOVE_END };

struct range_move {
    struct broker *broker; /* borrowed */
    enum range_move_state state;
    struct range_move_wait *wait; /* borrowed; NULL: nobody's */
    size_t keys_max;              /* that are carried a turn; tests have fewer */

    /* while looking */
    struct key_range rule; /* that will be set or deleted, */
    char prefix[KEY_RANGE_PREFIX_MAX];
    bool deletes;
    struct key_ranges after; /* which leads to these */
    bool has_feed;           /* one of the keys */
    uint64_t bytes;          /* that will come to memory, at least */

    /* while carrying */
    bool back;
    enum err err; /* why */
    uint64_t carried;

    enum range_move_stage stage;
    uint64_t changes; /* of the rules, when the walk began */
    uint64_t left;    /* memory ranges whose keys may move, a bit for each id */
    uint64_t hash;    /* in the table of residents, or a memory range's; goes on here */
    uint16_t range;
    unsigned db; /* whose rows are read */
    uint64_t place;
    bool fetching;
    bool fetched;
    size_t taken; /* bytes of the rows that were fetched */
    struct fetch fetch;
    uint64_t retry_us; /* nothing before that; 0: at once */
};

void range_move_init(struct range_move *move, struct broker *broker);
void range_move_deinit(struct range_move *move);

/* At the start: goes on with a move that the catalog knows of. */
void range_move_resume(struct range_move *move);
static inline bool range_move_runs(const struct range_move *move)
{
    return move->state != MOVE_NONE;
}

/* Sets a rule, or deletes one, and takes its keys along; none may be under way. `wait`, which must
 * not go before range_move_leave, is told how it ends: ERR_OK; ERR_RANGE: there is a feed among the
 * keys; ERR_FULL: they do not fit into memory; or what reading failed with. Then nothing has
 * changed in the end. Errors as key_ranges_set and key_ranges_delete have them: nothing has begun.
 */
MUST_CHECK enum err range_move_start(struct range_move *move, const struct key_range *rule,
                                     bool deletes, struct range_move_wait *wait);
/* Who waited does not any more; the move goes on. */
void range_move_leave(struct range_move *move, const struct range_move_wait *wait);

/* Once a turn: a piece of work. True: there is more to do at once. */
bool range_move_work(struct range_move *move);
/* When to look again, in clock_mono_us; 0: not by itself. */
uint64_t range_move_deadline(const struct range_move *move);
/* `op` was written. */
void range_move_changed(struct range_move *move, const struct op *op);

#endif
