/* group_refs: which entries the groups of a feed refer to: pending in one, or not delivered to one
 * yet. */
#ifndef WEIR_BROKER_GROUP_REFS_H
#define WEIR_BROKER_GROUP_REFS_H

#include "broker/group_commands.h"
#include "broker/pending_lookup.h"

struct group_refs {
    struct groups *groups;          /* one reference; NULL: the feed has none */
    uint32_t count;                 /* of them, when the looking up began */
    uint32_t at;                    /* groups before this one are looked up */
    struct pending_lookup *lookups; /* one for each, by name */
};

/* Takes a reference of `groups`, which may be NULL. */
void group_refs_begin(struct group_refs *refs, struct session *session, struct groups *groups);
void group_refs_end(struct group_refs *refs);

/* Looks `ids` up in all groups; call it again in every turn until the result was used. ERR_COLD: a
 * reader is at work; refs must stay where it is. ERR_NOT_FOUND: there are other groups now, begin
 * again. ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err group_refs_step(struct group_refs *refs, struct session *session,
                                    const struct id *ids, size_t count);

/* Where `id` is pending in the group. */
const struct pending *group_refs_in(const struct group_refs *refs, const struct group *group,
                                    struct id id);
/* True when any group but `except` (NULL: none is excepted) refers to the entry. */
bool group_refs_has(const struct group_refs *refs, const struct group *except, struct id id);
/* Takes `ids` out of what is pending in all groups. */
void group_refs_release(const struct group_refs *refs, struct session *session,
                        struct object *object, const struct id *ids, size_t count);

#endif
