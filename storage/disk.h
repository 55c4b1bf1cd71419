/* disk: one directory of files, as the commit log needs it; the seam between the log and the
 * file system.
 *
 * disk_posix.h is a real directory; the tests have one in memory that injects faults and crashes.
 *
 * What a crash leaves: bytes are durable once disk_file_sync has returned ERR_OK after their write,
 * names (creations, renames, removals) once disk_sync_names has. Of what came after, any part may
 * be there and any part not, in no order; a sector is there as it was at one moment.
 *
 * Every function blocks. Errors: ERR_NO_SPACE, ERR_DENIED, ERR_IO, or what base/err.h has for the
 * system's answer.
 *
 * Threads: one at a time. */
#ifndef WEIR_STORAGE_DISK_H
#define WEIR_STORAGE_DISK_H

#include "base/bytes.h"
#include "base/err.h"

/* Characters of a name; "log-" and 20 digits are 24. */
#define DISK_NAME_MAX 63
/* Spans of one disk_file_write. */
#define DISK_PARTS_MAX 16
/* What is written whole or not at all; aligned to its size. */
#define DISK_SECTOR_BYTES 512

struct disk;
struct disk_file;

/* `name` is borrowed for the call. The directory must not be changed meanwhile. */
typedef void (*disk_on_name)(void *context, struct bytes name);

/* Calls for every file, in no order. */
MUST_CHECK enum err disk_list(struct disk *disk, disk_on_name on_name, void *context);
/* Opens for reading and writing. ERR_NOT_FOUND. */
MUST_CHECK enum err disk_open(struct disk *disk, const char *name, struct disk_file **out);
/* Makes a new, empty file and opens it. An existing one is an ERR_IO. */
MUST_CHECK enum err disk_create(struct disk *disk, const char *name, struct disk_file **out);
/* A file that was called `to` is gone. Open files stay open. ERR_NOT_FOUND. */
MUST_CHECK enum err disk_rename(struct disk *disk, const char *from, const char *to);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err disk_remove(struct disk *disk, const char *name);
/* Makes creations, renames and removals durable. */
MUST_CHECK enum err disk_sync_names(struct disk *disk);
/* All files must be closed. */
void disk_close(struct disk *disk);

MUST_CHECK enum err disk_file_size(struct disk_file *file, uint64_t *out);
/* Reads up to `len` bytes; `*got` is less only where the file ends. */
MUST_CHECK enum err disk_file_read(struct disk_file *file, uint64_t offset, char *data, size_t len,
                                   size_t *got);
/* Writes the `count` (at most DISK_PARTS_MAX) parts one after the other. The file grows as needed.
 * After an error any of it may be written. */
MUST_CHECK enum err disk_file_write(struct disk_file *file, uint64_t offset,
                                    const struct bytes *parts, size_t count);
/* Makes what was written durable, and the size. After an error it is unknown what of it is, and a
 * later success says nothing about it (https://wiki.postgresql.org/wiki/Fsync_Errors). */
MUST_CHECK enum err disk_file_sync(struct disk_file *file);
/* Does not sync. */
void disk_file_close(struct disk_file *file);

#endif
