#include "broker/pending_lookup.h"

#include "broker/broker_internal.h"

void pending_lookup_begin(struct pending_lookup *lookup, struct session *session,
                          struct group *group)
{
    *lookup = (struct pending_lookup){.group = group, .view = store_view(session->broker->store)};
    group_ref(group);
}

static void close_walk(struct pending_lookup *lookup)
{
    if (lookup->open)
        pending_walk_end(&lookup->walk);
    lookup->open = false;
}

void pending_lookup_end(struct pending_lookup *lookup)
{
    close_walk(lookup);
    pending_set_deinit(&lookup->found);
    group_unref(lookup->group);
}

/* Where the id at `at` is pending. */
static enum err look_up(struct pending_lookup *lookup, struct session *session, struct id id,
                        struct pending *out)
{
    if (!lookup->open)
        return pending_find(lookup->group, store_ranges(session->broker->store), id, out);
    enum err err = pending_walk_resume(&lookup->walk, session);
    if (err == ERR_OK)
        err = pending_cursor_next(&lookup->walk.cursor, out);
    pending_cursor_pause(&lookup->walk.cursor);
    return err == ERR_END ? ERR_NOT_FOUND : err;
}

/* It may have been acknowledged or claimed since, or delivered. */
void pending_lookup_refresh(struct pending_lookup *lookup, const struct id *ids, size_t count)
{
    for (size_t i = 0; i < count && i < lookup->at; i++) {
        const struct pending *item = pending_set_find(&lookup->found, ids[i]);
        struct pending now = item != NULL ? *item : (struct pending){.id = ids[i]};
        bool added;
        if (pending_recheck(lookup->group, &now))
            *pending_set_put(&lookup->found, now.id, &added) = now;
        else if (item != NULL)
            pending_set_remove(&lookup->found, now.id);
    }
}

enum err pending_lookup_step(struct pending_lookup *lookup, struct session *session,
                             const struct id *ids, size_t count)
{
    if (lookup->view != store_view(session->broker->store)) {
        lookup->view = store_view(session->broker->store);
        close_walk(lookup);
        pending_set_deinit(&lookup->found);
        lookup->at = 0;
    }
    for (; lookup->at < count; lookup->at++) {
        struct pending item;
        bool added;
        enum err err = look_up(lookup, session, ids[lookup->at], &item);
        if (err == ERR_OK)
            *pending_set_put(&lookup->found, item.id, &added) = item;
        else if (err != ERR_NOT_FOUND)
            return err;
        close_walk(lookup);
    }
    if (lookup->waited)
        pending_lookup_refresh(lookup, ids, count);
    lookup->waited = false;
    return ERR_OK;
}

void pending_lookup_wait(struct pending_lookup *lookup, struct session *session,
                         const struct id *ids)
{
    struct id id = ids[lookup->at];
    if (!lookup->open)
        pending_walk_begin(&lookup->walk, session, lookup->group, id, id, false);
    lookup->open = true;
    lookup->waited = true;
    pending_walk_wait(&lookup->walk, session);
}
