/* Random commands that hit: ids near those that exist, keys among few. */
#include "tests/sim/world_internal.h"

/* A stream with more entries is mostly trimmed and dropped. */
#define STREAM_ENTRIES_MAX 60
/* Of one XDEL. */
#define DELETED_MAX 3

static uint64_t below(uint64_t n)
{
    return random_below(&world.random, n);
}

static const struct model_stream *stream_of(const struct model_command *command)
{
    return &world.model.streams[command->db][command->key];
}

/* An entry's id, or one beside it. */
static struct id some_id(const struct model_stream *stream)
{
    struct id id = stream->last;
    if (stream->count > 0 && !world_chance(20))
        id = stream->entries[below(stream->count)].id;
    if (world_chance(15))
        id.seq += below(3);
    else if (world_chance(15))
        id.ms -= id.ms > 2 ? below(3) : 0;
    if (id_is_zero(id))
        id.seq = 1;
    return id;
}

struct id world_some_id(const struct model_command *command)
{
    return some_id(stream_of(command));
}

static void choose_trim(struct model_command *command)
{
    const struct model_stream *stream = stream_of(command);
    command->trim = world_chance(60) ? MODEL_TRIM_MAXLEN : MODEL_TRIM_MINID;
    command->number = below(stream->count + 3);
    if (world_chance(50))
        command->number = stream->count - below(stream->count < 4 ? stream->count + 1 : 4);
    command->id2 = some_id(stream);
}

static void choose_add(struct model_command *command)
{
    const struct model_stream *stream = stream_of(command);
    command->token = ++world.next_token;
    command->no_create = world_chance(10);
    command->auto_id = world_chance(40);
    command->auto_seq = !command->auto_id && world_chance(20);
    command->id = stream->last;
    command->id.ms += below(3) + (command->id.ms == 0);
    command->id.seq = command->id.ms == stream->last.ms ? stream->last.seq + below(3) : below(3);
    if (command->auto_seq)
        command->id.seq = 0;
    if (world_chance(20))
        choose_trim(command);
}

static void choose_setid(struct model_command *command)
{
    const struct model_stream *stream = stream_of(command);
    command->id = some_id(stream);
    if (world_chance(40))
        command->id = stream->last;
    if (id_is_zero(command->id))
        command->id.seq = 1;
    command->number = world_chance(50) ? 1 + stream->added - below(stream->added / 2 + 1) : 0;
    if (world_chance(30))
        command->id2 = id_min(some_id(stream), command->id);
}

static enum model_kind choose_write(const struct model_command *command)
{
    bool large = stream_of(command)->count > STREAM_ENTRIES_MAX;
    unsigned dice = (unsigned)below(1000);
    if (large && world_chance(30))
        return world_chance(70) ? MODEL_XTRIM : MODEL_DEL;
    if (dice < 620)
        return MODEL_XADD;
    if (dice < 760)
        return MODEL_XDEL;
    if (dice < 840)
        return MODEL_XTRIM;
    if (dice < 870)
        return MODEL_XSETID;
    if (dice < 900)
        return MODEL_DEL;
    if (dice < 940)
        return world_chance(70) ? MODEL_RENAME : MODEL_RENAMENX;
    if (dice < 970)
        return world.setup.copies ? MODEL_COPY : MODEL_XADD;
    if (dice < 985)
        return MODEL_SWAPDB;
    return dice < 997 ? MODEL_FLUSHDB : MODEL_FLUSHALL;
}

static void fill_write(struct model_command *command)
{
    command->kind = choose_write(command);
    command->two_keys = command->kind == MODEL_DEL && world_chance(30);
    command->replace = world_chance(60);
    command->db2 = (unsigned)below(MODEL_DBS);
    if (command->kind == MODEL_COPY && command->db2 == command->db)
        command->key2 = (command->key + 1 + (unsigned)below(MODEL_KEYS - 1)) % MODEL_KEYS;
    if (command->kind == MODEL_XADD)
        choose_add(command);
    if (command->kind == MODEL_XSETID)
        choose_setid(command);
    if (command->kind == MODEL_XTRIM) {
        choose_trim(command);
        command->approximate = world_chance(40);
    }
    if (command->kind == MODEL_XDEL) {
        command->id_count = 1 + (unsigned)below(DELETED_MAX);
        for (unsigned i = 0; i < command->id_count; i++)
            command->ids[i] = some_id(stream_of(command));
    }
}

static void choose_range(struct model_command *command)
{
    const struct model_stream *stream = stream_of(command);
    struct id a = world_chance(30) ? ID_MIN : some_id(stream);
    struct id b = world_chance(30) ? ID_MAX : some_id(stream);
    command->id = id_min(a, b);
    command->id2 = id_max(a, b);
    command->number = world_chance(50) ? 1 + below(12) : 0;
}

static void fill_read(struct model_command *command, bool may_block)
{
    static const enum model_kind kinds[] = {
        MODEL_XRANGE, MODEL_XRANGE, MODEL_XREVRANGE, MODEL_XLEN,   MODEL_XREAD, MODEL_XREAD,
        MODEL_XINFO,  MODEL_DBSIZE, MODEL_KEYS_ALL,  MODEL_EXISTS, MODEL_TYPE};
    command->kind = kinds[below(sizeof(kinds) / sizeof(kinds[0]))];
    command->two_keys =
        world_chance(40) && (command->kind == MODEL_XREAD || command->kind == MODEL_EXISTS);
    if (command->kind == MODEL_XRANGE || command->kind == MODEL_XREVRANGE)
        choose_range(command);
    if (command->kind != MODEL_XREAD)
        return;
    command->block = may_block && world_chance(50);
    command->ids[0] = some_id(stream_of(command));
    command->ids[1] = some_id(&world.model.streams[command->db][command->key2]);
    command->number = world_chance(50) ? 1 + below(12) : 0;
}

struct model_command world_random_command(const struct world_client *client)
{
    bool reader = world.setup.blocks && client == &world.clients[world.setup.clients - 1];
    unsigned keys = world.setup.keys > 0 ? world.setup.keys : MODEL_KEYS;
    struct model_command command = {
        .db = client->db,
        .key = (unsigned)below(keys),
        .key2 = (unsigned)below(keys),
    };
    if (world_chance(4)) {
        command.kind = MODEL_SELECT;
        command.db2 = (unsigned)below(MODEL_DBS);
    } else if (reader || world_chance(world.setup.read_percent)) {
        if (world.setup.groups && world_chance(30))
            world_random_group_read(&command, reader);
        else
            fill_read(&command, reader);
    } else if (world.setup.groups && world_chance(50)) {
        world_random_group_write(&command);
    } else {
        fill_write(&command);
    }
    return command;
}

void world_send_some(void)
{
    for (unsigned i = 0; i < world.setup.clients; i++) {
        struct world_client *client = &world.clients[i];
        unsigned count = world_chance(40) ? 0 : 1 + (unsigned)below(world_chance(80) ? 3 : 12);
        while (count-- > 0) {
            struct model_command command = world_random_command(client);
            if (!world_send(client, &command))
                break;
        }
    }
}
