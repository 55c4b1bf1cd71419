/* Keys that are read, written, listed and scanned while range rules that overlap have them moved
 * there and back, beside a model that knows no stores. */
#include "broker/range_move.h"

#include "tests/unit/broker_fixture.h"

#define NAMES     150
#define DATABASES 2
#define STEPS     1500
#define TIMES_MS  UINT64_C(100000000)

static const char *const prefixes[] = {"", "a", "ab", "abc", "b", "\xff"};
#define PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

struct model {
    bool there;
    bool is_hash;
    unsigned value;
};

static uint64_t seed;
static struct random dice;
static struct model model[DATABASES][NAMES];
static struct session *mover;
static bool moving;

/* A scan that goes on, and what was there all the time. */
static uint64_t cursor;
static unsigned scanned_db;
static bool expected[NAMES];

static unsigned below(unsigned bound)
{
    return (unsigned)random_below(&dice, bound);
}

static const char *name_of(unsigned i)
{
    static char names[4][16];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof(names[0]), "%s%u", prefixes[i % PREFIXES], i);
    return name;
}

static int set_up(void **state)
{
    (void)state;
    memset(model, 0, sizeof(model));
    moving = false;
    cursor = 0;
    int result = set_up_broker(++seed);
    mover = session_create(broker, NULL, 2);
    broker->move.keys_max = 1 + below(10);
    return result;
}

static int clean_up(void **state)
{
    session_close(mover);
    return tear_down(state);
}

/* ---- moves ---- */

static void take_answer(void)
{
    struct buf answer;
    buf_init(&answer);
    take_output(mover, &answer);
    if (answer.len > 0) {
        buf_add(&answer, "", 1);
        bool fine = strcmp(answer.data, "+OK\r\n") == 0 || strstr(answer.data, "-OOM") != NULL ||
                    strstr(answer.data, "no such range rule") != NULL ||
                    strstr(answer.data, "empty prefix stays") != NULL;
        if (!fine)
            fail_msg("seed %llu: %s", (unsigned long long)seed, answer.data);
        moving = false;
    }
    buf_deinit(&answer);
}

static void begin_move(void)
{
    static const char *const stores[] = {"MEMORY", "MEMORY MAXMEMORY 5kb POLICY noeviction",
                                         "DURABLE", "DURABLE"};
    const char *prefix = prefixes[below(PREFIXES)];
    char db[8];
    char line[128];
    snprintf(db, sizeof(db), "%d", (int)below(DATABASES));
    const char *of = below(3) == 0 ? "*" : db;
    if (below(4) == 0)
        snprintf(line, sizeof(line), "RANGE.DEL %s \"%s\" MOVE\r\n", of, prefix);
    else
        snprintf(line, sizeof(line), "RANGE.SET %s \"%s\" %s MOVE\r\n", of, prefix,
                 stores[below(4)]);
    session_feed(mover, bytes_of_string(line));
    moving = true;
}

/* ---- what clients do ---- */

static bool starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool refused(const char *answer)
{
    return starts_with(answer, "-OOM");
}

static void write_key(unsigned db, unsigned i)
{
    struct model *key = &model[db][i];
    unsigned value = below(1000000);
    bool hash = below(4) == 0;
    if (refused(hash ? ask("HSET %s field %u", name_of(i), value)
                     : ask("SET %s %u", name_of(i), value)))
        return;
    if (hash && key->there && !key->is_hash)
        return; /* WRONGTYPE */
    *key = (struct model){true, hash, value};
}

static void read_key(unsigned db, unsigned i)
{
    const struct model *key = &model[db][i];
    char wanted[32];
    char value[16];
    snprintf(value, sizeof(value), "%u", key->value);
    snprintf(wanted, sizeof(wanted), "$%zu\r\n%s\r\n", strlen(value), value);
    const char *answer =
        key->is_hash ? ask("HGET %s field", name_of(i)) : ask("GET %s", name_of(i));
    if (strcmp(answer, key->there ? wanted : "$-1\r\n") != 0)
        fail_msg("seed %llu: %s is %s", (unsigned long long)seed, name_of(i), answer);
}

static void remove_key(unsigned db, unsigned i)
{
    assert_int_equal(ask("DEL %s", name_of(i))[1] - '0', model[db][i].there);
    model[db][i].there = false;
    model[db][i].is_hash = false;
    if (db == scanned_db)
        expected[i] = false;
}

static void rename_key(unsigned db, unsigned i)
{
    unsigned to = below(NAMES);
    const char *answer = ask("RENAME %s %s", name_of(i), name_of(to));
    if (!model[db][i].there) {
        assert_true(starts_with(answer, "-ERR no such key"));
        return;
    }
    if (refused(answer))
        return;
    assert_string_equal(answer, "+OK\r\n");
    if (i == to)
        return;
    model[db][to] = model[db][i];
    model[db][i] = (struct model){0};
    if (db == scanned_db)
        expected[i] = false;
}

static void flush(unsigned db)
{
    assert_string_equal(ask("FLUSHDB"), "+OK\r\n");
    memset(model[db], 0, sizeof(model[db]));
    if (db == scanned_db)
        memset(expected, 0, sizeof(expected));
}

static void count_keys(unsigned db)
{
    unsigned count = 0;
    char wanted[16];
    for (unsigned i = 0; i < NAMES; i++)
        count += model[db][i].there;
    snprintf(wanted, sizeof(wanted), ":%u\r\n", count);
    assert_string_equal(ask("DBSIZE"), wanted);
    snprintf(wanted, sizeof(wanted), "*%u\r\n", count);
    const char *answer = ask("KEYS *");
    if (!starts_with(answer, wanted))
        fail_msg("seed %llu: %u keys, not %s", (unsigned long long)seed, count, answer);
}

/* ---- SCAN ---- */

static void begin_scan(unsigned db)
{
    scanned_db = db;
    for (unsigned i = 0; i < NAMES; i++)
        expected[i] = model[db][i].there;
}

static void see(const char *answer)
{
    char line[24];
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(line, sizeof(line), "\n%s\r\n", name_of(i));
        if (strstr(answer, line) != NULL)
            expected[i] = false;
    }
}

static void scan(unsigned db)
{
    if (cursor == 0)
        begin_scan(db);
    if (db != scanned_db)
        return;
    const char *answer = ask("SCAN %llu COUNT 10", (unsigned long long)cursor);
    cursor =
        strtoull(strchr(answer, '\n') + 1 + strcspn(strchr(answer, '\n') + 1, "\n") + 1, NULL, 10);
    see(answer);
    for (unsigned i = 0; cursor == 0 && i < NAMES; i++) {
        if (expected[i])
            fail_msg("seed %llu: no scan met %s", (unsigned long long)seed, name_of(i));
    }
}

/* ---- RANGE.LIST ---- */

static void add_key(unsigned db, const char *name, struct tally *tallies)
{
    struct object *object;
    struct bytes key = bytes_of_string(name);
    (void)ask("EXISTS %s", name);
    assert_int_equal(keyspace_find(&broker->keyspace, db, key, &object), ERR_OK);
    struct tally tally = tally_of(object);
    if (!object->in_memory)
        tally_add(&tallies[keyspace_range(&broker->keyspace, db, key)->id], &tally);
}

/* What is counted is what there is. */
static void compare_tallies(void)
{
    struct tally tallies[KEY_RANGES_MAX] = {0};
    const struct catalog *catalog = store_catalog(broker->store);
    settle();
    take_answer();
    assert_true(catalog->tallied);
    for (unsigned db = 0; db < DATABASES; db++) {
        ask("SELECT %u", db);
        for (unsigned i = 0; i < NAMES; i++)
            add_key(db, name_of(i), tallies);
    }
    for (uint16_t id = 0; id < KEY_RANGES_MAX; id++) {
        struct tally counted = catalog_tally_sum(catalog, id);
        if (counted.keys != tallies[id].keys || counted.bytes != tallies[id].bytes)
            fail_msg("seed %llu: rule %u has %llu keys with %llu bytes, counted %llu and %llu",
                     (unsigned long long)seed, id, (unsigned long long)tallies[id].keys,
                     (unsigned long long)tallies[id].bytes, (unsigned long long)counted.keys,
                     (unsigned long long)counted.bytes);
    }
}

static void step(void)
{
    unsigned db = below(DATABASES);
    unsigned i = below(NAMES);
    ask("SELECT %u", db);
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        write_key(db, i);
        break;
    case 4:
        remove_key(db, i);
        break;
    case 5:
        rename_key(db, i);
        break;
    case 6:
        count_keys(db);
        break;
    case 7:
        if (below(20) == 0)
            flush(db);
        break;
    case 8:
        if (below(4) == 0)
            fold();
        break;
    case 9:
    case 10:
    case 11:
        scan(db);
        break;
    default:
        read_key(db, i);
        break;
    }
}

static void nobody_misses_a_key_while_it_moves(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STEPS; i++) {
        if (!moving && below(10) == 0)
            begin_move();
        if (below(50) == 0) /* the rows are read */
            broker->options->resident_bytes = below(2) == 0 ? 0 : 1 << 20;
        if (below(200) == 0)
            compare_tallies();
        step();
        take_answer();
    }
    settle();
    for (unsigned db = 0; db < DATABASES; db++) {
        ask("SELECT %u", db);
        for (unsigned i = 0; i < NAMES; i++)
            read_key(db, i);
        count_keys(db);
    }
    compare_tallies();
    session_close(mover);
    restart();
    mover = session_create(broker, NULL, 2);
    compare_tallies();
}

/* A crash in the middle loses what was in memory; what is counted is what there is. */
static void after_a_crash_all_that_is_there_is_counted(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 30; i++)
            write_key(0, below(NAMES));
        if (below(2) == 0)
            fold();
        begin_move();
        for (unsigned i = below(30); i > 0; i--)
            turn();
        session_close(mover);
        restart();
        mover = session_create(broker, NULL, 2);
        broker->move.keys_max = 1 + below(10);
        compare_tallies();
    }
}

int main(void)
{
#define RANDOM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        RANDOM_TEST(nobody_misses_a_key_while_it_moves),
        RANDOM_TEST(nobody_misses_a_key_while_it_moves),
        RANDOM_TEST(nobody_misses_a_key_while_it_moves),
        RANDOM_TEST(after_a_crash_all_that_is_there_is_counted),
    };
    seed = unit_seed();
    random_init(&dice, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
