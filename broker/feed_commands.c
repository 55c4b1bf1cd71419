/* FEED.*: what Weir can do with feeds beside what Redis does with streams. */
#include "base/alloc.h"
#include "base/check.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/dead_letter.h"
#include "broker/group_info.h"
#include "broker/stream_args.h"
#include "storage/group.h"
#include "storage/upkeep.h"

/* A handle on disk that is being looked for. */
struct cancel_work {
    struct work work;
    struct fetch fetch;
};

static void cancel_work_destroy(struct work *work)
{
    struct cancel_work *cancel = container_of(work, struct cancel_work, work);
    fetch_deinit(&cancel->fetch);
    mem_free(cancel);
}

static void read_handle(struct session *session, const struct feed *feed, struct id handle)
{
    struct cancel_work *cancel = mem_zalloc(sizeof(*cancel));
    cancel->work.destroy = cancel_work_destroy;
    session->work = &cancel->work;
    fetch_init(&cancel->fetch);
    cancel->fetch.ranges = store_ranges(session->broker->store);
    cancel->fetch.kind = FETCH_GET;
    key_timed(&cancel->fetch.lower, KEY_DELAYED, feed->home, handle);
    access_read(session, &cancel->fetch);
}

/* What was read for the command, if it still tells about this handle. ERR_COLD: it does not. */
static enum err handle_read(const struct session *session, const struct feed *feed,
                            struct id handle)
{
    struct id read;
    if (session->work == NULL)
        return ERR_COLD;
    const struct fetch *fetch = &container_of(session->work, struct cancel_work, work)->fetch;
    if (fetch->view != store_view(session->broker->store) ||
        key_timed_id(buf_bytes(&fetch->lower), KEY_DELAYED, feed->home, &read) != ERR_OK ||
        !id_equal(read, handle))
        return ERR_COLD;
    return fetch->err;
}

/* Whether the handle's entry is delayed still. */
static enum err find_handle(const struct session *session, const struct feed *feed,
                            struct id handle)
{
    const struct scheduled *row;
    if (feed == NULL || upkeep_delayed(feed_upkeep(feed)) == NULL)
        return ERR_NOT_FOUND;
    enum err err = schedule_find(upkeep_delayed(feed_upkeep(feed)), handle, &row);
    return err == ERR_COLD ? handle_read(session, feed, handle) : err;
}

/* False: replied. */
static bool parse_handle(struct session *session, struct id *out)
{
    struct id handle;
    char text[ID_TEXT_MAX];
    if (!id_from_text(session->argv[2], 0, &handle) || handle.ms == 0 || handle.seq == 0 ||
        !bytes_equal(session->argv[2], bytes_of(text, id_to_text(handle, text)))) {
        reply_error(&session->reply, "ERR invalid handle of a delayed entry");
        return false;
    }
    if (handle.ms <= broker_now_ms(session->broker)) {
        reply_error(&session->reply, "ERR the delayed entry is due already");
        return false;
    }
    *out = handle;
    return true;
}

/* FEED.CANCEL key handle */
static enum flow cancel_command(struct session *session)
{
    struct id handle;
    struct object *object;
    if (!parse_handle(session, &handle))
        return FLOW_DONE;
    enum access access = access_feed(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    enum err err = find_handle(session, object_feed(object), handle);
    if (err == ERR_COLD) {
        session_drop_work(session);
        read_handle(session, object_feed(object), handle);
        return FLOW_WAIT;
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        access_error(session, err);
        return FLOW_DONE;
    }
    if (err == ERR_OK) {
        struct op op = {.kind = OP_CANCEL,
                        .db = session->db,
                        .key = session->argv[1],
                        .object = object,
                        .id = handle};
        session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    }
    reply_integer(&session->reply, err == ERR_OK);
    return FLOW_DONE;
}

static void field_integer(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_string(reply, name);
    reply_integer(reply, (int64_t)value);
}

static bool is_parked(const struct group *group)
{
    return group->parked;
}

static bool is_stuck(const struct group *group)
{
    return group->stuck;
}

/* The names of the groups that are so. */
static void reply_groups(struct reply *reply, const struct groups *groups,
                         bool (*are_so)(const struct group *group))
{
    uint32_t count = groups != NULL ? groups->roster.count : 0;
    size_t told = 0;
    struct reply_deferred names = reply_deferred_begin(reply);
    for (uint32_t i = 0; i < count; i++) {
        const struct group *group = groups_nth(groups, i);
        if (!are_so(group))
            continue;
        reply_bulk(reply, group_name(group));
        told++;
    }
    reply_deferred_end_array(reply, names, told);
}

/* FEED.INFO key */
static enum flow info_command(struct session *session)
{
    struct object *object;
    enum access access = group_info_feed(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed *feed = object_feed(object);
    static const struct upkeep_row none;
    const struct upkeep_row *upkeep =
        feed_upkeep(feed) != NULL ? upkeep_row(feed_upkeep(feed)) : &none;
    reply_map(&session->reply, 6);
    field_integer(&session->reply, "length", feed_row(feed)->length);
    field_integer(&session->reply, "delayed", upkeep->delayed);
    field_integer(&session->reply, "bytes", upkeep->ledger != NULL ? upkeep->ledger->total : 0);
    field_integer(&session->reply, "next-upkeep", upkeep->alarm_ms);
    reply_bulk_string(&session->reply, "parked");
    reply_groups(&session->reply, feed->groups, is_parked);
    reply_bulk_string(&session->reply, "stuck");
    reply_groups(&session->reply, feed->groups, is_stuck);
    return FLOW_DONE;
}

/* ---- FEED.POLICY ---- */

/* A limit's argument, 0 to `max`; false: replied. */
static bool parse_limit(struct session *session, size_t at, uint64_t max, uint64_t *out)
{
    int64_t value;
    if (!stream_integer(session, at, &value))
        return false;
    if (value < 0 || (uint64_t)value > max) {
        reply_error(&session->reply, "ERR %.*s is out of range", (int)session->argv[at - 1].len,
                    session->argv[at - 1].data);
        return false;
    }
    *out = (uint64_t)value;
    return true;
}

static bool parse_acked(struct session *session, size_t at, struct policy *policy)
{
    bool yes = stream_word(session, at, "yes");
    if (!yes && !stream_word(session, at, "no")) {
        reply_error(&session->reply, "ERR ACKED is yes or no");
        return false;
    }
    policy->acked = yes;
    return true;
}

/* One limit and its value; false: replied. */
static bool parse_policy_word(struct session *session, size_t at, struct policy *policy)
{
    if (at + 1 < session->argc) {
        if (stream_word(session, at, "acked"))
            return parse_acked(session, at + 1, policy);
        if (stream_word(session, at, "deadletter")) {
            policy->deadletter = session->argv[at + 1];
            return true;
        }
#define X(field, number, word, max)                                                                \
    if (stream_word(session, at, word))                                                            \
        return parse_limit(session, at + 1, max, &policy->field);
        POLICY_LIMITS(X)
#undef X
    }
    session_syntax_error(session);
    return false;
}

/* What no single word can tell; false: replied. */
static bool policy_allowed(struct session *session, const struct policy *policy)
{
    const char *error = NULL;
    if (policy->maxlag_ms > 0 && policy->acked == 0)
        error = "ERR MAXLAG needs ACKED yes";
    else if (policy->deadletter.len > 0 && policy->maxdeliveries == 0)
        error = "ERR DEADLETTER needs MAXDELIVERIES";
    else if (policy->deadletter.len > KEY_NAME_MAX)
        error = "ERR the dead-letter key is too long";
    if (error != NULL)
        reply_error(&session->reply, "%s", error);
    return error == NULL && !dead_letters_own(session, policy, session->argv[1]);
}

static void reply_policy(struct reply *reply, const struct policy *policy)
{
    static const struct policy none;
    const struct policy *told = policy != NULL ? policy : &none;
#define X(field, number, word, max) +1
    reply_map(reply, 1 POLICY_LIMITS(X));
#undef X
#define X(field, number, word, max) field_integer(reply, word, told->field);
    POLICY_LIMITS(X)
#undef X
    reply_bulk_string(reply, "deadletter");
    if (told->deadletter.len > 0)
        reply_bulk(reply, told->deadletter);
    else
        reply_null(reply);
}

static void write_policy(struct session *session, struct object *object,
                         const struct policy *policy)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct buf *data = &session->broker->scratch;
    struct op op = {
        .kind = OP_POLICY, .db = session->db, .key = session->argv[1], .object = object};
    if (object_type(object) == OBJECT_NONE)
        op.number = keyspace_next_feed(keyspace);
    data->len = 0;
    policy_encode(data, policy);
    op.data = buf_bytes(data);
    session_gate(session, keyspace_write(keyspace, &op));
    if (op.number != 0)
        keyspace_event(session, EVENT_NEW, "new", session->db, session->argv[1]);
}

/* FEED.POLICY key [MAXAGE ms] [MAXBYTES n] [MAXLEN n] [ACKED yes|no] [MAXLAG ms] [MAXDELIVERIES n]
 * [DEADLETTER key] */
static enum flow policy_command(struct session *session)
{
    struct object *object;
    enum access access = access_feed(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    const struct feed *feed = object_feed(object);
    const struct policy *now = feed != NULL ? upkeep_policy(feed_upkeep(feed)) : NULL;
    if (session->argc == 2 && feed == NULL) {
        reply_error(&session->reply, "ERR no such key");
        return FLOW_DONE;
    }
    if (session->argc == 2) {
        reply_policy(&session->reply, now);
        return FLOW_DONE;
    }
    struct policy policy = {0};
    if (now != NULL)
        policy = *now;
    for (size_t at = 2; at < session->argc; at += 2) {
        if (!parse_policy_word(session, at, &policy))
            return FLOW_DONE;
    }
    if (!policy_allowed(session, &policy))
        return FLOW_DONE;
    struct object *target;
    access =
        policy.deadletter.len > 0 ? access_feed(session, policy.deadletter, &target) : ACCESS_READY;
    if (access != ACCESS_READY)
        return access_flow(access);
    write_policy(session, object, &policy);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

#define FEED_ROW(name, run, arity, flags, complexity, summary)                                     \
    {                                                                                              \
        name, run, arity, flags, 1, 1, 1, "stream", "7.4.0", complexity, summary, NULL             \
    }

const struct command_row feed_commands[] = {
    FEED_ROW("feed.cancel", cancel_command, 3, COMMAND_WRITE | COMMAND_FAST, "O(1)",
             "Takes a delayed entry back"),
    FEED_ROW("feed.info", info_command, 2, COMMAND_READONLY | COMMAND_FAST, "O(1)",
             "What the server does for a feed by itself"),
    FEED_ROW("feed.policy", policy_command, -2, COMMAND_WRITE, "O(1)",
             "Tells or sets what a feed keeps, and for how long"),
    {.name = NULL},
};
