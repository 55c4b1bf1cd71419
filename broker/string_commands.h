/* string_commands: the commands of the string family, by file, and what their files share. */
#ifndef WEIR_BROKER_STRING_COMMANDS_H
#define WEIR_BROKER_STRING_COMMANDS_H

#include "broker/access.h"
#include "broker/keyspace_events.h"

/* string_values.c */
enum flow get_command(struct session *session);
enum flow getdel_command(struct session *session);
enum flow getex_command(struct session *session);
enum flow getset_command(struct session *session);
enum flow mget_command(struct session *session);
enum flow mset_command(struct session *session);
enum flow msetnx_command(struct session *session);
enum flow psetex_command(struct session *session);
enum flow set_command(struct session *session);
enum flow setex_command(struct session *session);
enum flow setnx_command(struct session *session);

/* string_digests.c */
enum flow delex_command(struct session *session);
enum flow digest_command(struct session *session);

/* string_parts.c */
enum flow append_command(struct session *session);
enum flow getrange_command(struct session *session);
enum flow lcs_command(struct session *session);
enum flow setrange_command(struct session *session);
enum flow strlen_command(struct session *session);

/* string_numbers.c */
enum flow decr_command(struct session *session);
enum flow decrby_command(struct session *session);
enum flow incr_command(struct session *session);
enum flow incrby_command(struct session *session);
enum flow incrbyfloat_command(struct session *session);

/* string_bits.c */
enum flow bitcount_command(struct session *session);
enum flow bitpos_command(struct session *session);
enum flow getbit_command(struct session *session);
enum flow setbit_command(struct session *session);

/* The bytes of the string that `object` is; nothing when it is no key. */
static inline struct bytes string_bytes(const struct object *object)
{
    const struct object_state *state = &object->states[object->side];
    return state->type == OBJECT_STRING ? value_bytes(state->value) : BYTES("");
}

/* The key becomes the string `value` and expires at `expiry_ms` (0: never), whatever it was. Gates
 * the reply and tells of `event`. */
void string_put(struct session *session, struct bytes key, struct object *object,
                struct bytes value, uint64_t expiry_ms, const char *event);
/* `data` is written into the string at `offset`; the same. */
void string_splice(struct session *session, struct bytes key, struct object *object, size_t offset,
                   struct bytes data, const char *event);

#endif
