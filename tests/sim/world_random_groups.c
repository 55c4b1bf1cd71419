/* Random commands about groups that hit: ids near those that are pending. */
#include "tests/sim/world_internal.h"

/* A group with more pending entries is mostly acknowledged, or destroyed. */
#define PENDING_MAX 80

static uint64_t below(uint64_t n)
{
    return random_below(&world.random, n);
}

static const struct model_group *group_of(const struct model_command *command)
{
    return &world.model.streams[command->db][command->key].groups[command->group];
}

static struct id pending_id(const struct model_command *command)
{
    const struct model_group *group = group_of(command);
    return group->count > 0 && !world_chance(10) ? group->pending[below(group->count)].id
                                                 : world_some_id(command);
}

/* Each once. */
static void choose_ids(struct model_command *command)
{
    unsigned wanted = 1 + (unsigned)below(MODEL_IDS_MAX);
    for (unsigned i = 0; i < wanted; i++) {
        struct id id = pending_id(command);
        bool new = true;
        for (unsigned j = 0; j < command->id_count; j++)
            new = new && !id_equal(command->ids[j], id);
        if (new)
            command->ids[command->id_count++] = id;
    }
}

static enum model_kind choose_kind(const struct model_command *command)
{
    const struct model_group *group = group_of(command);
    unsigned dice = (unsigned)below(100);
    if (!group->exists && dice < 60)
        return MODEL_XGROUP_CREATE;
    if (group->count > PENDING_MAX)
        return dice < 70 ? MODEL_XACK : MODEL_XGROUP_DESTROY;
    if (dice < 42)
        return MODEL_XREADGROUP;
    if (dice < 64)
        return MODEL_XACK;
    if (dice < 76)
        return MODEL_XCLAIM;
    if (dice < 87)
        return MODEL_XAUTOCLAIM;
    if (dice < 90)
        return MODEL_XGROUP_CREATE;
    if (dice < 95)
        return MODEL_XGROUP_SETID;
    return dice < 98 ? MODEL_XGROUP_DELCONSUMER : MODEL_XGROUP_DESTROY;
}

static void choose_read(struct model_command *command)
{
    unsigned dice = (unsigned)below(100);
    command->history = dice < 20;
    command->claims = dice >= 20 && dice < 40;
    command->no_ack = dice >= 90;
    if (world_chance(50))
        command->ids[0] = pending_id(command);
}

void world_random_group_write(struct model_command *command)
{
    command->group = (unsigned)below(MODEL_GROUPS);
    command->consumer = (unsigned)below(MODEL_CONSUMERS);
    command->kind = choose_kind(command);
    command->number = 1 + below(MODEL_SHOWN_MAX);
    command->make_stream = world_chance(70);
    command->just_id = world_chance(20);
    command->force = command->kind == MODEL_XCLAIM && world_chance(20);
    if (command->kind == MODEL_XREADGROUP)
        choose_read(command);
    if (command->kind == MODEL_XACK || command->kind == MODEL_XCLAIM)
        choose_ids(command);
    if (command->kind == MODEL_XAUTOCLAIM || command->kind == MODEL_XGROUP_SETID)
        command->id = world_chance(30) ? ID_MIN : pending_id(command);
    if (command->kind == MODEL_XGROUP_CREATE && world_chance(50))
        command->id = world_some_id(command);
}

void world_random_group_read(struct model_command *command, bool may_block)
{
    static const enum model_kind kinds[] = {MODEL_XPENDING, MODEL_XPENDING_ALL, MODEL_XINFO_GROUPS};
    command->group = (unsigned)below(MODEL_GROUPS);
    command->consumer = (unsigned)below(MODEL_CONSUMERS);
    command->kind = kinds[below(sizeof(kinds) / sizeof(kinds[0]))];
    if (!may_block || world_chance(50))
        return;
    command->kind = MODEL_XREADGROUP;
    command->number = 1 + below(MODEL_SHOWN_MAX);
    command->block = true;
}
