/* stream_commands: the commands of the stream family, and what they share. */
#ifndef WEIR_BROKER_STREAM_COMMANDS_H
#define WEIR_BROKER_STREAM_COMMANDS_H

#include "broker/access.h"
#include "broker/session.h"

enum flow xadd_command(struct session *session);
enum flow xdel_command(struct session *session);
enum flow xlen_command(struct session *session);
enum flow xrange_command(struct session *session);
enum flow xread_command(struct session *session);
enum flow xrevrange_command(struct session *session);
enum flow xsetid_command(struct session *session);
enum flow xtrim_command(struct session *session);
enum flow xinfo_stream_command(struct session *session);
enum flow xinfo_help_command(struct session *session);

/* The id of the feed's last live entry, 0-0 when it has none. Uses session->work. */
MUST_CHECK enum access stream_last_id(struct session *session, struct feed *feed, struct id *out);

struct erase_plan;
/* Writes a plan that was made for argument 1, and says how many entries go. */
size_t stream_erase(struct session *session, struct object *object, const struct erase_plan *plan);

#endif
