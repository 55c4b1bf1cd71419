#include "broker/hold.h"

#include "broker/caretaker_internal.h"
#include "broker/group_log.h"

/* Lets go of the group that is being asked. */
static void leave(struct hold *hold)
{
    if (hold->in_pending)
        pending_cursor_deinit(&hold->pending);
    if (hold->in_feed)
        feed_cursor_deinit(&hold->entry);
    if (hold->group != NULL)
        group_unref(hold->group);
    hold->in_pending = false;
    hold->in_feed = false;
    hold->group = NULL;
}

void hold_reset(struct hold *hold)
{
    leave(hold);
    if (hold->groups != NULL)
        groups_unref(hold->groups);
    *hold = (struct hold){0};
}

/* ---- reading ---- */

static enum err take_groups(struct errand *errand, struct broker *broker)
{
    struct object *object;
    enum err err = keyspace_find(&broker->keyspace, errand->db, buf_bytes(&errand->key), &object);
    if (err != ERR_OK || object_feed(object) == NULL)
        return err;
    return keyspace_groups_take(&broker->keyspace, object, &errand->fetch);
}

static enum look read_groups(const struct looking *looking)
{
    struct errand *errand = errand_begin(looking->caretaker, looking->feed, take_groups);
    errand->db = looking->db;
    buf_add_bytes(&errand->key, looking->key);
    keyspace_groups_plan(&looking->broker->keyspace, looking->object, &errand->fetch);
    return errand_send(errand, looking->broker);
}

static enum err take_rows(struct errand *errand, struct broker *broker)
{
    struct hold *hold = &broker->caretaker.retention.hold;
    if (errand->fetch.view != store_view(broker->store))
        leave(hold); /* it asks again */
    else if (hold->in_pending)
        return pending_cursor_take(&hold->pending, &errand->fetch);
    else if (hold->in_feed)
        return feed_cursor_take(&hold->entry, &errand->fetch);
    return ERR_OK;
}

static enum look read_rows(const struct looking *looking, struct hold *hold)
{
    struct errand *errand = errand_begin(looking->caretaker, looking->feed, take_rows);
    if (hold->in_pending)
        pending_cursor_plan(&hold->pending, &errand->fetch);
    else
        feed_cursor_plan(&hold->entry, &errand->fetch, 1);
    return errand_send(errand, looking->broker);
}

/* ---- one group ---- */

/* Goes on with what was begun about the group, or begins. */
static void begin(const struct looking *looking, struct hold *hold, struct group *group)
{
    struct ranges *ranges = store_ranges(looking->broker->store);
    if (hold->group == group)
        return;
    leave(hold);
    hold->group = group;
    group_ref(group);
    pending_cursor_init(&hold->pending, group, ranges, ID_MIN, ID_MAX, false);
    hold->in_pending = true;
}

/* Nothing is pending: the first entry that the group has not delivered holds. */
static bool go_on_in_feed(const struct looking *looking, struct hold *hold)
{
    struct id from = group_state(hold->group)->last_id;
    pending_cursor_deinit(&hold->pending);
    hold->in_pending = false;
    if (!id_next(&from))
        return false;
    feed_cursor_init(&hold->entry, looking->feed, store_ranges(looking->broker->store), from,
                     ID_MAX, false);
    hold->in_feed = true;
    return true;
}

/* The first id that the group holds. ERR_END: it holds nothing. */
static enum err first_held(const struct looking *looking, struct hold *hold, struct id *out)
{
    if (hold->in_pending) {
        struct pending item;
        enum err err = pending_cursor_next(&hold->pending, &item);
        pending_cursor_pause(&hold->pending);
        if (err == ERR_OK)
            *out = item.id;
        if (err != ERR_END)
            return err;
        if (!go_on_in_feed(looking, hold))
            return ERR_END;
    }
    struct entry entry;
    enum err err = feed_cursor_next(&hold->entry, &entry);
    if (err == ERR_OK)
        *out = entry.id;
    return err;
}

static void park(const struct looking *looking, struct group *group, bool parked)
{
    if (parked && !group->parked)
        group_log("group parked", looking->db, looking->key, group);
    group->parked = parked;
}

/* Takes the group's hold into account. */
static enum err ask(const struct looking *looking, struct hold *hold, struct group *group)
{
    uint64_t maxlag_ms = upkeep_policy(feed_upkeep(looking->feed))->maxlag_ms;
    struct id held = ID_MAX;
    begin(looking, hold, group);
    enum err err = first_held(looking, hold, &held);
    if (err != ERR_OK && err != ERR_END)
        return err;
    bool late = err == ERR_OK && maxlag_ms > 0 && looking->now_ms > maxlag_ms &&
                held.ms < looking->now_ms - maxlag_ms;
    park(looking, group, late);
    if (!late)
        hold->first = id_min(hold->first, held);
    leave(hold);
    hold->asked = group->entry.number;
    return ERR_OK;
}

/* Begins with the first group, where those of another feed were asked. */
static void begin_asking(struct hold *hold, struct groups *groups)
{
    if (hold->groups == groups)
        return;
    hold_reset(hold);
    hold->groups = groups;
    groups_ref(groups);
    groups->set_back = ID_MAX;
    hold->first = ID_MAX;
}

static enum look ask_all(const struct looking *looking, struct hold *hold)
{
    struct group *group;
    while ((group = groups_after(hold->groups, hold->asked)) != NULL) {
        if (looking->caretaker->groups_left == 0)
            return LOOK_MORE;
        looking->caretaker->groups_left--;
        enum err err = ask(looking, hold, group);
        if (err == ERR_COLD)
            return read_rows(looking, hold);
        if (err != ERR_OK)
            return caretaker_failed(looking->caretaker, err);
    }
    return LOOK_DONE;
}

enum look hold_find(const struct looking *looking, struct hold *hold, struct id *out)
{
    enum err err = keyspace_groups(&looking->broker->keyspace, looking->object);
    struct groups *groups = looking->feed->groups;
    if (err == ERR_COLD)
        return read_groups(looking);
    if (err != ERR_OK)
        return caretaker_failed(looking->caretaker, err);
    if (groups == NULL) {
        *out = ID_MAX;
        return LOOK_DONE;
    }
    begin_asking(hold, groups);
    enum look look = ask_all(looking, hold);
    if (look == LOOK_DONE)
        *out = id_min(hold->first, groups->set_back);
    if (look == LOOK_DONE || look == LOOK_FAILED)
        hold_reset(hold);
    return look;
}
