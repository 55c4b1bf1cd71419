#include "broker/tracking.h"

#include "broker/broker_internal.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/session_io.h"
#include "broker/transaction.h"
#include "tests/unit/unit.h"

#define SESSIONS 4

static struct broker broker;
static struct options options;
static struct session sessions[SESSIONS];
static struct buf pushed[SESSIONS];
static int running; /* which session's command runs; -1: none */
static int gone;    /* which session is not there any more; -1: all are */

static struct object object; /* of every key */
static uint64_t gate;         /* of every key */
static uint64_t last;         /* LSN */

bool session_push(struct session *session, struct bytes message)
{
    buf_add_bytes(&pushed[session - sessions], message);
    return true;
}

bool session_running(const struct session *session)
{
    return session - sessions == running;
}

enum session_end session_ending(const struct session *session)
{
    (void)session;
    return SESSION_OPEN;
}

struct server *broker_server(const struct broker *of)
{
    (void)of;
    return (struct server *)(void *)&sessions[0]; /* is there; nobody looks into it */
}

struct session *server_find_session(struct server *server, uint64_t id)
{
    (void)server;
    return gone >= 0 && sessions[gone].id == id ? NULL : &sessions[id - 1];
}

const struct options *broker_options(const struct broker *of)
{
    (void)of;
    return &options;
}

enum err keyspace_find(struct keyspace *keyspace, unsigned db, struct bytes key,
                       struct object **out)
{
    (void)keyspace;
    (void)db;
    (void)key;
    *out = &object;
    return ERR_OK;
}

uint64_t keyspace_gate(struct keyspace *keyspace, unsigned db, const struct object *of)
{
    (void)keyspace;
    (void)db;
    (void)of;
    return gate;
}

uint64_t store_last(const struct store *store)
{
    (void)store;
    return last;
}

static int set_up(void **state)
{
    (void)state;
    broker = (struct broker){0};
    options.tracking_table_max_keys = 1000000;
    tracking_init(&broker.tracking);
    running = gone = -1;
    gate = 0;
    last = 5;
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i] =
            (struct session){.broker = &broker, .id = (uint64_t)i + 1, .reply = {.version = 3}};
        buf_init(&pushed[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS; i++) {
        tracking_stop(&sessions[i]);
        buf_deinit(&pushed[i]);
    }
    assert_int_equal(tracking_stats(&broker.tracking).items, 0);
    tracking_deinit(&broker.tracking);
    return 0;
}

static void start(int at, struct tracking_mode mode)
{
    tracking_start(&sessions[at], &mode, NULL, 0);
}

static void start_broadcast(int at, const char *one, const char *other)
{
    struct bytes prefixes[] = {bytes_of_string(one), bytes_of_string(other)};
    tracking_start(&sessions[at], &(struct tracking_mode){.broadcast = true}, prefixes, 2);
}

static const struct command_row read_row = {
    .name = "read", .flags = COMMAND_READONLY, .first_key = 1, .last_key = -1, .key_step = 1};
static const struct command_row write_row = {
    .name = "write", .flags = COMMAND_WRITE, .first_key = 1, .last_key = -1, .key_step = 1};

static void run(int at, const struct command_row *row, const char *key)
{
    struct bytes argv[] = {bytes_of_string(row->name), bytes_of_string(key)};
    sessions[at].command = row;
    sessions[at].argv = argv;
    sessions[at].argc = 2;
    tracking_after_command(&sessions[at]);
}

static void change(const char *key)
{
    struct op op = {.kind = OP_APPEND, .key = bytes_of_string(key)};
    tracking_changed(&broker, &op);
}

static void assert_told(int at, const char *expected)
{
    struct bytes told = buf_bytes(&pushed[at]);
    if (!bytes_equal(told, bytes_of_string(expected)))
        print_error("told %.*s\n", (int)told.len, told.data);
    assert_true(bytes_equal(told, bytes_of_string(expected)));
    pushed[at].len = 0;
}

#define TOLD(len, key) ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" #len "\r\n" key "\r\n"
#define TOLD_ALL       ">2\r\n$10\r\ninvalidate\r\n_\r\n"

static void a_key_that_was_read_is_told_of_once(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){0});
    run(0, &read_row, "a");
    change("b");
    assert_told(0, "");
    change("a");
    assert_told(0, TOLD(1, "a"));
    change("a");
    assert_told(0, "");
    assert_int_equal(tracking_stats(&broker.tracking).keys, 0);
}

static void a_key_that_was_written_is_not_remembered(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){0});
    run(0, &write_row, "a");
    change("a");
    assert_told(0, "");
}

static void all_who_have_read_a_key_are_told(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS; i++) {
        start(i, (struct tracking_mode){0});
        run(i, &read_row, i < 3 ? "a" : "b");
    }
    assert_int_equal(tracking_stats(&broker.tracking).items, 4);
    change("a");
    for (int i = 0; i < 3; i++)
        assert_told(i, TOLD(1, "a"));
    assert_told(3, "");
}

static void a_rename_is_a_change_of_two_keys(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){0});
    run(0, &read_row, "a");
    run(0, &read_row, "b");
    struct op op = {.kind = OP_RENAME, .key = BYTES("a"), .key2 = BYTES("b")};
    tracking_changed(&broker, &op);
    assert_told(0, TOLD(1, "a") TOLD(1, "b"));
}

static void a_flush_is_told_to_all_and_forgets_all(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){0});
    start_broadcast(1, "x", "y");
    run(0, &read_row, "a");
    struct op op = {.kind = OP_FLUSH};
    tracking_changed(&broker, &op);
    assert_told(0, TOLD_ALL);
    assert_told(1, TOLD_ALL);
    assert_int_equal(tracking_stats(&broker.tracking).keys, 0);
    assert_int_equal(tracking_stats(&broker.tracking).prefixes, 2);
}

static void opting_in_and_out_is_for_one_command(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){.opt_in = true});
    start(1, (struct tracking_mode){.opt_out = true});
    for (int i = 0; i < 2; i++) {
        run(i, &read_row, "before");
        sessions[i].tracking->caching = true;
        run(i, &read_row, "with");
        run(i, &read_row, "after");
    }
    change("before");
    change("with");
    change("after");
    assert_told(0, TOLD(4, "with"));
    assert_told(1, TOLD(6, "before") TOLD(5, "after"));
}

static void opting_in_before_a_transaction_is_for_all_of_it(void **state)
{
    (void)state;
    struct transaction transaction = {.open = true};
    start(0, (struct tracking_mode){.opt_in = true});
    sessions[0].tracking->caching = true;
    sessions[0].transaction = &transaction;
    run(0, &read_row, "a");
    run(0, &read_row, "b");
    transaction.open = false;
    run(0, &write_row, "exec");
    run(0, &read_row, "c");
    change("a");
    change("b");
    change("c");
    assert_told(0, TOLD(1, "a") TOLD(1, "b"));
}

static void own_changes_are_told_unless_one_does_not_want_them(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){0});
    start(1, (struct tracking_mode){.no_loop = true});
    run(0, &read_row, "a");
    run(1, &read_row, "a");
    running = 0;
    change("a");
    assert_told(0, TOLD(1, "a"));
    assert_told(1, TOLD(1, "a"));
    run(0, &read_row, "a");
    run(1, &read_row, "a");
    running = 1;
    change("a");
    assert_told(0, TOLD(1, "a"));
    assert_told(1, "");
    run(1, &read_row, "a");
    broker.removing = true; /* by the server itself: it has expired, say */
    change("a");
    assert_told(1, TOLD(1, "a"));
}

static void prefixes_are_told_of_every_change_and_taken_literally(void **state)
{
    (void)state;
    start_broadcast(0, "a*", "[b");
    start(1, (struct tracking_mode){.broadcast = true});
    change("a*c");
    change("abc");
    change("[b");
    change("b");
    assert_told(0, TOLD(3, "a*c") TOLD(2, "[b"));
    assert_told(1, TOLD(3, "a*c") TOLD(3, "abc") TOLD(2, "[b") TOLD(1, "b"));
    struct buf prefixes;
    buf_init(&prefixes);
    assert_int_equal(tracking_prefixes(&sessions[0], &prefixes), 2);
    struct decoder decoder = decoder_of(buf_bytes(&prefixes));
    assert_true(bytes_equal(decoder_bytes(&decoder), BYTES("[b")));
    assert_true(bytes_equal(decoder_bytes(&decoder), BYTES("a*")));
    buf_deinit(&prefixes);
}

static void resp2_hears_only_through_a_subscriber(void **state)
{
    (void)state;
    sessions[0].reply.version = 2;
    sessions[1].reply.version = 2;
    start(0, (struct tracking_mode){0});
    run(0, &read_row, "a");
    change("a");
    assert_told(0, "");
    start(0, (struct tracking_mode){.redirect = 2});
    run(0, &read_row, "a");
    change("a");
    assert_told(1, "");
    sessions[1].subscriber.count = 1;
    run(0, &read_row, "a");
    change("a");
    assert_told(1, "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n");
    assert_told(0, "");
}

static void who_redirects_to_nobody_is_told_so(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){.redirect = 3});
    run(0, &read_row, "a");
    gone = 2;
    change("a");
    assert_told(0, ">2\r\n$21\r\ntracking-redir-broken\r\n:3\r\n");
    assert_true(sessions[0].tracking->redirect_broken);
    start(0, (struct tracking_mode){0});
    assert_false(sessions[0].tracking->redirect_broken);
}

static void more_keys_than_allowed_are_told_and_forgotten(void **state)
{
    (void)state;
    char key[2] = "a";
    options.tracking_table_max_keys = 3;
    start(0, (struct tracking_mode){0});
    for (int i = 0; i < 10; i++) {
        key[0] = (char)('a' + i);
        run(0, &read_row, key);
        assert_true(tracking_stats(&broker.tracking).keys <= 3);
    }
    for (int i = 0; i < 10; i++) {
        key[0] = (char)('a' + i);
        change(key);
    }
    assert_int_equal(pushed[0].len, 10 * strlen(TOLD(1, "a")));
}

static void a_key_that_is_forgotten_is_told_without_own_changes_too(void **state)
{
    (void)state;
    options.tracking_table_max_keys = 1;
    start(0, (struct tracking_mode){.no_loop = true});
    run(0, &read_row, "a");
    running = 0; /* as in EXEC */
    run(0, &read_row, "b");
    assert_told(0, TOLD(1, "a"));
}

static void what_may_have_changed_while_a_read_waited_is_told_after_it(void **state)
{
    (void)state;
    start(0, (struct tracking_mode){0});
    tracking_waits(&sessions[0]);
    gate = 4; /* before it waited */
    run(0, &read_row, "a");
    assert_told(0, "");
    tracking_waits(&sessions[0]);
    last = 9;
    tracking_waits(&sessions[0]); /* again: the first time counts */
    gate = 7;
    run(0, &read_row, "a");
    assert_told(0, TOLD(1, "a"));
    run(0, &read_row, "a"); /* did not wait */
    assert_told(0, "");
}

#define TRACKING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACKING_TEST(a_key_that_was_read_is_told_of_once),
        TRACKING_TEST(a_key_that_was_written_is_not_remembered),
        TRACKING_TEST(all_who_have_read_a_key_are_told),
        TRACKING_TEST(a_rename_is_a_change_of_two_keys),
        TRACKING_TEST(a_flush_is_told_to_all_and_forgets_all),
        TRACKING_TEST(opting_in_and_out_is_for_one_command),
        TRACKING_TEST(opting_in_before_a_transaction_is_for_all_of_it),
        TRACKING_TEST(own_changes_are_told_unless_one_does_not_want_them),
        TRACKING_TEST(prefixes_are_told_of_every_change_and_taken_literally),
        TRACKING_TEST(resp2_hears_only_through_a_subscriber),
        TRACKING_TEST(who_redirects_to_nobody_is_told_so),
        TRACKING_TEST(more_keys_than_allowed_are_told_and_forgotten),
        TRACKING_TEST(a_key_that_is_forgotten_is_told_without_own_changes_too),
        TRACKING_TEST(what_may_have_changed_while_a_read_waited_is_told_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
