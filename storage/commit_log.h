/* commit_log: the durable sequence of commit records, in files of our own.
 *
 * A record is the unit of commit: all ops of one group commit, under one LSN. LSNs start at 1 and
 * have no gaps. Records are appended to segment files; a segment holds consecutive records and is
 * named after its first LSN (storage/FORMAT.md, "Commit log"). Segments are zero-filled ahead in
 * steps, and segments that are no longer needed are recycled under a new name, so that a steady
 * append overwrites allocated blocks and its sync has no file system metadata to write: measured at
 * 6 KB and 100 KB a commit this takes 136 and 164 us where RocksDB's WAL takes 257 and 799 us and
 * up to six times the CPU (ARCHITECTURE.md, "Why the commit log is not a column family").
 *
 * Invariants
 *   1. A record that a sync has covered is read back by commit_log_open, whole and in order,
 *      whatever crash came after.
 *   2. What commit_log_open reads back is a prefix of what was appended: a torn, short or lost
 *      write ends the log there, and nothing behind it is ever read, now or after later appends.
 *      All of it is durable when commit_log_open returns.
 *   3. Damage before a point that was once known to be synced is ERR_CORRUPT, never a shorter log.
 *      (Known on disk, that is: from a later record or a later segment.)
 *   4. After a failed write or sync every append answers ERR_FAILED until a new open.
 *
 * Threads: one at a time; commit_log_open on the starting thread, appends and syncs on the
 * committer, commit_log_release on the committer too (committer.h serializes it). */
#ifndef WEIR_STORAGE_COMMIT_LOG_H
#define WEIR_STORAGE_COMMIT_LOG_H

#include "base/buf.h"
#include "base/err.h"
#include "storage/disk.h"

/* The longest payload, the size of Redis's largest value: a record is in memory whole when it is
 * appended and when it is read back. */
#define COMMIT_PAYLOAD_MAX ((size_t)512 << 20)
/* The most that `recycled_max` may be. */
#define COMMIT_RECYCLED_MAX 64

struct commit_log;

struct commit_log_options {
    uint64_t extend_bytes;  /* zero-filled ahead at a time; rounded up to whole pages */
    uint64_t segment_bytes; /* a segment that has reached this is followed by a new one */
    unsigned recycled_max;  /* segments kept for reuse; more are removed */
};

/* Called for each record in LSN order. `payload` is borrowed for the call. An error ends the
 * reading and is what commit_log_open returns. */
typedef enum err (*commit_log_on_record)(void *context, uint64_t lsn, struct bytes payload);

/* Opens the log in `disk`'s directory, reads back every record with lsn >= `first` and makes ready
 * to append after the last one. When nothing is left to read, the next LSN is `first` (an empty log
 * goes on where the fold stopped). A log that begins after `first` (records missing) is
 * ERR_CORRUPT. Earlier records are stepped over, their payloads neither read nor checked. Borrows
 * `disk`. May block. Errors: ERR_IO, ERR_CORRUPT, ERR_TOO_NEW, ERR_NO_SPACE, ERR_DENIED. */
MUST_CHECK enum err commit_log_open(struct disk *disk, const struct commit_log_options *options,
                                    uint64_t first, commit_log_on_record on_record, void *context,
                                    struct commit_log **out);
/* Does not sync. */
void commit_log_close(struct commit_log *log);

/* The LSN that the next append gets. */
uint64_t commit_log_next(const struct commit_log *log);

/* Appends one record with LSN `lsn` == commit_log_next(), of at most COMMIT_PAYLOAD_MAX bytes. When
 * `sync` is set it is durable on return; otherwise the kernel has it. Blocks. After an error the
 * record may or may not be there after a restart, and invariant 4 holds. */
MUST_CHECK enum err commit_log_append(struct commit_log *log, uint64_t lsn, struct bytes payload,
                                      bool sync);
/* Makes everything appended durable. Blocks. */
MUST_CHECK enum err commit_log_sync(struct commit_log *log);

/* Lets go of records with lsn <= `upto`, as far as they are appended (a fold may be ahead of the
 * log): whole segments are recycled or removed. Starts a new segment for the next append when the
 * current one holds only such records or more than `segment_bytes`. Blocks. An error counts as a
 * failed write. */
MUST_CHECK enum err commit_log_release(struct commit_log *log, uint64_t upto);

/* Bytes in segments that are in use, for INFO. */
uint64_t commit_log_bytes(const struct commit_log *log);

#endif
