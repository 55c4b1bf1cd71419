/* XDELEX and XACKDEL: https://redis.io/docs/latest/commands/xdelex/
 *
 * In three steps, each of which may have to read: which ids are pending in which group; which
 * entries go by that; and what the feed is without them. Then all of it is written, in one turn. */
#include "broker/group_refs.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/stream_args.h"
#include "broker/stream_commands.h"
#include "storage/feed_plan.h"

enum { GONE_NOT = -1, GONE = 1, GONE_KEPT = 2 };

struct delete_args {
    enum ref_rule rule;
    size_t first; /* argument: the first id */
    size_t count;
};

/* An erase plan, with what it takes to read for it. */
struct erasing {
    bool open;
    struct erase_plan plan;
    struct fetch fetch;
    bool fetching;
};

struct delete_work {
    struct work work;
    struct feed *feed;   /* one reference */
    struct group *group; /* XACKDEL; one reference */
    struct buf ids;      /* struct id each: the arguments */
    bool refs_open;
    struct group_refs refs;
    struct buf chosen;   /* struct id each: what is to go */
    struct erasing all;  /* which of the arguments are there */
    struct erasing some; /* the feed without the chosen ones */
};

static void erasing_end(struct erasing *erasing)
{
    if (!erasing->open)
        return;
    erase_plan_deinit(&erasing->plan);
    fetch_deinit(&erasing->fetch);
    erasing->open = false;
}

static void delete_work_destroy(struct work *work)
{
    struct delete_work *deletion = container_of(work, struct delete_work, work);
    erasing_end(&deletion->all);
    erasing_end(&deletion->some);
    if (deletion->refs_open)
        group_refs_end(&deletion->refs);
    if (deletion->group != NULL)
        group_unref(deletion->group);
    feed_unref(deletion->feed);
    buf_deinit(&deletion->ids);
    buf_deinit(&deletion->chosen);
    mem_free(deletion);
}

static const struct id *ids_of(const struct buf *ids)
{
    return (const struct id *)(const void *)ids->data;
}

static size_t id_count(const struct buf *ids)
{
    return ids->len / sizeof(struct id);
}

static bool parse_delete(struct session *session, size_t at, struct delete_args *out)
{
    struct delete_args args = {.rule = REFS_KEEP};
    int64_t count;
    for (; at < session->argc; at++) {
        if (stream_word(session, at, "ids") && at + 1 < session->argc) {
            if (!bytes_to_i64(session->argv[at + 1], &count) || count < 1) {
                reply_error(&session->reply, "ERR Number of IDs must be a positive integer");
                return false;
            }
            args.first = at + 2;
            args.count = session->argc - args.first;
            if ((uint64_t)count == args.count) {
                *out = args;
                return true;
            }
            reply_error(&session->reply,
                        "ERR The `numids` parameter must match the number of arguments");
            return false;
        }
        if (!stream_ref_rule(session, at, &args.rule))
            break;
    }
    session_syntax_error(session);
    return false;
}

static struct delete_work *delete_work_of(struct session *session, struct feed *feed,
                                          struct group *group, const struct delete_args *args)
{
    struct delete_work *deletion =
        session->work != NULL ? container_of(session->work, struct delete_work, work) : NULL;
    if (deletion != NULL && (deletion->feed != feed || deletion->group != group)) {
        session_drop_work(session);
        deletion = NULL;
    }
    if (deletion != NULL)
        return deletion;
    deletion = mem_zalloc(sizeof(*deletion));
    deletion->work.destroy = delete_work_destroy;
    deletion->feed = feed;
    deletion->group = group;
    feed_ref(feed);
    if (group != NULL)
        group_ref(group);
    session->work = &deletion->work;
    return stream_ids(session, args->first, args->count, &deletion->ids) ? deletion : NULL;
}

/* ERR_COLD: a reader is at work. */
static enum err look_up_refs(struct session *session, struct delete_work *deletion)
{
    enum err err;
    do {
        if (!deletion->refs_open)
            group_refs_begin(&deletion->refs, session, deletion->feed->groups);
        deletion->refs_open = true;
        err = group_refs_step(&deletion->refs, session, ids_of(&deletion->ids),
                              id_count(&deletion->ids));
        if (err == ERR_NOT_FOUND)
            group_refs_end(&deletion->refs);
        deletion->refs_open = err != ERR_NOT_FOUND;
    } while (err == ERR_NOT_FOUND);
    return err;
}

static bool is_chosen(const struct delete_work *deletion, const struct delete_args *args,
                      struct id id)
{
    const struct group_refs *refs = &deletion->refs;
    if (deletion->group != NULL && group_refs_in(refs, deletion->group, id) == NULL)
        return false;
    return args->rule != REFS_ACKED || !group_refs_has(refs, deletion->group, id);
}

/* What is to go, as of this turn; a plan for anything else is void. */
static void choose(struct delete_work *deletion, const struct delete_args *args)
{
    struct buf chosen;
    buf_init(&chosen);
    for (size_t i = 0; i < id_count(&deletion->ids); i++) {
        struct id id = ids_of(&deletion->ids)[i];
        if (is_chosen(deletion, args, id))
            buf_add(&chosen, &id, sizeof(id));
    }
    if (deletion->some.open && bytes_equal(buf_bytes(&chosen), buf_bytes(&deletion->chosen))) {
        buf_deinit(&chosen);
        return;
    }
    erasing_end(&deletion->some);
    buf_deinit(&deletion->chosen);
    deletion->chosen = chosen;
}

/* One step of a plan for `ids`. ERR_COLD: a reader is at work. */
static enum err plan(struct session *session, struct delete_work *deletion, struct erasing *erasing,
                     const struct buf *ids)
{
    enum err err = ERR_OK;
    if (!erasing->open) {
        erase_plan_init(&erasing->plan, deletion->feed, store_ranges(session->broker->store),
                        ids_of(ids), id_count(ids));
        fetch_init(&erasing->fetch);
        erasing->open = true;
    } else if (erasing->fetching && erasing->plan.walking &&
               erasing->fetch.view == store_view(session->broker->store)) {
        err = feed_cursor_take(&erasing->plan.cursor, &erasing->fetch);
    }
    erasing->fetching = false;
    if (err == ERR_OK)
        err = erase_plan_step(&erasing->plan);
    if (err == ERR_COLD) {
        feed_cursor_plan(&erasing->plan.cursor, &erasing->fetch, 1);
        erasing->fetching = true;
        access_read(session, &erasing->fetch);
    }
    return err;
}

/* Acknowledges for XACKDEL what was pending in its group. */
static void acknowledge(struct session *session, struct object *object,
                        const struct delete_work *deletion)
{
    struct group_place place = {session->db, session->argv[1], object, deletion->group};
    struct pending_set set = {0};
    for (size_t i = 0; i < id_count(&deletion->ids); i++) {
        struct id id = ids_of(&deletion->ids)[i];
        const struct pending *item = group_refs_in(&deletion->refs, deletion->group, id);
        bool added;
        if (item != NULL)
            *pending_set_put(&set, id, &added) = *item;
    }
    group_write_acks(session, &place, &set);
    pending_set_deinit(&set);
}

/* What is told of one id; once an entry is gone it is not there the second time. */
static int result_of(const struct delete_work *deletion, const struct id_set *chosen,
                     struct id_set *told, struct id id)
{
    bool there = deletion->group != NULL
                     ? group_refs_in(&deletion->refs, deletion->group, id) != NULL
                     : !id_is_zero(id) && id_set_has(&deletion->all.plan.live, id);
    if (!there)
        return GONE_NOT;
    bool goes = id_set_has(chosen, id);
    bool first = id_set_add(told, id);
    if (!first && (goes || deletion->group != NULL))
        return GONE_NOT;
    return goes ? GONE : GONE_KEPT;
}

static void reply_results(struct session *session, const struct delete_work *deletion)
{
    struct id_set chosen = {0};
    struct id_set told = {0};
    for (size_t i = 0; i < id_count(&deletion->chosen); i++) {
        struct id id = ids_of(&deletion->chosen)[i];
        if (!id_is_zero(id))
            id_set_add(&chosen, id);
    }
    reply_array(&session->reply, id_count(&deletion->ids));
    for (size_t i = 0; i < id_count(&deletion->ids); i++)
        reply_integer(&session->reply,
                      result_of(deletion, &chosen, &told, ids_of(&deletion->ids)[i]));
    id_set_deinit(&chosen);
    id_set_deinit(&told);
}

/* Writes what was found out. The replies come first: the lookups tell what was. */
static void write_all(struct session *session, struct object *object, struct delete_work *deletion,
                      const struct delete_args *args)
{
    reply_results(session, deletion);
    if (args->rule == REFS_DROP) {
        const struct buf *gone =
            deletion->group != NULL ? &deletion->chosen : &deletion->some.plan.found;
        group_refs_release(&deletion->refs, session, object, ids_of(gone), id_count(gone));
    } else if (deletion->group != NULL) {
        acknowledge(session, object, deletion);
    }
    (void)stream_erase(session, object, &deletion->some.plan);
}

static enum flow delete_entries(struct session *session, struct object *object, struct group *group,
                                const struct delete_args *args)
{
    struct delete_work *deletion = delete_work_of(session, object_feed(object), group, args);
    if (deletion == NULL)
        return FLOW_DONE;
    enum err err = look_up_refs(session, deletion);
    if (err == ERR_OK) {
        choose(deletion, args);
        err = plan(session, deletion, &deletion->all, &deletion->ids);
    }
    if (err == ERR_OK)
        err = plan(session, deletion, &deletion->some, &deletion->chosen);
    if (err == ERR_COLD)
        return FLOW_WAIT;
    if (err == ERR_OK)
        write_all(session, object, deletion, args);
    else
        access_error(session, err);
    return FLOW_DONE;
}

/* There is no feed, or no such group: so it is for each id. */
static enum flow reply_nothing(struct session *session, const struct delete_args *args)
{
    reply_array(&session->reply, args->count);
    for (size_t i = 0; i < args->count; i++)
        reply_integer(&session->reply, GONE_NOT);
    return FLOW_DONE;
}

enum flow xdelex_command(struct session *session)
{
    struct delete_args args;
    struct object *object;
    if (!parse_delete(session, 2, &args))
        return FLOW_DONE;
    enum access access = access_groups(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_feed(object) == NULL)
        return reply_nothing(session, &args);
    return delete_entries(session, object, NULL, &args);
}

enum flow xackdel_command(struct session *session)
{
    struct delete_args args;
    struct object *object;
    struct group_place place;
    if (!parse_delete(session, 3, &args))
        return FLOW_DONE;
    enum access access = access_groups(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    group_place_find(&place, session->db, session->argv[1], object, session->argv[2]);
    if (place.group == NULL)
        return reply_nothing(session, &args);
    return delete_entries(session, object, place.group, &args);
}
