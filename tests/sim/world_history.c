/* What ran, what was answered, and what of it must be there after a crash. */
#include "tests/sim/world_internal.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/hmap.h"
#include "broker/session_internal.h"
#include "broker/session_io.h"

#include <inttypes.h>

/* Of a reply, in a message. */
#define SHOWN_BYTES 600

static void print_bytes(const char *what, struct bytes bytes)
{
    print_error("%s (%zu bytes): %.*s\n", what, bytes.len,
                (int)(bytes.len < SHOWN_BYTES ? bytes.len : SHOWN_BYTES), bytes.data);
}

static void print_command(const char *what, const struct model_command *command)
{
    struct buf text;
    buf_init(&text);
    model_encode(command, &text);
    print_bytes(what, buf_bytes(&text));
    buf_deinit(&text);
}

static struct world_step *step_at(struct world_client *client, uint64_t index)
{
    return &client->steps[index % WORLD_STEPS_MAX];
}

/* ---- running ---- */

static struct world_client *running_client(void)
{
    for (unsigned i = 0; i < world.setup.clients; i++) {
        struct session *session = world.clients[i].session;
        if (session != NULL && session_state(session)->running)
            return &world.clients[i];
    }
    fail_msg("nobody runs");
    return NULL;
}

void world_command_found(void)
{
    running_client()->started++;
}

static void note_write(const struct model_command *command)
{
    if (world.model.writes > world.journal_cap) {
        world.journal_cap = 2 * world.journal_cap + 64;
        world.journal = mem_realloc(world.journal, world.journal_cap * sizeof(*world.journal));
    }
    world.journal[world.model.writes - 1] =
        (struct world_write){*command, store_last(world.broker->store)};
}

/* What went cold while it read shows several states: it is exact only when its keys did not change.
 */
static bool is_exact(const struct world_step *step)
{
    enum model_kind kind = step->command.kind;
    return !step->went_cold || (model_writes(kind) && !model_takes(kind)) ||
           model_depends_on(&world.model, &step->command) <= step->writes_before;
}

static void compare_reply(struct world_step *step)
{
    struct bytes actual = buf_bytes(&step->reply);
    struct buf expected, comparable;
    buf_init(&expected);
    buf_init(&comparable);
    bool exact = is_exact(step);
    if (!exact && model_takes(step->command.kind))
        world_take_over(&step->command, actual);
    bool possible = model_run(&world.model, &step->command, actual, &expected);
    model_comparable(&step->command, actual, &comparable);
    if (!possible || (exact && !bytes_equal(buf_bytes(&comparable), buf_bytes(&expected)))) {
        print_command("command", &step->command);
        print_bytes("reply", buf_bytes(&comparable));
        print_bytes("expected", buf_bytes(&expected));
        print_error("turn=%" PRIu64 " db=%u went_cold=%d\n", world.turns, step->command.db,
                    step->went_cold);
        fail_msg("the reply is not the model's");
    }
    buf_deinit(&expected);
    buf_deinit(&comparable);
}

static bool is_durable(uint64_t write)
{
    return write == 0 || world.journal[write - 1].lsn <= broker_durable(world.broker);
}

static bool exists(const struct model_command *command, unsigned key)
{
    return world.model.streams[command->db][key].exists;
}

/* Only what is about keys that exist waits for nothing but them: where there is none, the newest
 * change of the database counts, and what was read in several steps shows all up to its end. */
static bool may_be_refused(const struct world_step *step)
{
    const struct model_command *command = &step->command;
    bool of_keys = command->kind != MODEL_DBSIZE && command->kind != MODEL_KEYS_ALL &&
                   !model_writes(command->kind) && exists(command, command->key) &&
                   (!command->two_keys || exists(command, command->key2));
    return step->went_cold || !is_durable(of_keys ? step->depends_on : world.model.writes);
}

void world_command_ran(struct session *session, enum flow flow)
{
    struct world_client *client = running_client();
    struct world_step *step = step_at(client, client->started - 1);
    if (world.read_asked && !step->went_cold) {
        step->went_cold = true;
        step->writes_before = world.model.writes;
        world.cold_commands++;
    }
    if (flow == FLOW_WAIT)
        return;
    size_t start = session_state(session)->reply_start;
    step->ran = true;
    step->reply.len = 0;
    buf_add(&step->reply, session->reply.out->data + start, session->reply.out->len - start);
    if (world.verifying)
        return;
    world.commands++;
    compare_reply(step);
    if (model_writes(step->command.kind))
        note_write(&step->command);
    step->depends_on = model_depends_on(&world.model, &step->command);
    step->may_be_refused = may_be_refused(step);
}

/* ---- sending and receiving ---- */

bool world_send(struct world_client *client, const struct model_command *command)
{
    if (client->session == NULL || client->sent - client->answered >= WORLD_STEPS_MAX)
        return false;
    struct world_step *step = step_at(client, client->sent++);
    step->command = *command;
    step->ran = false;
    step->went_cold = false;
    step->depends_on = 0;
    model_encode(command, &client->input);
    if (command->kind == MODEL_SELECT)
        client->db = command->db2;
    return true;
}

/* The end of the line that begins at `at`, and the number in it. 0: not whole. */
static size_t line_end(struct bytes text, size_t at, int64_t *number)
{
    const char *end = memchr(text.data + at, '\n', text.len - at);
    if (end == NULL)
        return 0;
    size_t after = (size_t)(end + 1 - text.data);
    *number = 0;
    (void)bytes_to_i64(bytes_of(text.data + at + 1, after - at - 3), number);
    return after;
}

/* Where the first reply ends; 0: it is not whole. */
static size_t reply_end(struct bytes text)
{
    size_t at = 0;
    for (uint64_t left = 1; left > 0; left--) {
        int64_t number;
        if (at >= text.len)
            return 0;
        char type = text.data[at];
        at = line_end(text, at, &number);
        if (at == 0)
            return 0;
        if (type == '*' && number > 0)
            left += (uint64_t)number;
        if (type == '$' && number >= 0)
            at += (size_t)number + 2;
        if (at > text.len)
            return 0;
    }
    return at;
}

/* Nothing but a failed store refuses, and only writes and what shows lost ones. */
static void check_refusal(const struct world_step *step)
{
    assert_true(broker_failed(world.broker));
    if (!step->ran) {
        assert_true(model_writes(step->command.kind));
    } else if (!step->may_be_refused) {
        print_command("command", &step->command);
        fail_msg("what is durable is refused");
    }
}

static void check_reply(const struct world_step *step, struct bytes reply)
{
    assert_true(step->ran);
    if (!bytes_equal(reply, buf_bytes(&step->reply))) {
        print_bytes("sent", reply);
        print_bytes("written", buf_bytes(&step->reply));
        fail_msg("what was sent is not what the command wrote");
    }
    if (!is_durable(step->depends_on)) {
        print_command("command", &step->command);
        print_bytes("reply", reply);
        print_command("shows", &world.journal[step->depends_on - 1].command);
        print_error("db=%u shows write %" PRIu64 " of record %" PRIu64 ", durable is %" PRIu64
                    ", turn=%" PRIu64 "\n",
                    step->command.db, step->depends_on, world.journal[step->depends_on - 1].lsn,
                    broker_durable(world.broker), world.turns);
        fail_msg("a reply shows what a crash could take back");
    }
    if (step->depends_on > world.shown)
        world.shown = step->depends_on;
}

void world_take_replies(struct world_client *client)
{
    static const char refused[] = "-MISCONF";
    for (;;) {
        size_t size = reply_end(buf_bytes(&client->received));
        if (size == 0)
            return;
        assert_true(client->answered < client->started);
        struct bytes reply = bytes_of(client->received.data, size);
        const struct world_step *step = step_at(client, client->answered++);
        if (size > sizeof(refused) && memcmp(reply.data, refused, sizeof(refused) - 1) == 0) {
            client->refused++;
            check_refusal(step);
        } else if (!world.verifying) {
            check_reply(step, reply);
        }
        buf_consume(&client->received, size);
    }
}

/* ---- after a start ---- */

/* The commands that show everything: of each database its size and names, of each key all. */
static const struct model_command of_databases[] = {
    {.kind = MODEL_SELECT}, {.kind = MODEL_DBSIZE}, {.kind = MODEL_KEYS_ALL}};
static const struct model_command of_keys[] = {
    {.kind = MODEL_XLEN},
    {.kind = MODEL_XRANGE, .id2 = {UINT64_MAX, UINT64_MAX}},
    {.kind = MODEL_XINFO},
    {.kind = MODEL_XINFO_GROUPS}, /* from here on: of groups */
    {.kind = MODEL_XPENDING},
    {.kind = MODEL_XPENDING_ALL},
    {.kind = MODEL_XPENDING, .group = 1},
    {.kind = MODEL_XPENDING_ALL, .group = 1},
};

#define OF_DATABASE ((unsigned)(sizeof(of_databases) / sizeof(of_databases[0])))
#define OF_KEY      ((unsigned)(sizeof(of_keys) / sizeof(of_keys[0])))
#define OF_STREAM   3u

static bool dump_command(unsigned at, struct model_command *out)
{
    const unsigned of_key = world.setup.groups ? OF_KEY : OF_STREAM;
    const unsigned per_db = OF_DATABASE + of_key * MODEL_KEYS;
    unsigned what = at % per_db;
    if (at >= MODEL_DBS * per_db)
        return false;
    if (what < OF_DATABASE) {
        *out = of_databases[what];
    } else {
        *out = of_keys[(what - OF_DATABASE) % of_key];
        out->key = (what - OF_DATABASE) / of_key;
    }
    out->db = at / per_db;
    out->db2 = out->db;
    return true;
}

/* Everything, as the broker tells it. */
static void dump_broker(struct buf *out)
{
    struct world_client *client = &world.clients[0];
    struct model_command command;
    world.verifying = true;
    for (unsigned at = 0; dump_command(at, &command); at++) {
        assert_true(world_send(client, &command));
        world_settle();
        struct world_step *step = step_at(client, client->answered - 1);
        model_comparable(&command, buf_bytes(&step->reply), out);
    }
    command = (struct model_command){.kind = MODEL_SELECT};
    assert_true(world_send(client, &command));
    world_settle();
    world.verifying = false;
}

static void dump_model(struct model *model, struct buf *out)
{
    struct model_command command;
    for (unsigned at = 0; dump_command(at, &command); at++)
        assert_true(model_run(model, &command, BYTES(""), out));
}

static void print_difference(struct bytes actual, struct bytes expected)
{
    size_t same = 0;
    while (same < actual.len && same < expected.len && actual.data[same] == expected.data[same])
        same++;
    same = same > 200 ? same - 200 : 0;
    print_error("from byte %zu\n", same);
    print_bytes("is", bytes_of(actual.data + same, actual.len - same));
    print_bytes("expected", bytes_of(expected.data + same, expected.len - same));
}

/* True when `model` is what was read; else it says where the difference is, if `tell`. */
static bool is_state(struct model *model, struct bytes actual, bool tell)
{
    struct buf expected;
    buf_init(&expected);
    dump_model(model, &expected);
    bool same = bytes_equal(actual, buf_bytes(&expected));
    if (!same && tell)
        print_difference(actual, buf_bytes(&expected));
    buf_deinit(&expected);
    return same;
}

static void run_again(struct model *model, uint64_t write)
{
    struct buf ignored;
    buf_init(&ignored);
    assert_true(model_run(model, &world.journal[write].command, BYTES(""), &ignored));
    buf_deinit(&ignored);
}

/* `base` becomes the state that was found, and all histories begin there. */
static void go_on_from_base(void)
{
    memset(world.base.touched, 0, sizeof(world.base.touched));
    memset(world.base.keys_touched, 0, sizeof(world.base.keys_touched));
    world.base.writes = 0;
    world.shown = 0;
    model_copy(&world.model, &world.base);
}

void world_compare_with_history(void)
{
    struct buf actual;
    uint64_t writes = world.model.writes;
    uint64_t kept = 0;
    buf_init(&actual);
    dump_broker(&actual);
    while (kept < world.shown)
        run_again(&world.base, kept++);
    while (!is_state(&world.base, buf_bytes(&actual), kept == writes)) {
        if (kept == writes) {
            print_error("turn=%" PRIu64 " crashes=%" PRIu64 " restarts=%" PRIu64 " writes=%" PRIu64
                        " shown=%" PRIu64 "\n",
                        world.turns, world.crashes, world.restarts, writes, world.shown);
            fail_msg("the state is not that after any number of the writes");
        }
        run_again(&world.base, kept++);
    }
    buf_deinit(&actual);
    go_on_from_base();
}

void world_compare_keys(void)
{
    struct buf actual;
    buf_init(&actual);
    world_settle();
    dump_broker(&actual);
    assert_true(is_state(&world.model, buf_bytes(&actual), true));
    buf_deinit(&actual);
}
