/* ranges_rocks: ranges in RocksDB (https://github.com/facebook/rocksdb/wiki). Its files are the
 * only users of rocksdb/c.h.
 *
 * One column family, never written through the WAL: a batch is one SST file, written in a folder
 * `ingest` of the database's directory and ingested
 * (https://github.com/facebook/rocksdb/wiki/Creating-and-Ingesting-SST-files), which is atomic and
 * durable. What a crash leaves in `ingest` is removed at the next open. Merge is concatenation. */
#ifndef WEIR_STORAGE_RANGES_ROCKS_H
#define WEIR_STORAGE_RANGES_ROCKS_H

#include "storage/ranges.h"

struct ranges_rocks_options {
    const char *path;                /* directory, made when missing; its parent must exist */
    uint64_t block_cache_bytes;      /* data, index and filter blocks together */
    uint64_t write_bytes_per_second; /* of a batch, and of compaction; 0: no limit */
    unsigned background_threads;     /* for compaction; at least 1 */
    unsigned open_files_max;         /* RocksDB takes at least 20 */
};

/* ERR_LOCKED when another process (or this one) has it open, ERR_DENIED, ERR_NO_SPACE, ERR_IO,
 * ERR_CORRUPT. `reason` gets RocksDB's words for the log (added to; may stay empty). */
MUST_CHECK enum err ranges_rocks_open(const struct ranges_rocks_options *options,
                                      struct buf *reason, struct ranges **out);

#endif
