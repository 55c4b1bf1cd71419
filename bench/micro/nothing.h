/* nothing: a disk and ranges that take everything and keep nothing, so that what is measured is
 * what stands above them.
 *
 * The ranges answer as if empty, but for the catalog, which has a fixed hash seed: a store that
 * opens on them lays out its keys the same way every time. Threads: one. */
#ifndef WEIR_BENCH_MICRO_NOTHING_H
#define WEIR_BENCH_MICRO_NOTHING_H

#include "storage/disk.h"
#include "storage/ranges.h"

/* Returns owned: disk_close. */
struct disk *nothing_disk(void);
/* Returns owned: ranges_close. */
struct ranges *nothing_ranges(void);

#endif
