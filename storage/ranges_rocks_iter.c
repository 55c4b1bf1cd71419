/* An iterator is a walk and a get for each row that the walk comes to.
 *
 * RocksDB's own way, an iterator that honours range deletions, cannot be trusted before version
 * 8.5.2: its MergingIterator drops the status of a level that enters the next file, or that a range
 * deletion makes it seek again (https://github.com/facebook/rocksdb/pull/11782 and 11786). The
 * level is then missing from the walk: rows in a block that is not in memory, or that cannot be
 * read, are passed over, and older values show through. An iterator that ignores range deletions
 * has none of that code, and a get honours range deletions and reports every error. So the walk
 * names the rows that may be there, the get says what is, and a snapshot gives both one view.
 *
 * The walk would go through all rows under a large range deletion. After HIDDEN_MAX of them in a
 * row a second iterator, one that does honour them, finds where they end. It may be trusted as long
 * as nothing fails to be read, hence not in TIER_MEMORY, where the answer is ERR_COLD. */
#include "storage/ranges_rocks_internal.h"

#include <string.h>

#include <rocksdb/c.h>

#include "base/alloc.h"

/* Cheaper to walk through than opening the second iterator. */
#define HIDDEN_MAX 8

struct rocks_iter {
    struct ranges_iter base;
    struct rocks *rocks;
    enum tier tier;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *walk_options; /* the iterators keep pointers to the bounds in these */
    rocksdb_readoptions_t *get_options;
    rocksdb_iterator_t *walk;
    rocksdb_iterator_t *skip;       /* past hidden rows; NULL until it is needed */
    rocksdb_pinnableslice_t *value; /* of the row it stands on */
    size_t lower_len;
    size_t upper_len;
    char bounds[]; /* lower, upper */
};

static struct rocks_iter *iter_of(struct ranges_iter *iter)
{
    return (struct rocks_iter *)iter;
}

static rocksdb_readoptions_t *options_of(const struct rocks_iter *iter)
{
    rocksdb_readoptions_t *options = rocks_read_options(iter->tier);
    rocksdb_readoptions_set_snapshot(options, iter->snapshot);
    rocksdb_readoptions_set_iterate_lower_bound(options, iter->bounds, iter->lower_len);
    rocksdb_readoptions_set_iterate_upper_bound(options, iter->bounds + iter->lower_len,
                                                iter->upper_len);
    return options;
}

struct ranges_iter *rocks_iter_open(struct ranges *ranges, struct bytes lower, struct bytes upper,
                                    enum tier tier)
{
    struct rocks *rocks = rocks_of(ranges);
    struct rocks_iter *iter = mem_zalloc(sizeof(*iter) + lower.len + upper.len);
    iter->rocks = rocks;
    iter->tier = tier;
    iter->lower_len = lower.len;
    iter->upper_len = upper.len;
    if (lower.len > 0)
        memcpy(iter->bounds, lower.data, lower.len);
    if (upper.len > 0)
        memcpy(iter->bounds + lower.len, upper.data, upper.len);
    iter->snapshot = rocksdb_create_snapshot(rocks->db);
    iter->get_options = options_of(iter);
    iter->walk_options = options_of(iter);
    rocksdb_readoptions_set_ignore_range_deletions(iter->walk_options, 1);
    iter->walk = rocksdb_create_iterator(rocks->db, iter->walk_options);
    return &iter->base;
}

static void value_release(struct rocks_iter *iter)
{
    if (iter->value != NULL)
        rocksdb_pinnableslice_destroy(iter->value);
    iter->value = NULL;
}

void rocks_iter_close(struct ranges_iter *base)
{
    struct rocks_iter *iter = iter_of(base);
    value_release(iter);
    rocksdb_iter_destroy(iter->walk);
    if (iter->skip != NULL)
        rocksdb_iter_destroy(iter->skip);
    rocksdb_readoptions_destroy(iter->walk_options);
    rocksdb_readoptions_destroy(iter->get_options);
    rocksdb_release_snapshot(iter->rocks->db, iter->snapshot);
    mem_free(iter);
}

static struct bytes key_of(const rocksdb_iterator_t *iterator)
{
    struct bytes key;
    key.data = rocksdb_iter_key(iterator, &key.len);
    return key;
}

static enum err where(const struct rocks_iter *iter, const rocksdb_iterator_t *iterator)
{
    if (rocksdb_iter_valid(iterator))
        return ERR_OK;
    char *words = NULL;
    rocksdb_iter_get_error(iterator, &words);
    return words == NULL ? ERR_END : rocks_read_error(iter->rocks, words);
}

static void seek(rocksdb_iterator_t *iterator, struct bytes key, bool up)
{
    if (up)
        rocksdb_iter_seek(iterator, key.data, key.len);
    else
        rocksdb_iter_seek_for_prev(iterator, key.data, key.len);
}

static void step(rocksdb_iterator_t *iterator, bool up)
{
    if (up)
        rocksdb_iter_next(iterator);
    else
        rocksdb_iter_prev(iterator);
}

static enum err skip_hidden(struct rocks_iter *iter, bool up)
{
    if (iter->tier == TIER_MEMORY)
        return ERR_COLD;
    if (iter->skip == NULL)
        iter->skip = rocksdb_create_iterator(iter->rocks->db, iter->get_options);
    seek(iter->skip, key_of(iter->walk), up);
    enum err err = where(iter, iter->skip);
    if (err == ERR_OK)
        seek(iter->walk, key_of(iter->skip), up);
    return err;
}

/* The walk has moved: to the first row there that is not hidden. */
static enum err stand(struct rocks_iter *iter, bool up)
{
    value_release(iter);
    for (unsigned hidden = 1;; hidden++) {
        enum err err = where(iter, iter->walk);
        if (err == ERR_OK)
            err = rocks_get_pinned(iter->rocks, iter->get_options, iter->tier, key_of(iter->walk),
                                   &iter->value);
        if (err != ERR_NOT_FOUND) /* a range deletion hides it */
            return err;
        if (hidden < HIDDEN_MAX) {
            step(iter->walk, up);
            continue;
        }
        err = skip_hidden(iter, up);
        if (err != ERR_OK)
            return err;
    }
}

enum err rocks_iter_seek(struct ranges_iter *base, struct bytes key)
{
    seek(iter_of(base)->walk, key, true);
    return stand(iter_of(base), true);
}

enum err rocks_iter_seek_prev(struct ranges_iter *base, struct bytes key)
{
    seek(iter_of(base)->walk, key, false);
    return stand(iter_of(base), false);
}

enum err rocks_iter_next(struct ranges_iter *base)
{
    step(iter_of(base)->walk, true);
    return stand(iter_of(base), true);
}

enum err rocks_iter_prev(struct ranges_iter *base)
{
    step(iter_of(base)->walk, false);
    return stand(iter_of(base), false);
}

struct bytes rocks_iter_key(const struct ranges_iter *base)
{
    return key_of(((const struct rocks_iter *)base)->walk);
}

struct bytes rocks_iter_value(const struct ranges_iter *base)
{
    struct bytes value;
    value.data = rocksdb_pinnableslice_value(((const struct rocks_iter *)base)->value, &value.len);
    return value;
}
