/* broker: what all sessions share: the keyspace, the store under it, and who waits for what.
 *
 * The broker knows no socket and no event loop; broker_hooks (broker_internal.h) tell it how to
 * reach them, so that tests can run it without either. Loop thread only, except where said. */
#ifndef WEIR_BROKER_BROKER_H
#define WEIR_BROKER_BROKER_H

#include "base/err.h"
#include "broker/command.h"

struct broker;
struct broker_hooks;
struct buf;
struct disk;
struct ranges;
struct options;
struct server;
struct session;

/* Opens the store on `disk` (commit log) and `ranges`, recovers, and is ready to serve. All
 * arguments but `reason` are borrowed until broker_close. `reason` gets what was being done when it
 * failed. */
MUST_CHECK enum err broker_open(struct options *options, const struct broker_hooks *hooks,
                                struct disk *disk, struct ranges *ranges, struct buf *reason,
                                struct broker **out);
/* All sessions must be gone. With `fold` everything is folded first, so that the next start has
 * nothing to replay. Blocks. The error, if any, is the store's: what was acknowledged is safe all
 * the same. */
enum err broker_close(struct broker *broker, bool fold);

/* After the `wake` hook, on the loop. */
void broker_poll(struct broker *broker);
/* True: more writes are likely to come in the next turn, which should come at once; leave
 * broker_turn_end out of this one (store_growing). */
bool broker_growing(struct broker *broker);

/* At the end of every turn of the loop. True: there is more to do, do not sleep. */
bool broker_turn_end(struct broker *broker);
/* When it must be called again at the latest, in clock_mono_us; 0: whenever something happens. */
uint64_t broker_deadline(struct broker *broker);

/* The server that feeds it sessions; NULL in tests without sockets. */
void broker_set_server(struct broker *broker, struct server *server);

/* Unix time in milliseconds, the same for all commands of a turn. */
uint64_t broker_now_ms(struct broker *broker);

const struct options *broker_options(const struct broker *broker);

/* The store has failed for good: nothing becomes durable any more. */
bool broker_failed(const struct broker *broker);
/* The open commit record is full: writers wait. */
bool broker_stalled(const struct broker *broker);
/* CLIENT PAUSE holds this command up; `write` says whether it may change data. */
bool broker_paused(const struct broker *broker, bool write);

/* The command line would add to a key of a memory range that is full and lets no key go. */
bool broker_out_of_memory(struct broker *broker, unsigned db, const struct command_row *row,
                          const struct bytes *argv, size_t argc);

/* The session's command waits until the broker is neither stalled nor, for it, paused;
 * session_resume is called then. The session's wait_link is free for a list of those who wait; it
 * leaves that list by itself when it goes away. */
void broker_wait_for_room(struct broker *broker, struct session *session);

/* The LSN up to which all records are durable. */
uint64_t broker_durable(const struct broker *broker);

/* The session's next commands are probably about these keys, at most LOOKAHEAD_MAX
 * (broker/lookahead.h). Changes nothing but how fast they are found. */
void broker_prefetch(struct broker *broker, unsigned db, const struct bytes *keys, unsigned count);
/* False: there are so few keys that it would be of no use. */
bool broker_prefetch_pays(const struct broker *broker);

/* Called after every command that ran to its end, with session->command still set: wakes blocked
 * readers, feeds monitors. It is called from inside session_feed and session_resume; resuming
 * another session from here nests, so those to be resumed are better kept in a list until the end
 * of the turn. */
void broker_after_command(struct broker *broker, struct session *session);

/* Called when a command waits. */
void broker_command_waits(struct session *session);

/* The session leaves all rooms, ends its transaction and tracks no keys: its connection is gone, or
 * it was RESET. */
void broker_forget(struct broker *broker, struct session *session);
/* Ends the session's transaction, if it has one, without running it; it watches no key any more. */
void broker_discard(struct session *session);
/* A session is closed for its output; `lost` messages of it were not sent whole. */
void broker_count_output_limit(struct broker *broker, uint64_t lost);

/* What the connection and server commands ask of the broker; see also info.h. */

struct server *broker_server(const struct broker *broker);

/* The same options as broker_options, for CONFIG SET. After a change: broker_options_changed. */
struct options *broker_options_to_change(struct broker *broker);
/* Puts changed options into effect: sync mode, log level, limits. */
void broker_options_changed(struct broker *broker);

/* SAVE: FLOW_WAIT until what was written before the command is folded, then writes "+OK", or an
 * error reply when the fold failed. */
enum flow broker_fold_now(struct session *session);
/* BGSAVE: starts a fold; false when one is running already. */
bool broker_fold_start(struct broker *broker);
/* Unix time in seconds of the last finished fold; of the start when there was none. */
uint64_t broker_last_fold_s(const struct broker *broker);

/* Ends the process in order, after a fold when `save`. Returns at once: the server stops at the end
 * of the turn. */
void broker_shutdown(struct broker *broker, bool save);

/* MONITOR: the session is pushed every command from now on; off again for RESET. It sets
 * session->monitor, and a session that goes away is off by itself. */
void broker_monitor(struct broker *broker, struct session *session, bool on);

/* CLIENT PAUSE until `until_ms` (clock_wall_ms) for all commands, or those that write. A second
 * pause makes the first one longer or stricter, never the other way. */
void broker_pause(struct broker *broker, uint64_t until_ms, bool writes_only);
void broker_unpause(struct broker *broker);

/* CLIENT UNBLOCK: ends the blocking command of session `id` as if its time was up, or with the
 * error "UNBLOCKED client unblocked via CLIENT UNBLOCK". False when it blocks in none. */
bool broker_unblock(struct broker *broker, uint64_t id, bool with_error);

/* CONFIG RESETSTAT: the counters of broker_info begin at 0 again. */
void broker_reset_stats(struct broker *broker);

#endif
