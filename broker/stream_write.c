/* XADD, XTRIM, XDEL, XSETID: https://redis.io/docs/latest/commands/?group=stream */
#include "broker/stream_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/stream_args.h"
#include "broker/trim_refs.h"
#include "storage/upkeep.h"

/* A command that had to read before it could decide. */
struct plan_work {
    struct work work;
    struct fetch fetch;
    bool planned; /* the plan that is used is initialized */
    bool is_trim;
    bool fetching; /* the fetch has come back and was not taken */
    struct trim_plan trim;
    struct erase_plan erase;
    struct trim_refs refs; /* with DELREF or ACKED */
    struct buf ids;        /* XDEL's */
};

static void plan_work_destroy(struct work *work)
{
    struct plan_work *plan = container_of(work, struct plan_work, work);
    if (plan->planned && plan->is_trim)
        trim_plan_deinit(&plan->trim);
    if (plan->planned && !plan->is_trim)
        erase_plan_deinit(&plan->erase);
    trim_refs_end(&plan->refs);
    fetch_deinit(&plan->fetch);
    buf_deinit(&plan->ids);
    mem_free(plan);
}

static struct plan_work *plan_work_of(struct session *session)
{
    if (session->work == NULL) {
        struct plan_work *plan = mem_zalloc(sizeof(*plan));
        plan->work.destroy = plan_work_destroy;
        fetch_init(&plan->fetch);
        buf_init(&plan->ids);
        session->work = &plan->work;
    }
    return container_of(session->work, struct plan_work, work);
}

/* A step of the plan went cold: has a reader fetch what its cursor wants. */
static enum access plan_read(struct session *session, struct plan_work *plan,
                             struct feed_cursor *cursor, uint64_t entries_max)
{
    feed_cursor_plan(cursor, &plan->fetch, entries_max);
    plan->fetching = true;
    access_read(session, &plan->fetch);
    return ACCESS_WAIT;
}

/* Gives the plan what was fetched for it, if anything. */
static enum err plan_take(struct session *session, struct plan_work *plan,
                          struct feed_cursor *cursor, bool walking)
{
    if (!plan->fetching)
        return ERR_OK;
    plan->fetching = false;
    if (!walking || plan->fetch.view != store_view(session->broker->store))
        return ERR_OK; /* it asks again */
    return feed_cursor_take(cursor, &plan->fetch);
}

/* Finds out what trimming removes; `added` is the entry that comes with it, NULL: none. */
static enum access plan_trim(struct session *session, struct feed *feed, const struct trim *trim,
                             const struct id *added, struct id *first, uint64_t *removed)
{
    struct ranges *ranges = store_ranges(session->broker->store);
    struct plan_work *plan = NULL;
    struct trim_plan once;
    struct trim_plan *steps = &once;
    enum err err = ERR_OK;
    if (session->work != NULL && plan_work_of(session)->planned) {
        plan = plan_work_of(session);
        steps = &plan->trim;
        if (steps->feed == feed && !id_equal(steps->trim.bound, trim->bound)) {
            trim_plan_deinit(steps);
            trim_plan_init(steps, feed, ranges, trim);
        }
        if (steps->feed != feed) { /* another one under the same key now: start over */
            session_drop_work(session);
            plan = NULL;
            steps = &once;
        } else {
            err = plan_take(session, plan, &steps->cursor, steps->walking);
        }
    }
    if (plan == NULL)
        trim_plan_init(steps, feed, ranges, trim);
    if (added != NULL)
        trim_plan_add(steps, *added);
    if (err == ERR_OK)
        err = trim_plan_step(steps);
    if (err == ERR_COLD && plan == NULL) {
        plan = plan_work_of(session);
        plan->planned = true;
        plan->is_trim = true;
        plan->trim = once;
        steps = &plan->trim;
    }
    if (err == ERR_COLD)
        return plan_read(session, plan, &steps->cursor, UINT64_MAX);
    *first = steps->first;
    *removed = steps->removed;
    if (plan == NULL)
        trim_plan_deinit(&once);
    if (err == ERR_OK)
        return ACCESS_READY;
    access_error(session, err);
    return ACCESS_FAILED;
}

static enum access refs_stopped(struct session *session, enum err err)
{
    if (err == ERR_COLD)
        return ACCESS_WAIT;
    access_error(session, err);
    return ACCESS_FAILED;
}

/* The same, by what the groups of the feed refer to. */
static enum access plan_trim_by_refs(struct session *session, struct object *object,
                                     struct trim *trim, const struct id *added, struct id *first,
                                     uint64_t *removed)
{
    struct feed *feed = object_feed(object);
    enum err err = ERR_OK;
    if (trim->refs == REFS_ACKED && feed->groups != NULL && feed->groups->roster.count > 0) {
        err = trim_refs_bound(&plan_work_of(session)->refs, session, feed->groups, &trim->bound);
        trim->bounded = true;
    }
    if (err != ERR_OK)
        return refs_stopped(session, err);
    enum access access = plan_trim(session, feed, trim, added, first, removed);
    if (access != ACCESS_READY || trim->refs != REFS_DROP || *removed == 0)
        return access;
    err = trim_refs_collect(&plan_work_of(session)->refs, session, feed->groups, *first);
    return err == ERR_OK ? ACCESS_READY : refs_stopped(session, err);
}

/* The id that XADD gives, after the feed's last one. */
static bool next_id(struct session *session, const struct stream_add *add, struct id last,
                    struct id *out)
{
    struct id id = add->id;
    if (id_equal(last, ID_MAX)) {
        reply_error(&session->reply,
                    "ERR The stream has exhausted the last possible ID, unable to add more items");
        return false;
    }
    if (!add->has_id) {
        id = (struct id){broker_now_ms(session->broker), 0};
        if (id.ms <= last.ms) {
            id = last;
            id_next(&id);
        }
    } else if (!add->has_seq && id.ms == last.ms) {
        id = last;
        if (id.seq == UINT64_MAX)
            id = ID_MIN; /* no sequence is left in this millisecond: refused below */
        else
            id.seq++;
    }
    if (!id_less(last, id)) {
        reply_error(&session->reply,
                    "ERR The ID specified in XADD is equal or smaller than the target "
                    "stream top item");
        return false;
    }
    *out = id;
    return true;
}

/* "*<2n>\r\n" and the fields as they came: the entry's wire form, in one span before the fields
 * where there is room. */
static void entry_fields(struct session *session, size_t first, struct buf *out)
{
    struct bytes wire = session_wire(session, first, session->argc - first);
    char *at = buf_reserve(out, wire.len + INTEGER_TEXT_MAX + 3);
    char *start = at;
    *at++ = '*';
    at += u64_to_text(session->argc - first, at);
    *at++ = '\r';
    *at++ = '\n';
    memcpy(at, wire.data, wire.len);
    out->len += (size_t)(at - start) + wire.len;
}

static void reply_id(struct session *session, struct id id)
{
    char text[ID_TEXT_MAX];
    reply_bulk(&session->reply, bytes_of(text, id_to_text(id, text)));
}

static void add_entry(struct session *session, const struct stream_add *add, struct object *object,
                      struct id id)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct buf *fields = &session->broker->scratch;
    fields->len = 0;
    entry_fields(session, add->fields, fields);
    struct op op = {.kind = OP_APPEND,
                    .db = session->db,
                    .key = session->argv[1],
                    .object = object,
                    .id = id,
                    .data = buf_bytes(fields)};
    if (object_type(object) == OBJECT_NONE)
        op.number = keyspace_next_feed(keyspace);
    session_gate(session, keyspace_write(keyspace, &op));
    if (op.number != 0)
        keyspace_event(session, EVENT_NEW, "new", session->db, session->argv[1]);
    keyspace_event(session, EVENT_STREAM, "xadd", session->db, session->argv[1]);
}

/* When the entry is due; false: replied. */
static bool due_time(struct session *session, const struct stream_add *add, uint64_t *out)
{
    uint64_t now_ms = broker_now_ms(session->broker);
    uint64_t max_ms = add->at ? now_ms + UPKEEP_MS_MAX : UPKEEP_MS_MAX;
    if (add->delay_ms < (add->at ? 1 : 0) || (uint64_t)add->delay_ms > max_ms) {
        reply_error(&session->reply, "ERR %s is out of range", add->at ? "AT" : "DELAY");
        return false;
    }
    *out = (uint64_t)add->delay_ms + (add->at ? 0 : now_ms);
    return true;
}

/* Has the entry added later; its handle is the reply. */
static void delay_entry(struct session *session, const struct stream_add *add,
                        struct object *object)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct buf *fields = &session->broker->scratch;
    struct op op = {
        .kind = OP_SCHEDULE, .db = session->db, .key = session->argv[1], .object = object};
    if (!due_time(session, add, &op.id.ms))
        return;
    const struct feed *feed = object_feed(object);
    bool has_upkeep = feed != NULL && feed_upkeep(feed) != NULL;
    op.id.seq = has_upkeep ? upkeep_row(feed_upkeep(feed))->delayed_last + 1 : 1;
    op.number = feed == NULL ? keyspace_next_feed(keyspace) : 0;
    fields->len = 0;
    entry_fields(session, add->fields, fields);
    op.data = buf_bytes(fields);
    session_gate(session, keyspace_write(keyspace, &op));
    if (op.number != 0)
        keyspace_event(session, EVENT_NEW, "new", session->db, session->argv[1]);
    reply_id(session, op.id);
}

static void trim_entries(struct session *session, struct object *object, struct id first,
                         uint64_t removed)
{
    if (removed == 0)
        return;
    struct op op = {.kind = OP_TRIM,
                    .db = session->db,
                    .key = session->argv[1],
                    .object = object,
                    .id = first,
                    .number = removed};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_STREAM, "xtrim", session->db, session->argv[1]);
    if (session->work != NULL)
        trim_refs_release(&plan_work_of(session)->refs, session, object);
}

static enum access trim_access(struct session *session, const struct trim *trim,
                               struct object **object)
{
    return trim->refs == REFS_KEEP ? access_feed(session, session->argv[1], object)
                                   : access_groups(session, session->argv[1], object);
}

enum flow xadd_command(struct session *session)
{
    struct stream_add add;
    struct object *object;
    struct id id;
    if (!stream_parse_add(session, &add))
        return FLOW_DONE;
    if (session_wire(session, add.fields, session->argc - add.fields).len > ENTRY_BYTES_MAX) {
        reply_error(&session->reply, "ERR Elements are too large to be stored");
        return FLOW_DONE;
    }
    enum access access = trim_access(session, &add.trim, &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed *feed = object_feed(object);
    if (feed == NULL && add.no_create) {
        reply_null(&session->reply);
        return FLOW_DONE;
    }
    if (add.delayed) {
        delay_entry(session, &add, object);
        return FLOW_DONE;
    }
    if (!next_id(session, &add, feed != NULL ? feed_row(feed)->last_id : ID_MIN, &id))
        return FLOW_DONE;
    struct id first = id;
    uint64_t removed = 0;
    if (feed != NULL && add.trim.kind != TRIM_NONE) {
        access = plan_trim_by_refs(session, object, &add.trim, &id, &first, &removed);
        if (access != ACCESS_READY)
            return access_flow(access);
    }
    add_entry(session, &add, object, id);
    if (feed == NULL && add.trim.kind != TRIM_NONE) {
        /* All there is is the new entry: nothing to read. */
        access = plan_trim(session, object_feed(object), &add.trim, NULL, &first, &removed);
        CHECK(access == ACCESS_READY);
    }
    trim_entries(session, object, first, removed);
    blocking_signal(session->broker, session->db, session->argv[1]);
    reply_id(session, id);
    return FLOW_DONE;
}

enum flow xtrim_command(struct session *session)
{
    struct trim trim;
    struct object *object;
    if (!stream_parse_trim(session, &trim))
        return FLOW_DONE;
    enum access access = trim_access(session, &trim, &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct id first;
    uint64_t removed = 0;
    if (object_feed(object) != NULL) {
        access = plan_trim_by_refs(session, object, &trim, NULL, &first, &removed);
        if (access != ACCESS_READY)
            return access_flow(access);
        trim_entries(session, object, first, removed);
    }
    reply_integer(&session->reply, (int64_t)removed);
    return FLOW_DONE;
}

size_t stream_erase(struct session *session, struct object *object, const struct erase_plan *plan)
{
    const struct id *ids = (const struct id *)(const void *)plan->found.data;
    size_t count = plan->found.len / sizeof(*ids);
    if (count == 0)
        return 0;
    struct buf *data = &session->broker->scratch;
    data->len = 0;
    for (size_t i = 0; i < count; i++) {
        buf_put_varint(data, ids[i].ms);
        buf_put_varint(data, ids[i].seq);
    }
    struct op op = {.kind = OP_ERASE,
                    .db = session->db,
                    .key = session->argv[1],
                    .object = object,
                    .id = plan->first,
                    .data = buf_bytes(data)};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_STREAM, "xdel", session->db, session->argv[1]);
    return count;
}

/* The plan of XDEL, begun or gone on with. */
static struct plan_work *erase_plan_of(struct session *session, struct feed *feed)
{
    if (session->work != NULL &&
        container_of(session->work, struct plan_work, work)->erase.feed != feed)
        session_drop_work(session);
    struct plan_work *plan = plan_work_of(session);
    if (plan->planned)
        return plan;
    if (!stream_ids(session, 2, session->argc - 2, &plan->ids))
        return NULL;
    plan->planned = true;
    erase_plan_init(&plan->erase, feed, store_ranges(session->broker->store),
                    (const struct id *)(const void *)plan->ids.data,
                    plan->ids.len / sizeof(struct id));
    return plan;
}

enum flow xdel_command(struct session *session)
{
    struct object *object;
    enum access access = access_feed(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_feed(object) == NULL) {
        reply_integer(&session->reply, 0);
        return FLOW_DONE;
    }
    struct plan_work *plan = erase_plan_of(session, object_feed(object));
    if (plan == NULL)
        return FLOW_DONE;
    enum err err = plan_take(session, plan, &plan->erase.cursor, plan->erase.walking);
    if (err == ERR_OK)
        err = erase_plan_step(&plan->erase);
    if (err == ERR_COLD) {
        plan_read(session, plan, &plan->erase.cursor, 1);
        return FLOW_WAIT;
    }
    if (err == ERR_OK)
        reply_integer(&session->reply, (int64_t)stream_erase(session, object, &plan->erase));
    else
        access_error(session, err);
    return FLOW_DONE;
}

struct setid {
    struct id last;
    struct id max_deleted;
    int64_t entries_added; /* -1: as it is */
};

static bool parse_setid(struct session *session, struct setid *out)
{
    struct setid setid = {.entries_added = -1};
    if (!stream_id(session, 2, 0, &setid.last))
        return false;
    for (size_t i = 3; i < session->argc; i += 2) {
        bool more = i + 1 < session->argc;
        if (more && stream_word(session, i, "entriesadded")) {
            if (!stream_integer(session, i + 1, &setid.entries_added))
                return false;
            if (setid.entries_added < 0) {
                reply_error(&session->reply, "ERR entries_added must be positive");
                return false;
            }
        } else if (more && stream_word(session, i, "maxdeletedid")) {
            if (!stream_id(session, i + 1, 0, &setid.max_deleted))
                return false;
            if (id_less(setid.last, setid.max_deleted)) {
                reply_error(&session->reply, "ERR The ID specified in XSETID is smaller than the "
                                             "provided max_deleted_entry_id");
                return false;
            }
        } else {
            session_syntax_error(session);
            return false;
        }
    }
    *out = setid;
    return true;
}

/* The rules of XSETID against a feed whose last live entry is `top`. */
static bool setid_allowed(struct session *session, const struct setid *setid,
                          const struct feed_row *row, struct id top)
{
    const char *error = NULL;
    /* MAXDELETEDID can lower what is told of deleted ids, not where they lie in chunks. */
    bool below_stored = row->length > 0 && id_less(setid->last, row->stored_id);
    if (row->length > 0 && !id_less(setid->last, row->max_deleted_id) && id_less(setid->last, top))
        error = "ERR The ID specified in XSETID is smaller than the target stream top item";
    else if (below_stored || id_less(setid->last, row->max_deleted_id))
        error = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    else if (row->length > 0 && setid->entries_added >= 0 &&
             row->length > (uint64_t)setid->entries_added)
        error =
            "ERR The entries_added specified in XSETID is smaller than the target stream length";
    if (error != NULL)
        reply_error(&session->reply, "%s", error);
    return error == NULL;
}

/* Old chunks may still hold ids above a last id that goes down: the feed gets a new id, and with it
 * new chunks. */
static void renew_feed(struct session *session, struct object *object)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct op op = {.kind = OP_RENEW,
                    .db = session->db,
                    .key = session->argv[1],
                    .object = object,
                    .number = keyspace_next_feed(keyspace)};
    keyspace_write(keyspace, &op);
}

enum flow xsetid_command(struct session *session)
{
    struct setid setid;
    struct object *object;
    if (!parse_setid(session, &setid))
        return FLOW_DONE;
    enum access access = access_feed(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed *feed = object_feed(object);
    if (feed == NULL) {
        reply_error(&session->reply, "ERR no such key");
        return FLOW_DONE;
    }
    struct id top = ID_MIN;
    access = stream_last_id(session, feed, &top);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed_row row = *feed_row(feed);
    if (!setid_allowed(session, &setid, &row, top))
        return FLOW_DONE;
    if (row.length == 0 && id_less(setid.last, row.stored_id)) {
        if (upkeep_delayed(row.upkeep) != NULL && upkeep_row(row.upkeep)->delayed > 0) {
            reply_error(&session->reply,
                        "ERR the last id cannot go down while entries are delayed");
            return FLOW_DONE;
        }
        renew_feed(session, object);
    }
    struct op op = {.kind = OP_SETID,
                    .db = session->db,
                    .key = session->argv[1],
                    .object = object,
                    .id = setid.last,
                    .number = setid.entries_added >= 0 ? (uint64_t)setid.entries_added
                                                       : row.entries_added,
                    .id2 = id_is_zero(setid.max_deleted) ? row.max_deleted_id : setid.max_deleted};
    session_gate(session, keyspace_write(&session->broker->keyspace, &op));
    keyspace_event(session, EVENT_STREAM, "xsetid", session->db, session->argv[1]);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}
