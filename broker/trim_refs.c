#include "broker/trim_refs.h"

#include "base/alloc.h"

static void close_walk(struct trim_refs *refs)
{
    if (refs->walk_open)
        pending_walk_end(&refs->walk);
    refs->walk_open = false;
}

void trim_refs_end(struct trim_refs *refs)
{
    close_walk(refs);
    if (refs->groups == NULL)
        return;
    for (uint32_t i = 0; i < refs->count; i++)
        pending_set_deinit(&refs->gone[i]);
    mem_free(refs->gone);
    groups_unref(refs->groups);
    *refs = (struct trim_refs){0};
}

/* The next entry that is pending in the group, in a walk up to `to`. */
static enum err next(struct trim_refs *refs, struct session *session, struct group *group,
                     struct id to, struct pending *out)
{
    if (refs->walk_open && refs->walk.cursor.group != group)
        close_walk(refs);
    if (!refs->walk_open)
        pending_walk_begin(&refs->walk, session, group, ID_MIN, to, false);
    refs->walk_open = true;
    enum err err = pending_walk_resume(&refs->walk, session);
    if (err == ERR_OK)
        err = pending_cursor_next(&refs->walk.cursor, out);
    if (err == ERR_COLD)
        pending_walk_wait(&refs->walk, session);
    return err;
}

enum err trim_refs_bound(struct trim_refs *refs, struct session *session,
                         const struct groups *groups, struct id *bound)
{
    struct id lowest = ID_MAX;
    uint32_t count = groups != NULL ? groups->roster.count : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct group *group = groups_nth(groups, i);
        struct id undelivered = group_state(group)->last_id;
        struct pending item;
        if (id_next(&undelivered))
            lowest = id_min(lowest, undelivered);
        if (group_state(group)->pending == 0)
            continue;
        enum err err = next(refs, session, group, ID_MAX, &item);
        if (err == ERR_OK)
            lowest = id_min(lowest, item.id);
        else if (err != ERR_END)
            return err;
        close_walk(refs);
    }
    *bound = lowest;
    return ERR_OK;
}

static uint64_t edits_of(const struct groups *groups)
{
    uint64_t edits = 0;
    for (uint32_t i = 0; i < groups->roster.count; i++)
        edits += groups_nth(groups, i)->edits;
    return edits;
}

static void begin(struct trim_refs *refs, struct groups *groups, struct id first)
{
    refs->groups = groups;
    groups_ref(groups);
    refs->count = groups->roster.count;
    refs->edits = edits_of(groups);
    refs->first = first;
    refs->gone = mem_zalloc((refs->count + 1) * sizeof(*refs->gone));
}

enum err trim_refs_collect(struct trim_refs *refs, struct session *session, struct groups *groups,
                           struct id first)
{
    struct id last = first;
    if (groups == NULL || !id_prev(&last))
        return ERR_OK;
    bool begun = refs->groups != NULL;
    if (begun && (refs->groups != groups || refs->count != groups->roster.count ||
                  refs->edits != edits_of(groups) || !id_equal(refs->first, first)))
        trim_refs_end(refs);
    if (refs->groups == NULL)
        begin(refs, groups, first);
    while (refs->at < refs->count) {
        struct pending item;
        bool added;
        enum err err = next(refs, session, groups_nth(groups, refs->at), last, &item);
        if (err == ERR_OK) {
            *pending_set_put(&refs->gone[refs->at], item.id, &added) = item;
            continue;
        }
        if (err != ERR_END)
            return err;
        close_walk(refs);
        refs->at++;
    }
    return ERR_OK;
}

void trim_refs_release(const struct trim_refs *refs, struct session *session, struct object *object)
{
    for (uint32_t i = 0; i < refs->count; i++) {
        struct group_place place = {session->db, session->argv[1], object,
                                    groups_nth(refs->groups, i)};
        group_write_acks(session, &place, &refs->gone[i]);
    }
}
