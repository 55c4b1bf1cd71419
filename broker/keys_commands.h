/* keys_commands: the commands of the keys family that have files of their own, and what these
 * share. */
#ifndef WEIR_BROKER_KEYS_COMMANDS_H
#define WEIR_BROKER_KEYS_COMMANDS_H

#include "broker/session.h"
#include "storage/object.h"

enum flow copy_command(struct session *session);
enum flow del_command(struct session *session);
enum flow dump_command(struct session *session);
enum flow keys_command(struct session *session);
enum flow randomkey_command(struct session *session);
enum flow restore_command(struct session *session);
enum flow scan_command(struct session *session);

/* expire_commands.c */
enum flow expire_command(struct session *session);
enum flow expireat_command(struct session *session);
enum flow expiretime_command(struct session *session);
enum flow persist_command(struct session *session);
enum flow pexpire_command(struct session *session);
enum flow pexpireat_command(struct session *session);
enum flow pexpiretime_command(struct session *session);
enum flow pttl_command(struct session *session);
enum flow ttl_command(struct session *session);

/* "stream", as TYPE tells it; "none". */
const char *keys_type_name(enum object_type type);
/* Deletes an existing key and gates the reply. */
void keys_drop(struct session *session, unsigned db, struct bytes key, struct object *object);
/* The same in the selected database, and tells of it as DEL does. */
void keys_delete(struct session *session, struct bytes key, struct object *object);
/* The key, which does not exist, becomes a copy of `state`, which is no feed; gates the reply. */
void keys_put(struct session *session, unsigned db, struct bytes key,
              const struct object_state *state);
/* An existing key expires at `expiry_ms`, at once when that has passed; 0: never. Gates the reply
 * and tells of it. */
void keys_set_expiry(struct session *session, struct bytes key, struct object *object,
                     int64_t expiry_ms);

#endif
