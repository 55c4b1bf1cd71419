/* A batch is one SST file, or a few where its caller cut it.
 *
 * A file is written sorted, synced by the writer's finish, linked into the database (which syncs it
 * again, and its directory) and made visible, all files of a batch at once, by one synced record of
 * the MANIFEST. A crash before that record leaves files that the next open removes. The writer
 * hands its file to the kernel and asks it to start writing every megabyte, so that the sync at the
 * end is short.
 *
 * Part i has the keys from its first row's up to the next part's first row. The files must not
 * overlap (each would get its own place in the order of writes, and all of them level 0), so range
 * deletions wait for the commit and are cut at these keys. */
#include "storage/ranges_rocks_internal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"

/* How much is written between two looks at the clock. */
#define PACE_STEP_BYTES (1u << 20)
#define INGEST_FOLDER   "/ingest"
/* "/", 20 digits, ".sst", NUL */
#define INGEST_NAME_MAX 26

/* Each part has a writer with buffers of some megabytes open until the commit. */
#define PARTS_MAX 8

struct part {
    rocksdb_sstfilewriter_t *writer;
    char *path;
    struct buf first; /* key of its first row */
};

struct rocks_batch {
    struct ranges_batch base;
    struct rocks *rocks;
    struct part parts[PARTS_MAX];
    unsigned part_count;
    bool cut;             /* the next row begins a part */
    struct buf deletions; /* lower, upper ... each as buf_put_bytes */
    uint64_t begun_us;
    size_t step_bytes; /* added since the last look at the clock */
    enum err err;      /* the first one */
};

static enum err remove_files(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return err_of_errno(errno);
    enum err err = ERR_OK;
    const struct dirent *entry;
    while (err == ERR_OK && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            err = err_of_errno(errno);
    }
    closedir(dir);
    return err;
}

enum err rocks_ingest_open(struct rocks *rocks, const char *path)
{
    size_t size = strlen(path) + sizeof(INGEST_FOLDER);
    char *ingest_path = mem_alloc(size);
    snprintf(ingest_path, size, "%s" INGEST_FOLDER, path);
    rocks->ingest_path = ingest_path;
    if (mkdir(ingest_path, 0777) != 0 && errno != EEXIST)
        return err_of_errno(errno);
    return remove_files(ingest_path);
}

static char *part_path(struct rocks *rocks)
{
    size_t size = strlen(rocks->ingest_path) + INGEST_NAME_MAX;
    char *path = mem_alloc(size);
    uint64_t number = atomic_fetch_add(&rocks->files_begun, 1);
    snprintf(path, size, "%s/%" PRIu64 ".sst", rocks->ingest_path, number);
    return path;
}

static void batch_destroy(struct rocks_batch *batch)
{
    for (unsigned i = 0; i < batch->part_count; i++) {
        struct part *part = &batch->parts[i];
        rocksdb_sstfilewriter_destroy(part->writer);
        /* Gone already when it was ingested, or when the writer failed. */
        (void)unlink(part->path);
        mem_free(part->path);
        buf_deinit(&part->first);
    }
    buf_deinit(&batch->deletions);
    mem_free(batch);
}

enum err rocks_batch_begin(struct ranges *ranges, struct ranges_batch **out)
{
    struct rocks_batch *batch = mem_zalloc(sizeof(*batch));
    batch->rocks = rocks_of(ranges);
    batch->begun_us = clock_mono_us();
    buf_init(&batch->deletions);
    *out = &batch->base;
    return ERR_OK;
}

static void part_open(struct rocks_batch *batch, struct bytes first)
{
    struct rocks *rocks = batch->rocks;
    struct part *part = &batch->parts[batch->part_count++];
    part->path = part_path(rocks);
    buf_init(&part->first);
    buf_add_bytes(&part->first, first);
    part->writer = rocksdb_sstfilewriter_create(rocks->options.writer_env, rocks->options.writer);
    char *words = NULL;
    rocksdb_sstfilewriter_open(part->writer, part->path, &words);
    if (words != NULL)
        batch->err = rocks_batch_error(words);
}

/* Where the row of `key` goes; NULL when the batch has failed. */
static rocksdb_sstfilewriter_t *writer_of(struct rocks_batch *batch, struct bytes key)
{
    if (batch->err != ERR_OK)
        return NULL;
    if (batch->part_count == 0 || (batch->cut && batch->part_count < PARTS_MAX))
        part_open(batch, key);
    batch->cut = false;
    return batch->err == ERR_OK ? batch->parts[batch->part_count - 1].writer : NULL;
}

static void sleep_us(uint64_t us)
{
    struct timespec pause = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        continue;
}

/* The writer knows no rate limiter: sleeps until the files' size is due. */
static void batch_pace(struct rocks_batch *batch, size_t added)
{
    uint64_t rate = batch->rocks->write_bytes_per_second;
    batch->step_bytes += added;
    if (rate == 0 || batch->step_bytes < PACE_STEP_BYTES)
        return;
    batch->step_bytes = 0;
    uint64_t written = 0;
    for (unsigned i = 0; i < batch->part_count; i++) {
        uint64_t part_bytes = 0;
        rocksdb_sstfilewriter_file_size(batch->parts[i].writer, &part_bytes);
        written += part_bytes;
    }
    uint64_t due_us = batch->begun_us + (uint64_t)((double)written * 1e6 / (double)rate);
    uint64_t now_us = clock_mono_us();
    if (now_us < due_us)
        sleep_us(due_us - now_us);
}

static void batch_added(struct rocks_batch *batch, char *words, size_t bytes)
{
    if (words != NULL)
        batch->err = rocks_batch_error(words);
    else
        batch_pace(batch, bytes);
}

void rocks_batch_put(struct ranges_batch *base, struct bytes key, struct bytes value)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    rocksdb_sstfilewriter_t *writer = writer_of(batch, key);
    if (writer == NULL)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_put(writer, key.data, key.len, value.data, value.len, &words);
    batch_added(batch, words, key.len + value.len);
}

void rocks_batch_merge(struct ranges_batch *base, struct bytes key, struct bytes value)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    rocksdb_sstfilewriter_t *writer = writer_of(batch, key);
    if (writer == NULL)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_merge(writer, key.data, key.len, value.data, value.len, &words);
    batch_added(batch, words, key.len + value.len);
}

void rocks_batch_delete(struct ranges_batch *base, struct bytes key)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    rocksdb_sstfilewriter_t *writer = writer_of(batch, key);
    if (writer == NULL)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_delete(writer, key.data, key.len, &words);
    batch_added(batch, words, key.len);
}

void rocks_batch_delete_range(struct ranges_batch *base, struct bytes lower, struct bytes upper)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    buf_put_bytes(&batch->deletions, lower);
    buf_put_bytes(&batch->deletions, upper);
}

void rocks_batch_cut(struct ranges_batch *base)
{
    ((struct rocks_batch *)base)->cut = true;
}

/* The share of a range deletion that lies in part `index`. */
static void part_delete_range(struct rocks_batch *batch, unsigned index, struct bytes lower,
                              struct bytes upper)
{
    struct bytes first = buf_bytes(&batch->parts[index].first);
    if (index > 0 && bytes_compare(lower, first) < 0)
        lower = first;
    if (index + 1 < batch->part_count) {
        struct bytes end = buf_bytes(&batch->parts[index + 1].first);
        if (bytes_compare(end, upper) < 0)
            upper = end;
    }
    if (batch->err != ERR_OK || bytes_compare(lower, upper) >= 0)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_delete_range(batch->parts[index].writer, lower.data, lower.len,
                                       upper.data, upper.len, &words);
    batch_added(batch, words, lower.len + upper.len);
}

static void batch_delete_ranges(struct rocks_batch *batch)
{
    if (batch->deletions.len == 0)
        return;
    if (batch->part_count == 0 && batch->err == ERR_OK)
        part_open(batch, BYTES(""));
    struct decoder decoder = decoder_of(buf_bytes(&batch->deletions));
    while (decoder_left(&decoder) > 0) {
        struct bytes lower = decoder_bytes(&decoder);
        struct bytes upper = decoder_bytes(&decoder);
        for (unsigned i = 0; i < batch->part_count; i++)
            part_delete_range(batch, i, lower, upper);
    }
    CHECK(!decoder.failed);
}

static enum err batch_ingest(struct rocks_batch *batch)
{
    struct rocks *rocks = batch->rocks;
    const char *paths[PARTS_MAX];
    char *words = NULL;
    for (unsigned i = 0; i < batch->part_count && words == NULL; i++) {
        paths[i] = batch->parts[i].path;
        rocksdb_sstfilewriter_finish(batch->parts[i].writer, &words);
    }
    if (words == NULL)
        rocksdb_ingest_external_file(rocks->db, paths, batch->part_count, rocks->options.ingest,
                                     &words);
    if (words != NULL)
        return rocks_batch_error(words);
    atomic_fetch_add(&rocks->batches_committed, 1);
    return ERR_OK;
}

enum err rocks_batch_commit(struct ranges_batch *base)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    batch_delete_ranges(batch);
    enum err err = batch->err;
    if (err == ERR_OK && batch->part_count > 0)
        err = batch_ingest(batch);
    batch_destroy(batch);
    return err;
}

void rocks_batch_abort(struct ranges_batch *base)
{
    batch_destroy((struct rocks_batch *)base);
}
