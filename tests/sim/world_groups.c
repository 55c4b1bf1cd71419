/* The model's consumer groups. */
#include "tests/sim/world_model_internal.h"

#include "base/alloc.h"
#include "base/check.h"

/* ---- pending entries ---- */

static size_t place_of(const struct model_group *group, struct id id)
{
    size_t at = 0;
    while (at < group->count && id_less(group->pending[at].id, id))
        at++;
    return at;
}

static struct model_pending *find_pending(const struct model_group *group, struct id id)
{
    size_t at = place_of(group, id);
    return at < group->count && id_equal(group->pending[at].id, id) ? &group->pending[at] : NULL;
}

static void assign(struct model_group *group, struct id id, unsigned consumer, uint64_t deliveries)
{
    struct model_pending *item = find_pending(group, id);
    if (item == NULL) {
        size_t at = place_of(group, id);
        if (group->count == group->cap) {
            group->cap = group->cap * 2 + 8;
            group->pending = mem_realloc(group->pending, group->cap * sizeof(*item));
        }
        item = &group->pending[at];
        memmove(item + 1, item, (group->count++ - at) * sizeof(*item));
    }
    *item = (struct model_pending){id, consumer, deliveries};
}

static bool release(struct model_group *group, struct id id)
{
    struct model_pending *item = find_pending(group, id);
    if (item == NULL)
        return false;
    group->count--;
    memmove(item, item + 1, (size_t)(&group->pending[group->count] - item) * sizeof(*item));
    return true;
}

static void clear(struct model_group *group)
{
    mem_free(group->pending);
    *group = (struct model_group){0};
}

void model_groups_clear(struct model_stream *stream)
{
    for (unsigned i = 0; i < MODEL_GROUPS; i++)
        clear(&stream->groups[i]);
}

void model_groups_copy(struct model_stream *to, const struct model_stream *from)
{
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        const struct model_group *group = &from->groups[i];
        to->groups[i] = *group;
        to->groups[i].cap = group->count;
        to->groups[i].pending = NULL;
        if (group->count > 0) {
            size_t size = group->count * sizeof(*group->pending);
            to->groups[i].pending = mem_alloc(size);
            memcpy(to->groups[i].pending, group->pending, size);
        }
    }
}

unsigned model_groups_count(const struct model_stream *stream)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MODEL_GROUPS; i++)
        n += stream->groups[i].exists;
    return n;
}

/* ---- what a command takes ---- */

/* A command that runs: what it shows goes to `body`, what it takes to `plan`. */
struct running {
    struct model *model;
    const struct model_command *command;
    struct model_stream *stream;
    struct model_group *group;
    struct model_taking plan;
    struct buf body;
};

static const struct model_entry *find_entry(const struct model_stream *stream, struct id id)
{
    for (size_t i = 0; i < stream->count; i++) {
        if (id_equal(stream->entries[i].id, id))
            return &stream->entries[i];
    }
    return NULL;
}

static void plan_shown(struct running *run, struct id id)
{
    CHECK(run->plan.shown_count < MODEL_SHOWN_MAX);
    run->plan.shown[run->plan.shown_count++] = id;
}

static void plan_gone(struct running *run, struct id id)
{
    CHECK(run->plan.gone_count < MODEL_GONE_MAX);
    run->plan.gone[run->plan.gone_count++] = id;
}

static bool release_gone(struct running *run, const struct model_taking *taking)
{
    bool possible = true;
    for (unsigned i = 0; i < taking->gone_count; i++)
        possible = release(run->group, taking->gone[i]) && possible;
    return possible;
}

/* What the real one took, where that is not as the model would have it. */
static const struct model_taking *taking_of(struct running *run)
{
    const struct model_command *command = run->command;
    const struct model_taking *taking = command->taken ? &command->taking : &run->plan;
    if (taking->shown_count + taking->gone_count > 0)
        model_touch(run->model, command->db, command->key);
    return taking;
}

/* ---- XREADGROUP ---- */

static void show_entry(struct running *run, const struct model_entry *entry, uint64_t deliveries)
{
    size_t start = run->body.len;
    model_reply_entry(&run->body, entry);
    if (!run->command->claims)
        return;
    run->body.data[start + 1] = '4';
    buf_addf(&run->body, ":?\r\n");
    model_reply_number(&run->body, deliveries);
}

static void plan_claims(struct running *run)
{
    const struct model_group *group = run->group;
    for (size_t i = 0; i < group->count && run->plan.shown_count < run->command->number; i++) {
        const struct model_pending *item = &group->pending[i];
        const struct model_entry *entry = find_entry(run->stream, item->id);
        if (entry == NULL) {
            plan_gone(run, item->id);
            continue;
        }
        plan_shown(run, item->id);
        show_entry(run, entry, item->deliveries);
    }
    run->plan.claimed = run->plan.shown_count;
}

static void plan_new(struct running *run)
{
    const struct model_stream *stream = run->stream;
    for (size_t i = 0; i < stream->count && run->plan.shown_count < run->command->number; i++) {
        if (!id_less(run->group->last, stream->entries[i].id))
            continue;
        plan_shown(run, stream->entries[i].id);
        show_entry(run, &stream->entries[i], 0);
    }
}

/* How many are in the reply. */
static unsigned plan_history(struct running *run)
{
    unsigned n = 0;
    for (size_t i = 0; i < run->group->count && n < run->command->number; i++) {
        const struct model_pending *item = &run->group->pending[i];
        if (item->consumer != run->command->consumer || !id_less(run->command->ids[0], item->id))
            continue;
        const struct model_entry *entry = find_entry(run->stream, item->id);
        n++;
        if (entry != NULL) {
            plan_shown(run, item->id);
            show_entry(run, entry, 0);
        } else {
            buf_addf(&run->body, "*2\r\n");
            model_reply_id(&run->body, item->id);
            buf_addf(&run->body, "*-1\r\n");
        }
    }
    return n;
}

/* Entries that were pending before go to the consumer. False: one was not. */
static bool redeliver(struct running *run, const struct id *ids, unsigned count, bool counts)
{
    for (unsigned i = 0; i < count; i++) {
        struct model_pending *item = find_pending(run->group, ids[i]);
        if (item == NULL || (run->command->history && item->consumer != run->command->consumer))
            return false;
        item->consumer = run->command->consumer;
        item->deliveries += counts;
    }
    return true;
}

static bool deliver_new(struct running *run, const struct id *ids, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!id_less(run->group->last, ids[i]))
            return false;
        run->group->last = ids[i];
        if (!run->command->no_ack)
            assign(run->group, ids[i], run->command->consumer, 1);
    }
    return true;
}

static bool run_xreadgroup(struct running *run, struct buf *out)
{
    const struct model_command *command = run->command;
    unsigned n = 0;
    if (command->history)
        n = plan_history(run);
    if (command->claims)
        plan_claims(run);
    if (!command->history)
        plan_new(run);
    if (!command->history)
        n = run->plan.shown_count;
    if (n == 0 && !command->history) {
        buf_addf(out, "*-1\r\n");
    } else {
        buf_addf(out, "*1\r\n*2\r\n");
        model_reply_key(out, command->key);
        buf_addf(out, "*%u\r\n", n);
        buf_add_bytes(out, buf_bytes(&run->body));
    }
    const struct model_taking *taking = taking_of(run);
    unsigned old = command->history ? taking->shown_count : taking->claimed;
    return release_gone(run, taking) && redeliver(run, taking->shown, old, true) &&
           deliver_new(run, taking->shown + old, taking->shown_count - old);
}

/* ---- XACK, XCLAIM, XAUTOCLAIM ---- */

static bool is_planned_gone(const struct running *run, struct id id)
{
    for (unsigned i = 0; i < run->plan.gone_count; i++) {
        if (id_equal(run->plan.gone[i], id))
            return true;
    }
    return false;
}

static bool run_xack(struct running *run, struct buf *out)
{
    for (unsigned i = 0; i < run->command->id_count; i++) {
        struct id id = run->command->ids[i];
        if (find_pending(run->group, id) != NULL && !is_planned_gone(run, id))
            plan_gone(run, id);
    }
    model_reply_number(out, run->plan.gone_count);
    return release_gone(run, taking_of(run));
}

static void plan_claim(struct running *run, struct id id, bool owned)
{
    const struct model_entry *entry = find_entry(run->stream, id);
    if (entry == NULL) {
        if (owned)
            plan_gone(run, id);
        return;
    }
    plan_shown(run, id);
    if (run->command->just_id)
        model_reply_id(&run->body, id);
    else
        model_reply_entry(&run->body, entry);
}

static bool claim(struct running *run)
{
    const struct model_command *command = run->command;
    const struct model_taking *taking = taking_of(run);
    for (unsigned i = 0; i < taking->shown_count; i++) {
        if (command->force && find_pending(run->group, taking->shown[i]) == NULL)
            assign(run->group, taking->shown[i], command->consumer, 1);
    }
    return release_gone(run, taking) &&
           redeliver(run, taking->shown, taking->shown_count, !command->just_id);
}

static bool run_xclaim(struct running *run, struct buf *out)
{
    const struct model_command *command = run->command;
    for (unsigned i = 0; i < command->id_count; i++) {
        bool owned = find_pending(run->group, command->ids[i]) != NULL;
        if (owned || command->force)
            plan_claim(run, command->ids[i], owned);
    }
    buf_addf(out, "*%u\r\n", run->plan.shown_count);
    buf_add_bytes(out, buf_bytes(&run->body));
    return claim(run);
}

static bool run_xautoclaim(struct running *run, struct buf *out)
{
    const struct model_group *group = run->group;
    struct id next = ID_MIN;
    for (size_t i = place_of(group, run->command->id); i < group->count; i++) {
        if (run->plan.shown_count + run->plan.gone_count == run->command->number) {
            next = group->pending[i].id;
            break;
        }
        plan_claim(run, group->pending[i].id, true);
    }
    buf_addf(out, "*3\r\n");
    model_reply_id(out, next);
    buf_addf(out, "*%u\r\n", run->plan.shown_count);
    buf_add_bytes(out, buf_bytes(&run->body));
    buf_addf(out, "*%u\r\n", run->plan.gone_count);
    for (unsigned i = 0; i < run->plan.gone_count; i++)
        model_reply_id(out, run->plan.gone[i]);
    return claim(run);
}

/* ---- XGROUP ---- */

static void no_such_key(struct buf *out)
{
    buf_addf(out,
             "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may "
             "want to use the MKSTREAM option to create an empty stream automatically.\r\n");
}

static void run_create(struct model *model, const struct model_command *command, struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    struct model_group *group = &stream->groups[command->group];
    if (!stream->exists && !command->make_stream) {
        no_such_key(out);
    } else if (group->exists) {
        buf_addf(out, "-BUSYGROUP Consumer Group name already exists\r\n");
    } else {
        if (!stream->exists)
            model_touch_keys(model, command->db, command->key);
        model_touch(model, command->db, command->key);
        stream->exists = true;
        group->exists = true;
        group->last = command->id;
        buf_addf(out, "+OK\r\n");
    }
}

static uint64_t drop_pending(struct model_group *group, unsigned consumer)
{
    size_t left = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (group->pending[i].consumer != consumer)
            group->pending[left++] = group->pending[i];
    }
    uint64_t dropped = group->count - left;
    group->count = left;
    return dropped;
}

/* SETID, DESTROY and DELCONSUMER. */
static void run_manage(struct model *model, const struct model_command *command, struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    struct model_group *group = &stream->groups[command->group];
    bool destroys = command->kind == MODEL_XGROUP_DESTROY;
    if (!stream->exists) {
        no_such_key(out);
        return;
    }
    if (!group->exists && !destroys) {
        buf_addf(out, "-NOGROUP No such consumer group 'g%u' for key name 'k%u'\r\n",
                 command->group, command->key);
        return;
    }
    uint64_t n = group->exists;
    if (command->kind == MODEL_XGROUP_DELCONSUMER)
        n = drop_pending(group, command->consumer);
    if (n > 0)
        model_touch(model, command->db, command->key);
    if (destroys)
        clear(group);
    if (command->kind != MODEL_XGROUP_SETID) {
        model_reply_number(out, n);
        return;
    }
    group->last = command->id;
    buf_addf(out, "+OK\r\n");
}

/* ---- all of them ---- */

static void no_group(const struct model_command *command, struct buf *out)
{
    if (command->kind == MODEL_XACK)
        model_reply_number(out, 0);
    else
        buf_addf(out, "-NOGROUP No such key 'k%u' or consumer group 'g%u'%s\r\n", command->key,
                 command->group,
                 command->kind == MODEL_XREADGROUP ? " in XREADGROUP with GROUP option" : "");
}

static bool run_on_entries(struct running *run, struct buf *out)
{
    switch (run->command->kind) {
    case MODEL_XREADGROUP:
        return run_xreadgroup(run, out);
    case MODEL_XACK:
        return run_xack(run, out);
    case MODEL_XCLAIM:
        return run_xclaim(run, out);
    default:
        return run_xautoclaim(run, out);
    }
}

bool model_run_group_write(struct model *model, const struct model_command *command,
                           struct buf *out)
{
    struct model_stream *stream = model_stream_of(model, command->db, command->key);
    struct running run = {.model = model,
                          .command = command,
                          .stream = stream,
                          .group = &stream->groups[command->group]};
    if (command->kind == MODEL_XGROUP_CREATE) {
        run_create(model, command, out);
        return true;
    }
    if (!model_takes(command->kind)) {
        run_manage(model, command, out);
        return true;
    }
    if (!run.group->exists) {
        no_group(command, out);
        return true;
    }
    buf_init(&run.body);
    bool possible = run_on_entries(&run, out);
    buf_deinit(&run.body);
    return possible;
}

static void run_xpending(const struct model_group *group, struct buf *out)
{
    static const char *const names[] = {"c0", "c1", "c2"};
    uint64_t counts[MODEL_CONSUMERS] = {0};
    unsigned owners = 0;
    if (group->count == 0) {
        buf_addf(out, "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
        return;
    }
    for (size_t i = 0; i < group->count; i++)
        owners += counts[group->pending[i].consumer]++ == 0;
    buf_addf(out, "*4\r\n:%zu\r\n", group->count);
    model_reply_id(out, group->pending[0].id);
    model_reply_id(out, group->pending[group->count - 1].id);
    buf_addf(out, "*%u\r\n", owners);
    for (unsigned i = 0; i < MODEL_CONSUMERS; i++) {
        char text[INTEGER_TEXT_MAX];
        if (counts[i] == 0)
            continue;
        buf_addf(out, "*2\r\n");
        model_reply_string(out, names[i]);
        model_reply_text(out, bytes_of(text, u64_to_text(counts[i], text)));
    }
}

static void run_xpending_all(const struct model_group *group, struct buf *out)
{
    buf_addf(out, "*%zu\r\n", group->count);
    for (size_t i = 0; i < group->count; i++) {
        const struct model_pending *item = &group->pending[i];
        buf_addf(out, "*4\r\n");
        model_reply_id(out, item->id);
        buf_addf(out, "$2\r\nc%u\r\n:?\r\n", item->consumer);
        model_reply_number(out, item->deliveries);
    }
}

static void run_xinfo_groups(const struct model_stream *stream, struct buf *out)
{
    if (!stream->exists) {
        buf_addf(out, "-ERR no such key\r\n");
        return;
    }
    buf_addf(out, "*%u\r\n", model_groups_count(stream));
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        const struct model_group *group = &stream->groups[i];
        if (!group->exists)
            continue;
        buf_addf(out, "*12\r\n$4\r\nname\r\n$2\r\ng%u\r\n$9\r\nconsumers\r\n:?\r\n", i);
        model_reply_string(out, "pending");
        model_reply_number(out, group->count);
        model_reply_string(out, "last-delivered-id");
        model_reply_id(out, group->last);
        buf_addf(out, "$12\r\nentries-read\r\n:?\r\n$3\r\nlag\r\n:?\r\n");
    }
}

void model_run_group_read(struct model *model, const struct model_command *command, struct buf *out)
{
    const struct model_stream *stream = model_stream_of(model, command->db, command->key);
    const struct model_group *group = &stream->groups[command->group];
    if (command->kind == MODEL_XINFO_GROUPS)
        run_xinfo_groups(stream, out);
    else if (!group->exists)
        no_group(command, out);
    else if (command->kind == MODEL_XPENDING)
        run_xpending(group, out);
    else
        run_xpending_all(group, out);
}
