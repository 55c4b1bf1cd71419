/* XNACK: https://redis.io/docs/latest/commands/xnack/
 *
 * Entries that a consumer gives back stay pending at it, as if they had been delivered at the
 * beginning of time: so whoever claims idle entries has them at once. With DELAY they were
 * delivered at the end of it: nobody has them before. */
#include "broker/group_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/dead_letter.h"
#include "broker/pending_lookup.h"
#include "broker/stream_args.h"
#include "broker/stream_reading.h"
#include "storage/policy.h"

enum nack_mode { NACK_SILENT, NACK_FAIL, NACK_FATAL };

struct nack_args {
    enum nack_mode mode;
    size_t first; /* arguments: the ids */
    size_t count;
    uint64_t delay_ms;
};

struct nack_work {
    struct work work;
    struct session *session;
    struct buf ids; /* struct id each */
    struct pending_lookup lookup;
    bool looked_up;
    struct id at; /* FATAL: what is pending below it has been read */
    bool reading_open;
    struct reading reading;
    struct dead_letters dead;
    struct pending_set gone; /* pending, but not in the feed any more */
};

static void close_reading(struct nack_work *nack)
{
    if (nack->reading_open)
        reading_end(&nack->reading, nack->session);
    nack->reading_open = false;
}

static void nack_work_destroy(struct work *work)
{
    struct nack_work *nack = container_of(work, struct nack_work, work);
    close_reading(nack);
    pending_lookup_end(&nack->lookup);
    dead_letters_deinit(&nack->dead);
    pending_set_deinit(&nack->gone);
    buf_deinit(&nack->ids);
    mem_free(nack);
}

static struct nack_work *nack_work_begin(struct session *session, struct group *group)
{
    struct nack_work *nack = mem_zalloc(sizeof(*nack));
    nack->work.destroy = nack_work_destroy;
    nack->session = session;
    pending_lookup_begin(&nack->lookup, session, group);
    session->work = &nack->work;
    return nack;
}

/* ---- arguments ---- */

static bool parse_mode(struct session *session, enum nack_mode *out)
{
    static const char *const words[] = {"silent", "fail", "fatal"};
    for (unsigned i = 0; i < 3; i++) {
        if (stream_word(session, 3, words[i])) {
            *out = (enum nack_mode)i;
            return true;
        }
    }
    session_syntax_error(session);
    return false;
}

/* IDS count id...; *at moves to the last one. */
static bool parse_ids(struct session *session, size_t *at, struct nack_args *args)
{
    int64_t count;
    if (!stream_integer(session, *at + 1, &count))
        return false;
    if (count < 1 || (uint64_t)count > session->argc - *at - 2) {
        reply_error(&session->reply,
                    "ERR Number of IDs must be a positive integer, and match the IDs");
        return false;
    }
    args->first = *at + 2;
    args->count = (size_t)count;
    *at += 1 + (size_t)count;
    return true;
}

static bool parse_delay(struct session *session, size_t index, struct nack_args *args)
{
    int64_t delay_ms;
    if (!stream_integer(session, index, &delay_ms))
        return false;
    if (delay_ms < 0 || (uint64_t)delay_ms > UPKEEP_MS_MAX) {
        reply_error(&session->reply, "ERR DELAY is out of range");
        return false;
    }
    args->delay_ms = (uint64_t)delay_ms;
    return true;
}

static bool parse_nack(struct session *session, struct nack_args *out)
{
    struct nack_args args = {0};
    if (!parse_mode(session, &args.mode))
        return false;
    for (size_t at = 4; at < session->argc; at++) {
        bool more = at + 1 < session->argc;
        if (more && args.count == 0 && stream_word(session, at, "ids")) {
            if (!parse_ids(session, &at, &args))
                return false;
        } else if (more && stream_word(session, at, "delay")) {
            if (!parse_delay(session, ++at, &args))
                return false;
        } else {
            session_syntax_error(session);
            return false;
        }
    }
    if (args.count == 0) {
        session_syntax_error(session);
        return false;
    }
    *out = args;
    return true;
}

/* ---- collecting ---- */

static enum err look_up(struct nack_work *nack, const struct nack_args *args)
{
    const struct id *ids = (const struct id *)(const void *)nack->ids.data;
    enum err err = pending_lookup_step(&nack->lookup, nack->session, ids, args->count);
    if (err == ERR_COLD)
        pending_lookup_wait(&nack->lookup, nack->session, ids);
    nack->looked_up = err == ERR_OK;
    return err;
}

static enum err read_dead(struct nack_work *nack, struct feed *feed, const struct pending *item)
{
    if (!nack->reading_open)
        reading_begin(&nack->reading, nack->session, feed, item->id, item->id, false, 1);
    nack->reading_open = true;
    enum err err = reading_step(&nack->reading, nack->session);
    if (err == ERR_COLD)
        reading_wait(&nack->reading, nack->session);
    if (err != ERR_OK)
        return err;
    bool added;
    if (nack->reading.count > 0)
        dead_letters_add(&nack->dead, item, buf_bytes(&nack->reading.entries));
    else
        *pending_set_put(&nack->gone, item->id, &added) = *item;
    close_reading(nack);
    return ERR_OK;
}

/* FATAL, where the policy has an end for it: reads all entries. */
static enum err read_all_dead(struct nack_work *nack, struct feed *feed)
{
    struct pending_place place;
    for (;;) {
        const struct pending *item = pending_set_seek(&nack->lookup.found, nack->at, &place);
        if (item == NULL)
            return ERR_OK;
        enum err err = read_dead(nack, feed, item);
        if (err != ERR_OK)
            return err;
        nack->at = item->id;
        if (!id_next(&nack->at))
            return ERR_OK;
    }
}

/* ---- writing ---- */

static void give_back(struct pending *item, const struct nack_args *args, uint64_t now_ms)
{
    item->delivered_ms = args->delay_ms > 0 ? now_ms + args->delay_ms : 0;
    if (args->mode == NACK_SILENT && item->deliveries > 0)
        item->deliveries--;
    if (args->mode == NACK_FATAL)
        item->deliveries = INT64_MAX;
}

/* Those of one owner, from the first one on that is left; they leave `found`. */
static void write_owner(struct session *session, const struct group_place *place,
                        struct pending_set *found, const struct nack_args *args)
{
    struct pending_set given = {0};
    struct pending_place at;
    uint64_t now_ms = broker_now_ms(session->broker);
    const struct pending *item = pending_set_seek(found, ID_MIN, &at);
    uint32_t owner = item->consumer;
    for (; item != NULL; item = pending_set_next(found, &at)) {
        bool added;
        if (item->consumer == owner)
            *pending_set_put(&given, item->id, &added) = *item;
    }
    item = pending_set_seek(&given, ID_MIN, &at);
    for (; item != NULL; item = pending_set_next(&given, &at)) {
        pending_set_remove(found, item->id);
        give_back(pending_set_find(&given, item->id), args, now_ms);
    }
    const struct group_state *state = group_state(place->group);
    group_write_claims(session, place, group_state_consumer(state, owner), &given, state->last_id,
                       false, now_ms);
    pending_set_deinit(&given);
}

static void take_out(struct pending_set *from, const struct pending_set *these)
{
    struct pending_place place;
    const struct pending *item = pending_set_seek(these, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(these, &place))
        pending_set_remove(from, item->id);
}

/* Dead letters leave; what finds no place as one is given back. */
static enum flow write_all(struct nack_work *nack, const struct group_place *place,
                           const struct nack_args *args, bool dead)
{
    struct session *session = nack->session;
    struct pending_set *found = &nack->lookup.found;
    size_t count = pending_set_count(found);
    if (dead) {
        dead_letters_write(session, place, &nack->dead);
        group_write_acks(session, place, &nack->gone);
        take_out(found, &nack->dead.items);
        take_out(found, &nack->gone);
    }
    bool given = !pending_set_empty(found);
    while (!pending_set_empty(found))
        write_owner(session, place, found, args);
    if (given) /* whoever claims may have them */
        blocking_signal_whole_line(session->broker, place->db, place->key,
                                   group_name(place->group));
    reply_integer(&session->reply, (int64_t)count);
    return FLOW_DONE;
}

/* What was read in earlier turns is pending still, as it was. */
static bool is_changed(struct nack_work *nack, const struct pending_set *set)
{
    struct pending_place place;
    const struct pending *item = pending_set_seek(set, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(set, &place)) {
        struct pending now = *item;
        if (!pending_recheck(nack->lookup.group, &now) || now.consumer != item->consumer)
            return true;
    }
    return false;
}

/* The work that a resumed command goes on with, or a new one where things have changed under it. */
static struct nack_work *nack_work_of(struct session *session, struct group *group)
{
    if (session->work != NULL) {
        struct nack_work *nack = container_of(session->work, struct nack_work, work);
        bool same = nack->lookup.group == group &&
                    (!nack->looked_up || nack->lookup.view == store_view(session->broker->store));
        if (same && !is_changed(nack, &nack->dead.items) && !is_changed(nack, &nack->gone))
            return nack;
        session_drop_work(session);
    }
    return nack_work_begin(session, group);
}

enum flow xnack_command(struct session *session)
{
    struct nack_args args;
    struct group_place place;
    if (!parse_nack(session, &args))
        return FLOW_DONE;
    enum access access = group_access(session, session->argv[1], session->argv[2], &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed *feed = object_feed(place.object);
    bool dead = args.mode == NACK_FATAL && dead_letter_due(feed, INT64_MAX);
    access = dead ? dead_letters_access(session, feed) : ACCESS_READY;
    if (access != ACCESS_READY)
        return access_flow(access);
    struct nack_work *nack = nack_work_of(session, place.group);
    if (nack->ids.len == 0 && !stream_ids(session, args.first, args.count, &nack->ids))
        return FLOW_DONE;
    enum err err = nack->looked_up ? ERR_OK : look_up(nack, &args);
    if (err == ERR_OK)
        pending_lookup_refresh(&nack->lookup, (const struct id *)(const void *)nack->ids.data,
                               args.count);
    if (err == ERR_OK && dead)
        err = read_all_dead(nack, feed);
    if (err == ERR_COLD)
        return FLOW_WAIT;
    if (err == ERR_OK)
        return write_all(nack, &place, &args, dead);
    access_error(session, err);
    return FLOW_DONE;
}
