/* group_writes: what changes consumer groups, as commands ask for it: one op each, in the open
 * record. Each gates the session's reply by its write. */
#ifndef WEIR_BROKER_GROUP_WRITES_H
#define WEIR_BROKER_GROUP_WRITES_H

#include "broker/session.h"
#include "storage/group_op.h"
#include "storage/object.h"

/* Where a group is, for writing: valid until the end of the turn. */
struct group_place {
    unsigned db;
    struct bytes key;
    struct object *object;
    struct group *group;
};

/* The feed's groups, loaded; NULL when it has none. */
static inline struct groups *feed_groups(const struct object *object)
{
    const struct feed *feed = object_feed(object);
    return feed != NULL ? feed->groups : NULL;
}

/* Finds the group of that name: place->group is NULL when there is none. */
void group_place_find(struct group_place *place, unsigned db, struct bytes key,
                      struct object *object, struct bytes name);

/* The consumer of that name, created where it is missing; notes that it was seen. NULL: there are
 * too many, or the name is too long, and an error is the reply. */
struct consumer *group_write_consumer(struct session *session, const struct group_place *place,
                                      struct bytes name, uint64_t now_ms);
/* A new consumer; nobody is told of it. */
struct consumer *group_write_new_consumer(struct session *session, const struct group_place *place,
                                          struct bytes name, uint64_t now_ms);
/* `ids` are delivered to `consumer` for the first time. `owned`: where they are pending already, if
 * some may be; NULL: none is. */
void group_write_delivery(struct session *session, const struct group_place *place,
                          const struct consumer *consumer, const struct id *ids, size_t count,
                          const struct pending_set *owned, bool no_ack, uint64_t now_ms);
/* Entries in `set`, whose items' consumers are where they are pending, are so no more. */
void group_write_acks(struct session *session, const struct group_place *place,
                      const struct pending_set *set);
/* They are pending at `consumer` now. `last_id`: of the group, afterwards. `active`: the consumer
 * got something with it. */
void group_write_claims(struct session *session, const struct group_place *place,
                        const struct consumer *consumer, const struct pending_set *set,
                        struct id last_id, bool active, uint64_t now_ms);

/* False: an error is the reply, since names of groups and consumers are in every row and op. */
bool group_name_fits(struct session *session, struct bytes name);

#endif
