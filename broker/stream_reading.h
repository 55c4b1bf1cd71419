/* stream_reading: reads a range of a feed into a buffer, in as many steps as it takes.
 *
 * The entries come out as Redis sends them, [id, fields] each, without the array around them, whose
 * length is known only at the end. A reading lies on the stack as long as all is in memory; when it
 * goes cold it is moved into the command's work, where the reader's fetch finds it at a fixed
 * place. */
#ifndef WEIR_BROKER_STREAM_READING_H
#define WEIR_BROKER_STREAM_READING_H

#include "broker/session.h"
#include "storage/feed_cursor.h"

struct reading {
    struct feed_cursor cursor;
    struct fetch fetch;
    bool fetching;         /* the fetch is with a reader, or has come back and was not taken */
    uint64_t limit;        /* entries at most */
    uint64_t count;        /* entries so far */
    struct buf entries;    /* of them */
    struct id last;        /* id of the newest one in `entries`; 0-0: none yet */
    bool tells_deliveries; /* each entry has two numbers more: idle time and deliveries, 0 */
    struct buf *ids;       /* gets the id of each, as struct id; NULL: not wanted */
};

/* Takes a reference of `feed`. `limit` 0: no limit. */
void reading_begin(struct reading *reading, struct session *session, struct feed *feed,
                   struct id from, struct id to, bool reverse, uint64_t limit);
/* Lets go of everything. */
void reading_end(struct reading *reading, struct session *session);

/* ERR_OK: all is read. ERR_FULL: the reply would pass the client's
 * output limit. ERR_COLD: move the reading to where it can stay and call reading_wait.
 * ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err reading_step(struct reading *reading, struct session *session);
/* Has a reader fetch what is missing; the session is resumed then. */
void reading_wait(struct reading *reading, struct session *session);

/* Makes the last entry, which begins at `at`, one that tells its idle time and deliveries. */
void reading_tell_deliveries(struct buf *entries, size_t at, uint64_t idle_ms, uint64_t deliveries);

/* The array of what was read. */
void reading_reply(const struct reading *reading, struct reply *reply);

#endif
