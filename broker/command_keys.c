#include "broker/command_keys.h"

/* How many values follow an option of XREAD or XREADGROUP: they may be any words. */
static size_t option_values(struct bytes option)
{
    if (bytes_equal_nocase(option, BYTES("group")))
        return 2;
    return bytes_equal_nocase(option, BYTES("count")) ||
           bytes_equal_nocase(option, BYTES("block")) || bytes_equal_nocase(option, BYTES("claim"));
}

/* Behind the word STREAMS as many keys follow as ids. */
static struct key_span movable_keys(const struct bytes *argv, size_t argc)
{
    for (size_t i = 1; i < argc; i += 1 + option_values(argv[i])) {
        size_t left = argc - i - 1;
        if (bytes_equal_nocase(argv[i], BYTES("streams")) && left > 0 && left % 2 == 0)
            return (struct key_span){i + 1, left / 2, 1};
    }
    return (struct key_span){0, 0, 1};
}

bool command_has_keys(const struct command_row *row)
{
    return row->flags & COMMAND_MOVABLE_KEYS ||
           (row->first_key > 0 && !(row->flags & COMMAND_PUBSUB));
}

struct key_span command_keys(const struct command_row *row, const struct bytes *argv, size_t argc)
{
    if (!command_has_keys(row))
        return (struct key_span){0, 0, 1};
    if (row->flags & COMMAND_MOVABLE_KEYS)
        return movable_keys(argv, argc);
    size_t first = (size_t)row->first_key;
    size_t last = row->last_key >= 0 ? (size_t)row->last_key : argc - (size_t)-row->last_key;
    size_t step = row->key_step > 0 ? (size_t)row->key_step : 1;
    if (first >= argc || last >= argc || last < first)
        return (struct key_span){0, 0, 1};
    return (struct key_span){first, (last - first) / step + 1, step};
}
