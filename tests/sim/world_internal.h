/* world_internal: what the files of the world share. */
#ifndef WEIR_TESTS_SIM_WORLD_INTERNAL_H
#define WEIR_TESTS_SIM_WORLD_INTERNAL_H

#include "tests/sim/world.h"
#include "tests/unit/unit.h"

/* Fill `command`, whose database and key are chosen. */
void world_random_group_write(struct model_command *command);
void world_random_group_read(struct model_command *command, bool may_block);
/* The id of an entry of its key, or one beside it. */
struct id world_some_id(const struct model_command *command);
/* Notes what `command`, whose reply this is, did to the pending entries of its group just now. */
void world_take_over(struct model_command *command, struct bytes reply);
/* Compares the whole replies that a client has received with what must be in them. */
void world_take_replies(struct world_client *client);
/* After a start: finds the number of writes that are there, and goes on from them. */
void world_compare_with_history(void);

#endif
