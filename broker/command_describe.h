/* command_describe: what COMMAND tells of a row, in Redis's shapes.
 *
 * https://redis.io/docs/latest/commands/command/ and .../command-docs/ */
#ifndef WEIR_BROKER_COMMAND_DESCRIBE_H
#define WEIR_BROKER_COMMAND_DESCRIBE_H

#include "base/buf.h"
#include "broker/command.h"
#include "broker/reply.h"

/* A row with its container (NULL: of none). */
struct command_ref {
    const struct command_row *container;
    const struct command_row *row;
};

/* The ten elements of COMMAND INFO, subcommands included. */
void command_describe(struct reply *reply, struct command_ref ref);
/* The map of COMMAND DOCS, subcommands included. */
void command_describe_docs(struct reply *reply, struct command_ref ref);
/* "get", "client|setname". */
void command_describe_name(struct reply *reply, struct command_ref ref);

/* Whether it is in an ACL category ("read", "keyspace", ...). */
bool command_in_category(struct command_ref ref, struct bytes category);

#endif
