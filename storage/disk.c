#include "storage/disk.h"

#include "base/check.h"
#include "storage/disk_internal.h"

enum err disk_list(struct disk *disk, disk_on_name on_name, void *context)
{
    return disk->ops->list(disk, on_name, context);
}

enum err disk_open(struct disk *disk, const char *name, struct disk_file **out)
{
    return disk->ops->open(disk, name, out);
}

enum err disk_create(struct disk *disk, const char *name, struct disk_file **out)
{
    CHECK(strlen(name) <= DISK_NAME_MAX);
    return disk->ops->create(disk, name, out);
}

enum err disk_rename(struct disk *disk, const char *from, const char *to)
{
    CHECK(strlen(to) <= DISK_NAME_MAX);
    return disk->ops->rename(disk, from, to);
}

enum err disk_remove(struct disk *disk, const char *name)
{
    return disk->ops->remove(disk, name);
}

enum err disk_sync_names(struct disk *disk)
{
    return disk->ops->sync_names(disk);
}

void disk_close(struct disk *disk)
{
    disk->ops->close(disk);
}

enum err disk_file_size(struct disk_file *file, uint64_t *out)
{
    return file->disk->ops->file_size(file, out);
}

enum err disk_file_read(struct disk_file *file, uint64_t offset, char *data, size_t len,
                        size_t *got)
{
    return file->disk->ops->file_read(file, offset, data, len, got);
}

enum err disk_file_write(struct disk_file *file, uint64_t offset, const struct bytes *parts,
                         size_t count)
{
    CHECK(count <= DISK_PARTS_MAX);
    return file->disk->ops->file_write(file, offset, parts, count);
}

enum err disk_file_sync(struct disk_file *file)
{
    return file->disk->ops->file_sync(file);
}

void disk_file_close(struct disk_file *file)
{
    file->disk->ops->file_close(file);
}
