/* Loads the groups of a feed: all rows of them, together. */
#include "broker/keyspace.h"

#include "base/check.h"

/* The feed has groups that are not in memory. */
static bool are_missing(struct feed *feed)
{
    return feed != NULL && feed->groups == NULL && feed_row(feed)->groups != 0;
}

/* They are the object's now, and count as memory that it takes. */
static void attach(struct keyspace *keyspace, struct object *object, struct groups *groups)
{
    bool clean = !list_empty(&object->lru);
    if (clean)
        table_unclean(&keyspace->table, object);
    object_feed(object)->groups = groups;
    if (clean)
        table_clean(&keyspace->table, object);
}

static void bounds(const struct feed *feed, struct buf *lower, struct buf *upper)
{
    key_group(lower, feed_groups_home(feed), 0);
    key_group_end(upper, feed_groups_home(feed));
}

static enum err load_all(struct keyspace *keyspace, struct ranges_iter *iter, struct bytes lower,
                         struct groups *groups)
{
    enum err err = ranges_iter_seek(iter, lower);
    while (err == ERR_OK) {
        err = groups_load(groups, ranges_iter_key(iter), ranges_iter_value(iter),
                          store_side(keyspace->store));
        if (err == ERR_OK)
            err = ranges_iter_next(iter);
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err keyspace_groups(struct keyspace *keyspace, struct object *object)
{
    struct feed *feed = object_feed(object);
    if (!are_missing(feed))
        return ERR_OK;
    struct buf lower, upper;
    buf_init(&lower);
    buf_init(&upper);
    bounds(feed, &lower, &upper);
    struct groups *groups =
        groups_create(feed_groups_home(feed), store_chunk_cache(keyspace->store));
    struct ranges_iter *iter = ranges_iter_open(store_ranges(keyspace->store), buf_bytes(&lower),
                                                buf_bytes(&upper), keyspace->tier);
    enum err err = load_all(keyspace, iter, buf_bytes(&lower), groups);
    ranges_iter_close(iter);
    if (err == ERR_OK)
        attach(keyspace, object, groups);
    else
        groups_unref(groups);
    buf_deinit(&lower);
    buf_deinit(&upper);
    return err;
}

void keyspace_groups_plan(struct keyspace *keyspace, struct object *object, struct fetch *fetch)
{
    fetch_reset(fetch);
    fetch->ranges = store_ranges(keyspace->store);
    fetch->kind = FETCH_SCAN;
    fetch->rows_max = GROUPS_MAX;
    fetch->bytes_max = SIZE_MAX;
    fetch->view = store_view(keyspace->store);
    bounds(object_feed(object), &fetch->lower, &fetch->upper);
}

enum err keyspace_groups_take(struct keyspace *keyspace, struct object *object, struct fetch *fetch)
{
    struct feed *feed = object_feed(object);
    if (!are_missing(feed))
        return ERR_OK;
    struct buf lower;
    buf_init(&lower);
    key_group(&lower, feed_groups_home(feed), 0);
    bool same = bytes_equal(buf_bytes(&lower), buf_bytes(&fetch->lower));
    buf_deinit(&lower);
    if (fetch->view != store_view(keyspace->store) || !same)
        return ERR_COLD;
    if (fetch->err != ERR_OK)
        return fetch->err;
    struct groups *groups =
        groups_create(feed_groups_home(feed), store_chunk_cache(keyspace->store));
    struct decoder rows = decoder_of(buf_bytes(&fetch->rows));
    enum err err = fetch->complete ? ERR_OK : ERR_CORRUPT;
    while (err == ERR_OK && decoder_left(&rows) > 0) {
        struct bytes key = decoder_bytes(&rows);
        struct bytes row = decoder_bytes(&rows);
        err = groups_load(groups, key, row, store_side(keyspace->store));
    }
    if (err == ERR_OK)
        attach(keyspace, object, groups);
    else
        groups_unref(groups);
    return err;
}
