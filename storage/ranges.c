#include "storage/ranges_internal.h"

#include "base/check.h"

enum err ranges_get(struct ranges *ranges, struct bytes key, enum tier tier, struct buf *value)
{
    return ranges->ops->get(ranges, key, tier, value);
}

struct ranges_iter *ranges_iter_open(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                     enum tier tier)
{
    bool empty = bytes_compare(lower, upper) >= 0;
    struct ranges_iter *iter = ranges->ops->iter_open(ranges, lower, empty ? lower : upper, tier);
    iter->ranges = ranges;
    iter->standing = false;
    iter->empty = empty;
    return iter;
}

void ranges_iter_close(struct ranges_iter *iter)
{
    iter->ranges->ops->iter_close(iter);
}

static enum err moved(struct ranges_iter *iter, enum err err)
{
    iter->standing = err == ERR_OK;
    return err;
}

enum err ranges_iter_seek(struct ranges_iter *iter, struct bytes key)
{
    return moved(iter, iter->empty ? ERR_END : iter->ranges->ops->iter_seek(iter, key));
}

enum err ranges_iter_seek_prev(struct ranges_iter *iter, struct bytes key)
{
    return moved(iter, iter->empty ? ERR_END : iter->ranges->ops->iter_seek_prev(iter, key));
}

enum err ranges_iter_next(struct ranges_iter *iter)
{
    CHECK(iter->standing);
    return moved(iter, iter->ranges->ops->iter_next(iter));
}

enum err ranges_iter_prev(struct ranges_iter *iter)
{
    CHECK(iter->standing);
    return moved(iter, iter->ranges->ops->iter_prev(iter));
}

struct bytes ranges_iter_key(const struct ranges_iter *iter)
{
    CHECK(iter->standing);
    return iter->ranges->ops->iter_key(iter);
}

struct bytes ranges_iter_value(const struct ranges_iter *iter)
{
    CHECK(iter->standing);
    return iter->ranges->ops->iter_value(iter);
}

enum err ranges_batch_begin(struct ranges *ranges, struct ranges_batch **out)
{
    enum err err = ranges->ops->batch_begin(ranges, out);
    if (err == ERR_OK)
        (*out)->ranges = ranges;
    return err;
}

void ranges_batch_put(struct ranges_batch *batch, struct bytes key, struct bytes value)
{
    batch->ranges->ops->batch_put(batch, key, value);
}

void ranges_batch_merge(struct ranges_batch *batch, struct bytes key, struct bytes value)
{
    batch->ranges->ops->batch_merge(batch, key, value);
}

void ranges_batch_delete(struct ranges_batch *batch, struct bytes key)
{
    batch->ranges->ops->batch_delete(batch, key);
}

void ranges_batch_delete_range(struct ranges_batch *batch, struct bytes lower, struct bytes upper)
{
    if (bytes_compare(lower, upper) < 0)
        batch->ranges->ops->batch_delete_range(batch, lower, upper);
}

void ranges_batch_cut(struct ranges_batch *batch)
{
    batch->ranges->ops->batch_cut(batch);
}

enum err ranges_batch_commit(struct ranges_batch *batch)
{
    return batch->ranges->ops->batch_commit(batch);
}

void ranges_batch_abort(struct ranges_batch *batch)
{
    batch->ranges->ops->batch_abort(batch);
}

void ranges_stats(struct ranges *ranges, struct ranges_stats *out)
{
    ranges->ops->stats(ranges, out);
}

void ranges_close(struct ranges *ranges)
{
    ranges->ops->close(ranges);
}
