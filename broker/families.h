/* families: what the files of the connection and server command families share. */
#ifndef WEIR_BROKER_FAMILIES_H
#define WEIR_BROKER_FAMILIES_H

#include "broker/command.h"

extern const struct command_row client_subcommands[];
extern const struct command_row config_subcommands[];
extern const struct command_row command_subcommands[];

/* Subcommands of CLIENT in a file of their own. */
enum flow client_caching_command(struct session *session);
enum flow client_getredir_command(struct session *session);
enum flow client_tracking_command(struct session *session);
enum flow client_trackinginfo_command(struct session *session);

/* COMMAND without a subcommand. */
enum flow command_command(struct session *session);

/* True when argument `index` is `word`, in any case. */
bool argument_is(const struct session *session, size_t index, const char *word);

/* Argument `index` as a 32-bit integer; false: replied with Redis's error. */
bool argument_int(struct session *session, size_t index, int64_t *out);

/* Names of clients, libraries and versions: printable, without blanks. */
bool client_attribute_valid(struct bytes text);
extern const char client_name_invalid[]; /* the error for a client name that is not */

#endif
