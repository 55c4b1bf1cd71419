#include "broker/pending_walk.h"

#include "broker/access.h"
#include "broker/broker_internal.h"

void pending_walk_begin(struct pending_walk *walk, struct session *session, struct group *group,
                        struct id from, struct id to, bool reverse)
{
    *walk = (struct pending_walk){0};
    pending_cursor_init(&walk->cursor, group, store_ranges(session->broker->store), from, to,
                        reverse);
}

void pending_walk_end(struct pending_walk *walk)
{
    pending_cursor_deinit(&walk->cursor);
    if (walk->fetch.ranges != NULL)
        fetch_deinit(&walk->fetch);
}

enum err pending_walk_resume(struct pending_walk *walk, struct session *session)
{
    if (!walk->fetching)
        return ERR_OK;
    walk->fetching = false;
    session_gate(session, store_last(session->broker->store)); /* it goes on in a later state */
    if (walk->fetch.view != store_view(session->broker->store))
        return ERR_OK; /* what was read may be out of date: it asks again */
    return pending_cursor_take(&walk->cursor, &walk->fetch);
}

void pending_walk_wait(struct pending_walk *walk, struct session *session)
{
    if (walk->fetch.ranges == NULL)
        fetch_init(&walk->fetch);
    pending_cursor_pause(&walk->cursor);
    pending_cursor_plan(&walk->cursor, &walk->fetch);
    walk->fetching = true;
    access_read(session, &walk->fetch);
}
