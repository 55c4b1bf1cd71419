#include "broker/session.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/lookahead.h"
#include "broker/options.h"
#include "broker/session_internal.h"
#include "broker/transaction.h"

/* An idle session gives its buffers back after this time. */
#define IDLE_US 2000000

/* ---- life ---- */

static struct parser_limits parser_limits(const struct session *session)
{
    const struct options *options = broker_options(session->broker);

    return (struct parser_limits){
        .bulk_bytes_max = options->proto_max_bulk_len,
        .input_bytes_max = options->client_query_buffer_limit,
        .unauthenticated = !session->authenticated,
    };
}

struct session *session_create(struct broker *broker, struct conn *conn, uint64_t id)
{
    struct session_state *state = mem_zalloc(sizeof(*state));
    struct session *session = &state->session;

    session->broker = broker;
    session->conn = conn;
    session->id = id;
    session->authenticated = broker_options(broker)->requirepass[0] == '\0';
    session->output_class = OUTPUT_NORMAL;
    session->created_us = clock_mono_us();
    session->active_us = session->created_us;
    list_init(&session->wait_link);
    buf_init(&session->name);
    buf_init(&session->lib_name);
    buf_init(&session->lib_version);
    buf_init(&state->pushed);
    parser_init(&state->parser, parser_limits(session));
    output_init(&state->output);
    session->reply = (struct reply){.out = &state->output.tail, .version = 2};
    return session;
}

static void destroy(struct session_state *state)
{
    struct session *session = &state->session;

    session_drop_work(session);
    list_remove(&session->wait_link);
    buf_deinit(&session->name);
    buf_deinit(&session->lib_name);
    buf_deinit(&session->lib_version);
    buf_deinit(&state->pushed);
    parser_deinit(&state->parser);
    output_deinit(&state->output);
    mem_free(state);
}

void session_hold(struct session *session)
{
    session_state(session)->holds++;
}

bool session_release(struct session *session)
{
    struct session_state *state = session_state(session);

    CHECK(state->holds > 0);
    state->holds--;
    if (state->holds > 0 || !state->closed)
        return true;
    destroy(state);
    return false;
}

void session_close(struct session *session)
{
    struct session_state *state = session_state(session);

    CHECK(!state->closed);
    session_hold(session);
    broker_forget(session->broker, session);
    state->closed = true;
    state->ending = SESSION_ABORTED;
    session->conn = NULL;
    list_remove(&session->wait_link);
    session_release(session);
}

void session_drop_work(struct session *session)
{
    struct work *work = session->work;

    session->work = NULL;
    if (work != NULL)
        work->destroy(work);
}

static void wake(struct session_state *state)
{
    if (state->session.conn != NULL)
        conn_wake(state->session.conn);
}

void session_finish(struct session *session)
{
    struct session_state *state = session_state(session);

    if (state->ending == SESSION_OPEN)
        state->ending = SESSION_FINISHING;
    wake(state);
}

void session_abort(struct session *session)
{
    session_state(session)->ending = SESSION_ABORTED;
    wake(session_state(session));
}

enum session_end session_ending(const struct session *session)
{
    return session_state_const(session)->ending;
}

bool session_waiting(const struct session *session)
{
    return session_state_const(session)->waiting;
}

bool session_running(const struct session *session)
{
    return session_state_const(session)->running;
}

/* ---- output ---- */

static const struct output_limit *output_limit(const struct session *session)
{
    const struct options *options = broker_options(session->broker);

    return &options->client_output_buffer_limit.of[session->output_class];
}

size_t session_reply_max(const struct session *session)
{
    uint64_t hard = output_limit(session)->hard_bytes;
    return hard > 0 ? hard : SIZE_MAX;
}

static void abort_over_limit(struct session_state *state, const char *limit)
{
    struct session *session = &state->session;

    if (state->ending == SESSION_ABORTED)
        return;
    LOG(LOG_NOTICE, "output limit", "session=%llu peer=%s name=%.*s limit=%s bytes=%zu rooms=%u",
        (unsigned long long)session->id,
        session->conn != NULL ? conn_peer_address(session->conn) : "?", (int)session->name.len,
        session->name.data, limit, output_size(&state->output), session->subscriber.count);
    broker_count_output_limit(session->broker, state->unsent);
    session_abort(session);
}

/* The time over the soft limit begins when output goes over it and ends when enough was sent. */
static void check_limits(struct session_state *state)
{
    const struct output_limit *limit = output_limit(&state->session);
    size_t size = output_size(&state->output);

    if (limit->hard_bytes != 0 && size > limit->hard_bytes) {
        abort_over_limit(state, "hard");
    } else if (limit->soft_bytes == 0 || size <= limit->soft_bytes) {
        state->over_soft_us = 0;
    } else {
        uint64_t now_us = clock_mono_us();
        if (state->over_soft_us == 0)
            state->over_soft_us = now_us;
        else if (now_us - state->over_soft_us > limit->soft_seconds * 1000000)
            abort_over_limit(state, "soft");
    }
}

void session_check_output(struct session *session)
{
    check_limits(session_state(session));
}

struct reply *session_push_begin(struct session *session)
{
    return session_state(session)->ending == SESSION_OPEN ? &session->reply : NULL;
}

void session_push_end(struct session *session)
{
    struct session_state *state = session_state(session);

    check_limits(state);
    wake(state);
}

bool session_push(struct session *session, struct bytes message)
{
    struct session_state *state = session_state(session);
    bool idle = output_size(&state->output) == 0;

    if (state->ending != SESSION_OPEN)
        return false;
    session->deliveries++;
    state->unsent++;
    if (state->running) {
        buf_add_bytes(&state->pushed, message);
        return true;
    }
    buf_add_bytes(&state->output.tail, message);
    check_limits(state);
    if (idle && session->conn != NULL) /* somebody sees to what was there before */
        conn_wake_later(session->conn);
    return true;
}

void session_gate(struct session *session, uint64_t lsn)
{
    struct session_state *state = session_state(session);
    size_t from = state->running ? state->reply_start : state->output.tail.len;
    uint64_t durable = broker_durable(session->broker);

    if (lsn <= durable)
        return;
    if (state->running && state->reply_gate < lsn)
        state->reply_gate = lsn;
    output_gate(&state->output, from, lsn, durable);
}

size_t session_output_ready(const struct session *session, uint64_t durable)
{
    return output_ready(&session_state_const(session)->output, durable);
}

size_t session_output_size(const struct session *session)
{
    return output_size(&session_state_const(session)->output);
}

unsigned session_output_spans(const struct session *session, size_t max, struct bytes spans[2])
{
    return output_spans(&session_state_const(session)->output, max, spans);
}

struct bytes session_output_pin(struct session *session, size_t max)
{
    return output_pin(&session_state(session)->output, max);
}

void session_output_sent(struct session *session, size_t size)
{
    struct session_state *state = session_state(session);

    session->active_us = clock_mono_us();
    output_sent(&state->output, size, broker_durable(session->broker));
    if (output_size(&state->output) == 0)
        state->unsent = 0;
    if (state->over_soft_us != 0)
        check_limits(state);
}

/* ---- running commands ---- */

struct bytes session_wire(const struct session *session, size_t first, size_t count)
{
    CHECK(first <= session->argc && count <= session->argc - first);
    return parser_wire(session->argv, first, count);
}

static void take_reply_back(struct session_state *state)
{
    output_rewind(&state->output, state->reply_start);
}

/* A reply that shows a write which will never be durable must not be believed. */
static void deny_lost_writes(struct session_state *state)
{
    struct broker *broker = state->session.broker;

    if (state->reply_gate <= broker_durable(broker) || !broker_failed(broker))
        return;
    take_reply_back(state);
    reply_error(&state->session.reply, "MISCONF Errors writing to the commit log; this key holds "
                                       "writes that are not durable");
}

static bool is_told_anyway(const struct command_row *command)
{
    return command != NULL && (command->flags & COMMAND_PUSHES);
}

static void apply_reply_mode(struct session_state *state)
{
    struct session *session = &state->session;

    if (session->reply_mode != REPLY_ON && !is_told_anyway(session->command))
        take_reply_back(state);
    if (session->reply_mode == REPLY_SKIP_NEXT)
        session->reply_mode = REPLY_SKIP;
    else if (session->reply_mode == REPLY_SKIP)
        session->reply_mode = REPLY_ON;
}

static void finish_reply(struct session_state *state)
{
    if (state->reply_gate != 0)
        deny_lost_writes(state);
    apply_reply_mode(state);
}

/* Messages that came while the command ran follow its reply. */
static void release_pushed(struct session_state *state)
{
    if (state->pushed.len == 0)
        return;
    buf_add_bytes(&state->output.tail, buf_bytes(&state->pushed));
    buf_reset(&state->pushed, 0);
}

static void finish_command(struct session_state *state)
{
    struct session *session = &state->session;

    session_drop_work(session);
    if (session->command != NULL) {
        session->commands++;
        session->last_command = session->command;
        session->last_container = session->container;
        broker_after_command(session->broker, session);
    }
    session->command = NULL;
    session->container = NULL;
    check_limits(state);
}

/* Runs the command that argv holds, from its start. */
static void run_command(struct session_state *state)
{
    enum flow flow;

    state->reply_start = state->output.tail.len;
    state->reply_gate = 0;
    state->waiting = false;
    state->running = true;
    flow = dispatch(&state->session);
    state->running = false;
    if (flow == FLOW_WAIT)
        take_reply_back(state);
    else
        finish_reply(state);
    release_pushed(state);
    if (flow == FLOW_DONE) {
        finish_command(state);
        return;
    }
    state->waiting = true;
    broker_command_waits(&state->session);
}

static bool can_run(const struct session_state *state)
{
    return state->ending == SESSION_OPEN && !state->waiting &&
           output_size(&state->output) < SESSION_OUTPUT_PAUSE;
}

static void stop_at_error(struct session_state *state, enum err err)
{
    struct session *session = &state->session;

    LOG(LOG_DEBUG, "protocol error", "session=%llu error=\"%s\"", (unsigned long long)session->id,
        state->parser.error);
    if (err == ERR_FULL) {
        session_abort(session);
        return;
    }
    reply_error(&session->reply, "ERR Protocol error: %s", state->parser.error);
    session_finish(session);
}

/* The command in hand has others behind it: their keys are fetched together with its own. */
static void look_ahead(struct session_state *state)
{
    struct session *session = &state->session;
    struct bytes keys[LOOKAHEAD_MAX];
    struct bytes input;

    if (state->ahead > 0) {
        state->ahead--;
        return;
    }
    input = parser_ahead(&state->parser);
    if (input.len == 0 || session->argc < 2 || !broker_prefetch_pays(session->broker))
        return;
    keys[0] = session->argv[1];
    state->ahead = lookahead_keys(input, keys + 1, LOOKAHEAD_MAX - 1);
    broker_prefetch(session->broker, session->db, keys, state->ahead + 1);
}

/* Runs what was received, as far as that goes now. */
static void run_commands(struct session_state *state)
{
    struct session *session = &state->session;
    enum err err = ERR_OK;

    while (err == ERR_OK && can_run(state)) {
        state->parser.limits = parser_limits(session);
        err = parser_next(&state->parser);
        if (err == ERR_OK) {
            session->argv = state->parser.argv;
            session->argc = state->parser.argc;
            look_ahead(state);
            run_command(state);
        }
    }
    state->input_left = err == ERR_OK;
    if (err != ERR_OK && err != ERR_END)
        stop_at_error(state, err);
    if (err == ERR_END && state->input_ended)
        session_finish(session);
    if (output_size(&state->output) > 0)
        wake(state);
}

void session_feed(struct session *session, struct bytes input)
{
    struct session_state *state = session_state(session);

    if (state->ending != SESSION_OPEN)
        return;
    session_hold(session);
    if (input.len > 0)
        session->active_us = clock_mono_us();
    parser_feed(&state->parser, input);
    if (!state->waiting)
        run_commands(state);
    parser_keep(&state->parser);
    session_release(session);
}

void session_resume(struct session *session)
{
    struct session_state *state = session_state(session);

    CHECK(!state->running);
    if (state->ending == SESSION_ABORTED)
        return;
    CHECK(state->waiting);
    session_hold(session);
    list_remove(&session->wait_link);
    run_command(state);
    if (!state->waiting)
        run_commands(state);
    parser_keep(&state->parser);
    wake(state); /* it may want input again */
    session_release(session);
}

void session_input_end(struct session *session)
{
    struct session_state *state = session_state(session);

    state->input_ended = true;
    if (state->ending != SESSION_OPEN)
        return;
    if (state->waiting && state->holds == 0)
        session_abort(session);
    else if (!state->waiting && !state->input_left)
        session_finish(session);
}

/* While a command waits nothing is parsed, so its arguments and what is behind them stay. */
bool session_wants_input(const struct session *session)
{
    const struct session_state *state = session_state_const(session);

    if (state->ending != SESSION_OPEN || state->input_ended)
        return false;
    if (can_run(state))
        return true;
    return state->waiting && parser_unparsed(&state->parser) < SESSION_INPUT_WAITING_MAX;
}

bool session_has_commands(const struct session *session)
{
    const struct session_state *state = session_state_const(session);

    return state->input_left && can_run(state);
}

/* ---- once in a while ---- */

void session_tick(struct session *session, uint64_t now_us)
{
    struct session_state *state = session_state(session);

    if (state->ending != SESSION_OPEN)
        return;
    check_limits(state);
    if (state->waiting || now_us - session->active_us < IDLE_US)
        return;
    parser_shrink(&state->parser);
    output_shrink(&state->output);
}

bool session_may_time_out(const struct session *session)
{
    const struct session_state *state = session_state_const(session);

    return !state->waiting && !session->monitor && session->output_class == OUTPUT_NORMAL;
}

struct session_memory session_memory(const struct session *session)
{
    const struct session_state *state = session_state_const(session);
    struct session_memory memory = {
        .input = parser_unparsed(&state->parser),
        .arguments = state->parser.wire.len,
        .queued = session->transaction != NULL ? session->transaction->bytes : 0,
        .output = output_size(&state->output),
    };

    memory.total = sizeof(*state) + parser_memory(&state->parser) + state->output.head.cap +
                   state->output.tail.cap + session->name.cap + session->lib_name.cap +
                   session->lib_version.cap + memory.queued;
    return memory;
}
