/* access: how a command gets at keys and entries that may not be in memory.
 *
 * Each function answers ACCESS_READY, ACCESS_WAIT (the command returns FLOW_WAIT; a reader is at
 * work and the session will be resumed), or ACCESS_FAILED (an error reply is written; the command
 * returns FLOW_DONE).
 *
 * While EXEC runs a command nothing waits: the read is done at once, on the loop, and FLOW_WAIT
 * only has the command run again.
 *
 * What was found stays in memory until the end of the loop's turn, so a command that was resumed
 * finds it all. */
#ifndef WEIR_BROKER_ACCESS_H
#define WEIR_BROKER_ACCESS_H

#include "broker/session.h"
#include "storage/fetch.h"
#include "storage/object.h"

enum access { ACCESS_READY, ACCESS_WAIT, ACCESS_FAILED };

/* What a command returns that has no more to do than to say so. */
static inline enum flow access_flow(enum access access)
{
    return access == ACCESS_WAIT ? FLOW_WAIT : FLOW_DONE;
}

/* The object of `key` in the selected database; of type OBJECT_NONE when the key does not exist. A
 * key whose time has come is deleted first. Gates the reply by the key's last change. Fails with
 * OOM where the command would add to a memory range that is full and lets no key go, but not in
 * EXEC, which has asked before (transaction_out_of_memory). */
MUST_CHECK enum access access_key(struct session *session, struct bytes key, struct object **out);
/* The same in database `db`. */
MUST_CHECK enum access access_key_in(struct session *session, unsigned db, struct bytes key,
                                     struct object **out);
/* The same for commands that write and tell what they find: it counts as a read all the same, as a
 * hit or as a miss. */
MUST_CHECK enum access access_key_read(struct session *session, struct bytes key,
                                       struct object **out);
MUST_CHECK enum access access_string_read(struct session *session, struct bytes key,
                                          struct object **out);
/* The same for a key that is a string, or a hash, or nothing. Fails with WRONGTYPE. */
MUST_CHECK enum access access_string(struct session *session, struct bytes key,
                                     struct object **out);
MUST_CHECK enum access access_hash(struct session *session, struct bytes key, struct object **out);
/* The same for a feed. A command that writes also fails where no feed may be made, in a memory
 * range. */
MUST_CHECK enum access access_feed(struct session *session, struct bytes key, struct object **out);

/* For a command that moves something to `key`. False: replied with OOM, as for those that add. */
bool access_has_room(struct session *session, unsigned db, struct bytes key);

/* The error reply for a feed that would have to live in a memory range. */
void access_no_feed(struct session *session);

/* The same, with the feed's groups in memory. */
MUST_CHECK enum access access_groups(struct session *session, struct bytes key,
                                     struct object **out);

/* Makes sure that the objects of arguments first, first + step, ... (count of them) are in memory,
 * in one round. */
MUST_CHECK enum access access_keys(struct session *session, size_t first, size_t count,
                                   size_t step);

/* The same for `keys` of any databases, which need not be arguments and may be too long for keys:
 * then nothing is done about them. */
struct key_name {
    unsigned db;
    struct bytes name;
};
MUST_CHECK enum access access_names(struct session *session, const struct key_name *keys,
                                    size_t count);

/* A cursor went cold: `fetch` (in the command's work, planned) is given to a reader. */
void access_read(struct session *session, struct fetch *fetch);
/* The same for work that no session asked for: `done` is called on the loop, once. */
void access_read_for(struct broker *broker, struct fetch *fetch, void (*done)(void *context),
                     void *context);
/* Writes the error reply for a storage error. ERR_FULL, a reply beyond the output limit, closes the
 * connection instead. */
void access_error(struct session *session, enum err err);

/* One errand of a reader: the fetches it runs and whom it tells. */
struct read_job;
void read_job_run(struct read_job *job);  /* on a reader's thread */
void read_job_done(struct read_job *job); /* on the loop, after it; frees the job */

#endif
