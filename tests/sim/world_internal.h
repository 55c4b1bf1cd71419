/* world_internal: what the files of the world share. */
#ifndef WEIR_TESTS_SIM_WORLD_INTERNAL_H
#define WEIR_TESTS_SIM_WORLD_INTERNAL_H

#include "tests/sim/world.h"
#include "tests/unit/unit.h"

/* Compares the whole replies that a client has received with what must be in them. */
void world_take_replies(struct world_client *client);
/* After a start: finds the number of writes that are there, and goes on from them. */
void world_compare_with_history(void);

#endif
