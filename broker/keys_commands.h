/* keys_commands: the commands of the keys family that have files of their own, and what these
 * share. */
#ifndef WEIR_BROKER_KEYS_COMMANDS_H
#define WEIR_BROKER_KEYS_COMMANDS_H

#include "broker/session.h"
#include "storage/object.h"

enum flow copy_command(struct session *session);
enum flow keys_command(struct session *session);
enum flow randomkey_command(struct session *session);
enum flow scan_command(struct session *session);

/* "stream", as TYPE tells it; "none". */
const char *keys_type_name(enum object_type type);
/* Deletes an existing key and gates the reply. */
void keys_drop(struct session *session, unsigned db, struct bytes key, struct object *object);

#endif
