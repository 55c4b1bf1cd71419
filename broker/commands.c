/* commands: joins the families' rows and finds one by name. */
#include "base/check.h"
#include "broker/command.h"

static const struct command_row *const families[] = {
    connection_commands, server_commands, keys_commands,   string_commands,
    hash_commands,       stream_commands, feed_commands,   pubsub_commands,
    room_commands,       range_commands,  transaction_commands,
};
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

/* Open addressing, less than half full. */
#define SLOTS    1024u
#define ROWS_MAX (SLOTS / 2)

/* Made of the constant rows at the first use, on the loop's thread. */
static const struct command_row *slots[SLOTS];
static const struct command_row *rows[ROWS_MAX];
static size_t row_count;

/* FNV-1a of the lower-case name. */
static uint32_t name_hash(struct bytes name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 16777619u;
    }
    return hash;
}

static void add_row(const struct command_row *row)
{
    uint32_t slot = name_hash(bytes_of_string(row->name)) % SLOTS;

    CHECK(row_count < ROWS_MAX);
    rows[row_count++] = row;
    while (slots[slot] != NULL)
        slot = (slot + 1) % SLOTS;
    slots[slot] = row;
}

static void join_families(void)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        for (const struct command_row *row = families[i]; row->name != NULL; row++)
            add_row(row);
    }
}

const struct command_row *command_at(size_t index)
{
    if (row_count == 0)
        join_families();
    return index < row_count ? rows[index] : NULL;
}

const struct command_row *command_find(struct bytes name)
{
    if (row_count == 0)
        join_families();
    for (uint32_t slot = name_hash(name) % SLOTS; slots[slot] != NULL; slot = (slot + 1) % SLOTS) {
        if (bytes_equal_nocase(bytes_of_string(slots[slot]->name), name))
            return slots[slot];
    }
    return NULL;
}

const struct command_row *command_find_sub(const struct command_row *container, struct bytes name)
{
    for (const struct command_row *row = container->subcommands; row->name != NULL; row++) {
        if (bytes_equal_nocase(bytes_of_string(row->name), name))
            return row;
    }
    return NULL;
}
