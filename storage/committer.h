/* committer: the thread that makes commit records durable.
 *
 * The loop hands over one record at a time; while it is written and synced the next one fills:
 * group commit without a timer. The committer never touches state.
 *
 * Invariants
 *   1. At most one record is handed over and not yet reported.
 *   2. Records are appended in LSN order.
 *   3. The reported LSN only grows, and never passes a record that is not as durable as the sync
 *      mode says (the mode at the time when the record was taken up).
 *
 * Threads: every function is called on the loop's thread. `on_report` is called on the committer's
 * thread after each finished record, release or late sync, when committer_report tells of it
 * already; it may only wake the loop (uv_async_send). */
#ifndef WEIR_STORAGE_COMMITTER_H
#define WEIR_STORAGE_COMMITTER_H

#include "storage/commit_log.h"

enum sync_mode {
    SYNC_ALWAYS,   /* a record is reported when it is on disk */
    SYNC_EVERYSEC, /* when the kernel has it; synced at least once a second */
    SYNC_NO,       /* the same; the kernel writes it to disk when it likes */
};

struct committer;

/* Starts the thread. Takes `log` over until committer_stop. ERR_IO, ERR_FULL: no thread to be
 * had. */
MUST_CHECK enum err committer_start(struct commit_log *log, enum sync_mode mode,
                                    void (*on_report)(void *context), void *context,
                                    struct committer **out);

/* Waits for what is in flight, syncs, and ends the thread. The log is the caller's again (close
 * it). Returns the first error of the committer's life, ERR_OK if there was none. */
enum err committer_stop(struct committer *committer);

/* True while a record is handed over and not yet reported. Cheap: no lock, no system call. */
bool committer_busy(struct committer *committer);

/* Hands over `payload` as record `lsn`; the committer must not be busy. Swaps: on return `payload`
 * is an empty buffer, with the memory of an earlier record where there is one. */
void committer_submit(struct committer *committer, uint64_t lsn, struct buf *payload);

/* Asks for records up to `upto` to be let go of (commit_log_release), after the record in flight.
 * `upto` may be ahead of what was handed over. */
void committer_release(struct committer *committer, uint64_t upto);

/* When it becomes stricter, what was not synced before is synced within a second. */
void committer_set_mode(struct committer *committer, enum sync_mode mode);

/* What the committer has got to: the LSN up to which everything is as durable as the mode says, and
 * ERR_OK or the error that stopped it for good. Cheap: no lock, no system call. */
enum err committer_report(struct committer *committer, uint64_t *lsn);

struct committer_stats {
    uint64_t records; /* appended */
    uint64_t bytes;   /* of payload */
    uint64_t syncs;
    uint64_t sync_us; /* sum of their times */
    uint64_t sync_us_max;
    uint64_t log_bytes; /* commit_log_bytes */
};
void committer_stats(struct committer *committer, struct committer_stats *out);

#endif
