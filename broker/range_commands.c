/* RANGE.*: in which store keys live, by database and prefix. Weir's own. */
#include "base/alloc.h"
#include "base/check.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/eviction.h"
#include "broker/families.h"
#include "broker/options.h"
#include "broker/range_change.h"
#include "broker/range_move.h"
#include "broker/range_rules.h"

/* Names read from disk at a time, and how often it is begun again when folds or other changes have
 * come between. */
#define NAMES_SLICE 5000
#define TRIES_MAX   10

/* ---- changes ---- */

struct range_work {
    struct work work;
    struct range_change change;
    bool begun; /* the change is initialized */
    bool fetched;
    struct fetch fetch;
    unsigned tries;
    bool moves; /* MOVE was given */
    struct range_move move;
};

static void range_work_destroy(struct work *work)
{
    struct range_work *range = container_of(work, struct range_work, work);
    if (range->begun)
        range_change_deinit(&range->change);
    range_move_deinit(&range->move);
    fetch_deinit(&range->fetch);
    mem_free(range);
}

static struct range_work *range_work_of(struct session *session)
{
    if (session->work == NULL) {
        struct range_work *range = mem_zalloc(sizeof(*range));
        range->work.destroy = range_work_destroy;
        fetch_init(&range->fetch);
        range_move_init(&range->move);
        session->work = &range->work;
    }
    return container_of(session->work, struct range_work, work);
}

/* False: replied. */
static bool begin(struct session *session, struct range_work *range, const struct key_range *rule,
                  bool deletes)
{
    if (range->begun)
        range_change_deinit(&range->change);
    enum err err = range_change_init(&range->change, &session->broker->keyspace, rule, deletes);
    range->begun = err == ERR_OK;
    range_move_reset(&range->move);
    range->fetched = false;
    range->tries++;
    if (err == ERR_FULL)
        reply_error(&session->reply, "ERR there are %u range rules already", KEY_RANGES_MAX);
    else if (err == ERR_NOT_FOUND)
        reply_error(&session->reply, "ERR no such range rule");
    else if (err != ERR_OK)
        reply_error(&session->reply, "ERR the rule for all databases and the empty prefix stays");
    return err == ERR_OK;
}

static void read_names(struct session *session, struct range_work *range)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    fetch_reset(&range->fetch);
    range->fetch.ranges = store_ranges(keyspace->store);
    range->fetch.kind = FETCH_KEYS;
    range->fetch.space = keyspace_database(keyspace, range->change.db)->space;
    range->fetch.place = range->change.place;
    range->fetch.rows_max = NAMES_SLICE;
    range->fetched = true;
    access_read(session, &range->fetch);
}

static void too_much(struct session *session)
{
    reply_error(&session->reply,
                "ERR these are more than %u keys, or more bytes than copy-bytes-max",
                RANGE_MOVE_KEYS_MAX);
}

static void has_keys(struct session *session)
{
    reply_error(&session->reply, "ERR the range has keys, which would change their store");
}

/* Takes the names that were read. False: replied. */
static bool take_names(struct session *session, struct range_work *range)
{
    struct bytes rows = buf_bytes(&range->fetch.rows);
    if (!range->fetched)
        return true;
    range->fetched = false;
    range->change.place = range->fetch.place;
    if (range->fetch.err != ERR_OK) {
        access_error(session, range->fetch.err);
        return false;
    }
    if (!range->moves && range_change_hits_rows(&range->change, rows)) {
        has_keys(session);
        return false;
    }
    if (range->moves &&
        range_move_add_rows(&range->move, &range->change, rows,
                            broker_options(session->broker)->copy_bytes_max) != ERR_OK) {
        too_much(session);
        return false;
    }
    return true;
}

/* All names are known: reads what they name and collects all that moves. */
static enum access collect(struct session *session, struct range_work *range)
{
    uint64_t bytes_max = broker_options(session->broker)->copy_bytes_max;
    enum err err;
    enum access access = range_move_load(session, &range->move, bytes_max, &err);
    if (access != ACCESS_READY)
        return access;
    if (err == ERR_OK)
        err = range_move_collect(&range->move, &range->change, bytes_max);
    if (err == ERR_RANGE)
        access_no_feed(session);
    else if (err == ERR_FULL)
        too_much(session);
    else if (err != ERR_OK)
        access_error(session, err);
    return err == ERR_OK ? ACCESS_READY : ACCESS_FAILED;
}

/* Nothing stands in the way, or it comes along. */
static void write_change(struct session *session, struct range_work *range)
{
    session_gate(session, range->moves ? range_move_write(&range->move, &range->change)
                                       : range_change_write(&range->change));
    eviction_budgets_changed(session->broker);
    reply_status(&session->reply, "OK");
}

static enum flow change(struct session *session, const struct key_range *rule, bool deletes,
                        bool moves)
{
    struct range_work *range = range_work_of(session);
    range->moves = moves;
    if (!range->begun && !begin(session, range, rule, deletes))
        return FLOW_DONE;
    while (!range_change_current(&range->change)) {
        if (range->tries == TRIES_MAX) {
            reply_error(&session->reply, "ERR too much is being written, try again");
            return FLOW_DONE;
        }
        if (!begin(session, range, rule, deletes))
            return FLOW_DONE;
    }
    if (!take_names(session, range))
        return FLOW_DONE;
    if (!moves && range_change_hits_memory(&range->change)) {
        has_keys(session);
        return FLOW_DONE;
    }
    if (range_change_reads(&range->change)) {
        read_names(session, range);
        return FLOW_WAIT;
    }
    enum access access = moves ? collect(session, range) : ACCESS_READY;
    if (access == ACCESS_READY)
        write_change(session, range);
    return access_flow(access);
}

static bool parse_rule(struct session *session, size_t words, struct key_range *out)
{
    const struct options *options = broker_options(session->broker);
    struct buf why;
    buf_init(&why);
    enum err err = range_rule_parse(session->argv + 1, words,
                                    range_rules_policy(options->maxmemory_policy), out, &why);
    if (err != ERR_OK)
        reply_error(&session->reply, "ERR %.*s", (int)why.len, why.data);
    buf_deinit(&why);
    if (err == ERR_OK && out->db != KEY_RANGE_ALL && out->db >= (uint64_t)options->databases) {
        reply_error(&session->reply, "ERR DB index is out of range");
        return false;
    }
    return err == ERR_OK;
}

static enum flow range_set_command(struct session *session)
{
    struct key_range rule;
    bool moves = argument_is(session, session->argc - 1, "move");
    if (!parse_rule(session, session->argc - 1 - moves, &rule))
        return FLOW_DONE;
    return change(session, &rule, false, moves);
}

static enum flow range_del_command(struct session *session)
{
    const struct bytes words[] = {session->argv[1], session->argv[2], BYTES("durable")};
    struct key_range rule;
    struct buf why;
    buf_init(&why);
    enum err err = range_rule_parse(words, 3, POLICY_NO_EVICTION, &rule, &why);
    if (err != ERR_OK)
        reply_error(&session->reply, "ERR %.*s", (int)why.len, why.data);
    buf_deinit(&why);
    return err == ERR_OK ? change(session, &rule, true, false) : FLOW_DONE;
}

/* ---- what there is ---- */

static void reply_pair(struct session *session, const char *name, uint64_t value)
{
    reply_bulk_string(&session->reply, name);
    reply_integer(&session->reply, (int64_t)value);
}

/* Keys of a durable range are not counted by rule: null. */
static void reply_rule(struct session *session, const struct key_range *rule)
{
    struct reply *reply = &session->reply;
    const struct memory *memory = &session->broker->keyspace.memory;
    const struct memory_range *range = &memory->ranges[rule->id];
    bool in_memory = rule->store == STORE_MEMORY;
    reply_map(reply, 11);
    reply_bulk_string(reply, "db");
    if (rule->db == KEY_RANGE_ALL)
        reply_bulk_string(reply, "*");
    else
        reply_integer(reply, rule->db);
    reply_bulk_string(reply, "prefix");
    reply_bulk(reply, key_range_prefix(rule));
    reply_bulk_string(reply, "store");
    reply_bulk_string(reply, key_store_name(rule->store));
    reply_pair(session, "maxmemory", rule->bytes_max);
    reply_bulk_string(reply, "policy");
    reply_bulk_string(reply, in_memory ? key_policy_name(rule->policy) : "");
    reply_bulk_string(reply, "keys");
    if (in_memory)
        reply_integer(reply, (int64_t)range->map.count);
    else
        reply_null(reply);
    reply_bulk_string(reply, "bytes");
    if (in_memory)
        reply_integer(reply, (int64_t)memory_range_bytes(memory, rule->id));
    else
        reply_null(reply);
    reply_pair(session, "hits", range->hits);
    reply_pair(session, "misses", range->misses);
    reply_pair(session, "evictions", range->evictions);
    reply_pair(session, "expirations", range->expirations);
}

static enum flow range_list_command(struct session *session)
{
    const struct key_ranges *ranges = &store_catalog(session->broker->store)->ranges;
    reply_array(&session->reply, ranges->count);
    for (uint32_t i = 0; i < ranges->count; i++)
        reply_rule(session, &ranges->rules[i]);
    return FLOW_DONE;
}

static enum flow range_of_command(struct session *session)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    reply_rule(session, keyspace_range(keyspace, session->db, session->argv[1]));
    return FLOW_DONE;
}

/* ---- rows ---- */

#define RANGE_ROW(name, run, arity, flags, complexity, summary)                                    \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "server", "1.0.0", complexity, summary, NULL             \
    }

const struct command_row range_commands[] = {
    RANGE_ROW("range.del", range_del_command, 3, COMMAND_WRITE | COMMAND_ADMIN,
              "O(N), N keys of the databases", "Deletes a range rule"),
    RANGE_ROW("range.list", range_list_command, 1, COMMAND_READONLY, "O(N), N rules",
              "All range rules, with their keys, bytes, hits, misses and evictions"),
    RANGE_ROW("range.of", range_of_command, 2, COMMAND_READONLY | COMMAND_FAST, "O(N), N rules",
              "The range rule that a key is under"),
    RANGE_ROW("range.set", range_set_command, -4, COMMAND_WRITE | COMMAND_ADMIN,
              "O(N), N keys of the databases", "Says in which store keys with a prefix live"),
    {.name = NULL},
};
