#include "broker/range_count.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "storage/key_scan.h"

/* What is read at once, and looked at in one turn. */
#define ROWS_MAX       1000
#define ROW_BYTES      ((size_t)256 << 10)
#define LOOKS_PER_TURN 2000

/* After a read that failed. */
#define RETRY_US 1000000

/* The rule that a durable key is counted under: while keys move, the one that says so. */
static unsigned rule_of(struct keyspace *keyspace, unsigned db, struct bytes name)
{
    const struct key_ranges *ranges = &store_catalog(keyspace->store)->ranges;
    const struct key_range *rule = key_ranges_of(ranges, db, name);
    return rule->store == STORE_DURABLE ? rule->id : key_ranges_before(ranges, db, name)->id;
}

/* True: keys of this place are counted, if they are on disk. */
static bool is_passed(struct keyspace *keyspace, unsigned db, const struct object *object)
{
    return key_place(object->slot, object->node.hash) < keyspace_database(keyspace, db)->tallied;
}

static void mark(struct keyspace *keyspace, unsigned db, struct object *object)
{
    object->tallied = true;
    object->tally_rule = rule_of(keyspace, db, object_name(object)) & (KEY_RANGES_MAX - 1);
}

bool range_count_has(struct keyspace *keyspace, struct object *object)
{
    if (object->tallied && object_type(object) != OBJECT_NONE)
        return true;
    unsigned db = keyspace_db_of(keyspace, object->space);
    if (!object->tallied && !is_passed(keyspace, db, object))
        return false;
    struct tally tally = tally_of(object);
    mark(keyspace, db, object); /* again, where there was no key: its rule may be another one now */
    tally_add(catalog_tally(keyspace_database(keyspace, db), object->tally_rule), &tally);
    return true;
}

void range_count_changed(struct keyspace *keyspace, unsigned db, const struct object *object,
                         const struct tally *before)
{
    struct tally now = tally_of(object);
    struct tally *tally = catalog_tally(keyspace_database(keyspace, db), object->tally_rule);
    tally_add(tally, &now);
    tally_subtract(tally, before);
}

void range_count_loaded(struct keyspace *keyspace, struct object *object)
{
    unsigned db = keyspace_db_of(keyspace, object->space);
    if (is_passed(keyspace, db, object))
        mark(keyspace, db, object);
}

void range_count_anew(struct keyspace *keyspace)
{
    uint64_t hash = 0;
    bool last = false;
    while (!last) {
        struct hmap_node *node = hmap_walk(&keyspace->table.map, &hash, &last);
        for (; node != NULL; node = node->next)
            container_of(node, struct object, node)->tallied = false;
    }
    catalog_tally_anew(store_catalog(keyspace->store));
    keyspace->count_round++;
}

bool range_count_of(struct keyspace *keyspace, uint16_t rule, struct range_size *out)
{
    const struct catalog *catalog = store_catalog(keyspace->store);
    struct tally sum = catalog_tally_sum(catalog, rule);
    double entry =
        catalog->appended > 0 ? (double)catalog->appended_bytes / (double)catalog->appended : 0;
    *out = (struct range_size){sum.keys, sum.bytes + (uint64_t)((double)sum.entries * entry)};
    return catalog->tallied;
}

/* ---- the walk ---- */

void range_count_init(struct range_count *count, struct broker *broker)
{
    *count = (struct range_count){.broker = broker};
    fetch_init(&count->fetch);
}

void range_count_deinit(struct range_count *count)
{
    fetch_deinit(&count->fetch);
}

static void on_read(void *context)
{
    struct range_count *count = context;
    count->fetching = false;
    count->fetched = true;
}

/* False: the rows of all databases are counted. */
static bool read_rows(struct range_count *count)
{
    struct broker *broker = count->broker;
    const struct catalog *catalog = store_catalog(broker->store);
    unsigned db = 0;
    while (db < catalog->count && catalog->databases[db].tallied >= KEY_PLACE_END)
        db++;
    if (db == catalog->count)
        return false;
    fetch_reset(&count->fetch);
    count->fetch.ranges = store_ranges(broker->store);
    count->fetch.kind = FETCH_OBJECTS;
    count->fetch.space = catalog->databases[db].space;
    count->fetch.place = catalog->databases[db].tallied;
    count->fetch.rows_max = ROWS_MAX;
    count->fetch.bytes_max = ROW_BYTES;
    count->db = db;
    count->round = broker->keyspace.count_round;
    count->hash = 0;
    count->fetching = true;
    access_read_for(broker, &count->fetch, on_read, count);
    return true;
}

static enum err count_row(struct keyspace *keyspace, unsigned db, struct bytes name,
                          struct bytes row)
{
    struct object *object = keyspace_resident(keyspace, db, name);
    struct tally tally;
    if (object != NULL) {
        (void)range_count_has(keyspace, object);
        return ERR_OK;
    }
    enum err err = tally_of_row(name, row, &tally);
    if (err == ERR_OK)
        tally_add(catalog_tally(keyspace_database(keyspace, db), rule_of(keyspace, db, name)),
                  &tally);
    return err;
}

/* What was read is as it was, and the next that is to be counted. */
static bool rows_count(const struct range_count *count)
{
    struct keyspace *keyspace = &count->broker->keyspace;
    return count->round == keyspace->count_round &&
           count->fetch.view == store_view(keyspace->store) &&
           count->fetch.space == keyspace_database(keyspace, count->db)->space;
}

/* All at once: the place moves on before, so that what is in memory is counted, too. */
static void take_rows(struct range_count *count)
{
    struct keyspace *keyspace = &count->broker->keyspace;
    struct decoder decoder = decoder_of(buf_bytes(&count->fetch.rows));
    keyspace_database(keyspace, count->db)->tallied = count->fetch.place;
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        struct bytes row = decoder_bytes(&decoder);
        enum err err = count_row(keyspace, count->db, name, row);
        if (err != ERR_OK)
            LOG(LOG_WARNING, "a key is not counted", "db=%u error=\"%s\"", count->db,
                err_text(err));
    }
}

/* What no fold has written yet. True: to the end. */
static bool walk_residents(struct range_count *count)
{
    struct keyspace *keyspace = &count->broker->keyspace;
    bool last = false;
    if (count->round != keyspace->count_round)
        count->hash = 0;
    count->round = keyspace->count_round;
    for (size_t looks = 0; looks < LOOKS_PER_TURN && !last; looks++) {
        struct hmap_node *node = hmap_walk(&keyspace->table.map, &count->hash, &last);
        for (; node != NULL; node = node->next)
            (void)range_count_has(keyspace, container_of(node, struct object, node));
    }
    return last;
}

static bool may_work(const struct range_count *count)
{
    struct broker *broker = count->broker;
    return !store_catalog(broker->store)->tallied && !count->fetching && !broker->stopping &&
           !broker_failed(broker);
}

/* The rows could not be read: again, but not at once. */
static void put_off(struct range_count *count)
{
    LOG(LOG_WARNING, "keys are not counted yet", "error=\"%s\"", err_text(count->fetch.err));
    count->fetched = false;
    count->retry_us = clock_mono_us() + RETRY_US;
}

bool range_count_work(struct range_count *count)
{
    struct broker *broker = count->broker;
    struct catalog *catalog = store_catalog(broker->store);
    if (may_work(count) && count->fetched && count->fetch.err != ERR_OK)
        put_off(count);
    if (!may_work(count) || count->retry_us > clock_mono_us())
        return false;
    count->retry_us = 0;
    if (count->fetched && rows_count(count))
        take_rows(count);
    count->fetched = false;
    if (read_rows(count))
        return false;
    if (!walk_residents(count))
        return true;
    catalog->tallied = true;
    store_grew(broker->store, DIRTY_OBJECT_BYTES); /* the next fold writes the catalog */
    return false;
}

uint64_t range_count_deadline(const struct range_count *count)
{
    return may_work(count) ? count->retry_us : 0;
}
