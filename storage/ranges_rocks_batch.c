/* A batch is one SST file.
 *
 * It is written sorted, synced by the writer's finish, linked into the database (which syncs it again,
 * and its directory) and made visible by one synced record of the MANIFEST. A crash before that
 * record leaves files that the next open removes. The writer hands its file to the kernel and asks
 * it to start writing every megabyte, so that the sync at the end is short. */
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
#include "base/clock.h"

/* How much is written between two looks at the clock. */
#define PACE_STEP_BYTES (1u << 20)
#define INGEST_FOLDER "/ingest"
/* "/", 20 digits, ".sst", NUL */
#define INGEST_NAME_MAX 26

struct rocks_batch {
    struct ranges_batch base;
    struct rocks *rocks;
    rocksdb_sstfilewriter_t *writer;
    char *path;
    uint64_t begun_us;
    size_t step_bytes; /* added since the last look at the clock */
    bool any;          /* something was added */
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

static char *batch_path(struct rocks *rocks)
{
    size_t size = strlen(rocks->ingest_path) + INGEST_NAME_MAX;
    char *path = mem_alloc(size);
    uint64_t number = atomic_fetch_add(&rocks->batches_begun, 1);
    snprintf(path, size, "%s/%" PRIu64 ".sst", rocks->ingest_path, number);
    return path;
}

static void batch_destroy(struct rocks_batch *batch)
{
    rocksdb_sstfilewriter_destroy(batch->writer);
    /* Gone already when it was ingested, or when the writer failed. */
    (void)unlink(batch->path);
    mem_free(batch->path);
    mem_free(batch);
}

enum err rocks_batch_begin(struct ranges *ranges, struct ranges_batch **out)
{
    struct rocks *rocks = rocks_of(ranges);
    struct rocks_batch *batch = mem_zalloc(sizeof(*batch));
    batch->rocks = rocks;
    batch->path = batch_path(rocks);
    batch->begun_us = clock_mono_us();
    batch->writer = rocksdb_sstfilewriter_create(rocks->options.writer_env, rocks->options.writer);
    char *words = NULL;
    rocksdb_sstfilewriter_open(batch->writer, batch->path, &words);
    if (words != NULL) {
        batch_destroy(batch);
        return rocks_batch_error(words);
    }
    *out = &batch->base;
    return ERR_OK;
}

static void sleep_us(uint64_t us)
{
    struct timespec pause = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        continue;
}

/* The writer knows no rate limiter: sleeps until the file's size is due. */
static void batch_pace(struct rocks_batch *batch, size_t added)
{
    uint64_t rate = batch->rocks->write_bytes_per_second;
    batch->step_bytes += added;
    if (rate == 0 || batch->step_bytes < PACE_STEP_BYTES)
        return;
    batch->step_bytes = 0;
    uint64_t written = 0;
    rocksdb_sstfilewriter_file_size(batch->writer, &written);
    uint64_t due_us = batch->begun_us + (uint64_t)((double)written * 1e6 / (double)rate);
    uint64_t now_us = clock_mono_us();
    if (now_us < due_us)
        sleep_us(due_us - now_us);
}

static void batch_added(struct rocks_batch *batch, char *words, size_t bytes)
{
    if (words != NULL) {
        batch->err = rocks_batch_error(words);
        return;
    }
    batch->any = true;
    batch_pace(batch, bytes);
}

void rocks_batch_put(struct ranges_batch *base, struct bytes key, struct bytes value)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    if (batch->err != ERR_OK)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_put(batch->writer, key.data, key.len, value.data, value.len, &words);
    batch_added(batch, words, key.len + value.len);
}

void rocks_batch_merge(struct ranges_batch *base, struct bytes key, struct bytes value)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    if (batch->err != ERR_OK)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_merge(batch->writer, key.data, key.len, value.data, value.len, &words);
    batch_added(batch, words, key.len + value.len);
}

void rocks_batch_delete(struct ranges_batch *base, struct bytes key)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    if (batch->err != ERR_OK)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_delete(batch->writer, key.data, key.len, &words);
    batch_added(batch, words, key.len);
}

void rocks_batch_delete_range(struct ranges_batch *base, struct bytes lower, struct bytes upper)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    if (batch->err != ERR_OK)
        return;
    char *words = NULL;
    rocksdb_sstfilewriter_delete_range(batch->writer, lower.data, lower.len, upper.data, upper.len,
                                       &words);
    batch_added(batch, words, lower.len + upper.len);
}

static enum err batch_ingest(struct rocks_batch *batch)
{
    struct rocks *rocks = batch->rocks;
    const char *path = batch->path;
    char *words = NULL;
    rocksdb_sstfilewriter_finish(batch->writer, &words);
    if (words == NULL)
        rocksdb_ingest_external_file(rocks->db, &path, 1, rocks->options.ingest, &words);
    if (words != NULL)
        return rocks_batch_error(words);
    atomic_fetch_add(&rocks->batches_committed, 1);
    return ERR_OK;
}

enum err rocks_batch_commit(struct ranges_batch *base)
{
    struct rocks_batch *batch = (struct rocks_batch *)base;
    enum err err = batch->err;
    if (err == ERR_OK && batch->any)
        err = batch_ingest(batch);
    batch_destroy(batch);
    return err;
}

void rocks_batch_abort(struct ranges_batch *base)
{
    batch_destroy((struct rocks_batch *)base);
}
