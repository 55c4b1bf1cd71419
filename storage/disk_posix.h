/* disk_posix: a disk that is a directory of the file system. */
#ifndef WEIR_STORAGE_DISK_POSIX_H
#define WEIR_STORAGE_DISK_POSIX_H

#include "storage/disk.h"

/* Opens the directory `path`, made (durably) when missing; its parent must exist. ERR_NOT_FOUND,
 * ERR_DENIED, ERR_NO_SPACE, ERR_IO. */
MUST_CHECK enum err disk_posix_open(const char *path, struct disk **out);

#endif
