#include "broker/copy_groups.h"

#include "base/alloc.h"
#include "broker/broker_internal.h"

void copy_groups_end(struct copy_groups *copy)
{
    if (!copy->open)
        return;
    if (copy->walk_open)
        pending_walk_end(&copy->walk);
    for (uint32_t i = 0; i < copy->count; i++) {
        group_unref(copy->copies[i].group);
        buf_deinit(&copy->copies[i].items);
    }
    mem_free(copy->copies);
    if (copy->groups != NULL)
        groups_unref(copy->groups);
    *copy = (struct copy_groups){0};
}

static void begin(struct copy_groups *copy, struct groups *groups)
{
    *copy = (struct copy_groups){.open = true, .groups = groups};
    if (groups == NULL)
        return;
    groups_ref(groups);
    copy->count = groups->roster.count;
    copy->copies = mem_zalloc((copy->count + 1) * sizeof(*copy->copies));
    for (uint32_t i = 0; i < copy->count; i++) {
        struct group *group = groups_nth(groups, i);
        copy->copies[i].group = group;
        copy->copies[i].edits = group->edits;
        group_ref(group);
    }
    copy->bytes = groups_bytes(groups);
}

static bool is_outdated(const struct copy_groups *copy, const struct groups *groups)
{
    if (copy->groups != groups || (groups != NULL && groups->roster.count != copy->count))
        return true;
    for (uint32_t i = 0; i < copy->count; i++) {
        const struct group_copy *one = &copy->copies[i];
        if (groups_nth(groups, i) != one->group || one->group->edits != one->edits)
            return true;
    }
    return false;
}

/* Reads group `at`. */
static enum err read_group(struct copy_groups *copy, struct session *session, uint64_t bytes_max)
{
    struct group_copy *one = &copy->copies[copy->at];
    if (!copy->walk_open)
        pending_walk_begin(&copy->walk, session, one->group, ID_MIN, ID_MAX, false);
    copy->walk_open = true;
    enum err err = pending_walk_resume(&copy->walk, session);
    struct pending item;
    while (err == ERR_OK && (err = pending_cursor_next(&copy->walk.cursor, &item)) == ERR_OK) {
        buf_add(&one->items, &item, sizeof(item));
        copy->bytes += sizeof(item);
        if (copy->bytes > bytes_max)
            return ERR_FULL;
    }
    if (err == ERR_COLD)
        pending_walk_wait(&copy->walk, session);
    if (err != ERR_END)
        return err;
    pending_walk_end(&copy->walk);
    copy->walk_open = false;
    copy->at++;
    return ERR_OK;
}

enum err copy_groups_read(struct copy_groups *copy, struct session *session, struct feed *feed,
                          uint64_t bytes_max)
{
    if (copy->open && is_outdated(copy, feed->groups))
        copy_groups_end(copy);
    if (!copy->open)
        begin(copy, feed->groups);
    enum err err = copy->bytes > bytes_max ? ERR_FULL : ERR_OK;
    while (err == ERR_OK && copy->at < copy->count)
        err = read_group(copy, session, bytes_max);
    return err;
}

/* What is pending at one consumer. */
static void collect(const struct group_copy *one, uint64_t consumer, struct pending_set *set)
{
    const struct pending *items = (const struct pending *)(const void *)one->items.data;
    for (size_t i = 0; i < one->items.len / sizeof(*items); i++) {
        bool added;
        if (items[i].consumer != consumer)
            continue;
        struct pending *item = pending_set_put(set, items[i].id, &added);
        *item = items[i];
        item->consumer = 0; /* at nobody, in the copy */
    }
}

static void copy_consumer(struct session *session, const struct group_place *place,
                          const struct group_copy *one, const struct consumer *source)
{
    struct pending_set set = {0};
    const struct consumer *consumer =
        group_write_new_consumer(session, place, source->entry.name, source->seen_ms);
    collect(one, source->entry.number, &set);
    if (!pending_set_empty(&set) || source->active_ms > 0)
        group_write_claims(session, place, consumer, &set, group_state(place->group)->last_id,
                           source->active_ms > 0, source->seen_ms);
    pending_set_deinit(&set);
}

void copy_groups_write(const struct copy_groups *copy, struct session *session, unsigned db,
                       struct bytes key, struct object *target)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    for (uint32_t i = 0; i < copy->count; i++) {
        const struct group_copy *one = &copy->copies[i];
        const struct group_state *state = group_state(one->group);
        struct buf *data = &session->broker->scratch;
        data->len = 0;
        buf_put_varint(data, state->entries_read + 1);
        struct op op = {.kind = OP_GROUP_CREATE,
                        .db = db,
                        .key = key,
                        .object = target,
                        .key2 = group_name(one->group),
                        .number = keyspace_next_feed(keyspace),
                        .id = state->last_id,
                        .data = buf_bytes(data)};
        session_gate(session, keyspace_write(keyspace, &op));
        struct group_place place;
        group_place_find(&place, db, key, target, group_name(one->group));
        for (uint32_t at = 0; at < state->consumers.count; at++)
            copy_consumer(session, &place, one, group_nth_consumer(state, at));
    }
}
