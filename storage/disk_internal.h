/* disk_internal: what an implementation of disk provides. Each embeds these structs first. */
#ifndef WEIR_STORAGE_DISK_INTERNAL_H
#define WEIR_STORAGE_DISK_INTERNAL_H

#include "storage/disk.h"

struct disk_ops {
    enum err (*list)(struct disk *disk, disk_on_name on_name, void *context);
    enum err (*open)(struct disk *disk, const char *name, struct disk_file **out);
    enum err (*create)(struct disk *disk, const char *name, struct disk_file **out);
    enum err (*rename)(struct disk *disk, const char *from, const char *to);
    enum err (*remove)(struct disk *disk, const char *name);
    enum err (*sync_names)(struct disk *disk);
    void (*close)(struct disk *disk);
    enum err (*file_size)(struct disk_file *file, uint64_t *out);
    enum err (*file_read)(struct disk_file *file, uint64_t offset, char *data, size_t len,
                          size_t *got);
    enum err (*file_write)(struct disk_file *file, uint64_t offset, const struct bytes *parts,
                           size_t count);
    enum err (*file_sync)(struct disk_file *file);
    void (*file_close)(struct disk_file *file);
};

struct disk {
    const struct disk_ops *ops;
};
struct disk_file {
    struct disk *disk;
};

#endif
