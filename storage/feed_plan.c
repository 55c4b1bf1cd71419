#include "storage/feed_plan.h"

#include "base/alloc.h"

void trim_plan_init(struct trim_plan *plan, struct feed *feed, struct ranges *ranges,
                    const struct trim *trim)
{
    *plan = (struct trim_plan){.feed = feed, .ranges = ranges, .trim = *trim};
}

void trim_plan_add(struct trim_plan *plan, struct id added)
{
    plan->adding = true;
    plan->added = added;
}

static void trim_stop(struct trim_plan *plan)
{
    if (plan->walking)
        feed_cursor_deinit(&plan->cursor);
    plan->walking = false;
}

void trim_plan_deinit(struct trim_plan *plan)
{
    trim_stop(plan);
    mem_free(plan->head.ids);
}

static uint64_t length_of(const struct trim_plan *plan)
{
    return feed_row(plan->feed)->length + (plan->adding ? 1 : 0);
}

static enum err decide(struct trim_plan *plan, struct id first, uint64_t removed)
{
    plan->first = first;
    plan->removed = removed;
    return ERR_OK;
}

static enum err keep_all(struct trim_plan *plan)
{
    return decide(plan, feed_row(plan->feed)->first_id, 0);
}

/* Every entry that is there goes; the added one stays unless it is too old itself. */
static enum err remove_all(struct trim_plan *plan, uint64_t removed)
{
    const struct trim *trim = &plan->trim;
    bool young = trim->kind == TRIM_MAXLEN ? trim->maxlen > 0 : !id_less(plan->added, trim->minid);
    bool enough = trim->limit > 0 && removed >= trim->limit;
    if (plan->adding && (young || enough || trim->bounded))
        return decide(plan, plan->added, removed);
    return decide(plan, ID_MAX, removed + (plan->adding ? 1 : 0));
}

/* Answers from the counters or the feed's head when they know enough. ERR_END: they do not. */
static enum err trim_quickly(struct trim_plan *plan)
{
    const struct trim *trim = &plan->trim;
    const struct feed_row *row = feed_row(plan->feed);
    const struct feed_head *head = &plan->feed->head;
    uint64_t length = length_of(plan);
    bool maxlen = trim->kind == TRIM_MAXLEN;
    if (maxlen && length <= trim->maxlen)
        return keep_all(plan);
    if (trim->bounded)
        return row->length == 0 || !id_less(row->first_id, trim->bound) ? keep_all(plan) : ERR_END;
    if (row->length == 0 || (maxlen && trim->maxlen <= (plan->adding ? 1 : 0) &&
                             (!trim->approximate || trim->limit == 0 || length <= trim->limit)))
        return remove_all(plan, row->length);
    if (!maxlen && !id_less(row->first_id, trim->minid))
        return keep_all(plan);
    uint32_t left = head->count - head->at;
    if (left == 0 || !id_equal(head->ids[head->at], row->first_id))
        return ERR_END;
    if (trim->approximate) {
        bool stays = maxlen ? length - left < trim->maxlen
                            : !id_less(head->ids[head->count - 1], trim->minid);
        return stays ? keep_all(plan) : ERR_END;
    }
    uint64_t n = maxlen ? length - trim->maxlen : 0;
    while (!maxlen && n < left && id_less(head->ids[head->at + n], trim->minid))
        n++;
    return n < left ? decide(plan, head->ids[head->at + n], n) : ERR_END;
}

/* Whether `entry` must go, with `removed` before it. */
static bool too_old(const struct trim_plan *plan, struct id id, uint64_t removed)
{
    const struct trim *trim = &plan->trim;
    if (trim->bounded && !id_less(id, trim->bound))
        return false;
    return trim->kind == TRIM_MAXLEN ? length_of(plan) - removed > trim->maxlen
                                     : id_less(id, trim->minid);
}

/* A chunk was counted whole, and all of it may go. */
static void take_chunk(struct trim_plan *plan)
{
    plan->removed += plan->chunk_entries;
    plan->chunk_entries = 0;
}

static void note_first(struct trim_plan *plan, struct id id)
{
    plan->first = id;
    plan->filling = true;
}

/* Looks at one entry upwards. Sets `filling` when it is the first that stays, or, approximately,
 * when its chunk does. */
static void walk_entry(struct trim_plan *plan, struct id id, bool new_chunk)
{
    struct feed_head *head = &plan->head;
    if (new_chunk) {
        take_chunk(plan);
        feed_head_reset(head);
    }
    if (plan->trim.approximate) {
        if (head->count == 0)
            plan->first = id;
        bool over = plan->trim.limit > 0 && plan->removed + plan->chunk_entries >= plan->trim.limit;
        if (over || !too_old(plan, id, plan->removed + plan->chunk_entries))
            plan->filling = true;
        plan->chunk_entries++;
    } else if (too_old(plan, id, plan->removed)) {
        plan->removed++;
        return;
    } else {
        note_first(plan, id);
    }
    feed_head_add(head, id);
}

/* A head that ends early serves as well as a whole chunk's, for a shorter time. */
static enum err trim_decided(struct trim_plan *plan)
{
    struct feed_head head = plan->feed->head;
    plan->feed->head = plan->head;
    plan->head = head;
    return ERR_OK;
}

static enum err trim_walk(struct trim_plan *plan)
{
    for (;;) {
        struct entry entry;
        enum err err = feed_cursor_next(&plan->cursor, &entry);
        bool new_chunk = plan->cursor.chunks != plan->chunk;
        plan->chunk = plan->cursor.chunks;
        if (plan->filling && (err != ERR_OK || new_chunk))
            return trim_decided(plan);
        if (err == ERR_END) {
            take_chunk(plan);
            return remove_all(plan, plan->removed);
        }
        if (err != ERR_OK)
            return err;
        if (plan->filling)
            feed_head_add(&plan->head, entry.id);
        else
            walk_entry(plan, entry.id, new_chunk);
    }
}

static void trim_start(struct trim_plan *plan)
{
    trim_stop(plan);
    feed_cursor_init(&plan->cursor, plan->feed, plan->ranges, ID_MIN, ID_MAX, false);
    plan->walking = true;
    plan->filling = false;
    plan->edits = plan->feed->edits;
    plan->chunk = 0;
    plan->chunk_entries = 0;
    plan->removed = 0;
    feed_head_reset(&plan->head);
}

enum err trim_plan_step(struct trim_plan *plan)
{
    if (plan->trim.kind == TRIM_NONE)
        return keep_all(plan);
    if (!plan->walking || plan->edits != plan->feed->edits) {
        enum err err = trim_quickly(plan);
        if (err != ERR_END)
            return err;
        trim_start(plan);
    }
    return trim_walk(plan);
}

void erase_plan_init(struct erase_plan *plan, struct feed *feed, struct ranges *ranges,
                     const struct id *ids, size_t count)
{
    *plan = (struct erase_plan){
        .feed = feed, .ranges = ranges, .ids = ids, .count = count, .edits = feed->edits};
    buf_init(&plan->found);
}

static void erase_stop(struct erase_plan *plan)
{
    if (plan->walking)
        feed_cursor_deinit(&plan->cursor);
    plan->walking = false;
}

void erase_plan_deinit(struct erase_plan *plan)
{
    erase_stop(plan);
    id_set_deinit(&plan->live);
    buf_deinit(&plan->found);
}

/* Looks ids[at] up: a walk from it to itself. */
static enum err look_up(struct erase_plan *plan)
{
    struct id id = plan->ids[plan->at];
    if (id_is_zero(id))
        return ERR_OK;
    if (!plan->walking)
        feed_cursor_init(&plan->cursor, plan->feed, plan->ranges, id, id, false);
    plan->walking = true;
    struct entry entry;
    enum err err = feed_cursor_next(&plan->cursor, &entry);
    if (err == ERR_OK && id_set_add(&plan->live, id))
        buf_add(&plan->found, &id, sizeof(id));
    if (err != ERR_OK && err != ERR_END)
        return err;
    erase_stop(plan);
    return ERR_OK;
}

static enum err find_first(struct erase_plan *plan)
{
    const struct feed_row *row = feed_row(plan->feed);
    plan->first = row->first_id;
    if (!id_set_has(&plan->live, row->first_id))
        return ERR_OK;
    if (!plan->walking)
        feed_cursor_init(&plan->cursor, plan->feed, plan->ranges, ID_MIN, ID_MAX, false);
    plan->walking = true;
    struct entry entry;
    enum err err;
    do {
        err = feed_cursor_next(&plan->cursor, &entry);
    } while (err == ERR_OK && id_set_has(&plan->live, entry.id));
    if (err == ERR_OK)
        plan->first = entry.id;
    else if (err == ERR_END)
        plan->first = ID_MIN;
    else
        return err;
    erase_stop(plan);
    return ERR_OK;
}

/* An id that was looked up in vain may be that of an entry which was added since. */
static bool arrived(const struct erase_plan *plan)
{
    struct id last = feed_row(plan->feed)->last_id;
    for (size_t i = 0; i < plan->at && !id_equal(plan->last, last); i++) {
        if (id_less(plan->last, plan->ids[i]) && !id_less(last, plan->ids[i]))
            return true;
    }
    return false;
}

enum err erase_plan_step(struct erase_plan *plan)
{
    if (plan->edits != plan->feed->edits || arrived(plan)) {
        erase_stop(plan);
        id_set_deinit(&plan->live);
        plan->found.len = 0;
        plan->at = 0;
        plan->edits = plan->feed->edits;
    }
    plan->last = feed_row(plan->feed)->last_id;
    for (; plan->at < plan->count; plan->at++) {
        enum err err = look_up(plan);
        if (err != ERR_OK)
            return err;
    }
    return find_first(plan);
}
