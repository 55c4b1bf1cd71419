/* session_fixture: a broker, a connection and commands for a session to meet.
 *
 * The session under test calls the functions of broker.h, conn.h and command.h that are defined
 * here. For one source file of a test. */
#ifndef WEIR_TESTS_UNIT_SESSION_FIXTURE_H
#define WEIR_TESTS_UNIT_SESSION_FIXTURE_H

#include "broker/session_io.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/options.h"
#include "broker/transaction.h"
#include "tests/unit/unit.h"

/* ---- a broker, a connection and commands for the session to meet ---- */

struct broker {
    struct options options;
    uint64_t durable;
    bool failed;
    bool stalled;
    bool paused;
    bool full;           /* database 0 has no room in memory */
    struct list waiting; /* for room */
    unsigned after_calls;
    unsigned waits; /* of commands */
    unsigned left;  /* sessions that were told to leave their rooms */
    unsigned limit_closes;
    uint64_t lost;         /* messages of closed sessions */
    bool few_keys;         /* prefetching does not pay */
    struct buf prefetched; /* keys, with a dot behind each batch */
};

struct conn {
    unsigned wakes;
    unsigned later_wakes;
};

static struct broker broker;
static struct conn conn;
static struct session *session; /* under test */
static unsigned destroyed;      /* works */
static unsigned runs;           /* of `later` */

static uint64_t now_us; /* of all clocks */

uint64_t clock_mono_us(void)
{
    return now_us;
}

uint64_t clock_wall_us(void)
{
    return now_us;
}

uint64_t clock_wall_ms(void)
{
    return now_us / 1000;
}

const struct options *broker_options(const struct broker *of)
{
    return &of->options;
}

bool broker_failed(const struct broker *of)
{
    return of->failed;
}

bool broker_stalled(const struct broker *of)
{
    return of->stalled;
}

bool broker_paused(const struct broker *of, bool write)
{
    (void)write;
    return of->paused;
}

bool broker_out_of_memory(struct broker *of, unsigned db, const struct command_row *row,
                          const struct bytes *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    return of->full && db == 0 && (row->flags & COMMAND_WRITE);
}

void broker_wait_for_room(struct broker *of, struct session *waiting)
{
    list_push_back(&of->waiting, &waiting->wait_link);
}

uint64_t broker_durable(const struct broker *of)
{
    return of->durable;
}

void broker_prefetch(struct broker *of, unsigned db, const struct bytes *keys, unsigned count)
{
    (void)db;
    for (unsigned i = 0; i < count; i++)
        buf_add_bytes(&of->prefetched, keys[i]);
    buf_add_bytes(&of->prefetched, BYTES("."));
}

bool broker_prefetch_pays(const struct broker *of)
{
    return !of->few_keys;
}

void broker_after_command(struct broker *of, struct session *of_session)
{
    assert_non_null(of_session->command);
    of->after_calls++;
}

void broker_command_waits(struct session *of_session)
{
    of_session->broker->waits++;
}

void broker_discard(struct session *discarding)
{
    if (discarding->transaction == NULL)
        return;
    transaction_clear(discarding);
    transaction_drop_idle(discarding);
}

void broker_forget(struct broker *of, struct session *forgotten)
{
    of->left++;
    broker_discard(forgotten);
}

void broker_count_output_limit(struct broker *of, uint64_t lost)
{
    of->limit_closes++;
    of->lost += lost;
}

void conn_wake(struct conn *woken)
{
    woken->wakes++;
}

void conn_wake_later(struct conn *woken)
{
    woken->later_wakes++;
}

const char *conn_peer_address(const struct conn *of)
{
    (void)of;
    return "peer";
}

static inline enum flow echo_command(struct session *of)
{
    reply_bulk(&of->reply, of->argv[1]);
    return FLOW_DONE;
}

/* GATE lsn */
static inline enum flow gate_command(struct session *of)
{
    int64_t lsn = 0;

    reply_array(&of->reply, 1);
    assert_true(bytes_to_i64(of->argv[1], &lsn));
    session_gate(of, (uint64_t)lsn);
    reply_integer(&of->reply, lsn);
    return FLOW_DONE;
}

static inline void destroy_work(struct work *work)
{
    destroyed++;
    mem_free(work);
}

/* Waits once, then says how often it was run. */
static inline enum flow later_command(struct session *of)
{
    runs++;
    reply_array(&of->reply, 2);
    session_gate(of, broker.durable + 1);
    if (of->work == NULL) {
        of->work = mem_zalloc(sizeof(*of->work));
        of->work->destroy = destroy_work;
        return FLOW_WAIT;
    }
    reply_bulk(&of->reply, of->argv[1]);
    reply_integer(&of->reply, runs);
    return FLOW_DONE;
}

static inline enum flow pushself_command(struct session *of)
{
    assert_true(session_push(of, BYTES("+push\r\n")));
    reply_status(&of->reply, "reply");
    return FLOW_DONE;
}

/* BIG bytes */
static inline enum flow big_command(struct session *of)
{
    int64_t size = 0;

    assert_true(bytes_to_i64(of->argv[1], &size));
    buf_reserve(of->reply.out, (size_t)size);
    memset(of->reply.out->data + of->reply.out->len, 'x', (size_t)size);
    of->reply.out->len += (size_t)size;
    return FLOW_DONE;
}

static inline enum flow auth_command(struct session *of)
{
    of->authenticated = true;
    reply_status(&of->reply, "OK");
    return FLOW_DONE;
}

static inline enum flow quit_command(struct session *of)
{
    reply_status(&of->reply, "OK");
    session_finish(of);
    return FLOW_DONE;
}

static inline enum flow reply_on_command(struct session *of)
{
    of->reply_mode = REPLY_ON;
    reply_status(&of->reply, "OK");
    return FLOW_DONE;
}

static inline enum flow reply_off_command(struct session *of)
{
    of->reply_mode = REPLY_OFF;
    return FLOW_DONE;
}

static inline enum flow reply_skip_command(struct session *of)
{
    of->reply_mode = REPLY_SKIP_NEXT;
    return FLOW_DONE;
}

static const struct command_row reply_rows[] = {
    {.name = "on", .run = reply_on_command, .arity = 2},
    {.name = "off", .run = reply_off_command, .arity = 2},
    {.name = "skip", .run = reply_skip_command, .arity = 2},
    {.name = NULL},
};

static const struct command_row rows[] = {
    {.name = "echo", .run = echo_command, .arity = 2},
    {.name = "gate", .run = gate_command, .arity = 2},
    {.name = "later", .run = later_command, .arity = 2},
    {.name = "big", .run = big_command, .arity = 2},
    {.name = "pushself", .run = pushself_command, .arity = 1},
    {.name = "write", .run = echo_command, .arity = -2, .flags = COMMAND_WRITE},
    {.name = "select", .run = echo_command, .arity = 2},
    {.name = "exec", .run = quit_command, .arity = 1, .flags = COMMAND_EXECUTES | COMMAND_UNQUEUED},
    {.name = "auth", .run = auth_command, .arity = -2, .flags = COMMAND_NO_AUTH},
    {.name = "quit", .run = quit_command, .arity = -1},
    {.name = "reply", .arity = -2, .subcommands = reply_rows},
    {.name = NULL},
};

static inline const struct command_row *find_row(const struct command_row *row, struct bytes name)
{
    for (; row->name != NULL; row++) {
        if (bytes_equal_nocase(bytes_of_string(row->name), name))
            return row;
    }
    return NULL;
}

const struct command_row *command_find(struct bytes name)
{
    return find_row(rows, name);
}

const struct command_row *command_find_sub(const struct command_row *container, struct bytes name)
{
    return find_row(container->subcommands, name);
}

/* ---- what tests do ---- */

static inline int set_up(void **state)
{
    static char no_password[] = "";

    (void)state;
    broker = (struct broker){.options = {
                                 .requirepass = no_password,
                                 .proto_max_bulk_len = 1 << 20,
                                 .client_query_buffer_limit = 1 << 20,
                             }};
    list_init(&broker.waiting);
    conn = (struct conn){0};
    destroyed = 0;
    runs = 0;
    now_us = 1;
    session = session_create(&broker, &conn, 1);
    return 0;
}

/* A test that closes the session itself sets it to NULL. */
static inline int tear_down(void **state)
{
    (void)state;
    if (session != NULL)
        session_close(session);
    buf_deinit(&broker.prefetched);
    return 0;
}

static inline void feed(const char *text)
{
    session_feed(session, bytes_of_string(text));
}

/* Takes what may be sent, and compares. */
static inline void assert_sends(const char *expected)
{
    size_t ready = session_output_ready(session, broker.durable);
    struct bytes spans[2];

    assert_int_equal(ready, strlen(expected));
    if (ready == 0)
        return;
    assert_int_equal(session_output_spans(session, ready, spans), 1);
    if (!bytes_equal(spans[0], bytes_of_string(expected)))
        print_error("sends %.*s\n", (int)spans[0].len, spans[0].data);
    assert_memory_equal(spans[0].data, expected, ready);
    session_output_sent(session, ready);
}

static inline void drop_output(void)
{
    session_output_sent(session, session_output_ready(session, broker.durable));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
