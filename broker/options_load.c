#include "broker/options_internal.h"

#include "base/alloc.h"
#include "broker/version.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Width of the longest name in --help, so that values stand in a column. */
#define HELP_NAME_WIDTH 27

bool options_next_line(struct bytes *rest, struct bytes *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
    size_t taken = end != NULL ? len + 1 : len;
    *line = bytes_of(rest->data, len);
    *rest = bytes_of(rest->data + taken, rest->len - taken);
    return true;
}

void option_line_init(struct option_line *line)
{
    buf_init(&line->text);
    line->count = 0;
}

void option_line_deinit(struct option_line *line)
{
    buf_deinit(&line->text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* What stands behind a backslash in double quotes: \xHH, a control character, or itself. Moves
 * `*at` past it. */
static char unescape(const char **at, const char *end)
{
    char c = *(*at)++;
    if (c == 'x' && end - *at >= 2 && hex_digit((*at)[0]) >= 0 && hex_digit((*at)[1]) >= 0) {
        int value = hex_digit((*at)[0]) * 16 + hex_digit((*at)[1]);
        *at += 2;
        return (char)value;
    }
    static const char names[] = "nrtba";
    static const char meant[] = "\n\r\t\b\a";
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    return name != NULL ? meant[name - names] : c;
}

/* Adds the rest of a quoted word to `out`; `*at` is behind the opening quote, and moves behind the
 * closing one. In single quotes only \' means something else. */
static enum err unquote(char quote, const char **at, const char *end, struct buf *out)
{
    while (*at < end) {
        char c = *(*at)++;
        if (c == quote)
            return *at == end || is_blank(**at) ? ERR_OK : ERR_INVALID;
        if (c == '\\' && *at < end && quote == '"')
            c = unescape(at, end);
        else if (c == '\\' && *at < end && **at == '\'')
            c = *(*at)++;
        buf_add(out, &c, 1);
    }
    return ERR_INVALID;
}

enum err option_line_split(struct option_line *line, struct bytes text)
{
    const char *at = text.data;
    const char *end = text.data + text.len;

    buf_reset(&line->text, OPTION_TEXT_MAX);
    line->count = 0;
    buf_reserve(&line->text, text.len); /* words get no longer, so none moves */
    for (;;) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end || (line->count == 0 && *at == '#'))
            return ERR_OK;
        if (line->count == OPTION_LINE_WORDS_MAX)
            return ERR_FULL;
        size_t start = line->text.len;
        if (*at == '"' || *at == '\'') {
            char quote = *at++;
            enum err err = unquote(quote, &at, end, &line->text);
            if (err != ERR_OK)
                return err;
        } else {
            const char *word = at;
            while (at < end && !is_blank(*at))
                at++;
            buf_add(&line->text, word, (size_t)(at - word));
        }
        line->words[line->count++] = bytes_of(line->text.data + start, line->text.len - start);
    }
}

static bool takes_words(const struct option_row *row)
{
    return row->type == OPTION_WORDS || row->type == OPTION_SAVE_POINTS ||
           row->type == OPTION_LIMITS || row->type == OPTION_RULES;
}

enum err option_line_apply(struct options *options, const struct bytes *words, size_t count,
                           struct buf *why)
{
    const struct option_row *row = option_find(words[0]);
    if (row == NULL) {
        buf_addf(why, "unknown option");
        return ERR_NOT_FOUND;
    }
    if (count != 2 && !(takes_words(row) && count > 2)) {
        buf_addf(why, takes_words(row) ? "needs a value" : "takes one value");
        return ERR_INVALID;
    }

    if (row->type == OPTION_RULES)
        return option_add_rules(options, row, words + 1, count - 1, why);
    struct buf value;
    buf_init(&value);
    for (size_t i = 1; i < count; i++) {
        if (i > 1)
            buf_add(&value, " ", 1);
        buf_add_bytes(&value, words[i]);
    }
    enum err err = option_parse(options, row, buf_bytes(&value));
    if (err != ERR_OK)
        option_explain(row, err, buf_bytes(&value), why);
    buf_deinit(&value);
    return err;
}

static enum err apply_line(struct options *options, struct option_line *line, struct bytes text,
                           struct buf *why)
{
    enum err err = option_line_split(line, text);
    if (err == ERR_FULL) {
        buf_addf(why, "more than %d words", OPTION_LINE_WORDS_MAX);
        return err;
    }
    if (err != ERR_OK) {
        buf_addf(why, "quotes that do not match");
        return err;
    }
    if (line->count == 0)
        return ERR_OK;
    buf_add_bytes(why, line->words[0]);
    buf_addf(why, ": ");
    return option_line_apply(options, line->words, line->count, why);
}

enum err options_apply_file(struct options *options, const char *path, struct bytes text,
                            struct buf *why)
{
    struct option_line line;
    struct bytes line_text;
    enum err err = ERR_OK;

    option_line_init(&line);
    size_t before = why->len;
    for (unsigned number = 1; err == ERR_OK && options_next_line(&text, &line_text); number++) {
        why->len = before;
        buf_addf(why, "%s:%u: ", path, number);
        err = apply_line(options, &line, line_text, why);
    }
    if (err == ERR_OK)
        why->len = before;
    option_line_deinit(&line);
    return err;
}

enum err options_read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno(errno);

    enum err err = ERR_OK;
    size_t before = out->len;
    for (;;) {
        ssize_t got = read(fd, buf_reserve(out, 4096), 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = err_of_errno(errno);
        if (got <= 0)
            break;
        out->len += (size_t)got;
        if (out->len - before > OPTIONS_FILE_BYTES_MAX) {
            err = ERR_FULL;
            break;
        }
    }
    close(fd);
    if (err != ERR_OK)
        out->len = before;
    return err;
}

static enum err load_file(struct options *options, const char *path, struct buf *why)
{
    struct buf text;
    buf_init(&text);
    enum err err = options_read_file(path, &text);
    if (err == ERR_OK)
        err = options_apply_file(options, path, buf_bytes(&text), why);
    else
        buf_addf(why, "%s: %s", path, err_text(err));
    if (err == ERR_OK) {
        char absolute[PATH_MAX];
        const char *file = realpath(path, absolute) != NULL ? absolute : path;
        options->file = mem_copy(file, strlen(file) + 1);
    }
    buf_deinit(&text);
    return err;
}

/* Sets the option argv[0] ("--name") to the arguments up to the next option. `*taken` counts them
 * all. */
static enum err load_argument(struct options *options, int argc, char *const *argv, int *taken,
                              struct buf *why)
{
    struct bytes words[OPTION_LINE_WORDS_MAX];
    size_t count = 0;

    if (strncmp(argv[0], "--", 2) != 0) {
        buf_addf(why, "%s: neither an option nor, as the first argument, a file", argv[0]);
        return ERR_INVALID;
    }
    buf_addf(why, "%s: ", argv[0]);
    words[count++] = bytes_of_string(argv[0] + 2);
    while ((int)count < argc && strncmp(argv[count], "--", 2) != 0) {
        if (count == OPTION_LINE_WORDS_MAX) {
            buf_addf(why, "more than %d words", OPTION_LINE_WORDS_MAX);
            return ERR_FULL;
        }
        words[count] = bytes_of_string(argv[count]);
        count++;
    }
    *taken = (int)count;
    return option_line_apply(options, words, count, why);
}

static enum err load_arguments(struct options *options, int argc, char *const *argv,
                               struct buf *why)
{
    enum err err = ERR_OK;
    size_t before = why->len;
    int taken = 0;

    for (int at = 0; at < argc && err == ERR_OK; at += taken) {
        why->len = before;
        err = load_argument(options, argc - at, argv + at, &taken, why);
    }
    if (err == ERR_OK)
        why->len = before;
    return err;
}

static void add_passive_help(struct buf *out)
{
    buf_addf(out, "\nOptions of Redis that are taken and told and have no effect:\n ");
    size_t column = 1;
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        if (row->doc != NULL)
            continue;
        size_t width = strlen(row->name) + 1;
        if (column + width > 78) {
            buf_addf(out, "\n ");
            column = 1;
        }
        buf_addf(out, " %s", row->name);
        column += width;
    }
    buf_addf(out, "\n");
}

static void add_help(struct buf *out)
{
    buf_addf(out,
             "Weir " WEIR_VERSION ", a durable publish/subscribe log broker for Redis clients\n"
             "\n"
             "Usage: weir-server [FILE] [--NAME VALUE...]...\n"
             "       weir-server --help | --version\n"
             "\n"
             "FILE has one option a line: NAME VALUE... Options with their defaults (*: can be\n"
             "changed while running, with CONFIG SET):\n"
             "\n");
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        if (row->doc == NULL)
            continue;
        buf_addf(out, "%c --%-*s%s\n", row->flags & OPTION_AT_START ? ' ' : '*', HELP_NAME_WIDTH,
                 row->name, row->initial[0] != '\0' ? row->initial : "\"\"");
        buf_addf(out, "      %s\n", row->doc);
        if (row->words != NULL)
            buf_addf(out, "      values: %s\n", row->words);
    }
    add_passive_help(out);
}

static bool is_one_of(const char *text, const char *one, const char *other)
{
    return strcmp(text, one) == 0 || strcmp(text, other) == 0;
}

enum options_outcome options_load(struct options *options, int argc, char *const *argv,
                                  struct buf *text)
{
    int at = 1;

    if (argc == 2 && is_one_of(argv[1], "--help", "-h")) {
        add_help(text);
        return OPTIONS_TELL;
    }
    if (argc == 2 && is_one_of(argv[1], "--version", "-v")) {
        buf_addf(text, "weir-server " WEIR_VERSION "\n");
        return OPTIONS_TELL;
    }
    if (at < argc && argv[at][0] != '-') {
        if (load_file(options, argv[at], text) != ERR_OK)
            return OPTIONS_REFUSE;
        at++;
    }
    if (load_arguments(options, argc - at, argv + at, text) != ERR_OK ||
        options_check(options, text) != ERR_OK)
        return OPTIONS_REFUSE;
    return OPTIONS_RUN;
}
