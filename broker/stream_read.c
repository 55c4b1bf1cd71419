/* XLEN, XRANGE, XREVRANGE, XREAD: https://redis.io/docs/latest/commands/?group=stream */
#include "broker/stream_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "broker/stream_args.h"
#include "broker/stream_reading.h"

enum flow xlen_command(struct session *session)
{
    struct object *object;
    enum access access = access_feed(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct feed *feed = object_feed(object);
    reply_integer(&session->reply, feed != NULL ? (int64_t)feed_row(feed)->length : 0);
    return FLOW_DONE;
}

/* ---- one range ---- */

struct range_work {
    struct work work;
    struct session *session;
    struct id last; /* of the feed when reading began, */
    uint64_t edits; /* and its edits */
    struct reading reading;
};

static void range_work_destroy(struct work *work)
{
    struct range_work *range = container_of(work, struct range_work, work);
    reading_end(&range->reading, range->session);
    mem_free(range);
}

/* The reading that a resumed command goes on with; NULL when it begins. */
static struct reading *resumed_reading(struct session *session)
{
    return session->work != NULL ? &container_of(session->work, struct range_work, work)->reading
                                 : NULL;
}

/* Moves a reading from the stack into the session's work. */
static struct reading *keep_reading(struct session *session, const struct reading *reading)
{
    struct range_work *range = mem_alloc(sizeof(*range));
    struct feed *feed = reading->cursor.feed;
    *range = (struct range_work){
        {range_work_destroy}, session, feed_row(feed)->last_id, feed->edits, *reading};
    session->work = &range->work;
    return &range->reading;
}

/* One step of `local`, or of what it became. ACCESS_READY: *done has read everything; end it with
 * finish_range. */
static enum access step_range(struct session *session, struct reading *local, struct reading **done)
{
    struct reading *reading = resumed_reading(session);
    if (reading == NULL)
        reading = local;
    enum err err = reading_step(reading, session);
    if (err == ERR_COLD) {
        if (reading == local)
            reading = keep_reading(session, local);
        reading_wait(reading, session);
        return ACCESS_WAIT;
    }
    if (err == ERR_OK) {
        *done = reading;
        return ACCESS_READY;
    }
    if (reading == local)
        reading_end(local, session);
    access_error(session, err);
    return ACCESS_FAILED;
}

static void finish_range(struct session *session, struct reading *local, struct reading *done)
{
    if (done == local)
        reading_end(local, session);
    else
        session_drop_work(session);
}

/* The key names another feed since, or the feed has changed: what is being read is out of date. */
static bool reading_outdated(const struct session *session, struct feed *feed)
{
    const struct range_work *range = container_of(session->work, struct range_work, work);
    return range->reading.cursor.feed != feed || range->edits != feed->edits ||
           !id_equal(range->last, feed_row(feed)->last_id);
}

enum access stream_last_id(struct session *session, struct feed *feed, struct id *out)
{
    struct reading local;
    struct reading *done;
    *out = ID_MIN;
    if (session->work != NULL && reading_outdated(session, feed))
        session_drop_work(session);
    if (session->work == NULL)
        reading_begin(&local, session, feed, ID_MIN, ID_MAX, true, 1);
    enum access access = step_range(session, &local, &done);
    if (access != ACCESS_READY)
        return access;
    *out = done->last;
    finish_range(session, &local, done);
    return ACCESS_READY;
}

struct range_args {
    struct id from;
    struct id to;
    int64_t count; /* -1: all */
};

static bool parse_range(struct session *session, bool reverse, struct range_args *out)
{
    struct range_args args = {.count = -1};
    if (!stream_interval(session, reverse ? 3 : 2, reverse ? 2 : 3, &args.from, &args.to))
        return false;
    for (size_t i = 4; i < session->argc; i += 2) {
        if (!stream_word(session, i, "count") || i + 1 == session->argc) {
            session_syntax_error(session);
            return false;
        }
        if (!stream_integer(session, i + 1, &args.count))
            return false;
        if (args.count < 0)
            args.count = 0;
    }
    *out = args;
    return true;
}

/* Begins to read; false: it is answered already, or waits. */
static bool begin_range(struct session *session, bool reverse, struct reading *local,
                        enum flow *flow)
{
    struct range_args args;
    struct object *object;
    *flow = FLOW_DONE;
    if (!parse_range(session, reverse, &args))
        return false;
    enum access access = access_feed(session, session->argv[1], &object);
    *flow = access_flow(access);
    if (access != ACCESS_READY)
        return false;
    struct feed *feed = object_feed(object);
    if (feed == NULL) {
        reply_array(&session->reply, 0);
        return false;
    }
    if (args.count == 0) {
        reply_null_array(&session->reply);
        return false;
    }
    reading_begin(local, session, feed, args.from, args.to, reverse,
                  args.count < 0 ? 0 : (uint64_t)args.count);
    return true;
}

static enum flow range_command(struct session *session, bool reverse)
{
    struct reading local;
    struct reading *done;
    enum flow flow;
    if (session->work == NULL && !begin_range(session, reverse, &local, &flow))
        return flow;
    enum access access = step_range(session, &local, &done);
    if (access != ACCESS_READY)
        return access_flow(access);
    reading_reply(done, &session->reply);
    finish_range(session, &local, done);
    return FLOW_DONE;
}

enum flow xrange_command(struct session *session)
{
    return range_command(session, false);
}

enum flow xrevrange_command(struct session *session)
{
    return range_command(session, true);
}

/* ---- XREAD ---- */

struct read_work {
    struct blocking blocking;
    struct stream_read args;
    struct id *after; /* of each stream: entries behind it are wanted */
    size_t resolved;  /* streams whose `after` is filled */
    bool went_cold;   /* what is in `body` was read in an earlier state */

    size_t at;     /* streams before this one are read */
    size_t served; /* of them, those that had something */
    bool reading_open;
    struct reading reading;
    struct buf body;
};

static void close_reading(struct read_work *read)
{
    if (read->reading_open)
        reading_end(&read->reading, read->blocking.session);
    read->reading_open = false;
}

static void read_work_destroy(struct work *work)
{
    struct read_work *read =
        container_of(container_of(work, struct blocking, work), struct read_work, blocking);
    close_reading(read);
    blocking_stop(&read->blocking);
    buf_deinit(&read->body);
    mem_free(read->after);
    mem_free(read);
}

/* "+": whatever is behind the entry before the last one. */
static enum access resolve_last(struct session *session, struct read_work *read, struct feed *feed,
                                struct id *out)
{
    if (feed == NULL || feed_row(feed)->length == 0) {
        close_reading(read);
        *out = ID_MIN;
        return ACCESS_READY;
    }
    if (!read->reading_open)
        reading_begin(&read->reading, session, feed, ID_MIN, ID_MAX, true, 1);
    read->reading_open = true;
    enum err err = reading_step(&read->reading, session);
    if (err == ERR_COLD) {
        reading_wait(&read->reading, session);
        return ACCESS_WAIT;
    }
    if (err != ERR_OK) {
        access_error(session, err);
        return ACCESS_FAILED;
    }
    *out = read->reading.last;
    id_prev(out);
    close_reading(read);
    return ACCESS_READY;
}

/* What "$", "+" and ids stand for, now. */
static enum access resolve_id(struct session *session, struct read_work *read, size_t i)
{
    struct object *object;
    size_t index = read->args.first + read->args.streams + i;
    struct bytes text = session->argv[index];
    enum access access = access_feed(session, session->argv[read->args.first + i], &object);
    if (access != ACCESS_READY)
        return access;
    struct feed *feed = object_feed(object);
    if (bytes_equal(text, BYTES("$"))) {
        read->after[i] = feed != NULL ? feed_row(feed)->last_id : ID_MIN;
        return ACCESS_READY;
    }
    if (bytes_equal(text, BYTES("+")))
        return resolve_last(session, read, feed, &read->after[i]);
    if (bytes_equal(text, BYTES(">"))) {
        reply_error(&session->reply,
                    "ERR The > ID can be specified only when calling XREADGROUP using the "
                    "GROUP <group> <consumer> option.");
        return ACCESS_FAILED;
    }
    return stream_id(session, index, 0, &read->after[i]) ? ACCESS_READY : ACCESS_FAILED;
}

static enum access resolve_ids(struct session *session, struct read_work *read)
{
    if (read->resolved == read->args.streams)
        return ACCESS_READY;
    enum access access = access_keys(session, read->args.first, read->args.streams, 1);
    while (access == ACCESS_READY && read->resolved < read->args.streams) {
        access = resolve_id(session, read, read->resolved);
        read->resolved += access == ACCESS_READY;
    }
    return access;
}

static struct read_work *begin_read(struct session *session)
{
    struct read_work *read = mem_zalloc(sizeof(*read));
    blocking_init(&read->blocking, session, read_work_destroy);
    buf_init(&read->body);
    session->work = &read->blocking.work;
    if (!stream_parse_read(session, false, &read->args))
        return NULL;
    read->after = mem_zalloc(read->args.streams * sizeof(*read->after));
    return read;
}

static void add_stream(struct session *session, struct read_work *read)
{
    struct reply reply = {&read->body, session->reply.version};
    if (reply.version == 2)
        reply_array(&reply, 2);
    reply_bulk(&reply, session->argv[read->args.first + read->at]);
    reading_reply(&read->reading, &reply);
    read->served++;
}

/* Reads stream `at`, unless it has nothing new. */
static enum access read_stream(struct session *session, struct read_work *read)
{
    if (!read->reading_open) {
        struct object *object;
        struct id from = read->after[read->at];
        enum access access =
            access_feed(session, session->argv[read->args.first + read->at], &object);
        if (access != ACCESS_READY)
            return access;
        struct feed *feed = object_feed(object);
        if (feed == NULL || !id_less(from, feed_row(feed)->last_id) || !id_next(&from))
            return ACCESS_READY;
        reading_begin(&read->reading, session, feed, from, ID_MAX, false,
                      (uint64_t)read->args.count);
        read->reading_open = true;
    }
    enum err err = reading_step(&read->reading, session);
    if (err == ERR_COLD) {
        reading_wait(&read->reading, session);
        return ACCESS_WAIT;
    }
    if (err != ERR_OK) {
        access_error(session, err);
        return ACCESS_FAILED;
    }
    if (read->reading.count > 0)
        add_stream(session, read);
    close_reading(read);
    return ACCESS_READY;
}

/* Nothing is there: waits, or says so. */
static enum flow block(struct session *session, struct read_work *read)
{
    bool over = read->args.deadline_us > 0 && clock_mono_us() >= read->args.deadline_us;
    if (read->blocking.end == BLOCKING_UNBLOCKED) {
        reply_error(&session->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        return FLOW_DONE;
    }
    if (read->args.timeout_ms < 0 || over || read->blocking.end == BLOCKING_TIMED_OUT) {
        reply_null_array(&session->reply);
        return FLOW_DONE;
    }
    read->at = 0;
    blocking_start(&read->blocking, session->argv + read->args.first, read->args.streams,
                   read->args.deadline_us);
    return FLOW_WAIT;
}

enum flow xread_command(struct session *session)
{
    struct read_work *read;
    if (session->work == NULL)
        read = begin_read(session);
    else
        read = container_of(container_of(session->work, struct blocking, work), struct read_work,
                            blocking);
    if (read == NULL)
        return FLOW_DONE;
    enum access access = resolve_ids(session, read);
    for (; read->at < read->args.streams && access == ACCESS_READY; read->at++) {
        access = read_stream(session, read);
        if (access != ACCESS_READY) {
            read->went_cold = true;
            read->blocking.end = BLOCKING_NOT; /* nobody may resume it but the reader */
            return access_flow(access);
        }
    }
    if (access != ACCESS_READY)
        return access_flow(access);
    if (read->went_cold)
        session_gate(session, store_last(session->broker->store));
    if (read->served == 0)
        return block(session, read);
    if (session->reply.version == 2)
        reply_array(&session->reply, read->served);
    else
        reply_map(&session->reply, read->served);
    buf_add_bytes(session->reply.out, buf_bytes(&read->body));
    return FLOW_DONE;
}
