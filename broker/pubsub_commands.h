/* pubsub_commands: what the commands of rooms share. */
#ifndef WEIR_BROKER_PUBSUB_COMMANDS_H
#define WEIR_BROKER_PUBSUB_COMMANDS_H

#include "broker/session.h"

/* Joins the rooms that are the arguments, and confirms each with a push of three: `word`, the name,
 * and the rooms that the session is in. Refuses all when one name is too long or they are too
 * many. */
enum flow pubsub_join(struct session *session, enum room_kind kind, const char *word);
/* Leaves those that are the arguments, or all of this kind, and confirms likewise. */
enum flow pubsub_leave(struct session *session, enum room_kind kind, const char *word);

#endif
