#include "broker/command_describe.h"

#include "base/check.h"
#include "broker/command_facts.h"
#include "broker/session.h"

/* Room for "container|subcommand", and for a word of command_facts. */
#define FULL_NAME_MAX 64
#define WORD_MAX      64

/* Redis's words for flags, in its order. */
static const struct {
    unsigned flag;
    const char *word;
} flag_words[] = {
    {COMMAND_WRITE, "write"},
    {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},
    {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},
    {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},
    {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},
    {COMMAND_SKIP_MONITOR, "skip_monitor"},
    {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"},
    {COMMAND_NO_MULTI, "no_multi"},
};
#define FLAG_WORDS (sizeof flag_words / sizeof flag_words[0])

/* ACL categories in Redis's order (https://redis.io/docs/latest/operate/oss_and_stack/management/
 * security/acl/#command-categories), with the command group that is in it, if one is. */
static const struct {
    const char *name;
    const char *group;
} categories[] = {
    {"keyspace", "generic"},
    {"read", NULL},
    {"write", NULL},
    {"set", "set"},
    {"sortedset", "sorted-set"},
    {"list", "list"},
    {"hash", "hash"},
    {"string", "string"},
    {"bitmap", "bitmap"},
    {"hyperloglog", "hyperloglog"},
    {"geo", "geo"},
    {"stream", "stream"},
    {"pubsub", NULL},
    {"admin", NULL},
    {"fast", NULL},
    {"slow", NULL},
    {"blocking", NULL},
    {"dangerous", NULL},
    {"connection", "connection"},
    {"transaction", "transactions"},
    {"scripting", "scripting"},
};
#define CATEGORIES (sizeof categories / sizeof categories[0])

/* Commands with a category that neither their flags nor their group tells. */
static const struct {
    const char *command;
    const char *category;
} further_categories[] = {
    {"flushall", "dangerous"},   {"flushall", "keyspace"},  {"flushdb", "dangerous"},
    {"flushdb", "keyspace"},     {"swapdb", "dangerous"},   {"swapdb", "keyspace"},
    {"keys", "dangerous"},       {"restore", "dangerous"},  {"info", "dangerous"},
    {"lastsave", "admin"},       {"lastsave", "dangerous"}, {"role", "admin"},
    {"role", "dangerous"},       {"dbsize", "keyspace"},    {"command", "connection"},
    {"wait", "connection"},      {"asking", "connection"},  {"readonly", "connection"},
    {"readwrite", "connection"},
};

static bool is_further_category(struct command_ref ref, const char *category)
{
    const char *name = ref.container != NULL ? ref.container->name : ref.row->name;
    for (size_t i = 0; i < sizeof further_categories / sizeof further_categories[0]; i++) {
        if (strcmp(further_categories[i].command, name) == 0 &&
            strcmp(further_categories[i].category, category) == 0)
            return true;
    }
    return false;
}

static bool in_category(struct command_ref ref, size_t index)
{
    const char *name = categories[index].name;
    const char *group = categories[index].group;
    unsigned flags = ref.row->flags;

    if (is_further_category(ref, name))
        return true;
    if (ref.row->run == NULL) /* a container is nothing by itself */
        return strcmp(name, "slow") == 0;
    /* What belongs to connections belongs to nothing else, whatever its group. */
    if (group != NULL && strcmp(group, ref.row->group) == 0)
        return !is_further_category(ref, "connection") || strcmp(name, "connection") == 0;
    if (strcmp(name, "read") == 0)
        return (flags & COMMAND_READONLY) != 0;
    if (strcmp(name, "write") == 0)
        return (flags & COMMAND_WRITE) != 0;
    if (strcmp(name, "admin") == 0 || strcmp(name, "dangerous") == 0)
        return (flags & COMMAND_ADMIN) != 0;
    if (strcmp(name, "pubsub") == 0)
        return (flags & COMMAND_PUBSUB) != 0;
    if (strcmp(name, "fast") == 0)
        return (flags & COMMAND_FAST) != 0;
    if (strcmp(name, "slow") == 0)
        return (flags & COMMAND_FAST) == 0;
    return strcmp(name, "blocking") == 0 && (flags & COMMAND_BLOCKING) != 0;
}

bool command_in_category(struct command_ref ref, struct bytes category)
{
    for (size_t i = 0; i < CATEGORIES; i++) {
        if (bytes_equal_nocase(category, bytes_of_string(categories[i].name)))
            return in_category(ref, i);
    }
    return false;
}

void command_describe_name(struct reply *reply, struct command_ref ref)
{
    char name[FULL_NAME_MAX];
    command_full_name(ref.container, ref.row, name, sizeof name);
    reply_bulk_string(reply, name);
}

static void describe_flags(struct reply *reply, unsigned flags)
{
    size_t count = 0;
    for (size_t i = 0; i < FLAG_WORDS; i++)
        count += (flags & flag_words[i].flag) != 0;
    reply_set(reply, count);
    for (size_t i = 0; i < FLAG_WORDS; i++) {
        if (flags & flag_words[i].flag)
            reply_status(reply, flag_words[i].word);
    }
}

/* What is separated by blanks, each written by `write`. */
static void describe_words(struct reply *reply, const char *words,
                           void (*write)(struct reply *reply, const char *word))
{
    size_t count = 1;
    for (const char *at = words; *at != '\0'; at++)
        count += *at == ' ';
    reply_set(reply, count);
    while (count-- > 0) {
        char word[WORD_MAX];
        size_t len = strcspn(words, " ");
        CHECK(len < sizeof word);
        memcpy(word, words, len);
        word[len] = '\0';
        write(reply, word);
        words += len + 1;
    }
}

static void describe_categories(struct reply *reply, struct command_ref ref)
{
    char word[32] = "@";
    size_t count = 0;
    for (size_t i = 0; i < CATEGORIES; i++)
        count += in_category(ref, i);
    reply_set(reply, count);
    for (size_t i = 0; i < CATEGORIES; i++) {
        if (!in_category(ref, i))
            continue;
        size_t len = strlen(categories[i].name);
        CHECK(len + 2 <= sizeof word);
        memcpy(word + 1, categories[i].name, len + 1);
        reply_status(reply, word);
    }
}

static void describe_pair(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_string(reply, name);
    reply_integer(reply, value);
}

/* Where the first key stands: at an index, or for movable keys behind the word STREAMS. */
static void describe_search(struct reply *reply, const struct command_row *row)
{
    bool movable = row->first_key == 0;

    reply_bulk_string(reply, "begin_search");
    reply_map(reply, 2);
    reply_bulk_string(reply, "type");
    reply_bulk_string(reply, movable ? "keyword" : "index");
    reply_bulk_string(reply, "spec");
    if (!movable) {
        reply_map(reply, 1);
        describe_pair(reply, "index", row->first_key);
        return;
    }
    reply_map(reply, 2);
    reply_bulk_string(reply, "keyword");
    reply_bulk_string(reply, "STREAMS");
    describe_pair(reply, "startfrom", -row->arity - 3); /* before STREAMS, a key and an id */
}

/* Which arguments from there on are keys; the last one counts from the first, or from the end. */
static void describe_keys_found(struct reply *reply, const struct command_row *row, int last_key)
{
    bool movable = row->first_key == 0;
    int last = last_key > 0 ? last_key - row->first_key : last_key;

    reply_bulk_string(reply, "find_keys");
    reply_map(reply, 2);
    reply_bulk_string(reply, "type");
    reply_bulk_string(reply, "range");
    reply_bulk_string(reply, "spec");
    reply_map(reply, 3);
    describe_pair(reply, "lastkey", movable ? -1 : last);
    describe_pair(reply, "keystep", movable ? 1 : row->key_step);
    describe_pair(reply, "limit", movable ? 2 : 0); /* keys are the first 1/limit of the rest */
}

/* Some of its keys, from the first of the row on to `last_key`, and how they are used. */
static void describe_key_spec(struct reply *reply, const struct command_row *row, int last_key,
                              const char *words)
{
    reply_map(reply, 3);
    reply_bulk_string(reply, "flags");
    describe_words(reply, words, reply_status);
    describe_search(reply, row);
    describe_keys_found(reply, row, last_key);
}

static const char *key_words(const struct command_row *row, const struct command_facts *facts)
{
    if (facts != NULL && facts->keys[0] != NULL)
        return facts->keys[0];
    if (row->flags & COMMAND_PUBSUB) /* a channel, which a cluster finds like a key */
        return "not_key";
    return row->flags & COMMAND_WRITE ? "RW update" : "RO access";
}

static void describe_key_specs(struct reply *reply, const struct command_row *row,
                               const struct command_facts *facts)
{
    if (row->first_key == 0 && (row->flags & COMMAND_MOVABLE_KEYS) == 0) {
        reply_set(reply, 0);
        return;
    }
    if (facts == NULL || facts->keys[1] == NULL) {
        reply_set(reply, 1);
        describe_key_spec(reply, row, row->last_key, key_words(row, facts));
        return;
    }
    struct command_row second = *row;
    second.first_key = row->last_key;
    reply_set(reply, 2);
    describe_key_spec(reply, row, row->first_key, facts->keys[0]);
    describe_key_spec(reply, &second, second.first_key, facts->keys[1]);
}

static size_t count_rows(const struct command_row *rows)
{
    size_t count = 0;
    if (rows != NULL) {
        while (rows[count].name != NULL)
            count++;
    }
    return count;
}

static void describe_one(struct reply *reply, struct command_ref ref)
{
    const struct command_row *row = ref.row;
    char name[FULL_NAME_MAX];

    command_full_name(ref.container, row, name, sizeof name);
    const struct command_facts *facts = command_facts_of(name);
    reply_array(reply, 10);
    reply_bulk_string(reply, name);
    reply_integer(reply, row->arity);
    describe_flags(reply, row->flags);
    reply_integer(reply, row->first_key);
    reply_integer(reply, row->last_key);
    reply_integer(reply, row->key_step);
    describe_categories(reply, ref);
    if (facts != NULL && facts->tips != NULL)
        describe_words(reply, facts->tips, reply_bulk_string);
    else
        reply_set(reply, 0);
    describe_key_specs(reply, row, facts);
}

void command_describe(struct reply *reply, struct command_ref ref)
{
    size_t count = count_rows(ref.row->subcommands);

    describe_one(reply, ref);
    if (count == 0) {
        reply_set(reply, 0);
        return;
    }
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        describe_one(reply, (struct command_ref){ref.row, &ref.row->subcommands[i]});
        reply_set(reply, 0);
    }
}

static void describe_doc(struct reply *reply, const char *name, const char *text)
{
    if (text == NULL)
        return;
    reply_bulk_string(reply, name);
    reply_bulk_string(reply, text);
}

static void docs_of_one(struct reply *reply, const struct command_row *row, bool with_subcommands)
{
    size_t pairs = (size_t)(row->summary != NULL) + (row->since != NULL) + (row->group != NULL) +
                   (row->complexity != NULL) + with_subcommands;
    reply_map(reply, pairs);
    describe_doc(reply, "summary", row->summary);
    describe_doc(reply, "since", row->since);
    describe_doc(reply, "group", row->group);
    describe_doc(reply, "complexity", row->complexity);
}

void command_describe_docs(struct reply *reply, struct command_ref ref)
{
    size_t count = count_rows(ref.row->subcommands);

    docs_of_one(reply, ref.row, count > 0);
    if (count == 0)
        return;
    reply_bulk_string(reply, "subcommands");
    reply_map(reply, count);
    for (size_t i = 0; i < count; i++) {
        struct command_ref sub = {ref.row, &ref.row->subcommands[i]};
        command_describe_name(reply, sub);
        docs_of_one(reply, sub.row, false);
    }
}
