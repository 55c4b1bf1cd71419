/* XACK: https://redis.io/docs/latest/commands/xack/ */
#include "broker/group_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/pending_lookup.h"
#include "broker/stream_args.h"

/* An acknowledgement that asks the disk whether its ids are pending. */
struct ack_work {
    struct work work;
    struct pending_lookup lookup;
};

static void ack_work_destroy(struct work *work)
{
    struct ack_work *ack = container_of(work, struct ack_work, work);
    pending_lookup_end(&ack->lookup);
    mem_free(ack);
}

/* The lookup that a resumed command goes on with; NULL when it begins, or begins anew. */
static struct pending_lookup *resumed(struct session *session, const struct group *group)
{
    if (session->work == NULL)
        return NULL;
    struct pending_lookup *lookup = &container_of(session->work, struct ack_work, work)->lookup;
    if (lookup->group == group)
        return lookup;
    session_drop_work(session); /* another group of that name since */
    return NULL;
}

static void wait_for(struct session *session, struct pending_lookup *lookup, bool on_stack,
                     const struct id *ids)
{
    if (on_stack) {
        struct ack_work *ack = mem_alloc(sizeof(*ack));
        *ack = (struct ack_work){{ack_work_destroy}, *lookup};
        session->work = &ack->work;
        lookup = &ack->lookup;
    }
    pending_lookup_wait(lookup, session, ids);
}

/* Acknowledges those of `ids` that are pending. */
static enum flow acknowledge(struct session *session, const struct group_place *place,
                             const struct id *ids, size_t count)
{
    struct pending_lookup local;
    struct pending_lookup *lookup = resumed(session, place->group);
    if (lookup == NULL) {
        lookup = &local;
        pending_lookup_begin(lookup, session, place->group);
    }
    enum err err = pending_lookup_step(lookup, session, ids, count);
    if (err == ERR_COLD) {
        wait_for(session, lookup, lookup == &local, ids);
        return FLOW_WAIT;
    }
    if (err == ERR_OK) {
        group_write_acks(session, place, &lookup->found);
        reply_integer(&session->reply, (int64_t)pending_set_count(&lookup->found));
    } else {
        access_error(session, err);
    }
    if (lookup == &local)
        pending_lookup_end(lookup);
    return FLOW_DONE;
}

enum flow xack_command(struct session *session)
{
    struct object *object;
    struct group_place place;
    struct buf ids;
    enum access access = access_groups(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    group_place_find(&place, session->db, session->argv[1], object, session->argv[2]);
    if (place.group == NULL) {
        reply_integer(&session->reply, 0);
        return FLOW_DONE;
    }
    buf_init(&ids);
    enum flow flow = FLOW_DONE;
    if (stream_ids(session, 3, session->argc - 3, &ids))
        flow = acknowledge(session, &place, (const struct id *)(const void *)ids.data,
                           session->argc - 3);
    buf_deinit(&ids);
    return flow;
}
