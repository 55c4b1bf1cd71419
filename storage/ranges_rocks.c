#include "storage/ranges_rocks_internal.h"

#include <rocksdb/c.h>

#include "base/alloc.h"

enum err rocks_get_pinned(struct rocks *rocks, const rocksdb_readoptions_t *options, enum tier tier,
                          struct bytes key, rocksdb_pinnableslice_t **out)
{
    char *words = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(rocks->db, options, key.data, key.len, &words);
    if (words != NULL)
        return rocks_read_error(rocks, words);
    if (slice == NULL)
        return ERR_NOT_FOUND;
    size_t len;
    (void)rocksdb_pinnableslice_value(slice, &len);
    if (len == 0 && tier == TIER_MEMORY) {
        rocksdb_pinnableslice_destroy(slice);
        return ERR_COLD;
    }
    *out = slice;
    return ERR_OK;
}

static enum err rocks_get(struct ranges *ranges, struct bytes key, enum tier tier,
                          struct buf *value)
{
    struct rocks *rocks = rocks_of(ranges);
    rocksdb_pinnableslice_t *slice;
    enum err err = rocks_get_pinned(rocks, rocks->options.get[tier], tier, key, &slice);
    if (err != ERR_OK)
        return err;
    size_t len;
    const char *data = rocksdb_pinnableslice_value(slice, &len);
    buf_add(value, data, len);
    rocksdb_pinnableslice_destroy(slice);
    return ERR_OK;
}

static uint64_t property(struct rocks *rocks, const char *name)
{
    uint64_t value = 0;
    (void)rocksdb_property_int(rocks->db, name, &value);
    return value;
}

static void rocks_stats(struct ranges *ranges, struct ranges_stats *out)
{
    struct rocks *rocks = rocks_of(ranges);
    *out = (struct ranges_stats){
        .disk_bytes = property(rocks, "rocksdb.live-sst-files-size"),
        .cache_bytes = rocksdb_cache_get_usage(rocks->options.cache),
        .batches = atomic_load(&rocks->batches_committed),
        .pending_compaction_bytes = property(rocks, "rocksdb.estimate-pending-compaction-bytes"),
    };
}

static void rocks_close(struct ranges *ranges)
{
    struct rocks *rocks = rocks_of(ranges);
    if (rocks->db != NULL) {
        /* Compaction starts over at the next open: closing does not wait for it to end. */
        rocksdb_cancel_all_background_work(rocks->db, 1);
        rocksdb_close(rocks->db);
    }
    rocks_options_deinit(&rocks->options);
    mem_free(rocks->ingest_path);
    mem_free(rocks);
}

static const struct ranges_ops rocks_ops = {
    .get = rocks_get,
    .iter_open = rocks_iter_open,
    .iter_close = rocks_iter_close,
    .iter_seek = rocks_iter_seek,
    .iter_seek_prev = rocks_iter_seek_prev,
    .iter_next = rocks_iter_next,
    .iter_prev = rocks_iter_prev,
    .iter_key = rocks_iter_key,
    .iter_value = rocks_iter_value,
    .batch_begin = rocks_batch_begin,
    .batch_put = rocks_batch_put,
    .batch_merge = rocks_batch_merge,
    .batch_delete = rocks_batch_delete,
    .batch_delete_range = rocks_batch_delete_range,
    .batch_cut = rocks_batch_cut,
    .batch_commit = rocks_batch_commit,
    .batch_abort = rocks_batch_abort,
    .stats = rocks_stats,
    .close = rocks_close,
};

static enum err open_error(char *words, struct buf *reason)
{
    enum err err = rocks_error_of(words);
    buf_add_bytes(reason, bytes_of_string(words));
    rocksdb_free(words);
    return err;
}

enum err ranges_rocks_open(const struct ranges_rocks_options *options, struct buf *reason,
                           struct ranges **out)
{
    struct rocks *rocks = mem_zalloc(sizeof(*rocks));
    rocks->base.ops = &rocks_ops;
    rocks->write_bytes_per_second = options->write_bytes_per_second;
    rocks_options_init(&rocks->options, options);
    char *words = NULL;
    rocks->db = rocksdb_open(rocks->options.database, options->path, &words);
    enum err err =
        words != NULL ? open_error(words, reason) : rocks_ingest_open(rocks, options->path);
    if (err != ERR_OK) {
        rocks_close(&rocks->base);
        return err;
    }
    *out = &rocks->base;
    return ERR_OK;
}
