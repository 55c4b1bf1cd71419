/* SCAN, KEYS, RANDOMKEY: https://redis.io/docs/latest/commands/scan/
 *
 * Durable keys are walked in two phases: first those that are in memory only (no fold has written
 * them yet), in the order of the table, then those on disk, in the order of slot and hash. A key
 * moves from the first set to the second and never back, except through a deletion, so a key that
 * exists all the time is met. Between the two come the keys of memory ranges, range by range. A
 * cursor names a place in one of these orders:
 *
 *   bits 62, 61   neither: the first phase; 61: memory ranges; 62: disk
 *   bits 8 to 60  the upper bits of a hash; before them the id of a memory range
 *   bits 8 to 61  disk: a place of key_scan.h
 *   bits 0 to 7   the round
 *
 * Where keys are moved to other places (range_move.h) a second round follows the first. A move
 * carries a key once: one that it carries in the first round is met in the second, and the other
 * way round. When another move has begun meanwhile, the rounds begin anew. So the round says how
 * many moves had begun when it began, in its upper bits (from 1, modulo 127), and whether it is the
 * second one, in its lowest. */
#include "broker/keys_commands.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/random.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/families.h"
#include "storage/key_scan.h"

#include <stdlib.h>

#define CURSOR_DISK   (UINT64_C(1) << 62)
#define CURSOR_RANGES (UINT64_C(1) << 61)
#define ROUND_BITS    8
#define ROUND_MOVES   127
#define ROUND_SECOND  1u

/* Objects that one SCAN looks at in memory, beside ten for each key it is asked for: most are on
 * disk as well and are left to the second phase. */
#define MEMORY_LOOKS 1000

/* SCAN's COUNT, and the names that KEYS has read from disk at a time. */
#define SCAN_COUNT     10
#define SCAN_COUNT_MAX 10000
#define KEYS_SLICE     5000

/* RANDOMKEY tries other places when it hits keys that are gone. */
#define RANDOM_TRIES 100

struct scan_filter {
    struct bytes match; /* "*": all */
    bool match_all;
    struct bytes type;
    bool all_types;
};

struct scan_out {
    struct buf *names; /* each as buf_put_bytes */
    size_t count;
};

static bool wanted(const struct scan_filter *filter, struct bytes name, enum object_type type)
{
    if (!filter->all_types &&
        !bytes_equal_nocase(filter->type, bytes_of_string(keys_type_name(type))))
        return false;
    return filter->match_all || glob_match(filter->match, name, false);
}

static void show(const struct scan_filter *filter, struct scan_out *out, struct bytes name,
                 enum object_type type)
{
    if (!wanted(filter, name, type))
        return;
    buf_put_bytes(out->names, name);
    out->count++;
}

/* ---- rounds ---- */

struct round {
    unsigned moves; /* that had begun, modulo ROUND_MOVES; without the one that goes on */
    bool second;
};

static struct round round_first(struct session *session)
{
    const struct keyspace *keyspace = &session->broker->keyspace;
    uint64_t ended = keyspace->moves - keyspace_moving(keyspace);
    return (struct round){(unsigned)(ended % ROUND_MOVES), false};
}

/* True: every key that was there all the time has been met. False: *round is the next one. */
static bool round_was_last(struct session *session, struct round *round)
{
    unsigned moves = (unsigned)(session->broker->keyspace.moves % ROUND_MOVES);
    unsigned begun = (moves + ROUND_MOVES - round->moves) % ROUND_MOVES;
    if (begun == 0 || (begun == 1 && round->second))
        return true;
    if (begun == 1)
        round->second = true;
    else
        *round = round_first(session);
    return false;
}

/* ---- the phases ---- */

/* The fold under way takes the row away: the key was deleted before it and is here again since. */
static bool row_goes(const struct object *object)
{
    uint8_t sealed = object->side ^ 1;
    return !list_empty(&object->links[sealed]) && object->states[sealed].type == OBJECT_NONE;
}

static bool passed(struct session *session, uint64_t expiry_ms)
{
    return expiry_ms > 0 && expiry_ms <= broker_now_ms(session->broker);
}

/* Keys whose time has come are not shown. */
static enum object_type type_shown(struct session *session, const struct object *object)
{
    return passed(session, object_expiry(object)) ? OBJECT_NONE : object_type(object);
}

static bool only_in_memory(const struct object *object, uint32_t space)
{
    return object->space == space && object_type(object) != OBJECT_NONE &&
           (!object->persisted || row_goes(object));
}

/* Walks the table from *hash on, looking at `looks` objects or a few more. True: the end was
 * reached. */
static bool scan_memory(struct session *session, const struct scan_filter *filter, uint64_t *hash,
                        size_t looks, struct scan_out *out)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    uint32_t space = keyspace_database(keyspace, session->db)->space;
    bool last = store_is_clean(keyspace->store);
    while (!last && looks > 0) {
        struct hmap_node *node = hmap_walk(&keyspace->table.map, hash, &last);
        for (; node != NULL; node = node->next) {
            const struct object *object = container_of(node, struct object, node);
            if (only_in_memory(object, space) && type_shown(session, object) != OBJECT_NONE)
                show(filter, out, object_name(object), object_type(object));
            looks -= looks > 0;
        }
    }
    return last;
}

/* A place among the memory ranges: id << 47 | upper 47 bits of a hash. */
#define RANGE_HASH_BITS 47
#define RANGES_END      ((uint64_t)KEY_RANGES_MAX << RANGE_HASH_BITS)

/* Walks the keys of memory ranges from *place on, looking at `looks` of them or a few more. */
static void scan_ranges(struct session *session, const struct scan_filter *filter, uint64_t *place,
                        size_t looks, struct scan_out *out)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    uint32_t space = keyspace_database(keyspace, session->db)->space;
    while (*place < RANGES_END && looks > 0) {
        uint64_t id = *place >> RANGE_HASH_BITS;
        uint64_t hash = *place << (64 - RANGE_HASH_BITS);
        bool last;
        struct hmap_node *node = hmap_walk(&keyspace->memory.ranges[id].map, &hash, &last);
        for (; node != NULL; node = node->next) {
            const struct object *object = container_of(node, struct object, node);
            if (object->space == space && type_shown(session, object) != OBJECT_NONE)
                show(filter, out, object_name(object), object_type(object));
            looks -= looks > 0;
        }
        *place = last ? (id + 1) << RANGE_HASH_BITS
                      : id << RANGE_HASH_BITS | hash >> (64 - RANGE_HASH_BITS);
    }
}

/* A name from disk: what memory knows of it counts. */
static void show_row(struct session *session, const struct scan_filter *filter, struct bytes name,
                     struct bytes head, struct scan_out *out)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    uint32_t space = keyspace_database(keyspace, session->db)->space;
    uint64_t hash = object_hash(store_catalog(keyspace->store)->hash_seed, space, name);
    const struct object *object = table_find(&keyspace->table, space, hash, name);
    enum object_type now = OBJECT_NONE;
    uint64_t expiry_ms = object_row_expiry(head);
    if (object != NULL)
        now = type_shown(session, object);
    else if (head.len > 0 && !passed(session, expiry_ms))
        now = object_row_type((uint8_t)head.data[0]);
    if (now != OBJECT_NONE)
        show(filter, out, name, now);
}

static void show_rows(struct session *session, const struct scan_filter *filter, struct bytes rows,
                      struct scan_out *out)
{
    struct decoder decoder = decoder_of(rows);
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        struct bytes head = decoder_bytes(&decoder);
        CHECK(!decoder.failed);
        show_row(session, filter, name, head, out);
    }
}

/* ---- reading names from disk ---- */

struct scan_work {
    struct work work;
    struct fetch fetch;
    bool fetched;
    uint64_t place;   /* KEYS: where the disk phase is */
    struct buf names; /* KEYS: so far */
    size_t count;
    bool doubles;       /* KEYS: some of the names may be there twice */
    struct round round; /* KEYS */
    unsigned tries;     /* RANDOMKEY */
};

static void scan_work_destroy(struct work *work)
{
    struct scan_work *scan = container_of(work, struct scan_work, work);
    fetch_deinit(&scan->fetch);
    buf_deinit(&scan->names);
    mem_free(scan);
}

static struct scan_work *scan_work_of(struct session *session)
{
    if (session->work == NULL) {
        struct scan_work *scan = mem_zalloc(sizeof(*scan));
        scan->work.destroy = scan_work_destroy;
        fetch_init(&scan->fetch);
        buf_init(&scan->names);
        session->work = &scan->work;
    }
    return container_of(session->work, struct scan_work, work);
}

static void read_names(struct session *session, struct scan_work *scan, uint64_t place,
                       size_t count)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    fetch_reset(&scan->fetch);
    scan->fetch.ranges = store_ranges(keyspace->store);
    scan->fetch.kind = FETCH_KEYS;
    scan->fetch.space = keyspace_database(keyspace, session->db)->space;
    scan->fetch.place = place;
    scan->fetch.rows_max = count;
    scan->fetched = true;
    access_read(session, &scan->fetch);
}

/* True when the rows that were read are those of the database as it is. False: read again, or the
 * read failed (*err). */
static bool names_usable(struct session *session, struct scan_work *scan, enum err *err)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    *err = scan->fetch.err;
    return scan->fetch.err == ERR_OK && scan->fetch.view == store_view(keyspace->store) &&
           scan->fetch.space == keyspace_database(keyspace, session->db)->space;
}

/* ---- SCAN ---- */

struct scan_args {
    uint64_t cursor;
    int64_t count;
    struct scan_filter filter;
};

static bool parse_scan(struct session *session, struct scan_args *out)
{
    struct scan_args args = {.count = SCAN_COUNT, .filter = {BYTES("*"), true, BYTES(""), true}};
    if (!bytes_to_u64(session->argv[1], &args.cursor)) {
        reply_error(&session->reply, "ERR invalid cursor");
        return false;
    }
    for (size_t i = 2; i < session->argc; i += 2) {
        bool more = i + 1 < session->argc;
        if (more && argument_is(session, i, "count")) {
            if (!bytes_to_i64(session->argv[i + 1], &args.count)) {
                session_not_integer(session);
                return false;
            }
        } else if (more && argument_is(session, i, "match")) {
            args.filter.match = session->argv[i + 1];
            args.filter.match_all = glob_matches_all(session->argv[i + 1]);
        } else if (more && argument_is(session, i, "type")) {
            args.filter.type = session->argv[i + 1];
            args.filter.all_types = false;
        }
        if (!more || args.count < 1 ||
            !(argument_is(session, i, "count") || argument_is(session, i, "match") ||
              argument_is(session, i, "type"))) {
            session_syntax_error(session);
            return false;
        }
    }
    if (args.count > SCAN_COUNT_MAX)
        args.count = SCAN_COUNT_MAX;
    *out = args;
    return true;
}

static void reply_names(struct reply *reply, const struct scan_out *out)
{
    struct decoder decoder = decoder_of(buf_bytes(out->names));
    reply_array(reply, out->count);
    while (decoder_left(&decoder) > 0)
        reply_bulk(reply, decoder_bytes(&decoder));
}

static void reply_scan(struct session *session, uint64_t cursor, const struct scan_out *out)
{
    session_gate(session, keyspace_database(&session->broker->keyspace, session->db)->lsn);
    reply_array(&session->reply, 2);
    reply_bulk_u64(&session->reply, cursor);
    reply_names(&session->reply, out);
}

/* The disk phase of one SCAN. True: done; *next is the new place. False: replied, or *flow says
 * that it waits. */
static bool scan_disk(struct session *session, const struct scan_args *args, uint64_t *place,
                      struct scan_out *out, enum flow *flow)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct buf rows;
    enum err err = ERR_OK;
    *flow = FLOW_DONE;
    if (session->work != NULL) {
        struct scan_work *scan = scan_work_of(session);
        if (names_usable(session, scan, &err)) {
            *place = scan->fetch.place;
            show_rows(session, &args->filter, buf_bytes(&scan->fetch.rows), out);
            return true;
        }
        if (err != ERR_OK) {
            access_error(session, err);
            return false;
        }
    }
    buf_init(&rows);
    err = key_scan(store_ranges(keyspace->store), TIER_MEMORY,
                   keyspace_database(keyspace, session->db)->space, place, (size_t)args->count,
                   &rows);
    if (err == ERR_OK)
        show_rows(session, &args->filter, buf_bytes(&rows), out);
    buf_deinit(&rows);
    if (err == ERR_COLD) {
        read_names(session, scan_work_of(session), *place, (size_t)args->count);
        *flow = FLOW_WAIT;
    } else if (err != ERR_OK) {
        access_error(session, err);
    }
    return err == ERR_OK;
}

static uint64_t cursor_of(uint64_t phase, uint64_t place, const struct round *round)
{
    return phase | place << ROUND_BITS | (round->moves + 1) << 1 | round->second;
}

static struct round round_of(uint64_t cursor)
{
    unsigned moves = (unsigned)(cursor >> 1 & 0x7f);
    return (struct round){(moves + ROUND_MOVES - 1) % ROUND_MOVES, cursor & ROUND_SECOND};
}

/* The phases that need no disk. Returns the new cursor. */
static uint64_t scan_loop(struct session *session, const struct scan_args *args,
                          const struct round *round, struct scan_out *out)
{
    size_t looks = MEMORY_LOOKS + 10 * (size_t)args->count;
    if (args->cursor & CURSOR_RANGES) {
        uint64_t place = (args->cursor & (CURSOR_RANGES - 1)) >> ROUND_BITS;
        scan_ranges(session, &args->filter, &place, looks, out);
        return place >= RANGES_END ? cursor_of(CURSOR_DISK, 0, round)
                                   : cursor_of(CURSOR_RANGES, place, round);
    }
    uint64_t hash = args->cursor >> ROUND_BITS << (64 - KEY_HASH_BITS);
    bool end = scan_memory(session, &args->filter, &hash, looks, out);
    return end ? cursor_of(CURSOR_RANGES, 0, round)
               : cursor_of(0, hash >> (64 - KEY_HASH_BITS), round);
}

/* After the disk phase has come to `place`. */
static uint64_t scan_next(struct session *session, uint64_t place, struct round *round)
{
    if (place < KEY_PLACE_END)
        return CURSOR_DISK | place | cursor_of(0, 0, round);
    return round_was_last(session, round) ? 0 : cursor_of(0, 0, round);
}

enum flow scan_command(struct session *session)
{
    struct scan_args args;
    if (!parse_scan(session, &args))
        return FLOW_DONE;
    struct scan_out out = {&session->broker->scratch, 0};
    struct round round = args.cursor == 0 ? round_first(session) : round_of(args.cursor);
    enum flow flow = FLOW_DONE;
    out.names->len = 0;
    if (!(args.cursor & CURSOR_DISK)) {
        uint64_t next = scan_loop(session, &args, &round, &out);
        reply_scan(session, next, &out);
        return FLOW_DONE;
    }
    uint64_t place = (args.cursor & (CURSOR_DISK - 1)) >> ROUND_BITS << ROUND_BITS;
    if (scan_disk(session, &args, &place, &out, &flow))
        reply_scan(session, scan_next(session, place, &round), &out);
    return flow;
}

/* ---- KEYS ---- */

static int compare_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Names of the first phases are on disk, too, when a fold has written them: before that is known to
 * their objects, or while the second phase reads. */
static void drop_doubles(struct scan_work *scan)
{
    struct bytes *names = mem_alloc((scan->count + 1) * sizeof(*names));
    struct decoder decoder = decoder_of(buf_bytes(&scan->names));
    for (size_t i = 0; i < scan->count; i++)
        names[i] = decoder_bytes(&decoder);
    qsort(names, scan->count, sizeof(*names), compare_names);
    struct buf unique;
    size_t count = 0;
    buf_init(&unique);
    for (size_t i = 0; i < scan->count; i++) {
        if (i > 0 && bytes_equal(names[i], names[i - 1]))
            continue;
        buf_put_bytes(&unique, names[i]);
        count++;
    }
    buf_deinit(&scan->names);
    scan->names = unique;
    scan->count = count;
    mem_free(names);
}

static void begin_round(struct session *session, struct scan_work *scan,
                        const struct scan_filter *filter)
{
    struct scan_out out = {&scan->names, scan->count};
    uint64_t hash = 0;
    uint64_t place = 0;
    scan_memory(session, filter, &hash, SIZE_MAX, &out);
    scan_ranges(session, filter, &place, SIZE_MAX, &out);
    scan->count = out.count;
    scan->doubles |= out.count > 0;
    scan->place = 0;
}

/* False: there is another round. */
static bool keys_are_all(struct session *session, struct scan_work *scan,
                         const struct scan_filter *filter)
{
    if (scan->place < KEY_PLACE_END || round_was_last(session, &scan->round))
        return scan->place >= KEY_PLACE_END;
    scan->doubles = true;
    begin_round(session, scan, filter);
    return false;
}

enum flow keys_command(struct session *session)
{
    struct scan_filter filter = {session->argv[1], glob_matches_all(session->argv[1]), BYTES(""),
                                 true};
    struct scan_work *scan = scan_work_of(session);
    if (!scan->fetched) {
        scan->round = round_first(session);
        begin_round(session, scan, &filter);
    }
    enum err err = ERR_OK;
    if (scan->fetched && names_usable(session, scan, &err)) {
        struct scan_out out = {&scan->names, scan->count};
        show_rows(session, &filter, buf_bytes(&scan->fetch.rows), &out);
        scan->count = out.count;
        scan->place = scan->fetch.place;
    }
    if (err != ERR_OK) {
        access_error(session, err);
        return FLOW_DONE;
    }
    if (scan->names.len > session_reply_max(session)) {
        access_error(session, ERR_FULL);
        return FLOW_DONE;
    }
    if (!keys_are_all(session, scan, &filter)) {
        read_names(session, scan, scan->place, KEYS_SLICE);
        return FLOW_WAIT;
    }
    if (scan->doubles)
        drop_doubles(scan);
    session_gate(session, store_last(session->broker->store));
    reply_names(&session->reply, &(struct scan_out){&scan->names, scan->count});
    return FLOW_DONE;
}

/* ---- RANDOMKEY ---- */

/* One key that is in memory only, from a random place on. */
static bool random_in_memory(struct session *session, struct random *random, struct scan_out *out)
{
    const struct scan_filter all = {BYTES("*"), true, BYTES(""), true};
    uint64_t hash = random_u64(random);
    for (int round = 0; round < 2 && out->count == 0; round++) {
        bool last = false;
        while (!last && out->count == 0)
            last = scan_memory(session, &all, &hash, 1, out);
        hash = 0;
    }
    return out->count > 0;
}

/* One key of a memory range, from a random place on. */
static bool random_in_ranges(struct session *session, struct random *random, struct scan_out *out)
{
    const struct scan_filter all = {BYTES("*"), true, BYTES(""), true};
    uint64_t place = random_below(random, RANGES_END);
    for (int round = 0; round < 2 && out->count == 0; round++) {
        while (place < RANGES_END && out->count == 0)
            scan_ranges(session, &all, &place, 1, out);
        place = 0;
    }
    return out->count > 0;
}

static void reply_first(struct session *session, const struct scan_out *out)
{
    struct decoder decoder = decoder_of(buf_bytes(out->names));
    session_gate(session, store_last(session->broker->store));
    reply_bulk(&session->reply, decoder_bytes(&decoder));
}

enum flow randomkey_command(struct session *session)
{
    const struct scan_filter all = {BYTES("*"), true, BYTES(""), true};
    const struct database *database = keyspace_database(&session->broker->keyspace, session->db);
    struct scan_work *scan = scan_work_of(session);
    struct scan_out out = {&scan->names, 0};
    struct random random;
    enum err err = ERR_OK;
    out.names->len = 0;
    session_gate(session, database->lsn);
    random_init(&random, random_seed());
    uint64_t all_keys = database->keys + database->memory_keys;
    bool in_range = all_keys > 0 && random_below(&random, all_keys) >= database->keys;
    if (in_range && random_in_ranges(session, &random, &out)) {
        reply_first(session, &out);
        return FLOW_DONE;
    }
    if (database->keys == 0 || scan->tries++ >= RANDOM_TRIES) {
        reply_null(&session->reply);
        return FLOW_DONE;
    }
    if (scan->fetched && names_usable(session, scan, &err))
        show_rows(session, &all, buf_bytes(&scan->fetch.rows), &out);
    if (err != ERR_OK) {
        access_error(session, err);
        return FLOW_DONE;
    }
    /* Disk and memory take turns; where one has nothing the other has. */
    if (out.count == 0 && (scan->tries + random_below(&random, 2)) % 2 == 0)
        random_in_memory(session, &random, &out);
    if (out.count > 0) {
        reply_first(session, &out);
        return FLOW_DONE;
    }
    uint64_t place = scan->tries < RANDOM_TRIES / 2 ? random_below(&random, KEY_PLACE_END) : 0;
    read_names(session, scan, place, 1);
    return FLOW_WAIT;
}
