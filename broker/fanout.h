/* fanout: messages to the members of rooms, and who is in which.
 *
 * A message is encoded once for each version of the protocol that its receivers speak, and copied
 * to the output of each: what is sent to a connection is one block, which the system takes at one
 * call. (Blocks that outputs share would have to be counted and sent in pieces; for messages of
 * usual sizes the copy is cheaper.) A receiver that does not read is closed at its output limit; it
 * never makes others wait.
 *
 * Presence: who watches a room is pushed "join" and "leave" with the connection's id and name.
 *
 * Threads: the loop's. */
#ifndef WEIR_BROKER_FANOUT_H
#define WEIR_BROKER_FANOUT_H

#include "pubsub/membership.h"

struct session;

struct fanout {
    struct membership membership;
    struct buf wire[2];  /* the message under way, by version: RESP2, RESP3 */
    struct buf members;  /* slots of its receivers */
    struct buf patterns; /* numbers of those that match */
    struct buf scratch;
    struct buf marks; /* a bit for each slot, while several rooms are looked at */
    uint64_t published;
    uint64_t deliveries; /* messages written to outputs */
    uint64_t drops;      /* messages that members who are being closed did not get */
};

void fanout_init(struct fanout *fanout);
/* Everybody must have left. */
void fanout_deinit(struct fanout *fanout);

/* A message to the members of a channel (of either kind), and for ROOM_CHANNEL to those with a
 * pattern that matches its name. Returns how many were written to outputs. */
uint64_t fanout_publish(struct fanout *fanout, enum room_kind kind, struct bytes name,
                        struct bytes message);

/* Who gets a message to several channels. Empty views where nothing was named. */
struct fanout_choice {
    const struct bytes *to;
    size_t to_count;
    const struct bytes *except;
    size_t except_count;
    struct session *const *not_to;
    size_t not_to_count;
};

/* A message to every member of any channel of `to`, once, with the first of them that it is in as
 * the channel's name. Returns how many were written to outputs. */
uint64_t fanout_publish_chosen(struct fanout *fanout, const struct fanout_choice *choice,
                               struct bytes message);

/* Joining and leaving; false: it is, or is not, a member already. Watchers are told. */
bool fanout_join(struct fanout *fanout, struct session *session, enum room_kind kind,
                 struct bytes name);
bool fanout_leave(struct fanout *fanout, struct session *session, enum room_kind kind,
                  struct bytes name);
/* Leaves all rooms of all kinds. */
void fanout_leave_all(struct fanout *fanout, struct session *session);

/* The connection with this slot, which is in use. */
struct session *fanout_session(const struct fanout *fanout, uint32_t slot);

#endif
