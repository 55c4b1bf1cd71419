/* hash_commands: the commands of the hash family, by file. */
#ifndef WEIR_BROKER_HASH_COMMANDS_H
#define WEIR_BROKER_HASH_COMMANDS_H

#include "broker/access.h"

/* hash_read.c */
enum flow hexists_command(struct session *session);
enum flow hget_command(struct session *session);
enum flow hgetall_command(struct session *session);
enum flow hkeys_command(struct session *session);
enum flow hlen_command(struct session *session);
enum flow hmget_command(struct session *session);
enum flow hrandfield_command(struct session *session);
enum flow hscan_command(struct session *session);
enum flow hstrlen_command(struct session *session);
enum flow hvals_command(struct session *session);

/* The object of argument 1 and its field of argument 2, NULL when there is no such key or field. */
MUST_CHECK enum access hash_field_access(struct session *session, struct object **object,
                                         const struct hash_field **field);

/* The hash, or NULL when the object is none. */
static inline const struct hash *hash_of(const struct object *object)
{
    const struct object_state *state = &object->states[object->side];
    return state->type == OBJECT_HASH ? state->hash : NULL;
}

#endif
