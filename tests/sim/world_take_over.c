/* What a command about a group did, told by its reply and by the group itself. */
#include "tests/sim/world_internal.h"

#include "base/check.h"
#include "storage/pending_cursor.h"

#include <stdio.h>

/* ---- the reply ---- */

struct walk {
    struct bytes left;
};

/* The line at hand: its type, and the number in it. */
static char take_line(struct walk *walk, int64_t *number)
{
    const char *end = memchr(walk->left.data, '\n', walk->left.len);
    size_t len = (size_t)(end + 1 - walk->left.data);
    char type = walk->left.data[0];
    assert_true(bytes_to_i64(bytes_of(walk->left.data + 1, len - 3), number));
    walk->left = bytes_of(end + 1, walk->left.len - len);
    return type;
}

static struct bytes take_text(struct walk *walk)
{
    int64_t len;
    assert_int_equal(take_line(walk, &len), '$');
    struct bytes text = bytes_of(walk->left.data, (size_t)len);
    walk->left = bytes_of(text.data + len + 2, walk->left.len - (size_t)len - 2);
    return text;
}

static struct id take_id(struct walk *walk)
{
    struct id id;
    assert_true(id_from_text(take_text(walk), 0, &id));
    return id;
}

/* An array of texts; false: a null. */
static bool take_fields(struct walk *walk)
{
    int64_t count;
    assert_int_equal(take_line(walk, &count), '*');
    for (int64_t i = 0; i < count; i++)
        (void)take_text(walk);
    return count >= 0;
}

static void add_shown(struct model_taking *taking, struct id id)
{
    CHECK(taking->shown_count < MODEL_SHOWN_MAX);
    taking->shown[taking->shown_count++] = id;
}

static void take_delivered(struct walk *walk, struct model_taking *taking)
{
    int64_t count, parts, idle, deliveries = 0;
    (void)take_line(walk, &count);
    if (count < 0)
        return;
    (void)take_line(walk, &count); /* [key, entries] */
    (void)take_text(walk);
    (void)take_line(walk, &count);
    for (int64_t i = 0; i < count; i++) {
        (void)take_line(walk, &parts);
        struct id id = take_id(walk);
        if (take_fields(walk))
            add_shown(taking, id);
        if (parts == 4) {
            (void)take_line(walk, &idle);
            (void)take_line(walk, &deliveries);
        }
        taking->claimed += deliveries > 0;
    }
}

static void take_claimed(struct walk *walk, bool just_id, struct model_taking *taking)
{
    int64_t count, parts;
    (void)take_line(walk, &count);
    for (int64_t i = 0; i < count; i++) {
        if (!just_id)
            (void)take_line(walk, &parts);
        add_shown(taking, take_id(walk));
        if (!just_id)
            (void)take_fields(walk);
    }
}

/* ---- the group ---- */

static struct group *group_of(const struct model_command *command)
{
    struct object *object;
    char key[16], name[16];
    int key_len = snprintf(key, sizeof(key), "k%u", command->key);
    int name_len = snprintf(name, sizeof(name), "g%u", command->group);
    struct keyspace *keyspace = &world.broker->keyspace;
    assert_int_equal(keyspace_find(keyspace, command->db, bytes_of(key, (size_t)key_len), &object),
                     ERR_OK);
    return groups_find(object_feed(object)->groups, bytes_of(name, (size_t)name_len));
}

/* What the command has just made pending no more is so in memory: where memory does not know, it is
 * pending. */
static void find_gone(const struct model_command *command, struct model_taking *taking)
{
    struct group *group = group_of(command);
    const struct model_group *model =
        &world.model.streams[command->db][command->key].groups[command->group];
    for (size_t i = 0; i < model->count; i++) {
        struct pending item;
        enum err err = pending_find(group, world.ranges, model->pending[i].id, &item);
        if (err != ERR_NOT_FOUND)
            continue;
        CHECK(taking->gone_count < MODEL_GONE_MAX);
        taking->gone[taking->gone_count++] = model->pending[i].id;
    }
}

void world_take_over(struct model_command *command, struct bytes reply)
{
    struct walk walk = {reply};
    int64_t count;
    command->taken = true;
    world.taken_over++;
    if (reply.data[0] == '-')
        return;
    if (command->kind == MODEL_XREADGROUP)
        take_delivered(&walk, &command->taking);
    if (command->kind == MODEL_XAUTOCLAIM) {
        (void)take_line(&walk, &count);
        (void)take_text(&walk);
    }
    if (command->kind == MODEL_XCLAIM || command->kind == MODEL_XAUTOCLAIM)
        take_claimed(&walk, command->just_id, &command->taking);
    if (world.model.streams[command->db][command->key].groups[command->group].exists)
        find_gone(command, &command->taking);
}
