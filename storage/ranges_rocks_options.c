#include "storage/ranges_rocks_internal.h"

#include <limits.h>
#include <string.h>

#include <rocksdb/c.h>

#include "base/alloc.h"
#include "base/check.h"

/* Rows are about 4 KB: four share a block, its index entry and its compression. Measured with
 * chunks of small entries: 5% smaller than with blocks of 4 KB and reads as fast; 32 KB would save
 * 2% more and decompress twice as much a read. */
#define BLOCK_BYTES (16u << 10)
/* One wrong block in a hundred lookups of a missing key. */
#define BLOOM_BITS_PER_KEY 10.0
/* The block cache has shards of at least this size, and as many as RocksDB has at most. */
#define SHARD_BYTES    (UINT64_C(16) << 20)
#define SHARD_BITS_MAX 6
/* As large as the usual batch: compaction then moves files as they are where nothing overlaps. */
#define FILE_BYTES (64u << 20)
/* The least that RocksDB takes: nothing is ever written to the memtable. */
#define MEMTABLE_BYTES (64u << 10)
/* Reads look at every file of level 0, so that few should stay there. */
#define LEVEL0_COMPACTION_FILES 4
/* Ingestion does not look at these; they are out of the way for whatever else RocksDB writes. */
#define LEVEL0_STALL_FILES (1 << 20)
/* The kernel writes as compaction goes, not all at its end where the committer would wait. */
#define BYTES_PER_SYNC (1u << 20)
/* RocksDB's own values: a tenth of a second between refills, one low request in ten goes first. */
#define LIMITER_REFILL_US     100000
#define LIMITER_FAIRNESS      10
#define INFO_LOG_WARN         2
#define INFO_LOG_FILES        2
#define INFO_LOG_BYTES        (1u << 20)
#define READ_BLOCK_CACHE_TIER 1

static const char *merge_name(void *state)
{
    (void)state;
    return "weir.concat";
}

static void merge_destroy(void *state)
{
    (void)state;
}

static void merge_delete_value(void *state, const char *value, size_t len)
{
    (void)state;
    (void)len;
    mem_free((void *)(uintptr_t)value);
}

static char *concat(struct bytes first, const char *const *operands, const size_t *lens, int count,
                    size_t *out_len)
{
    size_t total = first.len;
    for (int i = 0; i < count; i++)
        total += lens[i];
    char *whole = mem_alloc(total + 1);
    char *at = whole;
    if (first.len > 0)
        memcpy(at, first.data, first.len);
    at += first.len;
    for (int i = 0; i < count; i++) {
        memcpy(at, operands[i], lens[i]);
        at += lens[i];
    }
    *out_len = total;
    return whole;
}

static char *merge_full(void *state, const char *key, size_t key_len, const char *existing,
                        size_t existing_len, const char *const *operands, const size_t *lens,
                        int count, unsigned char *success, size_t *out_len)
{
    (void)state;
    (void)key;
    (void)key_len;
    *success = 1;
    struct bytes first = {existing, existing == NULL ? 0 : existing_len};
    return concat(first, operands, lens, count, out_len);
}

static char *merge_partial(void *state, const char *key, size_t key_len,
                           const char *const *operands, const size_t *lens, int count,
                           unsigned char *success, size_t *out_len)
{
    (void)state;
    (void)key;
    (void)key_len;
    *success = 1;
    return concat(BYTES(""), operands, lens, count, out_len);
}

/* A block stays in the cache only if it fits into a shard with others, and a file's filter and
 * index have a megabyte and more where rows are small: one that does not would be read again by
 * each get. So shards are larger than RocksDB would make them. */
static rocksdb_cache_t *create_cache(uint64_t bytes)
{
    rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
    int bits = 0;
    while (bits < SHARD_BITS_MAX && bytes >> (bits + 1) >= SHARD_BYTES)
        bits++;
    rocksdb_lru_cache_options_set_capacity(options, bytes);
    rocksdb_lru_cache_options_set_num_shard_bits(options, bits);
    rocksdb_cache_t *cache = rocksdb_cache_create_lru_opts(options);
    rocksdb_lru_cache_options_destroy(options);
    return cache;
}

static void set_table(rocksdb_options_t *options, rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY));
    rocksdb_block_based_options_set_block_cache(table, cache);
    /* Index and filter blocks count against the cache: memory is bounded whatever the data's size.
     * Those of level 0 are asked by every read and stay. */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

static void set_levels(rocksdb_options_t *options)
{
    rocksdb_options_set_write_buffer_size(options, MEMTABLE_BYTES);
    rocksdb_options_set_target_file_size_base(options, FILE_BYTES);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, LEVEL0_COMPACTION_FILES);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, LEVEL0_STALL_FILES);
    rocksdb_options_set_level0_stop_writes_trigger(options, LEVEL0_STALL_FILES);
    rocksdb_options_set_merge_operator(
        options, rocksdb_mergeoperator_create(NULL, merge_destroy, merge_full, merge_partial,
                                              merge_delete_value, merge_name));
}

static int int_of(uint64_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

static void set_background(rocksdb_options_t *options, const struct ranges_rocks_options *settings)
{
    rocksdb_options_set_max_background_jobs(options, int_of(settings->background_threads));
    rocksdb_options_set_bytes_per_sync(options, BYTES_PER_SYNC);
    /* A read on the loop may be the last user of a file that compaction has replaced: leave its
     * removal to a background thread. */
    rocksdb_options_set_avoid_unnecessary_blocking_io(options, 1);
    if (settings->write_bytes_per_second == 0)
        return;
    uint64_t rate = settings->write_bytes_per_second;
    rocksdb_ratelimiter_t *limiter = rocksdb_ratelimiter_create(
        rate > INT64_MAX ? INT64_MAX : (int64_t)rate, LIMITER_REFILL_US, LIMITER_FAIRNESS);
    rocksdb_options_set_ratelimiter(options, limiter);
    rocksdb_ratelimiter_destroy(limiter);
}

static void set_files_and_logs(rocksdb_options_t *options,
                               const struct ranges_rocks_options *settings)
{
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_max_open_files(options, int_of(settings->open_files_max));
    /* Reading every file's properties at open would make a restart as slow as the data is large. */
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    rocksdb_options_set_info_log_level(options, INFO_LOG_WARN);
    rocksdb_options_set_keep_log_file_num(options, INFO_LOG_FILES);
    rocksdb_options_set_max_log_file_size(options, INFO_LOG_BYTES);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
}

rocksdb_readoptions_t *rocks_read_options(enum tier tier)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    if (tier == TIER_MEMORY)
        rocksdb_readoptions_set_read_tier(options, READ_BLOCK_CACHE_TIER);
    return options;
}

void rocks_options_init(struct rocks_options *options, const struct ranges_rocks_options *settings)
{
    CHECK(settings->background_threads > 0);
    options->cache = create_cache(settings->block_cache_bytes);
    options->database = rocksdb_options_create();
    set_table(options->database, options->cache);
    set_levels(options->database);
    set_background(options->database, settings);
    set_files_and_logs(options->database, settings);
    rocksdb_options_set_compression(options->database, rocksdb_lz4_compression);
    /* A batch's file is written with the bottom's compression if there is one: hence a copy made
     * before it is set. The bottom holds nine tenths of the data and is rewritten least: there ZSTD
     * pays; LZ4 above it keeps the fold and the upper compactions cheap. */
    options->writer = rocksdb_options_create_copy(options->database);
    rocksdb_options_set_bottommost_compression(options->database, rocksdb_zstd_compression);

    options->writer_env = rocksdb_envoptions_create();
    options->ingest = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options->ingest, 1);
    options->get[TIER_MEMORY] = rocks_read_options(TIER_MEMORY);
    options->get[TIER_DISK] = rocks_read_options(TIER_DISK);
}

void rocks_options_deinit(struct rocks_options *options)
{
    rocksdb_readoptions_destroy(options->get[TIER_MEMORY]);
    rocksdb_readoptions_destroy(options->get[TIER_DISK]);
    rocksdb_ingestexternalfileoptions_destroy(options->ingest);
    rocksdb_envoptions_destroy(options->writer_env);
    rocksdb_options_destroy(options->writer);
    rocksdb_options_destroy(options->database);
    rocksdb_cache_destroy(options->cache);
}
