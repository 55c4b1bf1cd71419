/* options_internal: rows, and values by type. Shared by options*.c only. */
#ifndef WEIR_BROKER_OPTIONS_INTERNAL_H
#define WEIR_BROKER_OPTIONS_INTERNAL_H

#include "broker/options.h"

enum option_type {
    OPTION_BOOL,
    OPTION_INTEGER,
    OPTION_BYTES,
    OPTION_CHOICE,
    OPTION_TEXT,
    OPTION_WORDS,
    OPTION_SAVE_POINTS,
    OPTION_EVENTS,
    OPTION_RULES,
    OPTION_LIMITS,
    OPTION_TYPE_COUNT
};

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset; /* in struct options */
    const char *initial;
    int64_t min, max;
    const char *words; /* of OPTION_CHOICE */
    unsigned flags;
    const char *doc; /* NULL: passive */
};

/* All rows, ended by one without a name. */
extern const struct option_row option_rows[];

/* By name or name of old, any case; NULL when there is none. */
const struct option_row *option_find(struct bytes name);

/* Reads `text` into the row's member. ERR_INVALID, ERR_RANGE; ERR_NOT_FOUND: a class of clients. */
MUST_CHECK enum err option_parse(struct options *options, const struct option_row *row,
                                 struct bytes text);
/* Adds the range rules in `words` to those that there are; "" alone takes them all away.
 * ERR_INVALID, ERR_RANGE; `why` gets what is wrong. */
MUST_CHECK enum err option_add_rules(struct options *options, const struct option_row *row,
                                     const struct bytes *words, size_t count, struct buf *why);
/* Adds the value's text. */
void option_format(const struct options *options, const struct option_row *row, struct buf *out);
/* What option_parse found wrong with `text`: for a person at a file or command line, and in
 * Redis's words for a client. */
void option_explain(const struct option_row *row, enum err err, struct bytes text, struct buf *out);
void option_explain_to_client(const struct option_row *row, enum err err, struct buf *out);

/* `to` is initialized. */
void options_copy(struct options *to, const struct options *from);

/* The relations between options; adds what is wrong to `why`. */
MUST_CHECK enum err options_check(const struct options *options, struct buf *why);

/* The words of one line of a configuration file: quotes taken off, comments left out. */
#define OPTION_LINE_WORDS_MAX 256
struct option_line {
    struct buf text;
    struct bytes words[OPTION_LINE_WORDS_MAX]; /* in `text` */
    size_t count;
};
void option_line_init(struct option_line *line);
void option_line_deinit(struct option_line *line);
/* ERR_INVALID: quotes that do not match; ERR_FULL: too many words. */
MUST_CHECK enum err option_line_split(struct option_line *line, struct bytes text);
/* Sets the option words[0] to the other words. On an error adds what is wrong to `why`. */
MUST_CHECK enum err option_line_apply(struct options *options, const struct bytes *words,
                                      size_t count, struct buf *why);

/* Takes the next line, without its end, off the front of `*rest`; false when none is left. */
bool options_next_line(struct bytes *rest, struct bytes *line);

/* A megabyte is a thousand times what a configuration needs. */
#define OPTIONS_FILE_BYTES_MAX (1024 * 1024)
/* Adds the file's content. Blocks. ERR_FULL above OPTIONS_FILE_BYTES_MAX; errors of the system. */
MUST_CHECK enum err options_read_file(const char *path, struct buf *out);
/* Takes in a file's text. On an error adds "path:line: name: what is wrong" to `why`. */
MUST_CHECK enum err options_apply_file(struct options *options, const char *path, struct bytes text,
                                       struct buf *why);

#endif
