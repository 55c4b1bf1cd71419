#include "broker/expiry.h"

#include "base/check.h"
#include "base/clock.h"
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"
#include "storage/key_scan.h"

/* Objects that are looked at between two looks at the clock; rows that a reader reads a cycle. */
#define LOOKS    64
#define ROWS_MAX 1000

void expiry_init(struct expiry *expiry)
{
    *expiry = (struct expiry){0};
    fetch_init(&expiry->fetch);
}

void expiry_deinit(struct expiry *expiry)
{
    fetch_deinit(&expiry->fetch);
}

static bool may_drop(const struct broker *broker)
{
    return !broker_failed(broker) && !broker_stalled(broker) && !broker_paused(broker, true);
}

struct object *expiry_see(struct session *session, unsigned db, struct bytes key,
                          struct object *object)
{
    struct broker *broker = session->broker;
    if (object_expiry(object) == 0 || !keyspace_expired(object, broker_now_ms(broker)))
        return object;
    if (!(session->command->flags & COMMAND_WRITE) && !may_drop(broker))
        return broker->keyspace.absent;
    return expiry_drop(broker, db, key, object);
}

struct object *expiry_drop(struct broker *broker, unsigned db, struct bytes key,
                           struct object *object)
{
    struct keyspace *keyspace = &broker->keyspace;
    uint16_t range = keyspace_range(keyspace, db, key)->id;
    broker_remove(broker, db, key, object);
    keyspace->memory.ranges[range].expirations++;
    broker->expiry.expired_keys++;
    keyspace_event_of(broker, EVENT_EXPIRED, "expired", db, key);
    blocking_signal(broker, db, key);
    return object->in_memory ? keyspace->absent : object;
}

static void drop(struct broker *broker, struct object *object)
{
    unsigned db = keyspace_db_of(&broker->keyspace, object->space);
    expiry_drop(broker, db, object_name(object), object);
}

/* ---- memory ranges ---- */

/* One walk through all of them, or as far as there is time. True: to the end. */
static bool walk_memory(struct broker *broker, uint64_t until_us)
{
    struct memory *memory = &broker->keyspace.memory;
    struct expiry *expiry = &broker->expiry;
    for (; expiry->range < KEY_RANGES_MAX; expiry->range++) {
        for (bool more = memory->ranges[expiry->range].expiring > 0; more;) {
            size_t looks = LOOKS;
            struct object *object;
            while ((object = memory_expired(memory, expiry->range, &looks)) != NULL)
                drop(broker, object);
            memory_reap(memory);
            more = looks == 0 && memory->ranges[expiry->range].sweep != 0; /* else: the end */
            if (more && clock_mono_us() >= until_us)
                return false;
        }
    }
    expiry->range = 0;
    return true;
}

/* ---- durable keys ---- */

static bool durable_expire(const struct broker *broker)
{
    const struct catalog *catalog = store_catalog(broker->store);
    for (uint32_t db = 0; db < catalog->count; db++) {
        if (catalog->databases[db].expires > 0)
            return true;
    }
    return false;
}

/* A bucket's durable keys; a deletion changes neither the chain nor what it links. */
static size_t look_at_bucket(struct broker *broker, bool *last)
{
    struct hmap_node *node = hmap_walk(&broker->keyspace.table.map, &broker->expiry.hash, last);
    uint64_t now_ms = broker_now_ms(broker);
    size_t looked = 1;
    for (; node != NULL; node = node->next, looked++) {
        struct object *object = container_of(node, struct object, node);
        if (keyspace_expired(object, now_ms))
            drop(broker, object);
    }
    return looked;
}

static void walk_residents(struct broker *broker, uint64_t until_us)
{
    bool last = false;
    while (!last) {
        for (size_t looked = 0; looked < LOOKS && !last;)
            looked += look_at_bucket(broker, &last);
        if (clock_mono_us() >= until_us)
            return;
    }
}

/* The rows of one database after the other. */
static void next_place(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    const struct catalog *catalog = store_catalog(broker->store);
    for (uint32_t tries = 0; tries <= catalog->count; tries++) {
        if (expiry->place < KEY_PLACE_END && expiry->db < catalog->count &&
            catalog->databases[expiry->db].expires > 0)
            return;
        expiry->place = 0;
        expiry->db = expiry->db + 1 < catalog->count ? expiry->db + 1 : 0;
    }
}

static void take_rows(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    struct decoder decoder = decoder_of(buf_bytes(&expiry->fetch.rows));
    const struct database *database = keyspace_database(&broker->keyspace, expiry->db);
    if (expiry->fetch.err != ERR_OK || expiry->fetch.space != database->space)
        return;
    uint64_t now_ms = broker_now_ms(broker);
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        struct bytes head = decoder_bytes(&decoder);
        struct object *object;
        uint64_t expiry_ms = object_row_expiry(head);
        if (expiry_ms == 0 || expiry_ms > now_ms)
            continue;
        enum err err = keyspace_find(&broker->keyspace, expiry->db, name, &object);
        if (err == ERR_OK && keyspace_expired(object, now_ms))
            expiry_drop(broker, expiry->db, name, object);
    }
    expiry->place = expiry->fetch.place;
}

static void rows_read(void *context)
{
    struct broker *broker = context;
    broker->expiry.fetching = false;
    if (may_drop(broker))
        take_rows(broker);
}

static void walk_rows(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    if (expiry->fetching)
        return;
    next_place(broker);
    fetch_reset(&expiry->fetch);
    expiry->fetch.ranges = store_ranges(broker->store);
    expiry->fetch.kind = FETCH_KEYS;
    expiry->fetch.space = keyspace_database(&broker->keyspace, expiry->db)->space;
    expiry->fetch.place = expiry->place;
    expiry->fetch.rows_max = ROWS_MAX;
    expiry->fetching = true;
    access_read_for(broker, &expiry->fetch, rows_read, broker);
}

/* ---- cycles ---- */

void expiry_run(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    uint64_t now_us = clock_mono_us();
    if (now_us < expiry->next_us || !may_drop(broker))
        return;
    broker->keyspace.memory.now_ms = broker_now_ms(broker);
    bool end = walk_memory(broker, now_us + EXPIRY_SHARE_US);
    if (end && durable_expire(broker)) {
        walk_residents(broker, now_us + EXPIRY_SHARE_US);
        walk_rows(broker);
    }
    expiry->next_us = clock_mono_us() + (end ? EXPIRY_PERIOD_US : EXPIRY_SOON_US);
}

uint64_t expiry_deadline(const struct broker *broker)
{
    const struct catalog *catalog = store_catalog(broker->store);
    if (!may_drop(broker))
        return 0;
    for (uint32_t db = 0; db < catalog->count; db++) {
        if (catalog->databases[db].memory_expires > 0 || catalog->databases[db].expires > 0)
            return broker->expiry.next_us;
    }
    return 0;
}
