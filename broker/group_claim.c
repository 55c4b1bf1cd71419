/* XCLAIM, XAUTOCLAIM: https://redis.io/docs/latest/commands/xclaim/
 *
 * As with XREADGROUP everything is collected first, maybe in several turns of the loop, and changed
 * in one: entries change hands with one op, those that are no longer in the feed leave with
 * another. */
#include "broker/group_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/dead_letter.h"
#include "broker/pending_lookup.h"
#include "broker/stream_args.h"
#include "broker/stream_reading.h"

/* XAUTOCLAIM looks at so many entries for each that it may claim. */
#define ATTEMPTS_FACTOR 10

struct claim_args {
    uint64_t min_idle;
    bool just_id;
    bool force;
    bool has_retries;
    uint64_t retries;
    int64_t delivered_ms; /* -1: now */
    struct id last_id;
    size_t ids_end;  /* XCLAIM: arguments from 5 up to this one are ids */
    struct id start; /* XAUTOCLAIM */
    uint64_t count;
};

struct claim_work {
    struct work work;
    struct session *session;
    struct group *group; /* one reference */
    uint64_t view;       /* of the store when it began */
    uint64_t now_ms;
    bool looked_up; /* XCLAIM: */
    struct buf ids; /* struct id each */
    size_t at;      /* ids before this one are seen to */
    bool lookup_open;
    struct pending_lookup lookup;
    bool walk_open; /* XAUTOCLAIM: */
    struct pending_walk walk;
    uint64_t attempts; /* so far */
    bool has_item;     /* the walk has come to this one, whose entry is being read */
    struct pending item;
    bool reading_open;
    struct reading reading;

    struct pending_set seen;    /* what is claimed, as it was */
    struct pending_set claimed; /* the same, as it will be; the consumer is where it was */
    struct pending_set gone;    /* pending, but not in the feed any more */
    struct buf gone_ids;        /* struct id each, in order */
    struct dead_letters dead;
    struct buf body;
    uint64_t shown;
};

static void close_reading(struct claim_work *claim)
{
    if (claim->reading_open)
        reading_end(&claim->reading, claim->session);
    claim->reading_open = false;
}

static void claim_deinit(struct claim_work *claim)
{
    close_reading(claim);
    if (claim->lookup_open)
        pending_lookup_end(&claim->lookup);
    if (claim->walk_open)
        pending_walk_end(&claim->walk);
    pending_set_deinit(&claim->seen);
    pending_set_deinit(&claim->claimed);
    pending_set_deinit(&claim->gone);
    dead_letters_deinit(&claim->dead);
    buf_deinit(&claim->ids);
    buf_deinit(&claim->gone_ids);
    buf_deinit(&claim->body);
    group_unref(claim->group);
}

static void claim_work_destroy(struct work *work)
{
    struct claim_work *claim = container_of(work, struct claim_work, work);
    claim_deinit(claim);
    mem_free(claim);
}

static bool is_changed(const struct claim_work *claim, const struct pending_set *seen)
{
    struct pending_place place;
    const struct pending *item = pending_set_seek(seen, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(seen, &place)) {
        struct pending now = *item;
        bool pending = pending_recheck(claim->group, &now);
        if (pending != (item->consumer != 0) ||
            (pending && (now.consumer != item->consumer || now.deliveries != item->deliveries)))
            return true;
    }
    return false;
}

/* The work that a resumed command goes on with, or a new one where the group has changed under it.
 */
static struct claim_work *claim_work_of(struct session *session, struct group *group)
{
    uint64_t view = store_view(session->broker->store);
    struct claim_work *claim =
        session->work != NULL ? container_of(session->work, struct claim_work, work) : NULL;
    if (claim != NULL && (claim->group != group || claim->view != view ||
                          is_changed(claim, &claim->seen) || is_changed(claim, &claim->gone) ||
                          (claim->has_item && pending_changed(group, &claim->item)) ||
                          is_changed(claim, &claim->dead.items))) {
        session_drop_work(session);
        claim = NULL;
    }
    if (claim != NULL && claim->looked_up)
        pending_lookup_refresh(&claim->lookup, (const struct id *)(const void *)claim->ids.data,
                               claim->ids.len / sizeof(struct id));
    if (claim == NULL) {
        claim = mem_zalloc(sizeof(*claim));
        claim->work.destroy = claim_work_destroy;
        claim->session = session;
        claim->group = group;
        claim->view = view;
        claim->now_ms = broker_now_ms(session->broker);
        group_ref(group);
        session->work = &claim->work;
    }
    return claim;
}

/* ---- one entry ---- */

static void put_id(struct buf *out, struct id id, int version)
{
    struct reply reply = {out, version};
    char text[ID_TEXT_MAX];
    reply_bulk(&reply, bytes_of(text, id_to_text(id, text)));
}

static void show(struct claim_work *claim, const struct claim_args *args, struct id id)
{
    if (args->just_id)
        put_id(&claim->body, id, claim->session->reply.version);
    else
        buf_add_bytes(&claim->body, buf_bytes(&claim->reading.entries));
    claim->shown++;
}

/* Notes that the entry changes hands. `owned`: it is pending as *item; else FORCE makes it so. */
static void note_claim(struct claim_work *claim, const struct claim_args *args,
                       const struct pending *item, bool owned)
{
    bool added;
    struct pending *claimed = pending_set_put(&claim->claimed, item->id, &added);
    if (added) {
        *claimed = *item;
        bool first;
        *pending_set_put(&claim->seen, item->id, &first) = *item;
    }
    if (!owned && added)
        claimed->deliveries = 1;
    claimed->delivered_ms = args->delivered_ms < 0 ? claim->now_ms : (uint64_t)args->delivered_ms;
    if (args->has_retries)
        claimed->deliveries = args->retries;
    else if (!args->just_id && claimed->deliveries < INT64_MAX)
        claimed->deliveries++;
}

/* Reads the feed's entry of that id: ERR_NOT_FOUND when it is not there. */
static enum err read_entry(struct claim_work *claim, struct feed *feed, struct id id)
{
    if (!claim->reading_open)
        reading_begin(&claim->reading, claim->session, feed, id, id, false, 1);
    claim->reading_open = true;
    enum err err = reading_step(&claim->reading, claim->session);
    if (err == ERR_COLD)
        reading_wait(&claim->reading, claim->session);
    if (err != ERR_OK)
        return err;
    return claim->reading.count > 0 ? ERR_OK : ERR_NOT_FOUND;
}

static void note_gone(struct claim_work *claim, const struct pending *item)
{
    bool added;
    *pending_set_put(&claim->gone, item->id, &added) = *item;
    buf_add(&claim->gone_ids, &item->id, sizeof(item->id));
}

/* What is not to be delivered before some time was delivered then: XNACK. */
static bool is_idle(const struct claim_work *claim, const struct claim_args *args,
                    const struct pending *item)
{
    return item->delivered_ms <= claim->now_ms &&
           claim->now_ms - item->delivered_ms >= args->min_idle;
}

/* Claims the entry that was read, or has it leave when it was delivered too often. */
static void take_entry(struct claim_work *claim, const struct claim_args *args,
                       const struct feed *feed, const struct pending *item, bool owned)
{
    uint64_t deliveries = args->has_retries ? args->retries : item->deliveries + 1;
    if (owned && !args->just_id && dead_letter_due(feed, deliveries)) {
        dead_letters_add(&claim->dead, item, buf_bytes(&claim->reading.entries));
        return;
    }
    note_claim(claim, args, item, owned);
    show(claim, args, item->id);
}

/* What an error on the way means for the command. */
static enum access stopped(struct claim_work *claim, enum err err)
{
    if (err == ERR_COLD)
        return ACCESS_WAIT;
    access_error(claim->session, err);
    return ACCESS_FAILED;
}

/* Makes what was collected so. NULL: there is no such consumer, and an error is the reply. */
static const struct consumer *write_claims(struct claim_work *claim,
                                           const struct group_place *place,
                                           const struct claim_args *args)
{
    struct session *session = claim->session;
    const struct consumer *consumer =
        group_write_consumer(session, place, session->argv[3], claim->now_ms);
    if (consumer == NULL)
        return NULL;
    uint64_t backdated = claim->group->backdated;
    group_write_acks(session, place, &claim->gone);
    dead_letters_write(session, place, &claim->dead);
    group_write_claims(session, place, consumer, &claim->claimed,
                       id_max(args->last_id, group_state(claim->group)->last_id),
                       !pending_set_empty(&claim->claimed), claim->now_ms);
    if (claim->group->backdated != backdated) /* some may be old enough for others now */
        blocking_signal_whole_line(session->broker, place->db, place->key,
                                   group_name(claim->group));
    return consumer;
}

/* ---- XCLAIM ---- */

static bool parse_number(struct session *session, size_t index, const char *what, int64_t *out)
{
    if (bytes_to_i64(session->argv[index], out))
        return true;
    reply_error(&session->reply, "ERR Invalid %s argument for XCLAIM", what);
    return false;
}

/* The option at *at, and its argument. */
static bool parse_option(struct session *session, size_t *at, struct claim_args *args)
{
    bool more = *at + 1 < session->argc;
    int64_t number;
    if (stream_word(session, *at, "force")) {
        args->force = true;
    } else if (stream_word(session, *at, "justid")) {
        args->just_id = true;
    } else if (stream_word(session, *at, "idle") && more) {
        if (!parse_number(session, ++*at, "IDLE option", &number))
            return false;
        args->delivered_ms = (int64_t)broker_now_ms(session->broker) - number;
    } else if (stream_word(session, *at, "time") && more) {
        if (!parse_number(session, ++*at, "TIME option", &args->delivered_ms))
            return false;
    } else if (stream_word(session, *at, "retrycount") && more) {
        if (!parse_number(session, ++*at, "RETRYCOUNT option", &number))
            return false;
        args->has_retries = number >= 0;
        args->retries = (uint64_t)number;
    } else if (stream_word(session, *at, "lastid") && more) {
        return stream_id(session, ++*at, 0, &args->last_id);
    } else {
        reply_error(&session->reply, "ERR Unrecognized XCLAIM option '%.*s'",
                    (int)session->argv[*at].len, session->argv[*at].data);
        return false;
    }
    return true;
}

static bool parse_min_idle(struct session *session, const char *command, uint64_t *out)
{
    int64_t min_idle;
    if (!bytes_to_i64(session->argv[4], &min_idle)) {
        reply_error(&session->reply, "ERR Invalid min-idle-time argument for %s", command);
        return false;
    }
    *out = min_idle > 0 ? (uint64_t)min_idle : 0;
    return true;
}

static bool parse_claim(struct session *session, struct claim_args *out)
{
    struct claim_args args = {.delivered_ms = -1};
    if (!parse_min_idle(session, "XCLAIM", &args.min_idle))
        return false;
    size_t at = 5;
    while (at < session->argc && stream_is_id(session, at))
        at++;
    args.ids_end = at;
    for (; at < session->argc; at++) {
        if (!parse_option(session, &at, &args))
            return false;
    }
    if (args.delivered_ms > (int64_t)broker_now_ms(session->broker))
        args.delivered_ms = -1;
    *out = args;
    return true;
}

/* Where the ids are pending. */
static enum err look_up(struct claim_work *claim, const struct claim_args *args)
{
    struct session *session = claim->session;
    if (!claim->lookup_open) {
        CHECK(stream_ids(session, 5, args->ids_end - 5, &claim->ids));
        pending_lookup_begin(&claim->lookup, session, claim->group);
        claim->lookup_open = true;
    }
    const struct id *ids = (const struct id *)(const void *)claim->ids.data;
    enum err err = pending_lookup_step(&claim->lookup, session, ids, args->ids_end - 5);
    if (err == ERR_COLD)
        pending_lookup_wait(&claim->lookup, session, ids);
    claim->looked_up = err == ERR_OK;
    return err;
}

/* What is pending of this id, as claims of this command leave it. */
static bool find_item(const struct claim_work *claim, struct id id, struct pending *out)
{
    const struct pending *item = pending_set_find(&claim->claimed, id);
    if (item == NULL)
        item = pending_set_find(&claim->lookup.found, id);
    *out = item != NULL ? *item : (struct pending){.id = id};
    return item != NULL && pending_set_find(&claim->gone, id) == NULL;
}

static enum err claim_id(struct claim_work *claim, const struct claim_args *args, struct feed *feed,
                         struct id id)
{
    struct pending item;
    bool owned = find_item(claim, id, &item);
    bool skipped = (!owned && !args->force) || pending_set_find(&claim->dead.items, id) != NULL;
    enum err err = skipped ? ERR_OK : read_entry(claim, feed, id);
    if (err == ERR_COLD)
        return err;
    if (err == ERR_NOT_FOUND && owned)
        note_gone(claim, &item);
    else if (err == ERR_OK && !skipped && (!owned || is_idle(claim, args, &item)))
        take_entry(claim, args, feed, &item, owned);
    close_reading(claim); /* one that was acknowledged while it was read, too */
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum access claim_ids(struct claim_work *claim, const struct claim_args *args,
                             struct feed *feed)
{
    const struct id *ids = (const struct id *)(const void *)claim->ids.data;
    while (claim->at < args->ids_end - 5) {
        enum err err = claim_id(claim, args, feed, ids[claim->at]);
        if (err == ERR_OK && claim->body.len > session_reply_max(claim->session))
            err = ERR_FULL;
        if (err != ERR_OK)
            return stopped(claim, err);
        claim->at++;
    }
    return ACCESS_READY;
}

enum flow xclaim_command(struct session *session)
{
    struct claim_args args;
    struct group_place place;
    enum access access = group_access(session, session->argv[1], session->argv[2], &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (!parse_claim(session, &args))
        return FLOW_DONE;
    access = dead_letters_access(session, object_feed(place.object));
    if (access != ACCESS_READY)
        return access_flow(access);
    struct claim_work *claim = claim_work_of(session, place.group);
    enum err err = claim->looked_up ? ERR_OK : look_up(claim, &args);
    if (err != ERR_OK)
        return access_flow(stopped(claim, err));
    access = claim_ids(claim, &args, object_feed(place.object));
    if (access != ACCESS_READY)
        return access_flow(access);
    if (write_claims(claim, &place, &args) == NULL)
        return FLOW_DONE;
    reply_array(&session->reply, claim->shown);
    buf_add_bytes(session->reply.out, buf_bytes(&claim->body));
    return FLOW_DONE;
}

/* ---- XAUTOCLAIM ---- */

static bool parse_autoclaim(struct session *session, struct claim_args *out)
{
    struct claim_args args = {.delivered_ms = -1, .count = 100};
    if (!parse_min_idle(session, "XAUTOCLAIM", &args.min_idle) ||
        !stream_from(session, 5, &args.start))
        return false;
    for (size_t i = 6; i < session->argc; i++) {
        int64_t count;
        if (stream_word(session, i, "count") && i + 1 < session->argc) {
            if (!bytes_to_i64(session->argv[++i], &count) || count < 1 ||
                count > INT64_MAX / (int64_t)sizeof(struct id)) {
                reply_error(&session->reply, "ERR COUNT must be > 0");
                return false;
            }
            args.count = (uint64_t)count;
        } else if (stream_word(session, i, "justid")) {
            args.just_id = true;
        } else {
            session_syntax_error(session);
            return false;
        }
    }
    *out = args;
    return true;
}

static enum err next_item(struct claim_work *claim, const struct claim_args *args)
{
    if (claim->has_item)
        return ERR_OK;
    if (!claim->walk_open)
        pending_walk_begin(&claim->walk, claim->session, claim->group, args->start, ID_MAX, false);
    claim->walk_open = true;
    enum err err = pending_walk_resume(&claim->walk, claim->session);
    if (err == ERR_OK)
        err = pending_cursor_next(&claim->walk.cursor, &claim->item);
    if (err == ERR_COLD)
        pending_walk_wait(&claim->walk, claim->session);
    claim->has_item = err == ERR_OK;
    return err;
}

static enum err autoclaim_item(struct claim_work *claim, const struct claim_args *args,
                               struct feed *feed)
{
    enum err err = read_entry(claim, feed, claim->item.id);
    if (err == ERR_NOT_FOUND) {
        note_gone(claim, &claim->item);
        err = ERR_OK;
    } else if (err == ERR_OK && is_idle(claim, args, &claim->item)) {
        take_entry(claim, args, feed, &claim->item, true);
    }
    if (err == ERR_COLD) {
        pending_cursor_pause(&claim->walk.cursor);
        return err;
    }
    close_reading(claim);
    claim->has_item = false;
    claim->attempts++;
    return err;
}

static uint64_t taken(const struct claim_work *claim)
{
    return claim->shown + claim->gone_ids.len / sizeof(struct id) +
           pending_set_count(&claim->dead.items);
}

/* Walks on until it has enough. *next: where the next call begins; 0-0: nowhere. */
static enum access autoclaim(struct claim_work *claim, const struct claim_args *args,
                             struct feed *feed, struct id *next)
{
    uint64_t attempts_max = args->count * ATTEMPTS_FACTOR;
    for (;;) {
        enum err err = next_item(claim, args);
        if (err == ERR_END) {
            *next = ID_MIN;
            return ACCESS_READY;
        }
        if (err == ERR_OK && (claim->attempts >= attempts_max || taken(claim) >= args->count)) {
            *next = claim->item.id;
            return ACCESS_READY;
        }
        if (err == ERR_OK)
            err = autoclaim_item(claim, args, feed);
        if (err == ERR_OK && claim->body.len > session_reply_max(claim->session))
            err = ERR_FULL;
        if (err != ERR_OK)
            return stopped(claim, err);
    }
}

static void reply_autoclaim(struct claim_work *claim, struct id next)
{
    struct reply *reply = &claim->session->reply;
    const struct id *gone = (const struct id *)(const void *)claim->gone_ids.data;
    size_t gone_count = claim->gone_ids.len / sizeof(*gone);
    reply_array(reply, 3);
    put_id(reply->out, next, reply->version);
    reply_array(reply, claim->shown);
    buf_add_bytes(reply->out, buf_bytes(&claim->body));
    reply_array(reply, gone_count);
    for (size_t i = 0; i < gone_count; i++)
        put_id(reply->out, gone[i], reply->version);
}

enum flow xautoclaim_command(struct session *session)
{
    struct claim_args args;
    struct group_place place;
    struct id next;
    if (!parse_autoclaim(session, &args))
        return FLOW_DONE;
    enum access access = group_access(session, session->argv[1], session->argv[2], &place);
    if (access != ACCESS_READY)
        return access_flow(access);
    access = dead_letters_access(session, object_feed(place.object));
    if (access != ACCESS_READY)
        return access_flow(access);
    struct claim_work *claim = claim_work_of(session, place.group);
    access = autoclaim(claim, &args, object_feed(place.object), &next);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (write_claims(claim, &place, &args) != NULL)
        reply_autoclaim(claim, next);
    return FLOW_DONE;
}
