/* fold: writes a sealed set to ranges as one batch.
 *
 * After the commit ranges hold what the catalog's fold_lsn says and nothing else: object rows,
 * grown and new chunks, chunks without their deleted entries, range deletions for what was trimmed,
 * dropped or flushed, and the catalog. A crash before the commit leaves the fold before. */
#ifndef WEIR_STORAGE_FOLD_H
#define WEIR_STORAGE_FOLD_H

#include "storage/dirty.h"
#include "storage/ranges.h"

/* Reads the set, changes nothing of it. Blocks; the folder's thread, or the starting one. */
MUST_CHECK enum err fold_write(struct ranges *ranges, const struct dirty *dirty, uint8_t side);

#endif
