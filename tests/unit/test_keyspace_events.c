/* Events in a simulated world, where threads work only when they are told to. */
#include "broker/keyspace_events.h"

#include "broker/session_io.h"
#include "tests/sim/world.h"
#include "tests/sim/world_doubles.h"
#include "tests/unit/unit.h"

/* For world.setup.long_percent: no thread works, or all do at once. */
#define HOLD 100
#define GO   0

static uint64_t seed;
static struct session *listener;

static void choose(const char *letters)
{
    struct option_change change = {BYTES("notify-keyspace-events"), bytes_of_string(letters)};
    struct buf why;
    size_t culprit;
    buf_init(&why);
    assert_int_equal(options_set_all(&world.options, &change, 1, &culprit, &why), ERR_OK);
    buf_deinit(&why);
    broker_options_changed(world.broker);
}

static int set_up(void **state)
{
    static const struct world_setup setup = {
        .clients = 1,
        .fold_bytes = UINT64_C(1) << 20,
        .resident_bytes = UINT64_C(1) << 20,
        .record_bytes = UINT64_C(1) << 20,
    };
    (void)state;
    world_begin(seed, &setup);
    listener = session_create(world.broker, NULL, UINT64_MAX);
    assert_true(fanout_join(&world.broker->fanout, listener, ROOM_PATTERN, BYTES("__key*")));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_close(listener);
    world_end();
    return 0;
}

static void turns(unsigned count)
{
    while (count-- > 0)
        world_turn();
}

static void send(struct model_command command)
{
    assert_true(world_send(&world.clients[0], &command));
}

static struct model_command add(void)
{
    return (struct model_command){
        .kind = MODEL_XADD, .key = 0, .auto_id = true, .token = ++world.next_token};
}

/* How many messages the listener has, and whether `text` is in them; then forgets them. */
static unsigned messages(const char *text)
{
    size_t size = session_output_ready(listener, broker_durable(world.broker));
    struct bytes spans[2];
    unsigned count = 0;
    if (size == 0)
        return 0;
    assert_int_equal(session_output_spans(listener, size, spans), 1);
    assert_non_null(memmem(spans[0].data, size, text, strlen(text)));
    for (size_t i = 0; i < size; i++)
        count += spans[0].data[i] == '*' && i + 1 < size && spans[0].data[i + 1] == '4';
    session_output_sent(listener, size);
    return count;
}

static void an_event_is_published_when_its_write_is_durable(void **state)
{
    (void)state;
    choose("KEt");
    world.setup.long_percent = HOLD;
    send(add());
    turns(20);
    assert_int_equal(messages(""), 0);
    world.setup.long_percent = GO;
    world_settle();
    assert_int_equal(messages("__keyspace@0__:k0\r\n$4\r\nxadd\r\n"), 2);
}

/* Two writes in two records. True: there was a time at which just one of them was durable. */
static bool hear_two_events(void)
{
    uint64_t lsns[2];
    unsigned heard = 0;
    bool one_heard = false;
    world.setup.long_percent = HOLD;
    for (int i = 0; i < 2; i++) {
        send(add());
        turns(20);
        lsns[i] = store_last(world.broker->store);
    }
    assert_true(lsns[0] < lsns[1]);
    world.setup.long_percent = GO;
    while (heard < 2) {
        world_turn();
        heard += messages("");
        one_heard |= heard == 1;
        uint64_t durable = broker_durable(world.broker);
        assert_int_equal(heard, (lsns[0] <= durable) + (lsns[1] <= durable));
    }
    world_settle();
    return one_heard;
}

static void an_event_waits_for_its_own_record(void **state)
{
    (void)state;
    int apart = 0;
    choose("Kt");
    for (int i = 0; i < 20; i++)
        apart += hear_two_events();
    assert_true(apart > 0);
}

static void other_messages_do_not_wait_for_it(void **state)
{
    (void)state;
    choose("KEt");
    world.setup.long_percent = HOLD;
    send(add());
    turns(20);
    fanout_publish(&world.broker->fanout, ROOM_CHANNEL, BYTES("__key"), BYTES("now"));
    assert_int_equal(messages("now"), 1);
    world.setup.long_percent = GO;
    world_settle();
    assert_int_equal(messages("xadd"), 2);
}

static void classes_are_chosen_by_letters(void **state)
{
    static const struct {
        const char *letters;
        unsigned events; /* of XADD to a new key */
    } cases[] = {{"", 0},   {"t", 0},  {"K", 0},   {"Kt", 1},   {"Et", 1},
                 {"KA", 1}, {"Kn", 1}, {"KAn", 2}, {"KEtn", 4}, {"Kg", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        choose("");
        send((struct model_command){.kind = MODEL_DEL, .key = 0});
        world_settle();
        choose(cases[i].letters);
        send(add());
        world_settle();
        assert_int_equal(messages(""), cases[i].events);
    }
}

static void events_come_in_the_order_of_the_writes(void **state)
{
    (void)state;
    choose("Et");
    world.setup.long_percent = HOLD;
    for (int i = 0; i < 3; i++)
        send(add());
    turns(20);
    choose("Eg");
    send((struct model_command){.kind = MODEL_DEL, .key = 0});
    turns(20);
    choose("Egt");
    world.setup.long_percent = GO;
    world_settle();
    assert_int_equal(messages("__keyevent@0__:xadd\r\n$2\r\nk0\r\n*4\r\n$8\r\npmessage\r\n$6\r\n"
                              "__key*\r\n$18\r\n__keyevent@0__:del\r\n"),
                     4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_published_when_its_write_is_durable),
        TEST(an_event_waits_for_its_own_record),
        TEST(other_messages_do_not_wait_for_it),
        TEST(classes_are_chosen_by_letters),
        TEST(events_come_in_the_order_of_the_writes),
    };
    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
