#include "storage/feed.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/group.h"
#include "storage/upkeep.h"

struct feed *feed_create(struct chunk_home home, uint8_t side)
{
    struct feed *feed = mem_zalloc(sizeof(*feed));
    feed->home = home;
    feed->side = side;
    feed->refs = 1;
    return feed;
}

void feed_ref(struct feed *feed)
{
    feed->refs++;
}

void feed_unref(struct feed *feed)
{
    CHECK(feed->refs > 0);
    if (--feed->refs > 0)
        return;
    tail_deinit(&feed->tails[0]);
    tail_deinit(&feed->tails[1]);
    chunk_shelf_clear(&feed->shelf);
    upkeep_destroy(feed_upkeep(feed));
    if (feed->groups != NULL)
        groups_unref(feed->groups);
    mem_free(feed->head.ids);
    mem_free(feed);
}

void feed_turn(struct feed *feed, uint8_t side)
{
    CHECK(side != feed->side);
    DCHECK(feed->tails[side].pieces == NULL && feed->tails[side].deleted.count == 0);
    feed->rows[side] = feed->rows[feed->side];
    upkeep_turn(feed_upkeep(feed), side);
    feed->side = side;
}

struct id feed_disk_last(const struct feed *feed)
{
    const struct tail *sealed = &feed->tails[feed->side ^ 1];
    const struct tail *tail = &feed->tails[feed->side];
    if (!tail_empty(sealed))
        return sealed->after;
    return tail_empty(tail) ? feed->rows[feed->side].stored_id : tail->after;
}

size_t feed_append(struct feed *feed, const struct entry *entry)
{
    struct feed_row *row = feed_row(feed);
    CHECK(id_less(row->last_id, entry->id));
    struct tail *tail = &feed->tails[feed->side];
    if (tail_empty(tail))
        tail->after = row->stored_id;
    size_t size = tail_append(tail, entry, &row->chunk_base, &row->chunk_bytes);
    if (row->length == 0)
        row->first_id = entry->id;
    row->length++;
    row->entries_added++;
    row->last_id = entry->id;
    row->stored_id = entry->id;
    upkeep_added(row->upkeep, entry);
    return size;
}

static void all_gone(struct feed_row *row)
{
    row->first_id = ID_MIN;
    row->chunk_bytes = 0;
}

static void head_trim(struct feed_head *head, struct id first)
{
    while (head->at < head->count && id_less(head->ids[head->at], first))
        head->at++;
    if (head->at == head->count || !id_equal(head->ids[head->at], first))
        feed_head_reset(head);
}

size_t feed_trim(struct feed *feed, struct id first, uint64_t removed)
{
    struct feed_row *row = feed_row(feed);
    struct tail *tail = &feed->tails[feed->side];
    CHECK(removed <= row->length);
    feed->edits++;
    tail->trimmed = true;
    row->length -= removed;
    row->first_id = first;
    if (row->length == 0) {
        tail_clear(tail);
        all_gone(row);
    } else {
        tail_trim(tail, first);
    }
    head_trim(&feed->head, row->first_id);
    return 0;
}

size_t feed_erase(struct feed *feed, const struct id *ids, size_t count, struct id first)
{
    struct feed_row *row = feed_row(feed);
    struct tail *tail = &feed->tails[feed->side];
    CHECK(count <= row->length);
    feed->edits++;
    feed_head_reset(&feed->head);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!tail_erase(tail, ids[i]) && id_set_add(&tail->deleted, ids[i]))
            size += 2 * sizeof(struct id);
        row->max_deleted_id = id_max(row->max_deleted_id, ids[i]);
    }
    row->length -= count;
    row->first_id = first;
    if (row->length == 0) {
        all_gone(row);
        tail->trimmed = true;
    }
    return size;
}

size_t feed_set(struct feed *feed, struct id last_id, uint64_t entries_added,
                struct id max_deleted_id)
{
    struct feed_row *row = feed_row(feed);
    row->last_id = last_id;
    row->entries_added = entries_added;
    row->max_deleted_id = max_deleted_id;
    return 0;
}

/* Rows without the deleted entries are on disk now, and nobody tells them from live ones any more.
 */
static void shelf_drop_deleted(struct chunk_shelf *shelf, const struct id_set *deleted)
{
    if (shelf->count == 0 || deleted->count == 0)
        return;
    struct id *ids = mem_alloc(deleted->count * sizeof(*ids));
    id_set_sorted(deleted, ids);
    for (size_t i = 0; i < deleted->count; i++)
        chunk_shelf_drop(shelf, ids[i]);
    mem_free(ids);
}

void feed_folded(struct feed *feed, uint8_t side)
{
    struct tail *tail = &feed->tails[side];
    feed->on_disk = true;
    if (feed->dropped) {
        chunk_shelf_clear(&feed->shelf);
    } else {
        shelf_drop_deleted(&feed->shelf, &tail->deleted);
        chunk_shelf_add_tail(&feed->shelf, tail, feed->rows[side].stored_id);
        if (feed_row(feed)->length == 0)
            chunk_shelf_clear(&feed->shelf);
        else if (tail->trimmed)
            chunk_shelf_trim(&feed->shelf, feed_row(feed)->first_id);
    }
    tail_deinit(tail);
    (void)upkeep_folded(feed_upkeep(feed), side, SIZE_MAX);
}

void feed_head_reset(struct feed_head *head)
{
    head->at = 0;
    head->count = 0;
}

void feed_head_add(struct feed_head *head, struct id id)
{
    if (head->count == head->cap) {
        head->cap = head->cap == 0 ? 32 : head->cap * 2;
        head->ids = mem_realloc(head->ids, head->cap * sizeof(struct id));
    }
    head->ids[head->count++] = id;
}

size_t feed_bytes(const struct feed *feed)
{
    size_t groups = feed->groups != NULL ? groups_bytes(feed->groups) : 0;
    return sizeof(*feed) + feed->head.cap * sizeof(struct id) + groups +
           upkeep_bytes(feed_upkeep(feed));
}

size_t feed_tail_bytes(const struct feed *feed)
{
    size_t size = 0;
    for (int side = 0; side < 2; side++) {
        const struct tail *tail = &feed->tails[side];
        size += tail->cap * sizeof(struct piece);
        for (uint32_t i = tail->from; i < tail->count; i++)
            size += tail->pieces[i].cap;
    }
    return size;
}
