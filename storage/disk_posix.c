#include "storage/disk_posix.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/disk_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Nobody but the server's user has business in these files. */
#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

struct posix_disk {
    struct disk disk;
    int fd;
};

struct posix_file {
    struct disk_file file;
    int fd;
};

static int disk_fd(const struct disk *disk)
{
    return container_of(disk, const struct posix_disk, disk)->fd;
}

static int file_fd(const struct disk_file *file)
{
    return container_of(file, const struct posix_file, file)->fd;
}

static enum err result_of(int result)
{
    return result < 0 ? err_of_errno(errno) : ERR_OK;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* errno tells the end of a directory from a failure. */
static enum err list_entries(DIR *directory, disk_on_name on_name, void *context)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            return errno == 0 ? ERR_OK : err_of_errno(errno);
        if (!is_dots(entry->d_name))
            on_name(context, bytes_of_string(entry->d_name));
    }
}

static enum err posix_list(struct disk *disk, disk_on_name on_name, void *context)
{
    /* A descriptor of its own: a stream owns its descriptor and its position. */
    int fd = openat(disk_fd(disk), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno(errno);
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        enum err err = err_of_errno(errno);
        (void)close(fd);
        return err;
    }
    enum err err = list_entries(directory, on_name, context);
    (void)closedir(directory);
    return err;
}

static enum err open_file(struct disk *disk, const char *name, int flags, struct disk_file **out)
{
    int fd;
    do {
        fd = openat(disk_fd(disk), name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_of_errno(errno);
    struct posix_file *file = mem_zalloc(sizeof(*file));
    file->file.disk = disk;
    file->fd = fd;
    *out = &file->file;
    return ERR_OK;
}

static enum err posix_open(struct disk *disk, const char *name, struct disk_file **out)
{
    return open_file(disk, name, 0, out);
}

static enum err posix_create(struct disk *disk, const char *name, struct disk_file **out)
{
    return open_file(disk, name, O_CREAT | O_EXCL, out);
}

static enum err posix_rename(struct disk *disk, const char *from, const char *to)
{
    return result_of(renameat(disk_fd(disk), from, disk_fd(disk), to));
}

static enum err posix_remove(struct disk *disk, const char *name)
{
    return result_of(unlinkat(disk_fd(disk), name, 0));
}

static enum err sync_fd(int fd, int (*sync)(int fd))
{
    int result;
    do {
        result = sync(fd);
    } while (result < 0 && errno == EINTR);
    return result_of(result);
}

static enum err posix_sync_names(struct disk *disk)
{
    return sync_fd(disk_fd(disk), fsync);
}

static void posix_close(struct disk *disk)
{
    (void)close(disk_fd(disk));
    mem_free(disk);
}

static enum err posix_file_size(struct disk_file *file, uint64_t *out)
{
    struct stat status;
    if (fstat(file_fd(file), &status) < 0)
        return err_of_errno(errno);
    *out = (uint64_t)status.st_size;
    return ERR_OK;
}

static enum err posix_file_read(struct disk_file *file, uint64_t offset, char *data, size_t len,
                                size_t *got)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(file_fd(file), data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return ERR_OK;
}

/* Drops the first `written` bytes of vectors[first .. count); returns the new first. */
static size_t advance(struct iovec *vectors, size_t first, size_t count, size_t written)
{
    while (first < count && written >= vectors[first].iov_len)
        written -= vectors[first++].iov_len;
    if (first < count) {
        vectors[first].iov_base = (char *)vectors[first].iov_base + written;
        vectors[first].iov_len -= written;
    }
    return first;
}

static enum err posix_file_write(struct disk_file *file, uint64_t offset, const struct bytes *parts,
                                 size_t count)
{
    struct iovec vectors[DISK_PARTS_MAX];
    for (size_t i = 0; i < count; i++)
        vectors[i] = (struct iovec){(void *)parts[i].data, parts[i].len};
    size_t first = advance(vectors, 0, count, 0);
    while (first < count) {
        ssize_t n = pwritev(file_fd(file), vectors + first, (int)(count - first), (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        if (n == 0)
            return ERR_IO;
        offset += (uint64_t)n;
        first = advance(vectors, first, count, (size_t)n);
    }
    return ERR_OK;
}

static enum err posix_file_sync(struct disk_file *file)
{
    return sync_fd(file_fd(file), fdatasync);
}

static void posix_file_close(struct disk_file *file)
{
    (void)close(file_fd(file));
    mem_free(file);
}

static const struct disk_ops posix_ops = {
    .list = posix_list,
    .open = posix_open,
    .create = posix_create,
    .rename = posix_rename,
    .remove = posix_remove,
    .sync_names = posix_sync_names,
    .close = posix_close,
    .file_size = posix_file_size,
    .file_read = posix_file_read,
    .file_write = posix_file_write,
    .file_sync = posix_file_sync,
    .file_close = posix_file_close,
};

/* The directory's own name must survive a crash too, also when an earlier start made it and did
 * not get this far. */
static enum err sync_parent(int fd)
{
    int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return err_of_errno(errno);
    enum err err = sync_fd(parent, fsync);
    (void)close(parent);
    return err;
}

enum err disk_posix_open(const char *path, struct disk **out)
{
    if (mkdir(path, DIRECTORY_MODE) < 0 && errno != EEXIST)
        return err_of_errno(errno);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno(errno);
    enum err err = sync_parent(fd);
    if (err != ERR_OK) {
        (void)close(fd);
        return err;
    }
    struct posix_disk *disk = mem_zalloc(sizeof(*disk));
    disk->disk.ops = &posix_ops;
    disk->fd = fd;
    *out = &disk->disk;
    return ERR_OK;
}
