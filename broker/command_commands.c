#include "broker/families.h"

#include "base/glob.h"
#include "broker/command_describe.h"
#include "broker/command_keys.h"
#include "broker/session.h"

/* "get" or "client|setname"; row is NULL when there is none. */
static struct command_ref find_by_full_name(struct bytes name)
{
    struct command_ref ref = {NULL, NULL};
    const char *bar = name.len > 0 ? memchr(name.data, '|', name.len) : NULL;

    if (bar == NULL) {
        ref.row = command_find(name);
        return ref;
    }
    size_t len = (size_t)(bar - name.data);
    ref.container = command_find(bytes_of(name.data, len));
    if (ref.container != NULL && ref.container->subcommands != NULL)
        ref.row = command_find_sub(ref.container, bytes_of(bar + 1, name.len - len - 1));
    return ref;
}

/* Calls `visit` for all commands and subcommands, each container before its own. */
static void for_all_commands(void (*visit)(struct command_ref ref, void *context), void *context)
{
    const struct command_row *row;
    for (size_t i = 0; (row = command_at(i)) != NULL; i++) {
        visit((struct command_ref){NULL, row}, context);
        const struct command_row *sub = row->subcommands;
        for (; sub != NULL && sub->name != NULL; sub++)
            visit((struct command_ref){row, sub}, context);
    }
}

static size_t count_commands(void)
{
    size_t count = 0;
    while (command_at(count) != NULL)
        count++;
    return count;
}

enum flow command_command(struct session *session)
{
    size_t count = count_commands();

    reply_array(&session->reply, count);
    for (size_t i = 0; i < count; i++)
        command_describe(&session->reply, (struct command_ref){NULL, command_at(i)});
    return FLOW_DONE;
}

static enum flow command_count_command(struct session *session)
{
    reply_integer(&session->reply, (int64_t)count_commands());
    return FLOW_DONE;
}

static enum flow command_info_command(struct session *session)
{
    if (session->argc == 2)
        return command_command(session);
    reply_array(&session->reply, session->argc - 2);
    for (size_t i = 2; i < session->argc; i++) {
        struct command_ref ref = find_by_full_name(session->argv[i]);
        if (ref.row != NULL)
            command_describe(&session->reply, ref);
        else
            reply_null(&session->reply);
    }
    return FLOW_DONE;
}

static void add_docs(struct reply *reply, struct command_ref ref)
{
    command_describe_name(reply, ref);
    command_describe_docs(reply, ref);
}

static enum flow command_docs_command(struct session *session)
{
    struct reply *reply = &session->reply;

    if (session->argc == 2) {
        size_t count = count_commands();
        reply_map(reply, count);
        for (size_t i = 0; i < count; i++)
            add_docs(reply, (struct command_ref){NULL, command_at(i)});
        return FLOW_DONE;
    }
    struct reply_deferred deferred = reply_deferred_begin(reply);
    size_t found = 0;
    for (size_t i = 2; i < session->argc; i++) {
        struct command_ref ref = find_by_full_name(session->argv[i]);
        if (ref.row != NULL) {
            add_docs(reply, ref);
            found++;
        }
    }
    reply_deferred_end_map(reply, deferred, found);
    return FLOW_DONE;
}

/* COMMAND LIST under way. */
struct listing {
    struct reply *reply;
    enum { LIST_ALL, LIST_PATTERN, LIST_CATEGORY, LIST_MODULE } filter;
    struct bytes argument;
    size_t count;
};

static bool listing_takes(const struct listing *listing, struct command_ref ref)
{
    char name[64];
    switch (listing->filter) {
    case LIST_ALL:
        return ref.container == NULL;
    case LIST_PATTERN:
        command_full_name(ref.container, ref.row, name, sizeof name);
        return glob_match(listing->argument, bytes_of_string(name), true);
    case LIST_CATEGORY:
        return command_in_category(ref, listing->argument);
    case LIST_MODULE:
        return false; /* there are no modules */
    }
    return false;
}

static void list_one(struct command_ref ref, void *context)
{
    struct listing *listing = context;
    if (!listing_takes(listing, ref))
        return;
    command_describe_name(listing->reply, ref);
    listing->count++;
}

/* False: a syntax error. */
static bool listing_read(const struct session *session, struct listing *listing)
{
    if (session->argc == 2)
        return true;
    if (session->argc != 5 || !argument_is(session, 2, "filterby"))
        return false;
    listing->argument = session->argv[4];
    if (argument_is(session, 3, "pattern"))
        listing->filter = LIST_PATTERN;
    else if (argument_is(session, 3, "aclcat"))
        listing->filter = LIST_CATEGORY;
    else if (argument_is(session, 3, "module"))
        listing->filter = LIST_MODULE;
    return listing->filter != LIST_ALL;
}

static enum flow command_list_command(struct session *session)
{
    struct listing listing = {.reply = &session->reply, .filter = LIST_ALL};

    if (!listing_read(session, &listing)) {
        session_syntax_error(session);
        return FLOW_DONE;
    }
    struct reply_deferred deferred = reply_deferred_begin(&session->reply);
    for_all_commands(list_one, &listing);
    reply_deferred_end_array(&session->reply, deferred, listing.count);
    return FLOW_DONE;
}

static enum flow command_getkeys_command(struct session *session)
{
    struct bytes *argv = session->argv + 2;
    size_t argc = session->argc - 2;
    const struct command_row *row = command_find(argv[0]);

    if (row != NULL && row->subcommands != NULL && argc > 1)
        row = command_find_sub(row, argv[1]);
    if (row == NULL) {
        reply_error(&session->reply, "ERR Invalid command specified");
        return FLOW_DONE;
    }
    if (!command_has_keys(row)) {
        reply_error(&session->reply, "ERR The command has no key arguments");
        return FLOW_DONE;
    }
    if (!command_arity_fits(row, argc)) {
        reply_error(&session->reply, "ERR Invalid number of arguments specified for command");
        return FLOW_DONE;
    }
    struct key_span keys = command_keys(row, argv, argc);
    if (keys.count == 0) {
        reply_error(&session->reply, "ERR Invalid arguments specified for command");
        return FLOW_DONE;
    }
    reply_array(&session->reply, keys.count);
    for (size_t i = 0; i < keys.count; i++)
        reply_bulk(&session->reply, argv[keys.first + i * keys.step]);
    return FLOW_DONE;
}

/* Adds `name` in capitals, then `rest`, and replies with that as one line. */
static void help_line(struct reply *reply, const char *name, const char *rest)
{
    struct buf line;
    buf_init(&line);
    for (const char *at = name; *at != '\0'; at++) {
        char letter = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
        buf_add(&line, &letter, 1);
    }
    buf_add(&line, rest, strlen(rest) + 1);
    reply_status(reply, line.data);
    buf_deinit(&line);
}

enum flow command_help(struct session *session)
{
    struct reply *reply = &session->reply;
    const struct command_row *container = session->container;
    struct reply_deferred deferred = reply_deferred_begin(reply);
    size_t lines = 1;

    help_line(reply, container->name, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (const struct command_row *row = container->subcommands; row->name != NULL; row++) {
        help_line(reply, row->name, "");
        help_line(reply, "    ", row->summary);
        lines += 2;
    }
    reply_deferred_end_array(reply, deferred, lines);
    return FLOW_DONE;
}

#define FLAGS (COMMAND_LOADING | COMMAND_STALE)
#define ROW(name, run, arity, since, complexity, summary)                                          \
    {                                                                                              \
        name, run, arity, FLAGS, 0, 0, 0, "server", since, complexity, summary, NULL               \
    }

const struct command_row command_subcommands[] = {
    ROW("count", command_count_command, 2, "2.8.13", "O(1)", "Number of commands"),
    ROW("docs", command_docs_command, -2, "7.0.0", "O(N), N commands",
        "Documentation of some commands, or of all"),
    ROW("getkeys", command_getkeys_command, -4, "2.8.13", "O(N), N arguments",
        "Keys among the arguments of a whole command"),
    ROW("help", command_help, 2, "5.0.0", "O(1)", "Prints this help."),
    ROW("info", command_info_command, -2, "2.8.13", "O(N), N commands",
        "Arity, flags and keys of some commands, or of all"),
    ROW("list", command_list_command, -2, "7.0.0", "O(N), N commands",
        "Names of commands, all or those that pass a filter"),
    {.name = NULL},
};
