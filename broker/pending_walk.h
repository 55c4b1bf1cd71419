/* pending_walk: what is pending in a group, read in as many steps as it takes.
 *
 * A walk lies on the stack as long as all is in memory; when it goes cold it is moved into the
 * command's work, where the reader's fetch finds it at a fixed place. */
#ifndef WEIR_BROKER_PENDING_WALK_H
#define WEIR_BROKER_PENDING_WALK_H

#include "broker/session.h"
#include "storage/pending_cursor.h"

struct pending_walk {
    struct pending_cursor cursor;
    struct fetch fetch;
    bool fetching; /* the fetch is with a reader, or has come back and was not taken */
};

/* Takes a reference of `group`. */
void pending_walk_begin(struct pending_walk *walk, struct session *session, struct group *group,
                        struct id from, struct id to, bool reverse);
void pending_walk_end(struct pending_walk *walk);

/* Before the first step of a run of the command: takes what was fetched. */
MUST_CHECK enum err pending_walk_resume(struct pending_walk *walk, struct session *session);
/* Has a reader fetch what is missing; the session is resumed then. */
void pending_walk_wait(struct pending_walk *walk, struct session *session);

#endif
