#include "storage/ranges_rocks_internal.h"

#include <string.h>

#include <rocksdb/c.h>

#include "base/alloc.h"

struct rocks_iter {
    struct ranges_iter base;
    rocksdb_iterator_t *iterator;
    rocksdb_readoptions_t *options; /* the iterator keeps pointers to the bounds in it ... */
    char bounds[];                  /* ... which point here: lower, upper */
};

static struct rocks_iter *iter_of(struct ranges_iter *iter)
{
    return (struct rocks_iter *)iter;
}

static const struct rocks_iter *iter_of_const(const struct ranges_iter *iter)
{
    return (const struct rocks_iter *)iter;
}

static char *copy_bound(char *to, struct bytes bound)
{
    if (bound.len > 0)
        memcpy(to, bound.data, bound.len);
    return to + bound.len;
}

struct ranges_iter *rocks_iter_open(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                    enum tier tier)
{
    struct rocks_iter *iter = mem_alloc(sizeof(*iter) + lower.len + upper.len);
    char *upper_copy = copy_bound(iter->bounds, lower);
    copy_bound(upper_copy, upper);
    iter->options = rocks_read_options(tier);
    rocksdb_readoptions_set_iterate_lower_bound(iter->options, iter->bounds, lower.len);
    rocksdb_readoptions_set_iterate_upper_bound(iter->options, upper_copy, upper.len);
    iter->iterator = rocksdb_create_iterator(rocks_of(ranges)->db, iter->options);
    return &iter->base;
}

void rocks_iter_close(struct ranges_iter *base)
{
    struct rocks_iter *iter = iter_of(base);
    rocksdb_iter_destroy(iter->iterator);
    rocksdb_readoptions_destroy(iter->options);
    mem_free(iter);
}

static enum err where(struct rocks_iter *iter)
{
    if (rocksdb_iter_valid(iter->iterator))
        return ERR_OK;
    char *words = NULL;
    rocksdb_iter_get_error(iter->iterator, &words);
    return words == NULL ? ERR_END : rocks_read_error(rocks_of(iter->base.ranges), words);
}

enum err rocks_iter_seek(struct ranges_iter *base, struct bytes key)
{
    struct rocks_iter *iter = iter_of(base);
    rocksdb_iter_seek(iter->iterator, key.data, key.len);
    return where(iter);
}

enum err rocks_iter_seek_prev(struct ranges_iter *base, struct bytes key)
{
    struct rocks_iter *iter = iter_of(base);
    rocksdb_iter_seek_for_prev(iter->iterator, key.data, key.len);
    return where(iter);
}

enum err rocks_iter_next(struct ranges_iter *base)
{
    struct rocks_iter *iter = iter_of(base);
    rocksdb_iter_next(iter->iterator);
    return where(iter);
}

enum err rocks_iter_prev(struct ranges_iter *base)
{
    struct rocks_iter *iter = iter_of(base);
    rocksdb_iter_prev(iter->iterator);
    return where(iter);
}

struct bytes rocks_iter_key(const struct ranges_iter *base)
{
    struct bytes key;
    key.data = rocksdb_iter_key(iter_of_const(base)->iterator, &key.len);
    return key;
}

struct bytes rocks_iter_value(const struct ranges_iter *base)
{
    struct bytes value;
    value.data = rocksdb_iter_value(iter_of_const(base)->iterator, &value.len);
    return value;
}
