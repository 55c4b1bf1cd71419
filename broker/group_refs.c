#include "broker/group_refs.h"

#include "base/alloc.h"

void group_refs_begin(struct group_refs *refs, struct session *session, struct groups *groups)
{
    *refs = (struct group_refs){.groups = groups};
    if (groups == NULL)
        return;
    groups_ref(groups);
    refs->count = groups->roster.count;
    refs->lookups = mem_zalloc((refs->count + 1) * sizeof(*refs->lookups));
    for (uint32_t i = 0; i < refs->count; i++)
        pending_lookup_begin(&refs->lookups[i], session, groups_nth(groups, i));
}

void group_refs_end(struct group_refs *refs)
{
    if (refs->groups == NULL)
        return;
    for (uint32_t i = 0; i < refs->count; i++)
        pending_lookup_end(&refs->lookups[i]);
    mem_free(refs->lookups);
    groups_unref(refs->groups);
    refs->groups = NULL;
}

static bool is_outdated(const struct group_refs *refs)
{
    if (refs->groups->roster.count != refs->count)
        return true;
    for (uint32_t i = 0; i < refs->count; i++) {
        if (groups_nth(refs->groups, i) != refs->lookups[i].group)
            return true;
    }
    return false;
}

enum err group_refs_step(struct group_refs *refs, struct session *session, const struct id *ids,
                         size_t count)
{
    if (refs->groups == NULL)
        return ERR_OK;
    if (is_outdated(refs))
        return ERR_NOT_FOUND;
    for (uint32_t i = 0; i < refs->at; i++)
        pending_lookup_refresh(&refs->lookups[i], ids, count);
    for (refs->at = 0; refs->at < refs->count; refs->at++) {
        struct pending_lookup *lookup = &refs->lookups[refs->at];
        enum err err = pending_lookup_step(lookup, session, ids, count);
        if (err == ERR_COLD)
            pending_lookup_wait(lookup, session, ids);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

const struct pending *group_refs_in(const struct group_refs *refs, const struct group *group,
                                    struct id id)
{
    for (uint32_t i = 0; refs->groups != NULL && i < refs->count; i++) {
        if (refs->lookups[i].group == group)
            return pending_set_find(&refs->lookups[i].found, id);
    }
    return NULL;
}

bool group_refs_has(const struct group_refs *refs, const struct group *except, struct id id)
{
    for (uint32_t i = 0; refs->groups != NULL && i < refs->count; i++) {
        const struct pending_lookup *lookup = &refs->lookups[i];
        if (id_less(group_state(lookup->group)->last_id, id))
            return true;
        if (lookup->group != except && pending_set_find(&lookup->found, id) != NULL)
            return true;
    }
    return false;
}

void group_refs_release(const struct group_refs *refs, struct session *session,
                        struct object *object, const struct id *ids, size_t count)
{
    for (uint32_t i = 0; refs->groups != NULL && i < refs->count; i++) {
        const struct pending_lookup *lookup = &refs->lookups[i];
        struct group_place place = {session->db, session->argv[1], object, lookup->group};
        struct pending_set gone = {0};
        for (size_t at = 0; at < count; at++) {
            bool added;
            const struct pending *item = pending_set_find(&lookup->found, ids[at]);
            if (item != NULL)
                *pending_set_put(&gone, ids[at], &added) = *item;
        }
        group_write_acks(session, &place, &gone);
        pending_set_deinit(&gone);
    }
}
