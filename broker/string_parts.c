/* Parts of values: https://redis.io/docs/latest/commands/?group=string */
#include "broker/string_commands.h"

#include "base/alloc.h"
#include "broker/families.h"
#include "broker/string_args.h"

enum flow strlen_command(struct session *session)
{
    struct object *object;
    enum access access = access_string(session, session->argv[1], &object);
    if (access == ACCESS_READY)
        reply_integer(&session->reply, (int64_t)string_bytes(object).len);
    return access_flow(access);
}

enum flow append_command(struct session *session)
{
    struct object *object;
    struct bytes data = session->argv[2];
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    size_t len = string_bytes(object).len;
    if (!value_fits(session, (uint64_t)len + data.len))
        return FLOW_DONE;
    if (object_type(object) == OBJECT_NONE)
        string_put(session, session->argv[1], object, data, 0, "append");
    else
        string_splice(session, session->argv[1], object, len, data, "append");
    reply_integer(&session->reply, (int64_t)(len + data.len));
    return FLOW_DONE;
}

enum flow setrange_command(struct session *session)
{
    struct object *object;
    struct bytes data = session->argv[3];
    int64_t offset;
    if (!bytes_to_i64(session->argv[2], &offset)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    if (offset < 0) {
        reply_error(&session->reply, "ERR offset is out of range");
        return FLOW_DONE;
    }
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    size_t len = string_bytes(object).len;
    if (data.len > 0) {
        uint64_t end = (uint64_t)offset + data.len;
        if (!value_fits(session, end))
            return FLOW_DONE;
        string_splice(session, session->argv[1], object, (size_t)offset, data, "setrange");
        len = end > len ? (size_t)end : len;
    }
    reply_integer(&session->reply, (int64_t)len);
    return FLOW_DONE;
}

/* A start behind its end, both from the end of the value, is nothing, however far away they are. */
static struct bytes part(struct bytes value, int64_t start, int64_t end)
{
    bool nothing = start < 0 && end < 0 && start > end;
    if (nothing || !range_within((int64_t)value.len, &start, &end))
        return BYTES("");
    return bytes_of(value.data + start, (size_t)(end - start + 1));
}

enum flow getrange_command(struct session *session)
{
    struct object *object;
    int64_t start, end;
    if (!bytes_to_i64(session->argv[2], &start) || !bytes_to_i64(session->argv[3], &end)) {
        session_not_integer(session);
        return FLOW_DONE;
    }
    enum access access = access_string(session, session->argv[1], &object);
    if (access == ACCESS_READY)
        reply_bulk(&session->reply, part(string_bytes(object), start, end));
    return access_flow(access);
}

/* ---- LCS: https://redis.io/docs/latest/commands/lcs/ ---- */

/* Cells of the table of lengths, which is walked on the loop: a quarter of a second. */
#define LCS_CELLS_MAX (UINT64_C(64) << 20)

struct lcs {
    struct bytes a;
    struct bytes b;
    uint32_t *lengths; /* (a.len + 1) rows of b.len + 1 */
    bool only_len;
    bool matches;
    bool with_len;
    int64_t match_min;
};

static uint32_t *cell(const struct lcs *lcs, size_t i, size_t j)
{
    return &lcs->lengths[i * (lcs->b.len + 1) + j];
}

static void lcs_fill(struct lcs *lcs)
{
    for (size_t i = 1; i <= lcs->a.len; i++) {
        for (size_t j = 1; j <= lcs->b.len; j++) {
            uint32_t up = *cell(lcs, i - 1, j);
            uint32_t left = *cell(lcs, i, j - 1);
            *cell(lcs, i, j) = lcs->a.data[i - 1] == lcs->b.data[j - 1]
                                   ? *cell(lcs, i - 1, j - 1) + 1
                                   : (up > left ? up : left);
        }
    }
}

static void reply_match(struct session *session, const struct lcs *lcs, size_t i, size_t j,
                        size_t len)
{
    reply_array(&session->reply, lcs->with_len ? 3 : 2);
    reply_array(&session->reply, 2);
    reply_integer(&session->reply, (int64_t)i);
    reply_integer(&session->reply, (int64_t)(i + len - 1));
    reply_array(&session->reply, 2);
    reply_integer(&session->reply, (int64_t)j);
    reply_integer(&session->reply, (int64_t)(j + len - 1));
    if (lcs->with_len)
        reply_integer(&session->reply, (int64_t)len);
}

/* Walks back from the end; matches are runs of common bytes, the last one first. */
static void reply_matches(struct session *session, const struct lcs *lcs)
{
    struct reply_deferred deferred;
    size_t count = 0, run = 0;
    size_t i = lcs->a.len, j = lcs->b.len;
    reply_map(&session->reply, 2);
    reply_bulk_string(&session->reply, "matches");
    deferred = reply_deferred_begin(&session->reply);
    while (i > 0 && j > 0) {
        bool same = lcs->a.data[i - 1] == lcs->b.data[j - 1];
        bool up = !same && *cell(lcs, i - 1, j) > *cell(lcs, i, j - 1);
        run += same;
        i -= same || up;
        j -= same || !up;
        bool ends = run > 0 && (i == 0 || j == 0 || lcs->a.data[i - 1] != lcs->b.data[j - 1]);
        if (ends && (int64_t)run >= lcs->match_min) {
            reply_match(session, lcs, i, j, run);
            count++;
        }
        run = ends ? 0 : run;
    }
    reply_deferred_end_array(&session->reply, deferred, count);
    reply_bulk_string(&session->reply, "len");
    reply_integer(&session->reply, *cell(lcs, lcs->a.len, lcs->b.len));
}

static void reply_common(struct session *session, const struct lcs *lcs)
{
    size_t left = *cell(lcs, lcs->a.len, lcs->b.len);
    struct buf common;
    buf_init(&common);
    char *out = buf_reserve(&common, left + 1);
    common.len = left;
    for (size_t i = lcs->a.len, j = lcs->b.len; i > 0 && j > 0;) {
        bool same = lcs->a.data[i - 1] == lcs->b.data[j - 1];
        bool up = !same && *cell(lcs, i - 1, j) > *cell(lcs, i, j - 1);
        if (same)
            out[--left] = lcs->a.data[i - 1];
        i -= same || up;
        j -= same || !up;
    }
    reply_bulk(&session->reply, buf_bytes(&common));
    buf_deinit(&common);
}

static bool parse_lcs(struct session *session, struct lcs *lcs)
{
    for (size_t i = 3; i < session->argc; i++) {
        if (argument_is(session, i, "idx")) {
            lcs->matches = true;
        } else if (argument_is(session, i, "len")) {
            lcs->only_len = true;
        } else if (argument_is(session, i, "withmatchlen")) {
            lcs->with_len = true;
        } else if (argument_is(session, i, "minmatchlen") && i + 1 < session->argc) {
            if (!bytes_to_i64(session->argv[++i], &lcs->match_min)) {
                session_not_integer(session);
                return false;
            }
        } else {
            session_syntax_error(session);
            return false;
        }
    }
    if (!lcs->matches || !lcs->only_len)
        return true;
    reply_error(&session->reply, "ERR If you want both the length and indexes, please just use "
                                 "IDX.");
    return false;
}

static bool string_or_none(const struct object *object)
{
    return object_type(object) == OBJECT_NONE || object_type(object) == OBJECT_STRING;
}

static enum access find_strings(struct session *session, struct lcs *lcs)
{
    struct object *objects[2];
    enum access access = access_keys(session, 1, 2, 1);
    for (size_t i = 0; i < 2 && access == ACCESS_READY; i++)
        access = access_key(session, session->argv[1 + i], &objects[i]);
    if (access != ACCESS_READY)
        return access;
    if (!string_or_none(objects[0]) || !string_or_none(objects[1])) {
        reply_error(&session->reply, "ERR The specified keys must contain string values");
        return ACCESS_FAILED;
    }
    lcs->a = string_bytes(objects[0]);
    lcs->b = string_bytes(objects[1]);
    return ACCESS_READY;
}

enum flow lcs_command(struct session *session)
{
    struct lcs lcs = {0};
    enum access access = find_strings(session, &lcs);
    if (access != ACCESS_READY || !parse_lcs(session, &lcs))
        return access_flow(access);
    uint64_t cells = ((uint64_t)lcs.a.len + 1) * ((uint64_t)lcs.b.len + 1);
    if (cells > LCS_CELLS_MAX) {
        reply_error(&session->reply,
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return FLOW_DONE;
    }
    lcs.lengths = mem_zalloc((size_t)cells * sizeof(*lcs.lengths));
    lcs_fill(&lcs);
    if (lcs.matches)
        reply_matches(session, &lcs);
    else if (lcs.only_len)
        reply_integer(&session->reply, *cell(&lcs, lcs.a.len, lcs.b.len));
    else
        reply_common(session, &lcs);
    mem_free(lcs.lengths);
    return FLOW_DONE;
}
