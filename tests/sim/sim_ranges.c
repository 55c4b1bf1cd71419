#include "tests/sim/sim_ranges.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/random.h"
#include "storage/ranges_internal.h"
#include "tests/sim/sim_rows.h"

struct sim_ranges_disk {
    pthread_mutex_t mutex; /* guards everything here, rows and versions included */
    struct random random;
    struct sim_ranges_faults faults;
    unsigned fail_commit_in; /* 0: none planned */
    enum err fail_commit_err;
    bool cut;
    bool opened;
    uint64_t batches;
    struct version *current;
};

struct sim_ranges {
    struct ranges base;
    struct sim_ranges_disk *disk;
};

struct sim_iter {
    struct ranges_iter base;
    struct sim_ranges_disk *disk;
    struct version *version;
    enum tier tier;
    size_t first; /* rows [first, end) are in the bounds */
    size_t end;
    size_t at;
};

enum change_kind { CHANGE_PUT, CHANGE_MERGE, CHANGE_DELETE };

struct change {
    enum change_kind kind;
    size_t key_at; /* in the batch's bytes; the value follows the key */
    size_t key_len;
    size_t value_len;
};

struct deletion {
    size_t lower_at; /* in the batch's bytes; the upper bound follows */
    size_t lower_len;
    size_t upper_len;
};

struct sim_batch {
    struct ranges_batch base;
    struct sim_ranges_disk *disk;
    struct buf bytes;
    struct buf changes;   /* struct change ... in key order */
    struct buf deletions; /* struct deletion ... */
};

static struct sim_ranges_disk *disk_of(struct ranges *ranges)
{
    return ((struct sim_ranges *)ranges)->disk;
}

static void lock(struct sim_ranges_disk *disk)
{
    CHECK(pthread_mutex_lock(&disk->mutex) == 0);
}

static void unlock(struct sim_ranges_disk *disk)
{
    CHECK(pthread_mutex_unlock(&disk->mutex) == 0);
}

/* ---- faults ---- */

static bool happens(struct sim_ranges_disk *disk, unsigned per_mille)
{
    return per_mille > 0 && random_below(&disk->random, 1000) < per_mille;
}

static enum err touch(struct sim_ranges_disk *disk, struct row *row, enum tier tier)
{
    if (tier == TIER_DISK) {
        if (happens(disk, disk->faults.read_fails_per_mille))
            return ERR_IO;
        row->warm = true;
        return ERR_OK;
    }
    if (row->warm && happens(disk, disk->faults.cool_per_mille))
        row->warm = false;
    return !row->warm && happens(disk, disk->faults.cold_per_mille) ? ERR_COLD : ERR_OK;
}

static void cool_all(struct sim_ranges_disk *disk)
{
    for (size_t i = 0; i <= disk->current->count; i++)
        disk->current->rows[i]->warm = false;
}

static enum err commit_fault(struct sim_ranges_disk *disk)
{
    if (disk->cut)
        return ERR_IO;
    if (disk->fail_commit_in > 0 && --disk->fail_commit_in == 0)
        return disk->fail_commit_err;
    if (happens(disk, disk->faults.commit_fails_per_mille))
        return disk->faults.commit_err == ERR_OK ? ERR_IO : disk->faults.commit_err;
    return ERR_OK;
}

/* ---- reading ---- */

static enum err sim_get(struct ranges *ranges, struct bytes key, enum tier tier, struct buf *value)
{
    struct sim_ranges_disk *disk = disk_of(ranges);
    lock(disk);
    struct version *version = disk->current;
    size_t at = version_find(version, key);
    enum err err = touch(disk, version->rows[at], tier);
    if (err == ERR_OK && !version_has_at(version, at, key))
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        buf_add_bytes(value, row_value(version->rows[at]));
    unlock(disk);
    return err;
}

static struct sim_iter *iter_of(struct ranges_iter *iter)
{
    return (struct sim_iter *)iter;
}

static struct ranges_iter *sim_iter_open(struct ranges *ranges, struct bytes lower,
                                         struct bytes upper, enum tier tier)
{
    struct sim_iter *iter = mem_zalloc(sizeof(*iter));
    iter->disk = disk_of(ranges);
    iter->tier = tier;
    lock(iter->disk);
    iter->version = iter->disk->current;
    iter->version->refs++;
    unlock(iter->disk);
    iter->first = version_find(iter->version, lower);
    iter->end = version_find(iter->version, upper);
    return &iter->base;
}

static void sim_iter_close(struct ranges_iter *base)
{
    struct sim_iter *iter = iter_of(base);
    lock(iter->disk);
    version_release(iter->version);
    unlock(iter->disk);
    mem_free(iter);
}

/* Reads the row at `at`, or the one beyond the bound that it is behind. */
static enum err iter_stand(struct sim_iter *iter, size_t at)
{
    lock(iter->disk);
    enum err err = touch(iter->disk, iter->version->rows[at], iter->tier);
    unlock(iter->disk);
    iter->at = at;
    return err;
}

static enum err iter_stand_up(struct sim_iter *iter, size_t at)
{
    enum err err = iter_stand(iter, at);
    return err == ERR_OK && at >= iter->end ? ERR_END : err;
}

/* On the row before `beyond`. */
static enum err iter_stand_down(struct sim_iter *iter, size_t beyond)
{
    /* Nothing is before the first row: its own block says so. */
    enum err err = iter_stand(iter, beyond > 0 ? beyond - 1 : 0);
    return err == ERR_OK && beyond <= iter->first ? ERR_END : err;
}

static enum err sim_iter_seek(struct ranges_iter *base, struct bytes key)
{
    struct sim_iter *iter = iter_of(base);
    size_t at = version_find(iter->version, key);
    return iter_stand_up(iter, at < iter->first ? iter->first : at);
}

static enum err sim_iter_seek_prev(struct ranges_iter *base, struct bytes key)
{
    struct sim_iter *iter = iter_of(base);
    size_t beyond = version_find(iter->version, key);
    if (version_has_at(iter->version, beyond, key))
        beyond++;
    return iter_stand_down(iter, beyond > iter->end ? iter->end : beyond);
}

static enum err sim_iter_next(struct ranges_iter *base)
{
    struct sim_iter *iter = iter_of(base);
    return iter_stand_up(iter, iter->at + 1);
}

static enum err sim_iter_prev(struct ranges_iter *base)
{
    struct sim_iter *iter = iter_of(base);
    return iter_stand_down(iter, iter->at);
}

static struct bytes sim_iter_key(const struct ranges_iter *base)
{
    const struct sim_iter *iter = (const struct sim_iter *)base;
    return row_key(iter->version->rows[iter->at]);
}

static struct bytes sim_iter_value(const struct ranges_iter *base)
{
    const struct sim_iter *iter = (const struct sim_iter *)base;
    return row_value(iter->version->rows[iter->at]);
}

/* ---- batches ---- */

static struct sim_batch *batch_of(struct ranges_batch *batch)
{
    return (struct sim_batch *)batch;
}

static enum err sim_batch_begin(struct ranges *ranges, struct ranges_batch **out)
{
    struct sim_batch *batch = mem_zalloc(sizeof(*batch));
    batch->disk = disk_of(ranges);
    buf_init(&batch->bytes);
    buf_init(&batch->changes);
    buf_init(&batch->deletions);
    *out = &batch->base;
    return ERR_OK;
}

static size_t change_count(const struct sim_batch *batch)
{
    return batch->changes.len / sizeof(struct change);
}

static const struct change *change_at(const struct sim_batch *batch, size_t index)
{
    return (const struct change *)(const void *)batch->changes.data + index;
}

static struct bytes change_key(const struct sim_batch *batch, const struct change *change)
{
    return (struct bytes){batch->bytes.data + change->key_at, change->key_len};
}

static struct bytes change_value(const struct sim_batch *batch, const struct change *change)
{
    return (struct bytes){batch->bytes.data + change->key_at + change->key_len, change->value_len};
}

static void batch_change(struct ranges_batch *base, enum change_kind kind, struct bytes key,
                         struct bytes value)
{
    struct sim_batch *batch = batch_of(base);
    size_t count = change_count(batch);
    CHECK(count == 0 || bytes_compare(change_key(batch, change_at(batch, count - 1)), key) < 0);
    struct change change = {kind, batch->bytes.len, key.len, value.len};
    buf_add_bytes(&batch->bytes, key);
    buf_add_bytes(&batch->bytes, value);
    buf_add(&batch->changes, &change, sizeof(change));
}

static void sim_batch_put(struct ranges_batch *base, struct bytes key, struct bytes value)
{
    batch_change(base, CHANGE_PUT, key, value);
}

static void sim_batch_merge(struct ranges_batch *base, struct bytes key, struct bytes value)
{
    batch_change(base, CHANGE_MERGE, key, value);
}

static void sim_batch_delete(struct ranges_batch *base, struct bytes key)
{
    batch_change(base, CHANGE_DELETE, key, BYTES(""));
}

static void sim_batch_delete_range(struct ranges_batch *base, struct bytes lower,
                                   struct bytes upper)
{
    struct sim_batch *batch = batch_of(base);
    struct deletion deletion = {batch->bytes.len, lower.len, upper.len};
    buf_add_bytes(&batch->bytes, lower);
    buf_add_bytes(&batch->bytes, upper);
    buf_add(&batch->deletions, &deletion, sizeof(deletion));
}

static void sim_batch_cut(struct ranges_batch *base)
{
    (void)base;
}

/* For each row of `version`, whether a range deletion of the batch removes it; returns owned. */
static bool *rows_deleted(const struct sim_batch *batch, const struct version *version)
{
    bool *deleted = mem_zalloc(version->count + 1);
    size_t count = batch->deletions.len / sizeof(struct deletion);
    const struct deletion *deletions = (const void *)batch->deletions.data;
    for (size_t i = 0; i < count; i++) {
        const char *lower = batch->bytes.data + deletions[i].lower_at;
        struct bytes lower_key = {lower, deletions[i].lower_len};
        struct bytes upper_key = {lower + deletions[i].lower_len, deletions[i].upper_len};
        size_t end = version_find(version, upper_key);
        for (size_t at = version_find(version, lower_key); at < end; at++)
            deleted[at] = true;
    }
    return deleted;
}

static void add_changed(struct version *next, const struct sim_batch *batch,
                        const struct change *change, const struct row *old)
{
    if (change->kind == CHANGE_DELETE)
        return;
    bool keeps = change->kind == CHANGE_MERGE && old != NULL;
    version_add(next, row_create(change_key(batch, change), keeps ? row_value(old) : BYTES(""),
                                 change_value(batch, change)));
}

static struct version *batch_apply(const struct sim_batch *batch, const struct version *old)
{
    size_t change_total = change_count(batch);
    struct version *next = version_create(old->count + change_total);
    bool *deleted = rows_deleted(batch, old);
    size_t at = 0;
    for (size_t i = 0; i < change_total; i++) {
        const struct change *change = change_at(batch, i);
        struct bytes key = change_key(batch, change);
        for (; at < old->count && bytes_compare(row_key(old->rows[at]), key) < 0; at++) {
            if (!deleted[at])
                version_add(next, old->rows[at]);
        }
        bool same = version_has_at(old, at, key);
        add_changed(next, batch, change, same && !deleted[at] ? old->rows[at] : NULL);
        at += same;
    }
    for (; at < old->count; at++) {
        if (!deleted[at])
            version_add(next, old->rows[at]);
    }
    version_finish(next);
    mem_free(deleted);
    return next;
}

static void sim_batch_abort(struct ranges_batch *base)
{
    struct sim_batch *batch = batch_of(base);
    buf_deinit(&batch->bytes);
    buf_deinit(&batch->changes);
    buf_deinit(&batch->deletions);
    mem_free(batch);
}

static enum err sim_batch_commit(struct ranges_batch *base)
{
    struct sim_batch *batch = batch_of(base);
    struct sim_ranges_disk *disk = batch->disk;
    bool any = batch->changes.len > 0 || batch->deletions.len > 0;
    lock(disk);
    enum err err = any ? commit_fault(disk) : ERR_OK;
    if (any && err == ERR_OK) {
        struct version *old = disk->current;
        disk->current = batch_apply(batch, old);
        disk->batches++;
        version_release(old);
    }
    unlock(disk);
    sim_batch_abort(base);
    return err;
}

/* ---- the whole ---- */

static void sim_stats(struct ranges *ranges, struct ranges_stats *out)
{
    struct sim_ranges_disk *disk = disk_of(ranges);
    *out = (struct ranges_stats){0};
    lock(disk);
    for (size_t i = 0; i < disk->current->count; i++) {
        const struct row *row = disk->current->rows[i];
        out->disk_bytes += row->key_len + row->value_len;
        if (row->warm)
            out->cache_bytes += row->key_len + row->value_len;
    }
    out->batches = disk->batches;
    unlock(disk);
}

static void sim_close(struct ranges *ranges)
{
    struct sim_ranges_disk *disk = disk_of(ranges);
    lock(disk);
    disk->opened = false;
    unlock(disk);
    mem_free(ranges);
}

static const struct ranges_ops sim_ops = {
    .get = sim_get,
    .iter_open = sim_iter_open,
    .iter_close = sim_iter_close,
    .iter_seek = sim_iter_seek,
    .iter_seek_prev = sim_iter_seek_prev,
    .iter_next = sim_iter_next,
    .iter_prev = sim_iter_prev,
    .iter_key = sim_iter_key,
    .iter_value = sim_iter_value,
    .batch_begin = sim_batch_begin,
    .batch_put = sim_batch_put,
    .batch_merge = sim_batch_merge,
    .batch_delete = sim_batch_delete,
    .batch_delete_range = sim_batch_delete_range,
    .batch_cut = sim_batch_cut,
    .batch_commit = sim_batch_commit,
    .batch_abort = sim_batch_abort,
    .stats = sim_stats,
    .close = sim_close,
};

struct sim_ranges_disk *sim_ranges_disk_create(uint64_t seed)
{
    struct sim_ranges_disk *disk = mem_zalloc(sizeof(*disk));
    CHECK(pthread_mutex_init(&disk->mutex, NULL) == 0);
    random_init(&disk->random, seed);
    disk->current = version_create(0);
    version_finish(disk->current);
    return disk;
}

void sim_ranges_disk_destroy(struct sim_ranges_disk *disk)
{
    CHECK(!disk->opened);
    CHECK(disk->current->refs == 1);
    version_release(disk->current);
    CHECK(pthread_mutex_destroy(&disk->mutex) == 0);
    mem_free(disk);
}

void sim_ranges_disk_set_faults(struct sim_ranges_disk *disk,
                                const struct sim_ranges_faults *faults)
{
    CHECK(faults->cool_per_mille < 1000);
    lock(disk);
    disk->faults = *faults;
    unlock(disk);
}

void sim_ranges_disk_fail_commit(struct sim_ranges_disk *disk, unsigned nth, enum err err)
{
    CHECK(nth > 0 && err != ERR_OK);
    lock(disk);
    disk->fail_commit_in = nth;
    disk->fail_commit_err = err;
    unlock(disk);
}

void sim_ranges_disk_cut(struct sim_ranges_disk *disk)
{
    lock(disk);
    disk->cut = true;
    unlock(disk);
}

void sim_ranges_disk_cool(struct sim_ranges_disk *disk)
{
    lock(disk);
    cool_all(disk);
    unlock(disk);
}

size_t sim_ranges_disk_row_count(struct sim_ranges_disk *disk)
{
    lock(disk);
    size_t count = disk->current->count;
    unlock(disk);
    return count;
}

enum err sim_ranges_open(struct sim_ranges_disk *disk, struct ranges **out)
{
    lock(disk);
    bool opened = disk->opened;
    if (!opened) {
        disk->opened = true;
        disk->cut = false;
        disk->batches = 0;
        cool_all(disk);
    }
    unlock(disk);
    if (opened)
        return ERR_LOCKED;
    struct sim_ranges *ranges = mem_zalloc(sizeof(*ranges));
    ranges->base.ops = &sim_ops;
    ranges->disk = disk;
    *out = &ranges->base;
    return ERR_OK;
}
