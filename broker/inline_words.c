#include "broker/inline_words.h"

/* The C locale's blanks, and only those: parsing must not depend on the environment. */
static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static char escaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

static void add_byte(struct buf *word, char c)
{
    *buf_reserve(word, 1) = c;
    word->len++;
}

/* Unquotes from `at`, which is behind a backslash; returns where it ended. */
static const char *take_escape(const char *at, const char *end, struct buf *word)
{
    if (end - at >= 3 && at[0] == 'x' && hex_value(at[1]) >= 0 && hex_value(at[2]) >= 0) {
        add_byte(word, (char)(hex_value(at[1]) * 16 + hex_value(at[2])));
        return at + 3;
    }
    add_byte(word, escaped(*at));
    return at + 1;
}

/* Unquotes from `at`, which is behind the opening quote; returns the end of the word, or NULL when
 * the quote is not closed there. */
static const char *take_quoted(const char *at, const char *end, char quote, struct buf *word)
{
    while (at < end && *at != quote) {
        if (quote == '"' && *at == '\\' && end - at >= 2) {
            at = take_escape(at + 1, end, word);
        } else if (quote == '\'' && end - at >= 2 && at[0] == '\\' && at[1] == '\'') {
            add_byte(word, '\'');
            at += 2;
        } else {
            add_byte(word, *at++);
        }
    }
    if (at == end)
        return NULL;
    at++;
    return at == end || is_blank(*at) ? at : NULL;
}

enum err inline_next_word(struct bytes *line, struct buf *word)
{
    const char *at = line->data;
    const char *end = at + strnlen(at, line->len);

    while (at < end && is_blank(*at))
        at++;
    if (at == end)
        return ERR_END;
    while (at < end && !is_blank(*at)) {
        if (*at == '"' || *at == '\'') {
            at = take_quoted(at + 1, end, *at, word);
            if (at == NULL)
                return ERR_INVALID;
            break;
        }
        add_byte(word, *at++);
    }
    *line = bytes_of(at, (size_t)(end - at));
    return ERR_OK;
}
