/* session_internal: what a session keeps for itself. For session.c, dispatch.c and EXEC. */
#ifndef WEIR_BROKER_SESSION_INTERNAL_H
#define WEIR_BROKER_SESSION_INTERNAL_H

#include "broker/output.h"
#include "broker/parser.h"
#include "broker/session_io.h"

struct session_state {
    struct session session; /* first: the same pointer */
    struct parser parser;
    struct output output;

    size_t reply_start;  /* of the running command, in the output's tail */
    uint64_t reply_gate; /* the highest of the running command; 0: none */
    struct buf pushed;   /* messages that wait behind the running command's reply */
    uint64_t unsent;     /* messages since the output was empty */

    unsigned holds;
    bool running;     /* inside of a command's function */
    bool waiting;     /* the command answered FLOW_WAIT */
    bool closed;      /* the connection is gone */
    bool input_left;  /* the last run stopped before the input's end */
    bool input_ended; /* the client sends nothing more */
    unsigned ahead;   /* commands to come whose keys are prefetched */
    enum session_end ending;
    uint64_t over_soft_us; /* when output went over its soft limit; 0: it is not */
};

static inline struct session_state *session_state(struct session *session)
{
    return (struct session_state *)session;
}

static inline const struct session_state *session_state_const(const struct session *session)
{
    return (const struct session_state *)session;
}

/* Runs the session's command, or the first part of it: finds it if that is not done, checks
 * whether it may run, and calls its function. */
enum flow dispatch(struct session *session);

#endif
