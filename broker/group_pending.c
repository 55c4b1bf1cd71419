/* XPENDING: https://redis.io/docs/latest/commands/xpending/ */
#include "broker/group_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/pending_walk.h"
#include "broker/stream_args.h"

struct pending_args {
    bool summary;
    uint64_t min_idle;
    struct id from;
    struct id to;
    int64_t count;
    const struct bytes *consumer; /* NULL: all */
};

struct pending_work {
    struct work work;
    struct group *group; /* one reference */
    uint64_t now_ms;
    unsigned ends; /* of a summary: found so far */
    struct id edges[2];
    int64_t shown;
    struct buf body;
    bool open;
    struct pending_walk walk;
};

static void close_walk(struct pending_work *work)
{
    if (work->open)
        pending_walk_end(&work->walk);
    work->open = false;
}

static void pending_work_destroy(struct work *base)
{
    struct pending_work *work = container_of(base, struct pending_work, work);
    close_walk(work);
    group_unref(work->group);
    buf_deinit(&work->body);
    mem_free(work);
}

static struct pending_work *work_of(struct session *session, struct group *group)
{
    if (session->work != NULL &&
        container_of(session->work, struct pending_work, work)->group != group)
        session_drop_work(session); /* another group of that name since */
    if (session->work == NULL) {
        struct pending_work *work = mem_zalloc(sizeof(*work));
        work->work.destroy = pending_work_destroy;
        work->group = group;
        work->now_ms = broker_now_ms(session->broker);
        group_ref(group);
        buf_init(&work->body);
        session->work = &work->work;
    }
    return container_of(session->work, struct pending_work, work);
}

static bool parse_pending(struct session *session, struct pending_args *out)
{
    struct pending_args args = {.summary = session->argc == 3, .to = ID_MAX};
    int64_t min_idle = 0;
    size_t start = 3;
    *out = args;
    if (args.summary)
        return true;
    if (session->argc < 6 || session->argc > 9) {
        session_syntax_error(session);
        return false;
    }
    if (stream_word(session, 3, "idle")) {
        if (!stream_integer(session, 4, &min_idle))
            return false;
        if (session->argc < 8) {
            session_syntax_error(session);
            return false;
        }
        start = 5;
    }
    if (!stream_integer(session, start + 2, &args.count) ||
        !stream_interval(session, start, start + 1, &args.from, &args.to))
        return false;
    args.min_idle = min_idle > 0 ? (uint64_t)min_idle : 0;
    if (session->argc > start + 3)
        args.consumer = &session->argv[start + 3];
    *out = args;
    return true;
}

static enum err step(struct session *session, struct pending_work *work, struct id from,
                     struct id to, bool reverse, struct pending *out)
{
    enum err err = ERR_OK;
    if (!work->open)
        pending_walk_begin(&work->walk, session, work->group, from, to, reverse);
    else
        err = pending_walk_resume(&work->walk, session);
    work->open = true;
    return err == ERR_OK ? pending_cursor_next(&work->walk.cursor, out) : err;
}

/* What a walk that could not go on means for the command. */
static enum access stopped(struct session *session, struct pending_work *work, enum err err)
{
    if (err == ERR_COLD) {
        pending_walk_wait(&work->walk, session);
        return ACCESS_WAIT;
    }
    access_error(session, err);
    return ACCESS_FAILED;
}

/* ---- the summary ---- */

/* The first entry and the last one. */
static enum access find_edges(struct session *session, struct pending_work *work)
{
    while (work->ends < 2 && group_state(work->group)->pending > 0) {
        struct pending item;
        enum err err = step(session, work, ID_MIN, ID_MAX, work->ends == 1, &item);
        if (err == ERR_END)
            break;
        if (err != ERR_OK)
            return stopped(session, work, err);
        work->edges[work->ends++] = item.id;
        close_walk(work);
    }
    close_walk(work);
    return ACCESS_READY;
}

static void reply_id(struct reply *reply, struct id id)
{
    char text[ID_TEXT_MAX];
    reply_bulk(reply, bytes_of(text, id_to_text(id, text)));
}

static void reply_summary(struct session *session, const struct pending_work *work)
{
    struct reply *reply = &session->reply;
    const struct group_state *state = group_state(work->group);
    reply_array(reply, 4);
    if (work->ends < 2) {
        reply_integer(reply, 0);
        reply_null(reply);
        reply_null(reply);
        reply_null_array(reply);
        return;
    }
    reply_integer(reply, (int64_t)state->pending);
    reply_id(reply, work->edges[0]);
    reply_id(reply, work->edges[1]);
    struct reply_deferred deferred = reply_deferred_begin(reply);
    size_t count = 0;
    for (uint32_t i = 0; i < state->consumers.count; i++) {
        const struct consumer *consumer = group_nth_consumer(state, i);
        if (consumer->pending == 0)
            continue;
        reply_array(reply, 2);
        reply_bulk(reply, consumer->entry.name);
        reply_bulk_u64(reply, consumer->pending);
        count++;
    }
    reply_deferred_end_array(reply, deferred, count);
}

/* ---- a range ---- */

static void add_entry(struct session *session, struct pending_work *work,
                      const struct pending *item, uint64_t idle_ms)
{
    struct reply reply = {&work->body, session->reply.version};
    const struct consumer *consumer =
        group_state_consumer(group_state(work->group), item->consumer);
    reply_array(&reply, 4);
    reply_id(&reply, item->id);
    reply_bulk(&reply, consumer->entry.name);
    reply_integer(&reply, (int64_t)idle_ms);
    reply_integer(&reply, (int64_t)item->deliveries);
    work->shown++;
}

static enum access read_range(struct session *session, struct pending_work *work,
                              const struct pending_args *args)
{
    const struct consumer *only =
        args->consumer != NULL ? group_consumer(work->group, *args->consumer) : NULL;
    if (args->consumer != NULL && only == NULL)
        return ACCESS_READY;
    while (work->shown < args->count) {
        struct pending item;
        enum err err = step(session, work, args->from, args->to, false, &item);
        if (err == ERR_END)
            break;
        if (err == ERR_OK && work->body.len > session_reply_max(session))
            err = ERR_FULL;
        if (err != ERR_OK)
            return stopped(session, work, err);
        uint64_t idle_ms = item.delivered_ms < work->now_ms ? work->now_ms - item.delivered_ms : 0;
        bool shown = only == NULL || item.consumer == only->entry.number;
        if (shown && idle_ms >= args->min_idle)
            add_entry(session, work, &item, idle_ms);
    }
    return ACCESS_READY;
}

enum flow xpending_command(struct session *session)
{
    struct pending_args args;
    struct group_place place;
    if (!parse_pending(session, &args))
        return FLOW_DONE;
    enum access access = group_access(session, session->argv[1], session->argv[2], &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct pending_work *work = work_of(session, place.group);
    access = args.summary ? find_edges(session, work) : read_range(session, work, &args);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (args.summary) {
        reply_summary(session, work);
    } else {
        reply_array(&session->reply, (uint64_t)work->shown);
        buf_add_bytes(session->reply.out, buf_bytes(&work->body));
    }
    return FLOW_DONE;
}
