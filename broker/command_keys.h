/* command_keys: which arguments of a command line are keys. */
#ifndef WEIR_BROKER_COMMAND_KEYS_H
#define WEIR_BROKER_COMMAND_KEYS_H

#include "broker/command.h"

/* `count` of them, `step` apart, from `first` on. */
struct key_span {
    size_t first, count, step;
};

/* Whether its lines have keys. Channels that a cluster finds like keys (SPUBLISH) are none. */
bool command_has_keys(const struct command_row *row);

/* By the row alone; a count of 0 when there are none, or the line is not well formed. */
struct key_span command_keys(const struct command_row *row, const struct bytes *argv, size_t argc);

#endif
