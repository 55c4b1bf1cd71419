#include "broker/options_internal.h"

#include "base/alloc.h"
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What there is to do to the file: the rows whose value is not the one that the file has now. */
struct rewrite {
    const struct options *options;
    bool *stale; /* one a row; false again when the row's new line is written */
    bool *written;
};

static bool needs_quotes(struct bytes word)
{
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];
        if (c <= ' ' || c >= 127 || c == '"' || c == '\'' || c == '\\' || c == '#')
            return true;
    }
    return word.len == 0;
}

static void add_quoted(struct bytes word, struct buf *out)
{
    if (!needs_quotes(word)) {
        buf_add_bytes(out, word);
        return;
    }
    buf_add(out, "\"", 1);
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < ' ' || c >= 127)
            buf_addf(out, "\\x%02x", c);
        else
            buf_add(out, word.data + i, 1);
    }
    buf_add(out, "\"", 1);
}

static void add_line(const struct options *options, const struct option_row *row, struct buf *out)
{
    struct buf value;
    buf_init(&value);
    option_format(options, row, &value);

    buf_addf(out, "%s ", row->name);
    struct bytes rest = buf_bytes(&value);
    struct bytes word;
    if (row->type == OPTION_TEXT || row->type == OPTION_EVENTS || value.len == 0) {
        add_quoted(rest, out);
    } else {
        for (const char *before = ""; options_next_word(&rest, &word); before = " ") {
            buf_add_bytes(out, bytes_of_string(before));
            add_quoted(word, out);
        }
    }
    buf_add(out, "\n", 1);
    buf_deinit(&value);
}

static bool differs(const struct options *a, const struct options *b, const struct option_row *row)
{
    struct buf a_text, b_text;
    buf_init(&a_text);
    buf_init(&b_text);
    option_format(a, row, &a_text);
    option_format(b, row, &b_text);
    bool equal = bytes_equal(buf_bytes(&a_text), buf_bytes(&b_text));
    buf_deinit(&a_text);
    buf_deinit(&b_text);
    return !equal;
}

/* The first line of a stale option is replaced, its further ones are dropped; other lines stay. */
static void rewrite_line(struct rewrite *rewrite, struct option_line *line, struct bytes text,
                         struct buf *out)
{
    const struct option_row *row = NULL;
    if (option_line_split(line, text) == ERR_OK && line->count > 0)
        row = option_find(line->words[0]);
    size_t index = row != NULL ? (size_t)(row - option_rows) : 0;

    if (row == NULL || !rewrite->stale[index]) {
        buf_add_bytes(out, text);
        buf_add(out, "\n", 1);
    } else if (!rewrite->written[index]) {
        add_line(rewrite->options, row, out);
        rewrite->written[index] = true;
    }
}

static void rewrite_text(struct rewrite *rewrite, struct bytes text, struct buf *out)
{
    struct option_line line;
    struct bytes line_text;

    option_line_init(&line);
    while (options_next_line(&text, &line_text))
        rewrite_line(rewrite, &line, line_text, out);
    option_line_deinit(&line);
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
        size_t index = (size_t)(row - option_rows);
        if (rewrite->stale[index] && !rewrite->written[index])
            add_line(rewrite->options, row, out);
    }
}

/* Adds to `out` what the file, now `text`, must become. */
static enum err make_text(const struct options *options, struct bytes text, struct buf *out)
{
    size_t rows = options_count();
    struct options in_file;
    struct buf why;

    options_init(&in_file);
    buf_init(&why);
    enum err err = options_apply_file(&in_file, options->file, text, &why);
    if (err == ERR_OK) {
        struct rewrite rewrite = {options, mem_zalloc(rows), mem_zalloc(rows)};
        for (const struct option_row *row = option_rows; row->name != NULL; row++)
            rewrite.stale[row - option_rows] = differs(options, &in_file, row);
        rewrite_text(&rewrite, text, out);
        mem_free(rewrite.stale);
        mem_free(rewrite.written);
    }
    buf_deinit(&why);
    options_deinit(&in_file);
    return err;
}

static enum err write_all(int fd, struct bytes text)
{
    while (text.len > 0) {
        ssize_t wrote = write(fd, text.data, text.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return err_of_errno(errno);
        text = bytes_of(text.data + wrote, text.len - (size_t)wrote);
    }
    return ERR_OK;
}

/* The file may hold a password: the new one gets the mode of the old one. */
static enum err write_new(const char *path, mode_t mode, struct bytes text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_of_errno(errno);
    enum err err = write_all(fd, text);
    if (err == ERR_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        err = err_of_errno(errno);
    if (close(fd) != 0 && err == ERR_OK)
        err = err_of_errno(errno);
    return err;
}

static enum err sync_directory_of(const char *path)
{
    size_t len = (size_t)(strrchr(path, '/') - path) + 1;
    char *directory = mem_alloc(len + 1);
    memcpy(directory, path, len);
    directory[len] = '\0';

    enum err err = ERR_OK;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        err = err_of_errno(errno);
    if (fd >= 0)
        close(fd);
    mem_free(directory);
    return err;
}

static enum err replace_file(const char *path, struct bytes text)
{
    struct stat stats;
    if (stat(path, &stats) != 0)
        return err_of_errno(errno);

    struct buf beside;
    buf_init(&beside);
    buf_addf(&beside, "%s.new", path);
    buf_add(&beside, "", 1);
    enum err err = write_new(beside.data, stats.st_mode & 07777, text);
    if (err == ERR_OK && rename(beside.data, path) != 0)
        err = err_of_errno(errno);
    if (err == ERR_OK)
        err = sync_directory_of(path);
    else
        unlink(beside.data);
    buf_deinit(&beside);
    return err;
}

enum err options_rewrite(const struct options *options)
{
    struct buf before, after;

    if (options->file == NULL)
        return ERR_NOT_FOUND;
    buf_init(&before);
    buf_init(&after);
    enum err err = options_read_file(options->file, &before);
    if (err == ERR_NOT_FOUND)
        err = ERR_IO; /* a file there was */
    if (err == ERR_OK)
        err = make_text(options, buf_bytes(&before), &after);
    if (err == ERR_OK)
        err = replace_file(options->file, buf_bytes(&after));
    buf_deinit(&before);
    buf_deinit(&after);
    return err;
}
