#include "broker/stream_args.h"

#include "base/clock.h"
#include "broker/broker.h"
#include "broker/options.h"

#include <errno.h>
#include <stdlib.h>

/* As long as Redis's buffer for ids; longer texts are no ids. */
#define ID_INPUT_MAX 127

/* What `~` removes at a time when LIMIT does not say: Redis's hundred nodes, and its bounds. */
#define LIMIT_NODES   100
#define LIMIT_DEFAULT 10000
#define LIMIT_MAX     1000000

/* Deadlines are in microseconds, of a clock that started not long ago. */
#define TIMEOUT_MS_MAX (INT64_MAX / 2000)

bool stream_word(const struct session *session, size_t index, const char *word)
{
    return bytes_equal_nocase(session->argv[index], bytes_of_string(word));
}

bool stream_integer(struct session *session, size_t index, int64_t *out)
{
    if (bytes_to_i64(session->argv[index], out))
        return true;
    session_not_integer(session);
    return false;
}

static bool invalid_id(struct session *session)
{
    reply_error(&session->reply, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

/* Redis's string2ull: what is not canonical goes to strtoull. */
static bool number(const char *text, size_t len, uint64_t *out)
{
    int64_t canonical;
    if (bytes_to_i64(bytes_of(text, len), &canonical)) {
        if (canonical < 0)
            return false;
        *out = (uint64_t)canonical;
        return true;
    }
    char copy[ID_INPUT_MAX + 1];
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(copy, &end, 10);
    if (errno != 0 || copy[0] == '\0' || *end != '\0')
        return false;
    *out = value;
    return true;
}

/* `star`: set when the sequence is "*", which is invalid where star is NULL. */
static bool parse_id(struct bytes text, uint64_t missing_seq, struct id *out, bool *star)
{
    if (text.len > ID_INPUT_MAX)
        return false;
    size_t len = strnlen(text.data, text.len); /* as Redis: a NUL ends it */
    const char *dash = memchr(text.data, '-', len);
    size_t ms_len = dash != NULL ? (size_t)(dash - text.data) : len;
    struct id id = {0, missing_seq};
    if (!number(text.data, ms_len, &id.ms))
        return false;
    if (dash == NULL) {
        *out = id;
        return true;
    }
    size_t seq_len = len - ms_len - 1;
    bool is_star = star != NULL && seq_len == 1 && dash[1] == '*';
    if (!is_star && !number(dash + 1, seq_len, &id.seq))
        return false;
    if (is_star) {
        *star = true;
        id.seq = 0;
    }
    *out = id;
    return true;
}

bool stream_id(struct session *session, size_t index, uint64_t missing_seq, struct id *out)
{
    return parse_id(session->argv[index], missing_seq, out, NULL) || invalid_id(session);
}

bool stream_is_id(const struct session *session, size_t index)
{
    struct id id;
    return parse_id(session->argv[index], 0, &id, NULL);
}

bool stream_ids(struct session *session, size_t first, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        struct id id;
        if (!stream_id(session, first + i, 0, &id))
            return false;
        buf_add(out, &id, sizeof(id));
    }
    return true;
}

bool stream_timeout(struct session *session, size_t index, int64_t *out)
{
    if (!bytes_to_i64(session->argv[index], out)) {
        reply_error(&session->reply, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (*out < 0) {
        reply_error(&session->reply, "ERR timeout is negative");
        return false;
    }
    if (*out > TIMEOUT_MS_MAX) {
        reply_error(&session->reply, "ERR timeout is out of range");
        return false;
    }
    return true;
}

bool stream_ref_rule(const struct session *session, size_t index, enum ref_rule *out)
{
    if (stream_word(session, index, "keepref"))
        *out = REFS_KEEP;
    else if (stream_word(session, index, "delref"))
        *out = REFS_DROP;
    else if (stream_word(session, index, "acked"))
        *out = REFS_ACKED;
    else
        return false;
    return true;
}

/* One end; *exclusive: not part of the interval. */
static bool interval_end(struct session *session, size_t index, uint64_t missing_seq,
                         struct id *out, bool *exclusive)
{
    struct bytes text = session->argv[index];
    *exclusive = text.len > 1 && text.data[0] == '(';
    if (*exclusive) {
        text.data++;
        text.len--;
    } else if (text.len == 1 && (text.data[0] == '-' || text.data[0] == '+')) {
        *out = text.data[0] == '-' ? ID_MIN : ID_MAX;
        return true;
    }
    return parse_id(text, missing_seq, out, NULL) || invalid_id(session);
}

bool stream_from(struct session *session, size_t index, struct id *from)
{
    bool exclusive;
    if (!interval_end(session, index, 0, from, &exclusive))
        return false;
    if (!exclusive || id_next(from))
        return true;
    reply_error(&session->reply, "ERR invalid start ID for the interval");
    return false;
}

bool stream_interval(struct session *session, size_t start, size_t end, struct id *from,
                     struct id *to)
{
    bool exclusive;
    if (!stream_from(session, start, from))
        return false;
    if (!interval_end(session, end, UINT64_MAX, to, &exclusive))
        return false;
    if (exclusive && !id_prev(to)) {
        reply_error(&session->reply, "ERR invalid end ID for the interval");
        return false;
    }
    return true;
}

/* What trimming options have said so far. */
struct trim_args {
    struct trim trim;
    bool limit_given;
};

/* MAXLEN and MINID may have "~" or "=" before their threshold. Returns the threshold's index. */
static size_t threshold(struct session *session, size_t at, struct trim_args *args)
{
    args->trim.approximate = false;
    if (session->argc - at < 3)
        return at + 1;
    struct bytes sign = session->argv[at + 1];
    args->trim.approximate = bytes_equal(sign, BYTES("~"));
    return args->trim.approximate || bytes_equal(sign, BYTES("=")) ? at + 2 : at + 1;
}

static bool parse_maxlen(struct session *session, size_t at, struct trim_args *args)
{
    int64_t maxlen;
    if (!stream_integer(session, at, &maxlen))
        return false;
    if (maxlen < 0) {
        reply_error(&session->reply, "ERR The MAXLEN argument must be >= 0.");
        return false;
    }
    args->trim.maxlen = (uint64_t)maxlen;
    args->trim.kind = TRIM_MAXLEN;
    return true;
}

static bool parse_limit(struct session *session, size_t at, struct trim_args *args)
{
    int64_t limit;
    if (!stream_integer(session, at, &limit))
        return false;
    if (limit < 0) {
        reply_error(&session->reply, "ERR The LIMIT argument must be >= 0.");
        return false;
    }
    args->trim.limit = (uint64_t)limit;
    args->limit_given = true;
    return true;
}

/* Takes in the trimming option at *at, if it is one, and moves *at to its last argument. False:
 * replied. */
static bool parse_option(struct session *session, size_t *at, struct trim_args *args, bool *taken)
{
    bool more = *at + 1 < session->argc;
    bool maxlen = more && stream_word(session, *at, "maxlen");
    bool minid = more && stream_word(session, *at, "minid");
    *taken = true;
    if (maxlen || minid) {
        if (args->trim.kind != TRIM_NONE) {
            reply_error(&session->reply,
                        "ERR syntax error, MAXLEN and MINID options at the same time "
                        "are not compatible");
            return false;
        }
        *at = threshold(session, *at, args);
        if (maxlen)
            return parse_maxlen(session, *at, args);
        args->trim.kind = TRIM_MINID;
        return stream_id(session, *at, 0, &args->trim.minid);
    }
    if (more && stream_word(session, *at, "limit"))
        return parse_limit(session, ++*at, args);
    *taken = false;
    return true;
}

/* The rules between the options, and the limit that `~` has when none was given. */
static bool finish_trim(struct session *session, struct trim_args *args, struct trim *out)
{
    const struct options *options = broker_options(session->broker);
    if (args->trim.limit > 0 && args->trim.kind == TRIM_NONE) {
        reply_error(
            &session->reply,
            "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
        return false;
    }
    if (args->limit_given && !args->trim.approximate) {
        reply_error(&session->reply,
                    "ERR syntax error, LIMIT cannot be used without the special ~ option");
        return false;
    }
    if (!args->limit_given && args->trim.approximate) {
        int64_t limit = options->stream_node_max_entries < LIMIT_MAX / LIMIT_NODES
                            ? LIMIT_NODES * options->stream_node_max_entries
                            : LIMIT_MAX;
        args->trim.limit = limit > 0 ? (uint64_t)limit : LIMIT_DEFAULT;
    }
    *out = args->trim;
    return true;
}

static bool parse_add_id(struct session *session, size_t at, struct stream_add *out)
{
    if (bytes_equal(session->argv[at], BYTES("*")))
        return true;
    bool star = false;
    if (!parse_id(session->argv[at], 0, &out->id, &star))
        return invalid_id(session);
    out->has_id = true;
    out->has_seq = !star;
    return true;
}

/* Takes in DELAY or AT at *at, if it is one, and moves *at to its argument. False: replied. */
static bool parse_delay(struct session *session, size_t *at, struct stream_add *add, bool *taken)
{
    bool is_at = stream_word(session, *at, "at");
    *taken = *at + 1 < session->argc && (is_at || stream_word(session, *at, "delay"));
    if (!*taken)
        return true;
    if (add->delayed) {
        reply_error(&session->reply,
                    "ERR syntax error, DELAY and AT can be given once, and one of them only");
        return false;
    }
    add->delayed = true;
    add->at = is_at;
    return stream_integer(session, ++*at, &add->delay_ms);
}

/* What an entry that is added later cannot be told now. */
static bool finish_delay(struct session *session, const struct stream_add *add)
{
    const char *error = NULL;
    if (add->delayed && add->has_id)
        error = "ERR DELAY and AT need the id *: the entry gets its id when it is due";
    else if (add->delayed && add->trim.kind != TRIM_NONE)
        error = "ERR DELAY and AT cannot be combined with MAXLEN and MINID: use FEED.POLICY";
    if (error != NULL)
        reply_error(&session->reply, "%s", error);
    return error == NULL;
}

bool stream_parse_add(struct session *session, struct stream_add *out)
{
    struct trim_args args = {0};
    struct stream_add add = {0};
    size_t at = 2;
    for (; at < session->argc && !bytes_equal(session->argv[at], BYTES("*")); at++) {
        bool taken;
        if (!parse_option(session, &at, &args, &taken))
            return false;
        taken = taken || stream_ref_rule(session, at, &args.trim.refs);
        if (!taken && !parse_delay(session, &at, &add, &taken))
            return false;
        if (!taken && !stream_word(session, at, "nomkstream"))
            break;
        add.no_create |= !taken;
    }
    if (at < session->argc && !parse_add_id(session, at, &add))
        return false;
    if (!finish_trim(session, &args, &add.trim))
        return false;
    add.fields = at + 1;
    if (add.fields + 2 > session->argc || (session->argc - add.fields) % 2 == 1) {
        session_wrong_arity(session);
        return false;
    }
    if (add.has_id && add.has_seq && id_is_zero(add.id)) {
        reply_error(&session->reply, "ERR The ID specified in XADD must be greater than 0-0");
        return false;
    }
    if (!finish_delay(session, &add))
        return false;
    *out = add;
    return true;
}

bool stream_parse_trim(struct session *session, struct trim *out)
{
    struct trim_args args = {0};
    for (size_t at = 2; at < session->argc; at++) {
        bool taken;
        if (!parse_option(session, &at, &args, &taken))
            return false;
        if (!taken && !stream_ref_rule(session, at, &args.trim.refs)) {
            session_syntax_error(session);
            return false;
        }
    }
    if (args.trim.kind == TRIM_NONE && args.trim.limit == 0) {
        reply_error(&session->reply,
                    "ERR syntax error, XTRIM must be called with a trimming strategy");
        return false;
    }
    return finish_trim(session, &args, out);
}

/* ---- XREAD, XREADGROUP ---- */

static bool only_in_groups(struct session *session, const char *option)
{
    reply_error(&session->reply,
                "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.",
                option);
    return false;
}

static bool parse_min_idle(struct session *session, size_t index, struct stream_read *read)
{
    int64_t min_idle;
    if (!stream_integer(session, index, &min_idle))
        return false;
    if (min_idle < 0) {
        reply_error(&session->reply, "ERR min-idle-time must be a positive integer");
        return false;
    }
    read->claims = true;
    read->min_idle = (uint64_t)min_idle;
    return true;
}

/* STREAMS at `index`: keys, then as many ids. */
static bool parse_streams(struct session *session, size_t index, bool in_group,
                          struct stream_read *read)
{
    size_t rest = session->argc - index - 1;
    if (rest % 2 != 0) {
        reply_error(&session->reply,
                    "ERR Unbalanced '%s' list of streams: for each stream key an ID or "
                    "'%c' must be specified.",
                    in_group ? "xreadgroup" : "xread", in_group ? '>' : '$');
        return false;
    }
    if (in_group && read->group.data == NULL) {
        reply_error(&session->reply, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    read->first = index + 1;
    read->streams = rest / 2;
    return true;
}

/* What only XREADGROUP has. False: replied. *taken is false when it is none of that. */
static bool parse_group_option(struct session *session, size_t *at, bool in_group,
                               struct stream_read *read, bool *taken)
{
    size_t more = session->argc - *at - 1;
    *taken = true;
    if (stream_word(session, *at, "group") && more > 1) {
        if (!in_group)
            return only_in_groups(session, "GROUP");
        read->group = session->argv[++*at];
        read->consumer = session->argv[++*at];
    } else if (stream_word(session, *at, "noack")) {
        if (!in_group)
            return only_in_groups(session, "NOACK");
        read->no_ack = true;
    } else if (in_group && stream_word(session, *at, "claim") && more > 0) {
        return parse_min_idle(session, ++*at, read);
    } else {
        *taken = false;
    }
    return true;
}

bool stream_parse_read(struct session *session, bool in_group, struct stream_read *out)
{
    *out = (struct stream_read){.timeout_ms = -1};
    for (size_t i = 1; i < session->argc; i++) {
        size_t more = session->argc - i - 1;
        bool taken;
        if (stream_word(session, i, "block") && more > 0) {
            if (!stream_timeout(session, ++i, &out->timeout_ms))
                return false;
        } else if (stream_word(session, i, "count") && more > 0) {
            if (!stream_integer(session, ++i, &out->count))
                return false;
            if (out->count < 0)
                out->count = 0;
        } else if (stream_word(session, i, "streams") && more > 0) {
            if (out->timeout_ms > 0)
                out->deadline_us = clock_mono_us() + (uint64_t)out->timeout_ms * 1000;
            return parse_streams(session, i, in_group, out);
        } else if (!parse_group_option(session, &i, in_group, out, &taken)) {
            return false;
        } else if (!taken) {
            break;
        }
    }
    session_syntax_error(session);
    return false;
}
