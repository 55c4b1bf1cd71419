/* group_commands: the commands of consumer groups, and what they share. */
#ifndef WEIR_BROKER_GROUP_COMMANDS_H
#define WEIR_BROKER_GROUP_COMMANDS_H

#include "broker/access.h"
#include "broker/group_writes.h"
#include "storage/group.h"

extern const struct command_row xgroup_subcommands[];

enum flow xackdel_command(struct session *session);
enum flow xdelex_command(struct session *session);
enum flow xack_command(struct session *session);
enum flow xautoclaim_command(struct session *session);
enum flow xclaim_command(struct session *session);
enum flow xnack_command(struct session *session);
enum flow xpending_command(struct session *session);
enum flow xreadgroup_command(struct session *session);
enum flow xinfo_groups_command(struct session *session);
enum flow xinfo_consumers_command(struct session *session);

/* The group `name` of the feed `key`, as XPENDING and the like need it: fails with NOGROUP. */
MUST_CHECK enum access group_access(struct session *session, struct bytes key, struct bytes name,
                                    struct group_place *out);

/* When the consumer was last seen. */
static inline uint64_t consumer_seen_ms(const struct consumer *consumer)
{
    return consumer->noticed_ms > consumer->seen_ms ? consumer->noticed_ms : consumer->seen_ms;
}

/* How many entries a group that stands at `id` has read since the feed began, as far as that can be
 * told: Redis's estimate. ENTRIES_READ_UNKNOWN. */
uint64_t group_entries_read_at(const struct feed_row *row, struct id id);
/* Entries that the group has not read. False: nobody can tell. */
bool group_lag(const struct feed_row *row, const struct group_state *state, uint64_t *lag);
/* The group goes on to `id`: its last id and entries read. */
void group_advance(const struct feed_row *row, struct id id, struct id *last_id,
                   uint64_t *entries_read);

#endif
