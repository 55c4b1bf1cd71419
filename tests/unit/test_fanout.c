/* Sessions without sockets, and beside them a model that is a table of who is in what. What every
 * session was sent is compared after each message. */
#include "broker/fanout.h"

#include "base/glob.h"
#include "tests/unit/session_fixture.h"

#define PEOPLE   60
#define NAMES    12
#define ARGS_MAX 6

static struct random rng;
static struct fanout fanout;
static struct session *people[PEOPLE];
static uint64_t last_id;
static bool in[PEOPLE][ROOM_KIND_COUNT][NAMES];
static struct buf expected[PEOPLE];

static struct bytes name_of(int name)
{
    static const char *const names[NAMES] = {
        "",      "a",      "room:1", "room:2",       "room:3", "room:*",
        "room?", "[ar]*1", "*",      "nobody:here*", "b",      "a b\r\n",
    };
    return bytes_of_string(names[name]);
}

static void come(int person)
{
    people[person] = session_create(&broker, &conn, ++last_id);
    people[person]->reply.version = person % 2 == 0 ? 2 : 3;
    memset(in[person], 0, sizeof(in[person]));
    buf_reset(&expected[person], 0);
}

static int people_come(void **state)
{
    set_up(state);
    session_close(session);
    session = NULL;
    fanout_init(&fanout);
    for (int person = 0; person < PEOPLE; person++)
        come(person);
    return 0;
}

static int people_go(void **state)
{
    (void)state;
    for (int person = 0; person < PEOPLE; person++) {
        fanout_leave_all(&fanout, people[person]);
        session_close(people[person]);
        buf_deinit(&expected[person]);
    }
    fanout_deinit(&fanout);
    return 0;
}

/* ---- the model ---- */

static void expect(int person, const struct bytes *parts, size_t count)
{
    struct reply reply = {&expected[person], people[person]->reply.version};
    reply_push(&reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk(&reply, parts[i]);
}

static void expect_presence(int person, int name, const char *what)
{
    char id[INTEGER_TEXT_MAX];
    struct bytes parts[] = {BYTES("presence"), name_of(name), bytes_of_string(what),
                            bytes_of(id, u64_to_text(people[person]->id, id)),
                            buf_bytes(&people[person]->name)};
    for (int watcher = 0; watcher < PEOPLE; watcher++) {
        if (in[watcher][ROOM_WATCH][name])
            expect(watcher, parts, 5);
    }
}

static uint64_t expect_publish(enum room_kind kind, int name, struct bytes message)
{
    struct bytes title = kind == ROOM_SHARD ? BYTES("smessage") : BYTES("message");
    struct bytes parts[] = {title, name_of(name), message};
    uint64_t count = 0;
    for (int person = 0; person < PEOPLE; person++) {
        if (in[person][kind][name]) {
            expect(person, parts, 3);
            count++;
        }
    }
    return count;
}

/* ---- comparing ---- */

static int by_bytes(const void *a, const void *b)
{
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

/* With `in_any_order` the same messages: two patterns have no order. */
static void assert_sent(bool in_any_order)
{
    for (int person = 0; person < PEOPLE; person++) {
        struct bytes spans[2] = {{0}};
        size_t size = session_output_size(people[person]);
        assert_int_equal(size, expected[person].len);
        if (size == 0)
            continue;
        assert_int_equal(session_output_spans(people[person], size, spans), 1);
        char *sent = mem_copy(spans[0].data, size);
        if (in_any_order) {
            qsort(sent, size, 1, by_bytes);
            qsort(expected[person].data, size, 1, by_bytes);
        }
        assert_memory_equal(sent, expected[person].data, size);
        mem_free(sent);
        session_output_sent(people[person], size);
        buf_reset(&expected[person], 0);
    }
}

/* ---- what happens ---- */

static void join(int person, enum room_kind kind, int name)
{
    bool joined = fanout_join(&fanout, people[person], kind, name_of(name));
    assert_int_equal(joined, !in[person][kind][name]);
    in[person][kind][name] = true;
    if (joined && kind == ROOM_CHANNEL)
        expect_presence(person, name, "join");
}

static void leave(int person, enum room_kind kind, int name)
{
    bool was_in = in[person][kind][name];
    if (was_in && kind == ROOM_CHANNEL)
        expect_presence(person, name, "leave");
    assert_int_equal(fanout_leave(&fanout, people[person], kind, name_of(name)), was_in);
    in[person][kind][name] = false;
}

static void disconnect(int person)
{
    memset(in[person][ROOM_WATCH], 0, sizeof(in[person][ROOM_WATCH]));
    for (int name = 0; name < NAMES; name++) {
        if (in[person][ROOM_CHANNEL][name])
            expect_presence(person, name, "leave");
    }
    fanout_leave_all(&fanout, people[person]);
    assert_int_equal(people[person]->subscriber.count, 0);
    session_close(people[person]);
    come(person);
}

static void publish(enum room_kind kind, int name, struct bytes message)
{
    uint64_t count = expect_publish(kind, name, message);
    for (int pattern = 0; kind == ROOM_CHANNEL && pattern < NAMES; pattern++) {
        struct bytes parts[] = {BYTES("pmessage"), name_of(pattern), name_of(name), message};
        for (int person = 0; person < PEOPLE; person++) {
            if (in[person][ROOM_PATTERN][pattern] &&
                glob_match(name_of(pattern), name_of(name), false)) {
                expect(person, parts, 4);
                count++;
            }
        }
    }
    assert_int_equal(fanout_publish(&fanout, kind, name_of(name), message), count);
}

static size_t random_names(int *out, struct bytes *names, size_t least)
{
    size_t count = least + random_below(&rng, ARGS_MAX - least);
    for (size_t i = 0; i < count; i++) {
        out[i] = (int)random_below(&rng, NAMES);
        names[i] = name_of(out[i]);
    }
    return count;
}

static bool is_excluded(const struct fanout_choice *choice, int person, const int *except)
{
    bool excluded = false;
    for (size_t i = 0; i < choice->except_count; i++)
        excluded = excluded || in[person][ROOM_CHANNEL][except[i]];
    for (size_t i = 0; i < choice->not_to_count; i++)
        excluded = excluded || choice->not_to[i] == people[person];
    return excluded;
}

static void publish_chosen(struct bytes message)
{
    int to[ARGS_MAX], except[ARGS_MAX];
    struct bytes to_names[ARGS_MAX], except_names[ARGS_MAX];
    struct session *not_to[ARGS_MAX];
    struct fanout_choice choice = {.to = to_names, .except = except_names, .not_to = not_to};
    choice.to_count = random_names(to, to_names, 1);
    choice.except_count = random_names(except, except_names, 0);
    choice.not_to_count = random_below(&rng, ARGS_MAX);
    for (size_t i = 0; i < choice.not_to_count; i++)
        not_to[i] = people[random_below(&rng, PEOPLE)];
    uint64_t count = 0;
    for (int person = 0; person < PEOPLE; person++) {
        size_t i = 0;
        while (i < choice.to_count && !in[person][ROOM_CHANNEL][to[i]])
            i++;
        if (i == choice.to_count || is_excluded(&choice, person, except))
            continue;
        struct bytes parts[] = {BYTES("message"), to_names[i], message};
        expect(person, parts, 3);
        count++;
    }
    assert_int_equal(fanout_publish_chosen(&fanout, &choice, message), count);
}

/* ---- tests ---- */

static void each_speaks_its_version_of_the_protocol(void **state)
{
    (void)state;
    join(0, ROOM_CHANNEL, 1);
    join(1, ROOM_CHANNEL, 1);
    publish(ROOM_CHANNEL, 1, BYTES("x"));
    assert_memory_equal(expected[0].data, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n", 30);
    assert_memory_equal(expected[1].data, ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n", 30);
    assert_sent(false);
}

static void a_subscriber_is_of_another_output_class_while_it_is_in_a_room(void **state)
{
    (void)state;
    join(0, ROOM_WATCH, 1);
    assert_int_equal(people[0]->output_class, OUTPUT_PUBSUB);
    leave(0, ROOM_WATCH, 1);
    assert_int_equal(people[0]->output_class, OUTPUT_NORMAL);
}

static void who_goes_away_is_not_told_of_it(void **state)
{
    (void)state;
    join(0, ROOM_WATCH, 1);
    join(1, ROOM_WATCH, 1);
    join(0, ROOM_CHANNEL, 1);
    assert_sent(false);
    disconnect(0);
    assert_sent(false);
}

static void a_receiver_over_its_limit_is_a_drop_and_others_are_served(void **state)
{
    (void)state;
    broker.options.client_output_buffer_limit.of[OUTPUT_PUBSUB].hard_bytes = 100;
    join(0, ROOM_CHANNEL, 1);
    join(1, ROOM_CHANNEL, 1);
    for (int i = 0; i < 4; i++) {
        publish(ROOM_CHANNEL, 1, BYTES("x"));
        session_output_sent(people[1], session_output_size(people[1]));
    }
    assert_int_equal(session_ending(people[0]), SESSION_ABORTED);
    assert_int_equal(fanout_publish(&fanout, ROOM_CHANNEL, name_of(1), BYTES("x")), 1);
    assert_int_equal(fanout.drops, 1);
    assert_int_equal(fanout.deliveries, 9);
    assert_int_equal(broker.lost, 4);
}

static void random_step(unsigned step)
{
    char text[16];
    struct bytes message = bytes_of(text, (size_t)snprintf(text, sizeof(text), "%u", step));
    int person = (int)random_below(&rng, PEOPLE);
    int name = (int)random_below(&rng, NAMES);
    enum room_kind kind = (enum room_kind)random_below(&rng, ROOM_KIND_COUNT);
    switch (random_below(&rng, 8)) {
    case 0:
        disconnect(person);
        break;
    case 1:
    case 2:
        leave(person, kind, name);
        break;
    case 3:
        publish(random_below(&rng, 4) == 0 ? ROOM_SHARD : ROOM_CHANNEL, name, message);
        break;
    case 4:
        publish_chosen(message);
        break;
    default:
        join(person, kind, name);
    }
    assert_sent(true);
}

static void random_histories_agree_with_the_model(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 20000; step++)
        random_step(step);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, people_come, people_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_speaks_its_version_of_the_protocol),
        TEST(a_subscriber_is_of_another_output_class_while_it_is_in_a_room),
        TEST(who_goes_away_is_not_told_of_it),
        TEST(a_receiver_over_its_limit_is_a_drop_and_others_are_served),
        TEST(random_histories_agree_with_the_model),
    };
    random_init(&rng, unit_seed());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
