#include "broker/expiry.h"

#include "base/check.h"
#include "base/clock.h"
#include "broker/access.h"
#include "broker/blocking.h"
#include "broker/broker_internal.h"

/* Objects that are looked at between two looks at the clock. */
#define LOOKS 64

/* What a reader reads at a time: a few cycles' worth of keys, or one large value. */
#define ROWS_MAX  1000
#define BYTES_MAX ((size_t)1 << 20)

/* Sleeps no longer, in case the system's clock is set meanwhile. */
#define SLEEP_MS_MAX UINT64_C(60000)

void expiry_init(struct expiry *expiry)
{
    *expiry = (struct expiry){0};
    fetch_init(&expiry->fetch);
    buf_init(&expiry->from);
}

void expiry_deinit(struct expiry *expiry)
{
    fetch_deinit(&expiry->fetch);
    buf_deinit(&expiry->from);
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

/* ---- durable keys whose time is not on disk yet ---- */

/* A bucket's durable keys; a deletion changes neither the chain nor what it links. */
static size_t look_at_bucket(struct broker *broker, bool *last)
{
    struct hmap_node *node = hmap_walk(&broker->keyspace.table.map, &broker->expiry.hash, last);
    struct catalog *catalog = store_catalog(broker->store);
    uint64_t now_ms = broker_now_ms(broker);
    size_t looked = 1;
    for (; node != NULL; node = node->next, looked++) {
        struct object *object = container_of(node, struct object, node);
        if (keyspace_expired(object, now_ms))
            drop(broker, object);
        else if (list_empty(&object->lru)) /* the time of a clean one is on disk */
            catalog_due(&catalog->unfolded_due_ms, object_expiry(object));
    }
    return looked;
}

/* A walk begins when a time has come, and finds out which one is next. True: none has. */
static bool walk_residents(struct broker *broker, uint64_t until_us)
{
    struct expiry *expiry = &broker->expiry;
    uint64_t *due_ms = &store_catalog(broker->store)->unfolded_due_ms;
    if (!expiry->walking && *due_ms > broker_now_ms(broker))
        return true;
    if (!expiry->walking) {
        expiry->hash = 0;
        *due_ms = UINT64_MAX;
    }
    for (bool last = false; !last;) {
        for (size_t looked = 0; looked < LOOKS && !last;)
            looked += look_at_bucket(broker, &last);
        expiry->walking = !last;
        if (clock_mono_us() >= until_us)
            break;
    }
    return !expiry->walking && *due_ms > broker_now_ms(broker);
}

/* ---- durable keys whose time is on disk ---- */

static bool was_flushed(const struct catalog *catalog, uint32_t space)
{
    uint32_t db = 0;
    while (db < catalog->count && catalog->databases[db].space != space)
        db++;
    return db == catalog->count;
}

/* Goes on with the next namespace; in their order, which SWAPDB does not change. */
static void next_space(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    const struct catalog *catalog = store_catalog(broker->store);
    uint32_t next = 0;
    for (uint32_t db = 0; db < catalog->count; db++) {
        uint32_t space = catalog->databases[db].space;
        if (catalog->databases[db].expires > 0 && space > expiry->space &&
            (next == 0 || space < next))
            next = space;
    }
    expiry->space = next;
    key_expiry(&expiry->from, next, expiry->from_ms, BYTES(""));
}

static void look_at_row(struct broker *broker, unsigned db, struct bytes name, struct bytes row)
{
    struct object *object;
    enum err err = keyspace_adopt(&broker->keyspace, db, name, row);
    if (err == ERR_OK)
        err = keyspace_find(&broker->keyspace, db, name, &object);
    if (err == ERR_OK && keyspace_expired(object, broker->expiry.fetch.until_ms))
        expiry_drop(broker, db, name, object);
}

/* Rows were read, and they still hold. */
static bool has_rows(const struct broker *broker)
{
    const struct expiry *expiry = &broker->expiry;
    return expiry->reading == ROWS_READ && expiry->fetch.err == ERR_OK &&
           expiry->fetch.view == store_view(broker->store) && expiry->fetch.space == expiry->space;
}

/* Looks at the rows that were read, as far as there is time. True: at all of them. */
static bool take_rows(struct broker *broker, uint64_t until_us)
{
    struct expiry *expiry = &broker->expiry;
    struct decoder decoder = decoder_of(buf_bytes(&expiry->fetch.rows));
    unsigned db = keyspace_db_of(&broker->keyspace, expiry->space);
    decoder_take(&decoder, expiry->taken);
    while (decoder_left(&decoder) > 0) {
        for (unsigned looked = 0; looked < LOOKS && decoder_left(&decoder) > 0; looked++) {
            struct bytes name = decoder_bytes(&decoder);
            look_at_row(broker, db, name, decoder_bytes(&decoder));
        }
        expiry->taken = expiry->fetch.rows.len - decoder_left(&decoder);
        if (clock_mono_us() >= until_us)
            break;
    }
    return decoder_left(&decoder) == 0;
}

/* The reader's rows are done with: the next ones are those behind them. */
static void pass_rows(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    if (expiry->fetch.next_ms > expiry->fetch.until_ms) {
        catalog_due(&store_catalog(broker->store)->folded_due_ms, expiry->fetch.next_ms);
        next_space(broker);
        return;
    }
    expiry->from.len = 0;
    buf_add_bytes(&expiry->from, buf_bytes(&expiry->fetch.from));
}

static void rows_read(void *context)
{
    struct broker *broker = context;
    struct expiry *expiry = &broker->expiry;
    expiry->reading = ROWS_READ;
    if (expiry->fetch.err == ERR_OK && expiry->rested_us < expiry->next_us)
        expiry->next_us = expiry->rested_us;
}

static void read_rows(struct broker *broker)
{
    struct expiry *expiry = &broker->expiry;
    struct fetch *fetch = &expiry->fetch;
    fetch_reset(fetch);
    fetch->ranges = store_ranges(broker->store);
    fetch->kind = FETCH_EXPIRED;
    fetch->view = store_view(broker->store);
    fetch->space = expiry->space;
    fetch->hash_seed = store_catalog(broker->store)->hash_seed;
    fetch->until_ms = broker_now_ms(broker);
    fetch->rows_max = ROWS_MAX;
    fetch->bytes_max = BYTES_MAX;
    buf_add_bytes(&fetch->from, buf_bytes(&expiry->from));
    expiry->taken = 0;
    expiry->reading = ROWS_COMING;
    access_read_for(broker, fetch, rows_read, broker);
}

/* Goes through what is due in one namespace after the other, and finds out which time is next.
 * False: there are rows for which there was no time. */
static bool walk_rows(struct broker *broker, uint64_t until_us)
{
    struct expiry *expiry = &broker->expiry;
    uint64_t *due_ms = &store_catalog(broker->store)->folded_due_ms;
    if (expiry->reading == ROWS_COMING)
        return true;
    if (expiry->space == 0 && *due_ms <= broker_now_ms(broker)) {
        expiry->from_ms = *due_ms;
        *due_ms = UINT64_MAX;
        next_space(broker);
    } else if (expiry->space != 0 && was_flushed(store_catalog(broker->store), expiry->space)) {
        next_space(broker);
    } else if (has_rows(broker)) {
        if (!take_rows(broker, until_us))
            return false;
        pass_rows(broker);
    }
    expiry->reading = ROWS_NONE;
    if (expiry->space != 0)
        read_rows(broker);
    return true;
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
    end &= walk_residents(broker, now_us + EXPIRY_SHARE_US / 2); /* the rest is for the rows */
    end &= walk_rows(broker, now_us + EXPIRY_SHARE_US);
    uint64_t end_us = clock_mono_us();
    uint64_t rest_us = (end_us - now_us) * EXPIRY_REST;
    if (rest_us < EXPIRY_REST_US_MIN)
        rest_us = EXPIRY_REST_US_MIN;
    expiry->rested_us = end_us + rest_us;
    expiry->next_us = end ? end_us + EXPIRY_PERIOD_US : expiry->rested_us;
}

static bool any_in_memory(const struct catalog *catalog)
{
    for (uint32_t db = 0; db < catalog->count; db++) {
        if (catalog->databases[db].memory_expires > 0)
            return true;
    }
    return false;
}

uint64_t expiry_deadline(const struct broker *broker)
{
    const struct expiry *expiry = &broker->expiry;
    const struct catalog *catalog = store_catalog(broker->store);
    if (!may_drop(broker))
        return 0;
    if (expiry->walking || expiry->reading == ROWS_READ || any_in_memory(catalog))
        return expiry->next_us;
    uint64_t due_ms = catalog->folded_due_ms < catalog->unfolded_due_ms ? catalog->folded_due_ms
                                                                        : catalog->unfolded_due_ms;
    if (due_ms == UINT64_MAX || !catalog_expires(catalog))
        return 0;
    uint64_t now_ms = clock_wall_ms();
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    uint64_t due_us = clock_mono_us() + (left_ms < SLEEP_MS_MAX ? left_ms : SLEEP_MS_MAX) * 1000;
    return due_us > expiry->next_us ? due_us : expiry->next_us;
}
