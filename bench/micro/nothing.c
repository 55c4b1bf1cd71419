#include "bench/micro/nothing.h"

#include "base/alloc.h"
#include "base/check.h"
#include "bench/micro/micro.h"
#include "storage/catalog.h"
#include "storage/disk_internal.h"
#include "storage/key.h"
#include "storage/ranges_internal.h"

#define DATABASES 16u

/* ---- disk ---- */

static enum err list(struct disk *disk, disk_on_name on_name, void *context)
{
    (void)disk;
    (void)on_name;
    (void)context;
    return ERR_OK;
}

static enum err create(struct disk *disk, const char *name, struct disk_file **out)
{
    (void)name;
    *out = mem_zalloc(sizeof(**out));
    (*out)->disk = disk;
    return ERR_OK;
}

static enum err open_none(struct disk *disk, const char *name, struct disk_file **out)
{
    (void)disk;
    (void)name;
    (void)out;
    return ERR_NOT_FOUND;
}

static enum err rename_file(struct disk *disk, const char *from, const char *to)
{
    (void)disk;
    (void)from;
    (void)to;
    return ERR_OK;
}

static enum err remove_file(struct disk *disk, const char *name)
{
    (void)disk;
    (void)name;
    return ERR_OK;
}

static enum err sync_names(struct disk *disk)
{
    (void)disk;
    return ERR_OK;
}

static void close_disk(struct disk *disk)
{
    mem_free(disk);
}

static enum err file_size(struct disk_file *file, uint64_t *out)
{
    (void)file;
    *out = 0;
    return ERR_OK;
}

static enum err file_read(struct disk_file *file, uint64_t offset, char *data, size_t len,
                          size_t *got)
{
    (void)file;
    (void)offset;
    (void)data;
    (void)len;
    *got = 0;
    return ERR_OK;
}

static enum err file_write(struct disk_file *file, uint64_t offset, const struct bytes *parts,
                           size_t count)
{
    (void)file;
    (void)offset;
    (void)parts;
    (void)count;
    return ERR_OK;
}

static enum err file_sync(struct disk_file *file)
{
    (void)file;
    return ERR_OK;
}

static void file_close(struct disk_file *file)
{
    mem_free(file);
}

struct disk *nothing_disk(void)
{
    static const struct disk_ops ops = {
        .list = list,
        .open = open_none,
        .create = create,
        .rename = rename_file,
        .remove = remove_file,
        .sync_names = sync_names,
        .close = close_disk,
        .file_size = file_size,
        .file_read = file_read,
        .file_write = file_write,
        .file_sync = file_sync,
        .file_close = file_close,
    };
    struct disk *disk = mem_alloc(sizeof(*disk));
    disk->ops = &ops;
    return disk;
}

/* ---- ranges ---- */

static enum err get(struct ranges *ranges, struct bytes key, enum tier tier, struct buf *value)
{
    struct catalog catalog;
    struct buf catalog_key;
    (void)ranges;
    (void)tier;
    buf_init(&catalog_key);
    key_system(&catalog_key, BYTES("catalog"));
    bool asked = bytes_equal(key, buf_bytes(&catalog_key));
    buf_deinit(&catalog_key);
    if (!asked)
        return ERR_NOT_FOUND;
    catalog_init(&catalog, DATABASES, 1);
    catalog_encode(value, &catalog);
    catalog_deinit(&catalog);
    return ERR_OK;
}

static struct ranges_iter *iter_open(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                     enum tier tier)
{
    (void)ranges;
    (void)lower;
    (void)upper;
    (void)tier;
    return mem_zalloc(sizeof(struct ranges_iter));
}

static void iter_close(struct ranges_iter *iter)
{
    mem_free(iter);
}

static enum err iter_seek(struct ranges_iter *iter, struct bytes key)
{
    (void)iter;
    (void)key;
    return ERR_END;
}

static enum err iter_step(struct ranges_iter *iter)
{
    (void)iter;
    UNREACHABLE(); /* it never stands on a row */
}

static struct bytes iter_row(const struct ranges_iter *iter)
{
    (void)iter;
    UNREACHABLE();
}

static enum err batch_begin(struct ranges *ranges, struct ranges_batch **out)
{
    *out = mem_zalloc(sizeof(**out));
    (*out)->ranges = ranges;
    return ERR_OK;
}

static void batch_add(struct ranges_batch *batch, struct bytes key, struct bytes value)
{
    (void)batch;
    micro_use(key.len + value.len);
}

static void batch_delete(struct ranges_batch *batch, struct bytes key)
{
    (void)batch;
    micro_use(key.len);
}

static void batch_cut(struct ranges_batch *batch)
{
    (void)batch;
}

static enum err batch_commit(struct ranges_batch *batch)
{
    mem_free(batch);
    return ERR_OK;
}

static void batch_abort(struct ranges_batch *batch)
{
    mem_free(batch);
}

static void stats(struct ranges *ranges, struct ranges_stats *out)
{
    (void)ranges;
    *out = (struct ranges_stats){0};
}

static void close_ranges(struct ranges *ranges)
{
    mem_free(ranges);
}

struct ranges *nothing_ranges(void)
{
    static const struct ranges_ops ops = {
        .get = get,
        .iter_open = iter_open,
        .iter_close = iter_close,
        .iter_seek = iter_seek,
        .iter_seek_prev = iter_seek,
        .iter_next = iter_step,
        .iter_prev = iter_step,
        .iter_key = iter_row,
        .iter_value = iter_row,
        .batch_begin = batch_begin,
        .batch_put = batch_add,
        .batch_merge = batch_add,
        .batch_delete = batch_delete,
        .batch_delete_range = batch_add,
        .batch_cut = batch_cut,
        .batch_commit = batch_commit,
        .batch_abort = batch_abort,
        .stats = stats,
        .close = close_ranges,
    };
    struct ranges *ranges = mem_alloc(sizeof(*ranges));
    ranges->ops = &ops;
    return ranges;
}
