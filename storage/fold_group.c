/* What changed among a group's pending entries is merged into the blocks that hold their ids: each
 * such block is read and written anew, in pieces if it has grown too large. */
#include "storage/fold_internal.h"

#include "base/check.h"

void fold_group(struct fold *fold, const struct group *group)
{
    key_group(&fold->key, group->home, group->entry.number);
    fold->value.len = 0;
    group_row_encode(&fold->value, group, fold->side);
    ranges_batch_put(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->value));
}

void fold_dropped_groups(struct fold *fold, const struct dirty *dirty)
{
    const struct dropped_group *dropped =
        (const struct dropped_group *)(const void *)dirty->dropped_groups.data;
    for (size_t i = 0; i < dirty->dropped_groups.len / sizeof(*dropped); i++) {
        struct chunk_home home = dropped[i].home;
        uint64_t number = dropped[i].number;
        key_group(&fold->key, home, number);
        if (number != 0)
            key_group(&fold->key2, home, number + 1);
        else
            key_group_end(&fold->key2, home);
        ranges_batch_delete_range(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->key2));
        key_pending(&fold->key, home, number, ID_MIN);
        key_pending_end(&fold->key2, home, number != 0 ? number : UINT64_MAX - 1);
        ranges_batch_delete_range(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->key2));
    }
}

/* Merging the set into blocks. */
struct merge {
    struct fold *fold;
    const struct group *group;
    const struct group_state *state;
    const struct pending *item; /* the next change; NULL: none */
    struct pending_place place;
    struct id base;      /* of the block that is being written */
    bool based;          /* the base is given: that of the old block */
    struct pending last; /* item written */
};

static void flush(struct merge *merge)
{
    struct fold *fold = merge->fold;
    if (fold->value.len == 0)
        return;
    key_pending(&fold->key, merge->group->home, merge->group->entry.number, merge->base);
    ranges_batch_put(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->value));
    fold->value.len = 0;
    merge->based = false;
}

static void write_item(struct merge *merge, const struct pending *item)
{
    struct fold *fold = merge->fold;
    if (item->consumer == 0 || group_state_consumer(merge->state, item->consumer) == NULL)
        return;
    if (fold->value.len >= PENDING_BLOCK_BYTES)
        flush(merge);
    if (fold->value.len == 0) {
        if (!merge->based)
            merge->base = item->id;
        merge->last = (struct pending){.id = merge->base};
    }
    pending_write(&fold->value, &merge->last, item);
}

/* Writes the changes below `end`, all of them where it is NULL. */
static void write_changes(struct merge *merge, const struct id *end)
{
    while (merge->item != NULL && (end == NULL || id_less(merge->item->id, *end))) {
        write_item(merge, merge->item);
        merge->item = pending_set_next(&merge->state->changes, &merge->place);
    }
}

/* Writes a block's items with the changes among them. */
static enum err merge_block(struct merge *merge, struct id base, struct bytes block)
{
    struct decoder decoder = decoder_of(block);
    struct pending item = {.id = base};
    enum err err;
    while ((err = pending_read(&decoder, &item)) == ERR_OK) {
        write_changes(merge, &item.id);
        if (merge->item != NULL && id_equal(merge->item->id, item.id)) {
            write_item(merge, merge->item);
            merge->item = pending_set_next(&merge->state->changes, &merge->place);
        } else {
            write_item(merge, &item);
        }
    }
    return err == ERR_END ? ERR_OK : err;
}

/* Moves to the block that has, or would have, the next change. `*base` is its id. ERR_END: there is
 * no block. */
static enum err seek_block(struct merge *merge, struct ranges_iter *iter, struct id *base)
{
    struct fold *fold = merge->fold;
    const struct group *group = merge->group;
    key_pending(&fold->key, group->home, group->entry.number, merge->item->id);
    enum err err = ranges_iter_seek_prev(iter, buf_bytes(&fold->key));
    if (err != ERR_OK)
        return err;
    return key_pending_base(ranges_iter_key(iter), group->home, group->entry.number, base);
}

/* What lies before the first block has no row yet. */
static enum err write_before(struct merge *merge, struct ranges_iter *iter)
{
    struct fold *fold = merge->fold;
    const struct group *group = merge->group;
    struct id base;
    key_pending(&fold->key, group->home, group->entry.number, ID_MIN);
    enum err err = ranges_iter_seek(iter, buf_bytes(&fold->key));
    if (err == ERR_OK)
        err = key_pending_base(ranges_iter_key(iter), group->home, group->entry.number, &base);
    if (err != ERR_OK && err != ERR_END)
        return err;
    write_changes(merge, err == ERR_OK ? &base : NULL);
    flush(merge);
    return ERR_OK;
}

/* Where the block after the one on which `iter` stands begins; ERR_END: there is none. */
static enum err next_base(struct merge *merge, struct ranges_iter *iter, struct id *next)
{
    enum err err = ranges_iter_next(iter);
    if (err != ERR_OK)
        return err;
    return key_pending_base(ranges_iter_key(iter), merge->group->home, merge->group->entry.number,
                            next);
}

/* Writes the block on which `iter` stands anew. It keeps its key as long as it has items. */
static enum err rewrite_block(struct merge *merge, struct ranges_iter *iter, struct id base)
{
    struct buf old;
    buf_init(&old);
    buf_add_bytes(&old, ranges_iter_value(iter));
    struct id next;
    enum err found = next_base(merge, iter, &next);
    merge->base = base;
    merge->based = true;
    enum err err = found == ERR_END ? ERR_OK : found;
    if (err == ERR_OK)
        err = merge_block(merge, base, buf_bytes(&old));
    buf_deinit(&old);
    if (err != ERR_OK)
        return err;
    write_changes(merge, found == ERR_END ? NULL : &next);
    flush(merge);
    if (merge->based) { /* nothing is left */
        key_pending(&merge->fold->key, merge->group->home, merge->group->entry.number, base);
        ranges_batch_delete(merge->fold->batch, buf_bytes(&merge->fold->key));
        merge->based = false;
    }
    return ERR_OK;
}

/* The blocks with changes, one by one. */
static enum err merge_changes(struct merge *merge, struct ranges_iter *iter)
{
    struct id base;
    enum err err = ERR_OK;
    while (err == ERR_OK && merge->item != NULL) {
        err = seek_block(merge, iter, &base);
        if (err == ERR_OK)
            err = rewrite_block(merge, iter, base);
        else if (err == ERR_END)
            err = write_before(merge, iter);
    }
    return err;
}

enum err fold_pending(struct fold *fold, const struct group *group)
{
    const struct group_state *state = &group->states[fold->side];
    struct merge merge = {.fold = fold, .group = group, .state = state};
    key_pending(&fold->key, group->home, group->entry.number, ID_MIN);
    key_pending_end(&fold->key2, group->home, group->entry.number);
    if (state->pending == 0) {
        ranges_batch_delete_range(fold->batch, buf_bytes(&fold->key), buf_bytes(&fold->key2));
        return ERR_OK;
    }
    merge.item = pending_set_seek(&state->changes, ID_MIN, &merge.place);
    if (merge.item == NULL)
        return ERR_OK;
    struct ranges_iter *iter =
        ranges_iter_open(fold->ranges, buf_bytes(&fold->key), buf_bytes(&fold->key2), TIER_DISK);
    fold->value.len = 0;
    enum err err = merge_changes(&merge, iter);
    ranges_iter_close(iter);
    return err;
}
