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
#include "broker/transaction.h"

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
};

static void range_work_destroy(struct work *work)
{
    struct range_work *range = container_of(work, struct range_work, work);
    if (range->begun)
        range_change_deinit(&range->change);
    fetch_deinit(&range->fetch);
    mem_free(range);
}

static struct range_work *range_work_of(struct session *session)
{
    if (session->work == NULL) {
        struct range_work *range = mem_zalloc(sizeof(*range));
        range->work.destroy = range_work_destroy;
        fetch_init(&range->fetch);
        session->work = &range->work;
    }
    return container_of(session->work, struct range_work, work);
}

/* Why the rules cannot be changed. */
static void refuse(struct session *session, enum err err)
{
    if (err == ERR_FULL)
        reply_error(&session->reply, "ERR there are %u range rules already", KEY_RANGES_MAX);
    else if (err == ERR_NOT_FOUND)
        reply_error(&session->reply, "ERR no such range rule");
    else
        reply_error(&session->reply, "ERR the rule for all databases and the empty prefix stays");
}

/* True: replied that keys are being moved. */
static bool is_moving(struct session *session)
{
    if (!range_move_runs(&session->broker->move))
        return false;
    reply_error(&session->reply, "ERR keys are being moved by another change of the range rules");
    return true;
}

/* False: replied. */
static bool begin(struct session *session, struct range_work *range, const struct key_range *rule,
                  bool deletes)
{
    if (range->begun)
        range_change_deinit(&range->change);
    enum err err = range_change_init(&range->change, &session->broker->keyspace, rule, deletes);
    range->begun = err == ERR_OK;
    range->fetched = false;
    range->tries++;
    if (err != ERR_OK)
        refuse(session, err);
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

static void has_keys(struct session *session)
{
    reply_error(&session->reply, "ERR the range has keys, which would change their store");
}

/* Takes the names that were read. False: replied. */
static bool take_names(struct session *session, struct range_work *range)
{
    if (!range->fetched)
        return true;
    range->fetched = false;
    range->change.place = range->fetch.place;
    if (range->fetch.err != ERR_OK) {
        access_error(session, range->fetch.err);
        return false;
    }
    bool hits = range_change_hits_rows(&range->change, buf_bytes(&range->fetch.rows));
    if (hits)
        has_keys(session);
    return !hits;
}

/* A change that takes no keys along. */
static enum flow change(struct session *session, const struct key_range *rule, bool deletes)
{
    struct range_work *range = range_work_of(session);
    if (is_moving(session) || (!range->begun && !begin(session, range, rule, deletes)))
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
    if (range_change_hits_memory(&range->change)) {
        has_keys(session);
        return FLOW_DONE;
    }
    if (range_change_reads(&range->change)) {
        read_names(session, range);
        return FLOW_WAIT;
    }
    session_gate(session, range_change_write(&range->change));
    eviction_budgets_changed(session->broker);
    reply_status(&session->reply, "OK");
    return FLOW_DONE;
}

/* ---- changes with their keys ---- */

struct move_work {
    struct work work;
    struct range_move *move; /* borrowed */
    struct range_move_wait wait;
};

static void move_work_destroy(struct work *work)
{
    struct move_work *waiting = container_of(work, struct move_work, work);
    range_move_leave(waiting->move, &waiting->wait);
    mem_free(waiting);
}

/* False: replied. */
static bool start_move(struct session *session, const struct key_range *rule, bool deletes)
{
    struct move_work *waiting = mem_zalloc(sizeof(*waiting));
    waiting->work.destroy = move_work_destroy;
    waiting->move = &session->broker->move;
    session->work = &waiting->work;
    enum err err = range_move_start(waiting->move, rule, deletes, &waiting->wait);
    if (err != ERR_OK)
        refuse(session, err);
    return err == ERR_OK;
}

static void reply_moved(struct session *session, const struct range_move_wait *wait)
{
    session_gate(session, wait->lsn);
    if (wait->err == ERR_OK)
        reply_status(&session->reply, "OK");
    else if (wait->err == ERR_RANGE)
        access_no_feed(session);
    else if (wait->err == ERR_FULL)
        reply_error(&session->reply, "OOM the keys do not fit into the range, and stay");
    else
        access_error(session, wait->err);
}

static bool changes_nothing(struct session *session, const struct key_range *rule)
{
    const struct key_range *there = key_ranges_find(&store_catalog(session->broker->store)->ranges,
                                                    rule->db, key_range_prefix(rule));
    return there != NULL && there->store == rule->store && there->policy == rule->policy &&
           there->bytes_max == rule->bytes_max;
}

static enum flow move(struct session *session, const struct key_range *rule, bool deletes)
{
    if (transaction_runs(session)) {
        reply_error(&session->reply, "ERR MOVE takes turns, which a transaction does not have");
        return FLOW_DONE;
    }
    if (session->work == NULL && !deletes && changes_nothing(session, rule)) {
        reply_status(&session->reply, "OK");
        return FLOW_DONE;
    }
    if (session->work == NULL && (is_moving(session) || !start_move(session, rule, deletes)))
        return FLOW_DONE;
    const struct move_work *waiting = container_of(session->work, struct move_work, work);
    if (waiting->wait.done) {
        reply_moved(session, &waiting->wait);
        return FLOW_DONE;
    }
    if (broker_failed(session->broker)) {
        reply_error(&session->reply, "ERR the store has failed: %s",
                    err_text(store_failure(session->broker->store)));
        return FLOW_DONE;
    }
    list_push_back(&session->broker->fold_waiters, &session->wait_link);
    return FLOW_WAIT;
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
    return moves ? move(session, &rule, false) : change(session, &rule, false);
}

static enum flow range_del_command(struct session *session)
{
    const struct bytes words[] = {session->argv[1], session->argv[2], BYTES("durable")};
    bool moves = session->argc == 4 && argument_is(session, 3, "move");
    if (session->argc > 3 && !moves) {
        session_syntax_error(session);
        return FLOW_DONE;
    }
    struct key_range rule;
    struct buf why;
    buf_init(&why);
    enum err err = range_rule_parse(words, 3, POLICY_NO_EVICTION, &rule, &why);
    if (err != ERR_OK)
        reply_error(&session->reply, "ERR %.*s", (int)why.len, why.data);
    buf_deinit(&why);
    if (err != ERR_OK)
        return FLOW_DONE;
    return moves ? move(session, &rule, true) : change(session, &rule, true);
}

/* ---- what there is ---- */

static void reply_pair(struct session *session, const char *name, uint64_t value)
{
    reply_bulk_string(&session->reply, name);
    reply_integer(&session->reply, (int64_t)value);
}

/* Keys are being moved for this rule's sake. */
static bool is_changing(struct session *session, const struct key_range *rule)
{
    const struct key_ranges *ranges = &store_catalog(session->broker->store)->ranges;
    return ranges->before != NULL && key_ranges_changed(ranges) == rule;
}

/* Of a durable range while its keys are being counted: null. */
static void reply_size(struct session *session, const struct key_range *rule)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct range_size size = {keyspace->memory.ranges[rule->id].map.count,
                              memory_range_bytes(&keyspace->memory, rule->id)};
    bool known = rule->store == STORE_MEMORY || range_count_of(keyspace, rule->id, &size);
    reply_bulk_string(&session->reply, "keys");
    if (known)
        reply_integer(&session->reply, (int64_t)size.keys);
    else
        reply_null(&session->reply);
    reply_bulk_string(&session->reply, "bytes");
    if (known)
        reply_integer(&session->reply, (int64_t)size.bytes);
    else
        reply_null(&session->reply);
}

static void reply_rule(struct session *session, const struct key_range *rule)
{
    struct reply *reply = &session->reply;
    const struct memory_range *range = &session->broker->keyspace.memory.ranges[rule->id];
    bool in_memory = rule->store == STORE_MEMORY;
    reply_map(reply, 12);
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
    reply_size(session, rule);
    reply_pair(session, "hits", range->hits);
    reply_pair(session, "misses", range->misses);
    reply_pair(session, "evictions", range->evictions);
    reply_pair(session, "expirations", range->expirations);
    reply_pair(session, "moving", is_changing(session, rule));
}

static enum flow range_list_command(struct session *session)
{
    const struct key_ranges *ranges = &store_catalog(session->broker->store)->ranges;
    session_gate(session, store_last(session->broker->store));
    reply_array(&session->reply, ranges->count);
    for (uint32_t i = 0; i < ranges->count; i++)
        reply_rule(session, &ranges->rules[i]);
    return FLOW_DONE;
}

static enum flow range_of_command(struct session *session)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    session_gate(session, store_last(session->broker->store));
    reply_rule(session, keyspace_range(keyspace, session->db, session->argv[1]));
    return FLOW_DONE;
}

/* ---- rows ---- */

#define RANGE_ROW(name, run, arity, flags, complexity, summary)                                    \
    {                                                                                              \
        name, run, arity, flags, 0, 0, 0, "server", "1.0.0", complexity, summary, NULL             \
    }

const struct command_row range_commands[] = {
    RANGE_ROW("range.del", range_del_command, -3, COMMAND_WRITE | COMMAND_ADMIN,
              "O(N), N keys of the databases", "Deletes a range rule"),
    RANGE_ROW("range.list", range_list_command, 1, COMMAND_READONLY, "O(N), N rules",
              "All range rules, with their keys, bytes, hits, misses and evictions"),
    RANGE_ROW("range.of", range_of_command, 2, COMMAND_READONLY | COMMAND_FAST, "O(N), N rules",
              "The range rule that a key is under"),
    RANGE_ROW("range.set", range_set_command, -4, COMMAND_WRITE | COMMAND_ADMIN,
              "O(N), N keys of the databases", "Says in which store keys with a prefix live"),
    {.name = NULL},
};
