#include "broker/options_internal.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/range_rules.h"

#include <inttypes.h>

#define EVENT_LETTERS "Ag$lshzxeKEtmdn"

static const char *const class_names[OUTPUT_CLASS_COUNT] = {
    [OUTPUT_NORMAL] = "normal",
    [OUTPUT_REPLICA] = "slave", /* what Redis still tells, and tools read */
    [OUTPUT_PUBSUB] = "pubsub",
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool options_next_word(struct bytes *rest, struct bytes *word)
{
    const char *at = rest->data;
    const char *end = rest->data + rest->len;

    while (at < end && is_blank(*at))
        at++;
    const char *start = at;
    while (at < end && !is_blank(*at))
        at++;
    *rest = bytes_of(at, (size_t)(end - at));
    *word = bytes_of(start, (size_t)(at - start));
    return word->len > 0;
}

static enum err parse_bool(struct bytes text, bool *out)
{
    bool yes = bytes_equal_nocase(text, BYTES("yes"));
    if (!yes && !bytes_equal_nocase(text, BYTES("no")))
        return ERR_INVALID;
    *out = yes;
    return ERR_OK;
}

static enum err parse_integer(const struct option_row *row, struct bytes text, int64_t *out)
{
    int64_t value;
    if (!bytes_to_i64(text, &value))
        return ERR_INVALID;
    if (value < row->min || value > row->max)
        return ERR_RANGE;
    *out = value;
    return ERR_OK;
}

/* A size in bytes: "4096", "1k", "64mb". */
enum err options_parse_bytes(struct bytes text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1024},
        {"m", 1000000}, {"mb", 1048576}, {"g", 1000000000}, {"gb", 1073741824},
    };
    size_t digits = 0;
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;

    uint64_t number;
    if (!bytes_to_u64(bytes_of(text.data, digits), &number))
        return ERR_INVALID;
    struct bytes unit = bytes_of(text.data + digits, text.len - digits);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!bytes_equal_nocase(unit, bytes_of_string(units[i].name)))
            continue;
        if (number > UINT64_MAX / units[i].factor)
            return ERR_RANGE;
        *out = number * units[i].factor;
        return ERR_OK;
    }
    return ERR_INVALID;
}

static enum err parse_size(const struct option_row *row, struct bytes text, uint64_t *out)
{
    uint64_t value;
    enum err err = options_parse_bytes(text, &value);
    if (err != ERR_OK)
        return err;
    if (value < (uint64_t)row->min || value > (uint64_t)row->max)
        return ERR_RANGE;
    *out = value;
    return ERR_OK;
}

static enum err parse_choice(const struct option_row *row, struct bytes text, int *out)
{
    struct bytes rest = bytes_of_string(row->words);
    struct bytes word;
    for (int index = 0; options_next_word(&rest, &word); index++) {
        if (bytes_equal_nocase(word, text)) {
            *out = index;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

static void replace_text(char **at, struct bytes text)
{
    char *copy = mem_alloc(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    mem_free(*at);
    *at = copy;
}

/* Text is kept as a string, so it cannot hold a NUL. */
static enum err parse_text(const struct option_row *row, struct bytes text, char **out)
{
    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
        return ERR_INVALID;
    if (text.len < (uint64_t)row->min || text.len > (uint64_t)row->max)
        return ERR_RANGE;
    replace_text(out, text);
    return ERR_OK;
}

static enum err parse_words(const struct option_row *row, struct bytes text, char **out)
{
    struct buf joined;
    struct bytes word;
    buf_init(&joined);
    while (options_next_word(&text, &word)) {
        if (joined.len > 0)
            buf_add(&joined, " ", 1);
        buf_add_bytes(&joined, word);
    }
    enum err err = parse_text(row, buf_bytes(&joined), out);
    buf_deinit(&joined);
    return err;
}

static enum err parse_save_points(const struct option_row *row, struct bytes text, char **out)
{
    struct bytes rest = text;
    struct bytes word;
    size_t count = 0;
    for (; options_next_word(&rest, &word); count++) {
        int64_t value;
        int64_t least = count % 2 == 0 ? 1 : 0; /* seconds, then changes */
        if (!bytes_to_i64(word, &value) || value < least)
            return ERR_INVALID;
    }
    return count % 2 == 0 ? parse_words(row, text, out) : ERR_INVALID;
}

/* Redis tells the letters in an order of its own, with A for all classes. */
static enum err parse_events(struct bytes text, char **out)
{
    char letters[sizeof EVENT_LETTERS + 1] = "";
    bool given[128] = {false};
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char letter = (unsigned char)text.data[i];
        if (letter == '\0' || strchr(EVENT_LETTERS, letter) == NULL)
            return ERR_INVALID;
        given[letter] = true;
    }
    bool all = true;
    for (const char *at = OPTION_EVENTS_ALL; *at != '\0'; at++)
        all = all && given[(unsigned char)*at];
    given['A'] = given['A'] || all;
    for (const char *at = "A" OPTION_EVENTS_ALL "nKEm"; *at != '\0'; at++) {
        bool in_all = strchr(OPTION_EVENTS_ALL, *at) != NULL;
        if (given[(unsigned char)*at] && !(in_all && given['A']))
            letters[len++] = *at;
    }
    replace_text(out, bytes_of(letters, len));
    return ERR_OK;
}

enum err option_add_rules(struct options *options, const struct option_row *row,
                          const struct bytes *words, size_t count, struct buf *why)
{
    char **member = (char **)(void *)((char *)options + row->offset);
    struct buf text;
    buf_init(&text);
    buf_add_bytes(&text, bytes_of_string(*member));
    bool none = count == 1 && words[0].len == 0;
    if (none)
        buf_reset(&text, SIZE_MAX);
    enum err err = none ? ERR_OK : range_rules_add(&text, words, count, why);
    if (err == ERR_OK)
        err = parse_text(row, buf_bytes(&text), member);
    buf_deinit(&text);
    return err;
}

static bool find_class(struct bytes name, enum output_class *out)
{
    if (bytes_equal_nocase(name, BYTES("replica")))
        name = BYTES("slave");
    for (unsigned i = 0; i < OUTPUT_CLASS_COUNT; i++) {
        if (bytes_equal_nocase(name, bytes_of_string(class_names[i]))) {
            *out = (enum output_class)i;
            return true;
        }
    }
    return false;
}

/* Classes that are not named keep what they have. */
static enum err parse_limits(struct bytes text, struct output_limits *out)
{
    struct output_limits limits = *out;
    struct bytes name;
    while (options_next_word(&text, &name)) {
        struct bytes hard, soft, seconds;
        enum output_class class;
        if (!options_next_word(&text, &hard) || !options_next_word(&text, &soft) ||
            !options_next_word(&text, &seconds))
            return ERR_INVALID;
        if (!find_class(name, &class))
            return ERR_NOT_FOUND;
        struct output_limit *limit = &limits.of[class];
        if (options_parse_bytes(hard, &limit->hard_bytes) != ERR_OK ||
            options_parse_bytes(soft, &limit->soft_bytes) != ERR_OK ||
            !bytes_to_u64(seconds, &limit->soft_seconds) || limit->soft_seconds > INT32_MAX)
            return ERR_RANGE;
    }
    *out = limits;
    return ERR_OK;
}

enum err option_parse(struct options *options, const struct option_row *row, struct bytes text)
{
    void *member = (char *)options + row->offset;
    switch (row->type) {
    case OPTION_BOOL:
        return parse_bool(text, member);
    case OPTION_INTEGER:
        return parse_integer(row, text, member);
    case OPTION_BYTES:
        return parse_size(row, text, member);
    case OPTION_CHOICE:
        return parse_choice(row, text, member);
    case OPTION_TEXT:
        return parse_text(row, text, member);
    case OPTION_WORDS:
        return parse_words(row, text, member);
    case OPTION_SAVE_POINTS:
        return parse_save_points(row, text, member);
    case OPTION_EVENTS:
        return parse_events(text, member);
    case OPTION_RULES:
        return text.len == 0 ? parse_text(row, text, member) : ERR_INVALID;
    case OPTION_LIMITS:
        return parse_limits(text, member);
    case OPTION_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

static void format_choice(const struct option_row *row, int value, struct buf *out)
{
    struct bytes rest = bytes_of_string(row->words);
    struct bytes word = BYTES("");
    for (int index = 0; index <= value; index++)
        CHECK(options_next_word(&rest, &word));
    buf_add_bytes(out, word);
}

static void format_limits(const struct output_limits *limits, struct buf *out)
{
    for (size_t i = 0; i < OUTPUT_CLASS_COUNT; i++) {
        const struct output_limit *limit = &limits->of[i];
        buf_addf(out, "%s%s %" PRIu64 " %" PRIu64 " %" PRIu64, i > 0 ? " " : "", class_names[i],
                 limit->hard_bytes, limit->soft_bytes, limit->soft_seconds);
    }
}

void option_format(const struct options *options, const struct option_row *row, struct buf *out)
{
    const void *member = (const char *)options + row->offset;
    switch (row->type) {
    case OPTION_BOOL:
        buf_add_bytes(out, *(const bool *)member ? BYTES("yes") : BYTES("no"));
        return;
    case OPTION_INTEGER:
        buf_addf(out, "%" PRId64, *(const int64_t *)member);
        return;
    case OPTION_BYTES:
        buf_addf(out, "%" PRIu64, *(const uint64_t *)member);
        return;
    case OPTION_CHOICE:
        format_choice(row, *(const int *)member, out);
        return;
    case OPTION_TEXT:
    case OPTION_WORDS:
    case OPTION_SAVE_POINTS:
    case OPTION_EVENTS:
    case OPTION_RULES:
        buf_add_bytes(out, bytes_of_string(*(char *const *)member));
        return;
    case OPTION_LIMITS:
        format_limits(member, out);
        return;
    case OPTION_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

/* What is wrong with one that is ERR_INVALID for its type: after the value, and for a client. */
static const struct wording {
    const char *person;
    const char *client;
} invalid_wordings[OPTION_TYPE_COUNT] = {
    [OPTION_BOOL] = {"is not yes or no", "argument must be 'yes' or 'no'"},
    [OPTION_INTEGER] = {"is not an integer", "argument couldn't be parsed into an integer"},
    [OPTION_BYTES] = {"is not a size in bytes", "argument must be a memory value"},
    [OPTION_CHOICE] = {"is not one of", "argument(s) must be one of the following:"},
    [OPTION_TEXT] = {"holds a NUL byte", "argument must not hold a NUL byte"},
    [OPTION_WORDS] = {"holds a NUL byte", "argument must not hold a NUL byte"},
    [OPTION_SAVE_POINTS] = {"is not pairs of seconds and changes", "Invalid save parameters"},
    [OPTION_EVENTS] = {"is not letters of " EVENT_LETTERS,
                       "Invalid event class character. Use '" EVENT_LETTERS "'."},
    [OPTION_RULES] = {"is not a range rule", "is not a range rule"},
    [OPTION_LIMITS] = {"is not made of: class, hard limit, soft limit, seconds",
                       "Wrong number of arguments in buffer limit configuration."},
};

static void list_words(const char *words, struct buf *out)
{
    struct bytes rest = bytes_of_string(words);
    struct bytes word;
    for (const char *before = " "; options_next_word(&rest, &word); before = ", ") {
        buf_add_bytes(out, bytes_of_string(before));
        buf_add_bytes(out, word);
    }
}

void option_explain(const struct option_row *row, enum err err, struct bytes text, struct buf *out)
{
    bool number = row->type == OPTION_INTEGER || row->type == OPTION_BYTES;

    if (text.len == 0)
        buf_addf(out, "\"\"");
    buf_add_bytes(out, text);
    buf_addf(out, " ");
    if (row->type == OPTION_LIMITS && err == ERR_NOT_FOUND)
        buf_addf(out, "names a class that is not normal, replica or pubsub");
    else if (row->type == OPTION_LIMITS && err == ERR_RANGE)
        buf_addf(out, "holds a limit that is not a size, or seconds that are not a number");
    else if (err == ERR_RANGE && number)
        buf_addf(out, "is not between %" PRId64 " and %" PRId64, row->min, row->max);
    else if (err == ERR_RANGE && row->max == 0)
        buf_addf(out, "is not supported, only \"\"");
    else if (err == ERR_RANGE)
        buf_addf(out, "is not %" PRId64 " to %" PRId64 " bytes long", row->min, row->max);
    else
        buf_addf(out, "%s", invalid_wordings[row->type].person);
    if (row->type == OPTION_CHOICE)
        list_words(row->words, out);
}

void option_explain_to_client(const struct option_row *row, enum err err, struct buf *out)
{
    bool number = row->type == OPTION_INTEGER || row->type == OPTION_BYTES;

    if (row->type == OPTION_LIMITS && err == ERR_NOT_FOUND)
        buf_addf(out, "Invalid client class specified in buffer limit configuration.");
    else if (row->type == OPTION_LIMITS && err == ERR_RANGE)
        buf_addf(out, "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    else if (err == ERR_RANGE && number)
        buf_addf(out, "argument must be between %" PRId64 " and %" PRId64 " inclusive", row->min,
                 row->max);
    else if (err == ERR_RANGE)
        buf_addf(out, "argument must be %" PRId64 " to %" PRId64 " bytes long", row->min, row->max);
    else
        buf_addf(out, "%s", invalid_wordings[row->type].client);
    if (row->type == OPTION_CHOICE)
        list_words(row->words, out);
}
