#include "bench/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "bench/die.h"

struct row {
    const char *name;
    size_t offset;
    uint64_t default_value;
    uint64_t min;
    uint64_t max;
    const char *meaning;
};

#define X(field, default_value, min, max, meaning)                                                 \
    {#field, offsetof(struct options, field), default_value, min, max, meaning},
static const struct row rows[] = {OPTION_TABLE(X)};
#undef X

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static uint64_t *value_of(struct options *options, const struct row *row)
{
    return (uint64_t *)(void *)((char *)options + row->offset);
}

static bool names(const char *word, const struct row *row)
{
    if (strncmp(word, "--", 2) != 0 || strlen(word + 2) != strlen(row->name))
        return false;
    for (size_t i = 0; row->name[i] != '\0'; i++) {
        if (word[2 + i] != (row->name[i] == '_' ? '-' : row->name[i]))
            return false;
    }
    return true;
}

static const struct row *row_of(const char *word)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (names(word, &rows[i]))
            return &rows[i];
    }
    die("unknown option %s", word);
}

void options_read(struct options *options, int argc, char **argv)
{
    for (size_t i = 0; i < ROWS; i++)
        *value_of(options, &rows[i]) = rows[i].default_value;
    for (int i = 0; i < argc; i += 2) {
        const struct row *row = row_of(argv[i]);
        uint64_t value;
        if (i + 1 == argc)
            die("%s wants a value", argv[i]);
        if (!bytes_to_u64(bytes_of_string(argv[i + 1]), &value))
            die("%s wants a number, not %s", argv[i], argv[i + 1]);
        if (value < row->min || value > row->max)
            die("%s is from %" PRIu64 " to %" PRIu64, argv[i], row->min, row->max);
        *value_of(options, row) = value;
    }
    if (options->port == 0)
        die("--port is missing");
}

void options_print(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "--%s", rows[i].name);
        for (char *at = name; *at != '\0'; at++)
            *at = *at == '_' ? '-' : *at;
        printf("  %-14s %s (%" PRIu64 ")\n", name, rows[i].meaning, rows[i].default_value);
    }
}
