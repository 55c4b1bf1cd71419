/* What the files of a fold share. */
#ifndef WEIR_STORAGE_FOLD_INTERNAL_H
#define WEIR_STORAGE_FOLD_INTERNAL_H

#include "storage/fold.h"

struct fold {
    struct ranges *ranges;
    struct ranges_batch *batch;
    uint8_t side;
    struct buf key;
    struct buf key2;
    struct buf value;
};

/* The group's row; and, after all rows with smaller keys, its blocks of pending entries. */
void fold_group(struct fold *fold, const struct group *group);
MUST_CHECK enum err fold_pending(struct fold *fold, const struct group *group);
/* Groups that are gone. */
void fold_dropped_groups(struct fold *fold, const struct dirty *dirty);

#endif
