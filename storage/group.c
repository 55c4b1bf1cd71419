#include "storage/group.h"

#include "base/alloc.h"
#include "base/check.h"

static struct consumer *consumer_create(uint64_t number, struct bytes name)
{
    struct consumer *consumer = mem_zalloc(sizeof(*consumer) + name.len);
    if (name.len > 0)
        memcpy(consumer->name, name.data, name.len);
    consumer->entry = (struct roster_entry){number, bytes_of(consumer->name, name.len)};
    return consumer;
}

static void consumers_deinit(struct roster *consumers)
{
    for (uint32_t i = 0; i < consumers->count; i++)
        mem_free(consumers->by_name[i]);
    roster_deinit(consumers);
}

static void state_deinit(struct group_state *state)
{
    consumers_deinit(&state->consumers);
    pending_set_deinit(&state->changes);
    *state = (struct group_state){0};
}

/* ---- the groups of a feed ---- */

struct groups *groups_create(struct chunk_home home, struct chunk_cache *cache)
{
    struct groups *groups = mem_zalloc(sizeof(*groups));
    groups->home = home;
    groups->cache = cache;
    groups->refs = 1;
    return groups;
}

void groups_ref(struct groups *groups)
{
    groups->refs++;
}

void groups_unref(struct groups *groups)
{
    CHECK(groups->refs > 0);
    if (--groups->refs > 0)
        return;
    for (uint32_t i = 0; i < groups->roster.count; i++)
        group_unref(groups_nth(groups, i));
    roster_deinit(&groups->roster);
    mem_free(groups);
}

struct group *groups_find(const struct groups *groups, struct bytes name)
{
    return (struct group *)(void *)roster_find(&groups->roster, name);
}

struct group *groups_at(const struct groups *groups, uint64_t number)
{
    return (struct group *)(void *)roster_at(&groups->roster, number);
}

struct group *groups_after(const struct groups *groups, uint64_t number)
{
    return (struct group *)(void *)roster_after(&groups->roster, number);
}

struct group *groups_add(struct groups *groups, uint64_t number, struct bytes name, uint8_t side)
{
    CHECK(name.len <= UINT32_MAX);
    struct group *group = mem_zalloc(sizeof(*group) + name.len);
    group->name_len = (uint32_t)name.len;
    if (name.len > 0)
        memcpy(group->name, name.data, name.len);
    group->entry = (struct roster_entry){number, group_name(group)};
    group->home = groups->home;
    group->refs = 1;
    group->side = side;
    group->shelf.cache = groups->cache;
    list_init(&group->links[0]);
    list_init(&group->links[1]);
    group_state(group)->entries_read = ENTRIES_READ_UNKNOWN;
    group_state(group)->next_consumer = 1;
    roster_add(&groups->roster, &group->entry);
    return group;
}

void groups_remove(struct groups *groups, struct group *group)
{
    roster_remove(&groups->roster, &group->entry);
    group->dropped = true;
    group_unref(group);
}

static struct id take_id(struct decoder *decoder)
{
    struct id id = {.ms = decoder_varint(decoder)};
    id.seq = decoder_varint(decoder);
    return id;
}

static bool load_consumers(struct decoder *decoder, struct group_state *state)
{
    uint64_t count = decoder_varint(decoder);
    for (uint64_t i = 0; i < count && !decoder->failed; i++) {
        uint64_t number = decoder_varint(decoder);
        struct bytes name = decoder_bytes(decoder);
        if (decoder->failed || number == 0 || number >= state->next_consumer ||
            roster_at(&state->consumers, number) != NULL ||
            roster_find(&state->consumers, name) != NULL)
            return false;
        struct consumer *consumer = consumer_create(number, name);
        consumer->seen_ms = decoder_varint(decoder);
        consumer->active_ms = decoder_varint(decoder);
        consumer->pending = decoder_varint(decoder);
        roster_add(&state->consumers, &consumer->entry);
    }
    return !decoder->failed && decoder_left(decoder) == 0;
}

enum err groups_load(struct groups *groups, struct bytes key, struct bytes row, uint8_t side)
{
    uint64_t number;
    enum err err = key_group_number(key, groups->home, &number);
    if (err != ERR_OK)
        return err;
    struct decoder decoder = decoder_of(row);
    struct bytes name = decoder_bytes(&decoder);
    if (decoder.failed || groups_find(groups, name) != NULL || groups_at(groups, number) != NULL)
        return ERR_CORRUPT;
    struct group *group = groups_add(groups, number, name, side);
    struct group_state *state = group_state(group);
    state->last_id = take_id(&decoder);
    state->entries_read = decoder_varint(&decoder) - 1;
    state->pending = decoder_varint(&decoder);
    state->stored_last = take_id(&decoder);
    uint64_t next_consumer = decoder_varint(&decoder);
    state->next_consumer = next_consumer < UINT32_MAX ? (uint32_t)next_consumer : 0;
    if (load_consumers(&decoder, state))
        return ERR_OK;
    groups_remove(groups, group);
    return ERR_CORRUPT;
}

size_t groups_bytes(const struct groups *groups)
{
    size_t size = sizeof(*groups) + roster_bytes(&groups->roster);
    for (uint32_t i = 0; i < groups->roster.count; i++) {
        const struct group *group = groups_nth(groups, i);
        const struct roster *consumers = &group->states[group->side].consumers;
        size += sizeof(*group) + group->name_len + roster_bytes(consumers) +
                consumers->count * (sizeof(struct consumer) + 16);
    }
    return size;
}

/* ---- one group ---- */

void group_ref(struct group *group)
{
    group->refs++;
}

void group_unref(struct group *group)
{
    CHECK(group->refs > 0);
    if (--group->refs > 0)
        return;
    state_deinit(&group->states[0]);
    state_deinit(&group->states[1]);
    chunk_shelf_clear(&group->shelf);
    mem_free(group);
}

struct id group_state_stored_last(const struct group_state *state)
{
    if (state->pending == 0) /* the fold removes all blocks */
        return ID_MIN;
    struct pending_place place;
    const struct pending *last = pending_set_seek_prev(&state->changes, ID_MAX, &place);
    return last != NULL ? id_max(state->stored_last, last->id) : state->stored_last;
}

static void copy_consumers(struct roster *to, const struct roster *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct consumer *old = (const struct consumer *)(const void *)from->by_number[i];
        struct consumer *consumer = consumer_create(old->entry.number, old->entry.name);
        consumer->seen_ms = old->seen_ms;
        consumer->noticed_ms = old->noticed_ms;
        consumer->active_ms = old->active_ms;
        consumer->pending = old->pending;
        roster_add(to, &consumer->entry);
    }
}

void group_turn(struct group *group, uint8_t side)
{
    CHECK(side != group->side);
    struct group_state *old = &group->states[group->side];
    struct group_state *state = &group->states[side];
    *state = *old;
    state->changes = (struct pending_set){0};
    group->side = side;
    if (list_empty(&group->links[side ^ 1])) {
        CHECK(pending_set_empty(&old->changes));
        pending_set_deinit(&old->changes);
        *old = (struct group_state){0};
        return;
    }
    state->stored_last = group_state_stored_last(old);
    state->consumers = (struct roster){0};
    copy_consumers(&state->consumers, &old->consumers);
}

/* Blocks that were rewritten are not as they are here any more. */
static void drop_changed(struct chunk_shelf *shelf, const struct pending_set *changes)
{
    if (shelf->count == 0)
        return;
    struct pending_place place;
    const struct pending *item = pending_set_seek(changes, ID_MIN, &place);
    for (; item != NULL; item = pending_set_next(changes, &place))
        chunk_shelf_drop(shelf, item->id);
}

void group_folded(struct group *group, uint8_t side)
{
    struct group_state *state = &group->states[side];
    drop_changed(&group->shelf, &state->changes);
    if (group->side != side) {
        state_deinit(state);
        return;
    }
    state->stored_last = group_state_stored_last(state);
    pending_set_deinit(&state->changes);
}

struct consumer *group_consumer(struct group *group, struct bytes name)
{
    return (struct consumer *)(void *)roster_find(&group_state(group)->consumers, name);
}

struct consumer *group_state_consumer(const struct group_state *state, uint32_t number)
{
    return (struct consumer *)(void *)roster_at(&state->consumers, number);
}

struct consumer *group_add_consumer(struct group *group, uint32_t number, struct bytes name,
                                    uint64_t now_ms)
{
    struct group_state *state = group_state(group);
    struct consumer *consumer = consumer_create(number, name);
    consumer->seen_ms = now_ms;
    roster_add(&state->consumers, &consumer->entry);
    if (state->next_consumer <= number)
        state->next_consumer = number + 1;
    return consumer;
}

void group_remove_consumer(struct group *group, struct consumer *consumer)
{
    struct group_state *state = group_state(group);
    state->pending -= consumer->pending;
    roster_remove(&state->consumers, &consumer->entry);
    mem_free(consumer);
}

static void count(struct group_state *state, uint32_t consumer, int change)
{
    if (consumer == 0)
        return;
    group_state_consumer(state, consumer)->pending += (uint64_t)(int64_t)change;
    state->pending += (uint64_t)(int64_t)change;
}

void group_assign(struct group *group, const struct pending *item, uint32_t owner)
{
    struct group_state *state = group_state(group);
    bool added;
    struct pending *slot = pending_set_put(&state->changes, item->id, &added);
    bool fresh = added ? id_less(state->stored_last, item->id) : slot->fresh;
    *slot = *item;
    slot->fresh = fresh;
    count(state, owner, -1);
    count(state, item->consumer, 1);
    if (item->delivered_ms < group->oldest_ms)
        group->oldest_ms = item->delivered_ms;
}

void group_release(struct group *group, struct id id, uint32_t owner)
{
    struct group_state *state = group_state(group);
    count(state, owner, -1);
    struct pending *slot = pending_set_find(&state->changes, id);
    if (slot != NULL && slot->fresh) {
        pending_set_remove(&state->changes, id);
        return;
    }
    bool added;
    if (slot == NULL)
        slot = pending_set_put(&state->changes, id, &added);
    *slot = (struct pending){.id = id};
}

static void put_id(struct buf *out, struct id id)
{
    buf_put_varint(out, id.ms);
    buf_put_varint(out, id.seq);
}

void group_row_encode(struct buf *out, const struct group *group, uint8_t side)
{
    const struct group_state *state = &group->states[side];
    buf_put_bytes(out, group_name(group));
    put_id(out, state->last_id);
    buf_put_varint(out, state->entries_read + 1);
    buf_put_varint(out, state->pending);
    put_id(out, group_state_stored_last(state));
    buf_put_varint(out, state->next_consumer);
    buf_put_varint(out, state->consumers.count);
    for (uint32_t i = 0; i < state->consumers.count; i++) {
        const struct consumer *consumer = group_nth_consumer(state, i);
        buf_put_varint(out, consumer->entry.number);
        buf_put_bytes(out, consumer->entry.name);
        buf_put_varint(out, consumer->seen_ms);
        buf_put_varint(out, consumer->active_ms);
        buf_put_varint(out, consumer->pending);
    }
}
