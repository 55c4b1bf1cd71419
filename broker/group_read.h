/* What the files of XREADGROUP share. */
#ifndef WEIR_BROKER_GROUP_READ_H
#define WEIR_BROKER_GROUP_READ_H

#include "broker/blocking.h"
#include "broker/dead_letter.h"
#include "broker/group_commands.h"
#include "broker/pending_lookup.h"
#include "broker/stream_args.h"
#include "broker/stream_reading.h"

/* One key of the command. */
struct group_stream {
    bool fresh;      /* ">": what the group has not delivered; else the consumer's history: */
    struct id after; /* what is pending at it behind this id */
    bool parsed;
    bool pass_on;             /* there is more for whoever is next in line */
    struct group_place place; /* in this turn */

    /* what was read in this round */
    struct group *group; /* one reference; NULL: not looked at yet */
    struct id last_id;   /* of the group then */
    uint64_t count;      /* entries */
    struct buf ids;      /* struct id each: those of `fresh` */
    bool rewound;        /* some of them may be pending already */
    bool looked_up;
    struct pending_lookup lookup;

    /* CLAIM: stays when the round begins again */
    bool walked;         /* the walk was begun */
    struct id walk_from; /* where it goes on, when it is not open */
    bool claimed_all;    /* it is over */
    uint64_t claimed;    /* entries in: */
    struct buf claims;
    uint64_t oldest_ms; /* delivery time of what was walked */
    uint64_t backdated; /* of the group, when the walk began */
    bool begun;         /* history: */
    struct reply_deferred entries;
    struct pending_set touched; /* as they will be */
    struct pending_set gone;    /* CLAIM: pending, but not in the feed any more */
    size_t gone_count;
    struct dead_letters dead;
};

struct group_read {
    struct blocking blocking;
    uint64_t alarm_us; /* CLAIM: when to look again while it blocks; 0: never */
    struct stream_read args;
    struct group_stream *streams;

    /* A key that is named twice: each stream is delivered before the next one is read. */
    bool eager;
    size_t done; /* streams before this one are delivered; and in `body`: */
    size_t done_served;
    size_t done_body;

    /* the round: what is collected before anything is changed */
    uint64_t now_ms;
    uint64_t view; /* of the store when it began */
    bool went_cold;
    size_t at;     /* streams before this one are read */
    size_t served; /* of them, those that are in `body` */
    struct buf body;
    bool reading_open;
    struct reading reading;
    bool walk_open; /* history: */
    struct pending_walk walk;
    bool has_item; /* the walk has come to this one, whose entry is being read */
    struct pending item;
};

static inline struct bytes group_read_key(const struct group_read *read, size_t stream)
{
    return read->blocking.session->argv[read->args.first + stream];
}

/* Collects stream `at`. ERR_COLD: a reader is at work. */
MUST_CHECK enum err group_read_fresh(struct group_read *read, struct feed *feed,
                                     struct group *group);
MUST_CHECK enum err group_read_history(struct group_read *read, struct feed *feed,
                                       struct group *group);

/* Lets go of the readings of the stream at hand. */
void group_read_close(struct group_read *read);

#endif
