#include "broker/families.h"

#include "base/alloc.h"
#include "base/glob.h"
#include "broker/broker.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/session.h"

/* The first pattern that matches, among the arguments from 2 on; NULL when none does. */
static const struct bytes *matching_pattern(const struct session *session, struct bytes name)
{
    for (size_t i = 2; i < session->argc; i++) {
        if (glob_match(session->argv[i], name, true))
            return &session->argv[i];
    }
    return NULL;
}

static enum flow config_get_command(struct session *session)
{
    const struct options *options = broker_options(session->broker);
    struct reply *reply = &session->reply;
    struct reply_deferred deferred = reply_deferred_begin(reply);
    size_t pairs = 0;
    struct buf value;

    buf_init(&value);
    for (size_t i = 0; i < options_count(); i++) {
        struct bytes name = bytes_of_string(options_name(i));
        const struct bytes *pattern = matching_pattern(session, name);
        if (pattern == NULL)
            continue;
        buf_reset(&value, SIZE_MAX);
        options_value(options, i, &value);
        /* A plain name is told as the client wrote it, as Redis does. */
        reply_bulk(reply, bytes_equal_nocase(*pattern, name) ? *pattern : name);
        reply_bulk(reply, buf_bytes(&value));
        pairs++;
    }
    reply_deferred_end_map(reply, deferred, pairs);
    buf_deinit(&value);
    return FLOW_DONE;
}

static void set_failed(struct session *session, enum err err, struct bytes culprit,
                       const struct buf *why)
{
    if (err == ERR_NOT_FOUND)
        reply_error(&session->reply,
                    "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                    (int)culprit.len, culprit.data);
    else
        reply_error(&session->reply,
                    "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
                    (int)culprit.len, culprit.data, (int)why->len, why->data);
}

static enum flow config_set_command(struct session *session)
{
    size_t count = (session->argc - 2) / 2;
    size_t culprit = 0;
    struct buf why;

    if (session->argc % 2 != 0) {
        session_syntax_error(session);
        return FLOW_DONE;
    }
    struct option_change *changes = mem_alloc(count * sizeof *changes);
    for (size_t i = 0; i < count; i++)
        changes[i] = (struct option_change){session->argv[2 + 2 * i], session->argv[3 + 2 * i]};
    buf_init(&why);
    enum err err =
        options_set_all(broker_options_to_change(session->broker), changes, count, &culprit, &why);
    if (err == ERR_OK) {
        broker_options_changed(session->broker);
        reply_status(&session->reply, "OK");
    } else {
        set_failed(session, err, changes[culprit].name, &why);
    }
    buf_deinit(&why);
    mem_free(changes);
    return FLOW_DONE;
}

static enum flow config_resetstat_command(struct session *session)
{
    broker_reset_stats(session->broker);
    server_reset_stats(broker_server(session->broker));
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

static enum flow config_rewrite_command(struct session *session)
{
    enum err err = options_rewrite(broker_options(session->broker));

    if (err == ERR_NOT_FOUND)
        reply_error(&session->reply, "ERR The server is running without a config file");
    else if (err != ERR_OK)
        reply_error(&session->reply, "ERR Rewriting config file: %s", err_text(err));
    else
        reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

#define ADMIN (COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define ROW(name, run, arity, flags, since, complexity, summary)                                   \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "server", since, complexity, summary, NULL               \
    }

const struct command_row config_subcommands[] = {
    ROW("get", config_get_command, -3, ADMIN, "2.0.0", "O(N), N options and patterns",
        "Names and values of the options that match patterns"),
    ROW("help", command_help, 2, COMMAND_LOADING | COMMAND_STALE, "5.0.0", "O(1)",
        "Prints this help."),
    ROW("resetstat", config_resetstat_command, 2, ADMIN, "2.0.0", "O(1)",
        "Sets the counters of INFO to 0"),
    ROW("rewrite", config_rewrite_command, 2, ADMIN, "2.8.0", "O(1)",
        "Writes changed options into the configuration file"),
    ROW("set", config_set_command, -4, ADMIN, "2.0.0", "O(N), N options",
        "Changes one option or several, all or none"),
    {.name = NULL},
};
