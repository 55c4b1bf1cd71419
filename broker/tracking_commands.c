/* CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO:
 * https://redis.io/docs/latest/commands/client-tracking/ */
#include "broker/families.h"

#include "broker/broker_internal.h"
#include "broker/server.h"
#include "broker/session.h"
#include "broker/tracking.h"

/* Prefixes that a client may have: each is compared with each. */
#define PREFIXES_MAX 1000

struct tracking_args {
    struct tracking_mode mode;
    struct buf prefixes; /* struct bytes each */
};

static const struct bytes *prefixes_of(const struct tracking_args *args, size_t *count)
{
    *count = args->prefixes.len / sizeof(struct bytes);
    return (const struct bytes *)(const void *)args->prefixes.data;
}

static bool parse_redirect(struct session *session, size_t index, struct tracking_args *args)
{
    struct server *server = broker_server(session->broker);
    int64_t id;
    if (args->mode.redirect != 0) {
        reply_error(&session->reply, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!bytes_to_i64(session->argv[index], &id)) {
        session_not_integer(session);
        return false;
    }
    if (id <= 0 || server_find_session(server, (uint64_t)id) == NULL) {
        reply_error(&session->reply, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    args->mode.redirect = (uint64_t)id;
    return true;
}

/* Reads the option at *index, and its value; false: replied. */
static bool parse_option(struct session *session, size_t *index, struct tracking_args *args)
{
    bool more = *index + 1 < session->argc;
    if (argument_is(session, *index, "redirect") && more)
        return parse_redirect(session, ++*index, args);
    if (argument_is(session, *index, "prefix") && more) {
        buf_add(&args->prefixes, &session->argv[++*index], sizeof(struct bytes));
    } else if (argument_is(session, *index, "bcast")) {
        args->mode.broadcast = true;
    } else if (argument_is(session, *index, "optin")) {
        args->mode.opt_in = true;
    } else if (argument_is(session, *index, "optout")) {
        args->mode.opt_out = true;
    } else if (argument_is(session, *index, "noloop")) {
        args->mode.no_loop = true;
    } else {
        session_syntax_error(session);
        return false;
    }
    return true;
}

#define SWITCH_REFUSED                                                                             \
    "before disabling tracking for this client, and then re-enabling it with a different mode."

/* What is wrong with the mode, by itself or for a client that tracks already; NULL: nothing. */
static const char *mode_error(const struct tracking_args *args,
                              const struct tracking_client *client)
{
    const struct tracking_mode *mode = &args->mode;
    if (!mode->broadcast && args->prefixes.len > 0)
        return "ERR PREFIX option requires BCAST mode to be enabled";
    if (client != NULL && client->mode.broadcast != mode->broadcast)
        return "ERR You can't switch BCAST mode on/off " SWITCH_REFUSED;
    if (mode->broadcast && (mode->opt_in || mode->opt_out))
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if (mode->opt_in && mode->opt_out)
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    if (client != NULL &&
        ((mode->opt_in && client->mode.opt_out) || (mode->opt_out && client->mode.opt_in)))
        return "ERR You can't switch OPTIN/OPTOUT mode " SWITCH_REFUSED;
    return NULL;
}

static bool overlap(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    return len == 0 || memcmp(a.data, b.data, len) == 0;
}

static bool refuse_overlap(struct session *session, struct bytes prefix, const char *with,
                           struct bytes other)
{
    reply_error(&session->reply,
                "ERR Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for a single client "
                "must not overlap.",
                (int)prefix.len, prefix.data, with, (int)other.len, other.data);
    return false;
}

/* False: replied that `prefix` is one of the client's, or a part of one. */
static bool prefix_is_new(struct session *session, struct bytes prefix)
{
    struct buf existing;
    bool fits = true;
    if (session->tracking == NULL)
        return true;
    buf_init(&existing);
    tracking_prefixes(session, &existing);
    struct decoder decoder = decoder_of(buf_bytes(&existing));
    while (fits && decoder_left(&decoder) > 0) {
        struct bytes other = decoder_bytes(&decoder);
        if (overlap(prefix, other))
            fits = refuse_overlap(session, prefix, "an existing", other);
    }
    buf_deinit(&existing);
    return fits;
}

static bool prefixes_fit(struct session *session, const struct tracking_args *args)
{
    const struct tracking_client *client = session->tracking;
    size_t had = client != NULL ? client->subscriber.rooms[ROOM_PATTERN].count : 0;
    size_t count;
    const struct bytes *prefixes = prefixes_of(args, &count);
    if (had + count > PREFIXES_MAX) {
        reply_error(&session->reply, "ERR more than %d prefixes of one client", PREFIXES_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!prefix_is_new(session, prefixes[i]))
            return false;
        for (size_t j = i + 1; j < count; j++) {
            if (overlap(prefixes[i], prefixes[j]))
                return refuse_overlap(session, prefixes[i], "another provided", prefixes[j]);
        }
    }
    return true;
}

static void start(struct session *session, const struct tracking_args *args)
{
    const char *error = mode_error(args, session->tracking);
    size_t count;
    const struct bytes *prefixes = prefixes_of(args, &count);
    if (error != NULL) {
        reply_error(&session->reply, "%s", error);
    } else if (prefixes_fit(session, args)) {
        tracking_start(session, &args->mode, prefixes, count);
        reply_status(&session->reply, "OK");
    }
}

enum flow client_tracking_command(struct session *session)
{
    struct tracking_args args = {0};
    bool ok = true;
    for (size_t i = 3; ok && i < session->argc; i++)
        ok = parse_option(session, &i, &args);
    if (ok && argument_is(session, 2, "on")) {
        start(session, &args);
    } else if (ok && argument_is(session, 2, "off")) {
        tracking_stop(session);
        reply_status(&session->reply, "OK");
    } else if (ok) {
        session_syntax_error(session);
    }
    buf_deinit(&args.prefixes);
    return FLOW_DONE;
}

enum flow client_caching_command(struct session *session)
{
    struct tracking_client *client = session->tracking;
    bool yes = argument_is(session, 2, "yes");
    if (client == NULL) {
        reply_error(&session->reply, "ERR CLIENT CACHING can be called only when the client is in "
                                     "tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (!yes && !argument_is(session, 2, "no")) {
        session_syntax_error(session);
    } else if (yes && !client->mode.opt_in) {
        reply_error(&session->reply, "ERR CLIENT CACHING YES is only valid when tracking is "
                                     "enabled in OPTIN mode.");
    } else if (!yes && !client->mode.opt_out) {
        reply_error(&session->reply, "ERR CLIENT CACHING NO is only valid when tracking is "
                                     "enabled in OPTOUT mode.");
    } else {
        client->caching = true;
        reply_status(&session->reply, "OK");
    }
    return FLOW_DONE;
}

static int64_t redirect_of(const struct tracking_client *client)
{
    return client != NULL ? (int64_t)client->mode.redirect : -1;
}

enum flow client_getredir_command(struct session *session)
{
    reply_integer(&session->reply, redirect_of(session->tracking));
    return FLOW_DONE;
}

#define FLAGS_MAX 8

/* The words of TRACKINGINFO's flags; returns how many. */
static size_t flag_words(const struct tracking_client *client, const char *words[FLAGS_MAX])
{
    size_t count = 0;
    words[count++] = client != NULL ? "on" : "off";
    if (client == NULL)
        return count;
    if (client->mode.broadcast)
        words[count++] = "bcast";
    if (client->mode.opt_in)
        words[count++] = "optin";
    if (client->mode.opt_in && client->caching)
        words[count++] = "caching-yes";
    if (client->mode.opt_out)
        words[count++] = "optout";
    if (client->mode.opt_out && client->caching)
        words[count++] = "caching-no";
    if (client->mode.no_loop)
        words[count++] = "noloop";
    if (client->redirect_broken)
        words[count++] = "broken_redirect";
    return count;
}

enum flow client_trackinginfo_command(struct session *session)
{
    struct reply *reply = &session->reply;
    const char *words[FLAGS_MAX];
    size_t count = flag_words(session->tracking, words);
    struct buf prefixes;
    buf_init(&prefixes);
    reply_map(reply, 3);
    reply_bulk_string(reply, "flags");
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk_string(reply, words[i]);
    reply_bulk_string(reply, "redirect");
    reply_integer(reply, redirect_of(session->tracking));
    reply_bulk_string(reply, "prefixes");
    reply_array(reply, session->tracking != NULL ? tracking_prefixes(session, &prefixes) : 0);
    struct decoder decoder = decoder_of(buf_bytes(&prefixes));
    while (decoder_left(&decoder) > 0)
        reply_bulk(reply, decoder_bytes(&decoder));
    buf_deinit(&prefixes);
    return FLOW_DONE;
}
