/* ranges_rocks_internal: what the files ranges_rocks*.c share. */
#ifndef WEIR_STORAGE_RANGES_ROCKS_INTERNAL_H
#define WEIR_STORAGE_RANGES_ROCKS_INTERNAL_H

#include <stdatomic.h>

#include "storage/ranges_internal.h"
#include "storage/ranges_rocks.h"

struct rocksdb_pinnableslice_t;

/* RocksDB's option objects; they live as long as the database. */
struct rocks_options {
    struct rocksdb_options_t *database;
    struct rocksdb_options_t *writer; /* of batches: without the bottom's compression */
    struct rocksdb_envoptions_t *writer_env;
    struct rocksdb_ingestexternalfileoptions_t *ingest;
    struct rocksdb_readoptions_t *get[2]; /* by tier; shared by all threads */
    struct rocksdb_cache_t *cache;
};

struct rocks {
    struct ranges base;
    struct rocksdb_t *db;
    struct rocks_options options;
    char *ingest_path; /* directory of the batches' files */
    uint64_t write_bytes_per_second;
    atomic_uint_fast64_t files_begun; /* names a batch's next file */
    atomic_uint_fast64_t batches_committed;
    atomic_bool read_error_logged;
};

static inline struct rocks *rocks_of(struct ranges *ranges)
{
    return (struct rocks *)ranges;
}

/* ranges_rocks.c */
/* The row's value; returns owned. In TIER_MEMORY an empty value is ERR_COLD: a get that may not
 * read says "found, empty" where the key may be in a table that is not open (RocksDB's
 * TableCache::Get, MarkKeyMayExist). */
MUST_CHECK enum err rocks_get_pinned(struct rocks *rocks,
                                     const struct rocksdb_readoptions_t *options, enum tier tier,
                                     struct bytes key, struct rocksdb_pinnableslice_t **out);

/* ranges_rocks_options.c */
void rocks_options_init(struct rocks_options *options, const struct ranges_rocks_options *settings);
void rocks_options_deinit(struct rocks_options *options);
/* Returns owned. */
struct rocksdb_readoptions_t *rocks_read_options(enum tier tier);

/* ranges_rocks_error.c */
/* The nearest error for RocksDB's words. */
enum err rocks_error_of(const char *words);
/* The same for a read or a batch; frees `words`, and logs what an operator must know of. */
enum err rocks_read_error(struct rocks *rocks, char *words);
enum err rocks_batch_error(char *words);

/* ranges_rocks_iter.c */
struct ranges_iter *rocks_iter_open(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                    enum tier tier);
void rocks_iter_close(struct ranges_iter *iter);
enum err rocks_iter_seek(struct ranges_iter *iter, struct bytes key);
enum err rocks_iter_seek_prev(struct ranges_iter *iter, struct bytes key);
enum err rocks_iter_next(struct ranges_iter *iter);
enum err rocks_iter_prev(struct ranges_iter *iter);
struct bytes rocks_iter_key(const struct ranges_iter *iter);
struct bytes rocks_iter_value(const struct ranges_iter *iter);

/* ranges_rocks_batch.c */
/* Makes the directory of the batches' files and removes what a crash left in it. */
MUST_CHECK enum err rocks_ingest_open(struct rocks *rocks, const char *path);
enum err rocks_batch_begin(struct ranges *ranges, struct ranges_batch **out);
void rocks_batch_put(struct ranges_batch *batch, struct bytes key, struct bytes value);
void rocks_batch_merge(struct ranges_batch *batch, struct bytes key, struct bytes value);
void rocks_batch_delete(struct ranges_batch *batch, struct bytes key);
void rocks_batch_delete_range(struct ranges_batch *batch, struct bytes lower, struct bytes upper);
void rocks_batch_cut(struct ranges_batch *batch);
enum err rocks_batch_commit(struct ranges_batch *batch);
void rocks_batch_abort(struct ranges_batch *batch);

#endif
