/* ranges_internal: what an implementation of ranges provides. Each embeds these structs first.
 *
 * ranges.c checks the callers: an implementation may rely on next, prev, key and value being asked
 * only of an iterator that stands on a row, and on bounds with lower < upper. */
#ifndef WEIR_STORAGE_RANGES_INTERNAL_H
#define WEIR_STORAGE_RANGES_INTERNAL_H

#include "storage/ranges.h"

struct ranges_ops {
    enum err (*get)(struct ranges *ranges, struct bytes key, enum tier tier, struct buf *value);
    struct ranges_iter *(*iter_open)(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                     enum tier tier);
    void (*iter_close)(struct ranges_iter *iter);
    enum err (*iter_seek)(struct ranges_iter *iter, struct bytes key);
    enum err (*iter_seek_prev)(struct ranges_iter *iter, struct bytes key);
    enum err (*iter_next)(struct ranges_iter *iter);
    enum err (*iter_prev)(struct ranges_iter *iter);
    struct bytes (*iter_key)(const struct ranges_iter *iter);
    struct bytes (*iter_value)(const struct ranges_iter *iter);
    enum err (*batch_begin)(struct ranges *ranges, struct ranges_batch **out);
    void (*batch_put)(struct ranges_batch *batch, struct bytes key, struct bytes value);
    void (*batch_merge)(struct ranges_batch *batch, struct bytes key, struct bytes value);
    void (*batch_delete)(struct ranges_batch *batch, struct bytes key);
    void (*batch_delete_range)(struct ranges_batch *batch, struct bytes lower, struct bytes upper);
    void (*batch_cut)(struct ranges_batch *batch);
    enum err (*batch_commit)(struct ranges_batch *batch);
    void (*batch_abort)(struct ranges_batch *batch);
    void (*stats)(struct ranges *ranges, struct ranges_stats *out);
    void (*close)(struct ranges *ranges);
};

struct ranges {
    const struct ranges_ops *ops;
};

struct ranges_iter {
    struct ranges *ranges;
    bool standing; /* on a row; kept by ranges.c */
    bool empty;    /* lower >= upper: every seek is ERR_END; kept by ranges.c */
};

struct ranges_batch {
    struct ranges *ranges;
};

#endif
