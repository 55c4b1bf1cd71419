/* Entries, ids, ops, tails, rows, and the table of objects. */
#include "bench/micro/micro.h"

#include "base/alloc.h"
#include "base/check.h"
#include "bench/micro/nothing.h"
#include "cache/table.h"
#include "storage/commit_log.h"
#include "storage/feed_cursor.h"
#include "storage/op.h"

#include <stdio.h>

#define FIRST_MS UINT64_C(1700000000000)

static struct buf fields;
static struct buf bytes;

static void nothing(void)
{
}

static struct entry nth_entry(uint64_t index)
{
    return (struct entry){{FIRST_MS + index / 16, index % 16}, buf_bytes(&fields)};
}

static void set_up(void)
{
    buf_init(&fields);
    buf_init(&bytes);
    micro_add_fields(&fields);
}

static void tear_down(void)
{
    buf_deinit(&fields);
    buf_deinit(&bytes);
}

/* ---- ids ---- */

static void run_id_to_text(uint64_t count)
{
    char text[ID_TEXT_MAX];
    for (uint64_t i = 0; i < count; i++)
        micro_use(id_to_text((struct id){FIRST_MS + i, 3}, text));
}

static void run_id_of_text(uint64_t count)
{
    struct id id = ID_MIN;
    for (uint64_t i = 0; i < count; i++) {
        micro_use(id_from_text(BYTES("1700000012345-3"), 0, &id));
        micro_use(id.ms);
    }
}

/* ---- entries ---- */

#define CHUNK_ENTRIES 32u

static void run_entry_write(uint64_t count)
{
    struct id base = nth_entry(0).id;
    for (uint64_t i = 0; i < count; i++) {
        struct entry entry = nth_entry(i % CHUNK_ENTRIES);
        bytes.len = 0;
        char *at = buf_reserve(&bytes, entry_size(base, &entry));
        micro_use((uint64_t)(entry_write(at, base, &entry) - at));
    }
}

static void chunk_set_up(void)
{
    set_up();
    struct id base = nth_entry(0).id;
    for (uint64_t i = 0; i < CHUNK_ENTRIES; i++) {
        struct entry entry = nth_entry(i);
        size_t size = entry_size(base, &entry);
        entry_write(buf_reserve(&bytes, size), base, &entry);
        bytes.len += size;
    }
}

static void run_chunk_scan(uint64_t count)
{
    struct id base = nth_entry(0).id;
    struct entry entry;
    for (uint64_t done = 0; done < count; done += CHUNK_ENTRIES) {
        struct decoder chunk = decoder_of(buf_bytes(&bytes));
        while (entry_read(&chunk, base, &entry) == ERR_OK)
            micro_use(entry.id.seq);
    }
}

/* ---- ops and records ---- */

static struct op append_op(uint64_t index)
{
    return (struct op){.kind = OP_APPEND,
                       .key = BYTES("feed"),
                       .id = nth_entry(index).id,
                       .data = buf_bytes(&fields)};
}

static void run_op_encode(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct op op = append_op(i);
        bytes.len = 0;
        op_encode(&bytes, &op);
        micro_use(bytes.len);
    }
}

static void op_set_up(void)
{
    set_up();
    struct op op = append_op(0);
    op_encode(&bytes, &op);
}

static void run_op_decode(uint64_t count)
{
    struct op op;
    for (uint64_t i = 0; i < count; i++) {
        struct decoder record = decoder_of(buf_bytes(&bytes));
        CHECK(op_decode(&record, &op) == ERR_OK);
        micro_use(op.id.seq);
    }
}

#define RECORD_BYTES 16384u

static struct disk *disk;
static struct commit_log *commit_log;

static enum err no_record(void *context, uint64_t lsn, struct bytes payload)
{
    (void)context;
    (void)lsn;
    (void)payload;
    UNREACHABLE();
}

static void log_set_up(void)
{
    struct commit_log_options options = {
        .extend_bytes = 4 << 20, .segment_bytes = UINT64_C(1) << 40, .recycled_max = 2};
    set_up();
    memset(buf_reserve(&bytes, RECORD_BYTES), 'x', RECORD_BYTES);
    bytes.len = RECORD_BYTES;
    disk = nothing_disk();
    CHECK(commit_log_open(disk, &options, 1, no_record, NULL, &commit_log) == ERR_OK);
}

static void log_tear_down(void)
{
    commit_log_close(commit_log);
    disk_close(disk);
    tear_down();
}

static void run_log_append(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        CHECK(commit_log_append(commit_log, commit_log_next(commit_log), buf_bytes(&bytes), true) ==
              ERR_OK);
}

/* ---- feeds ---- */

#define WALK_ENTRIES 20000u
#define WALK_STEP    100u

static struct ranges *ranges;
static struct feed *feed;

static void feed_set_up(void)
{
    set_up();
    feed = feed_create((struct chunk_home){.feed = 1}, 0);
}

static void feed_tear_down(void)
{
    feed_unref(feed);
    tear_down();
}

static void run_feed_append(uint64_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        struct entry entry = nth_entry(i);
        micro_use(feed_append(feed, &entry));
    }
}

static void walk_set_up(void)
{
    feed_set_up();
    ranges = nothing_ranges();
    run_feed_append(WALK_ENTRIES);
}

static void walk_tear_down(void)
{
    ranges_close(ranges);
    feed_tear_down();
}

static void walk(uint64_t count, bool reverse)
{
    struct feed_cursor cursor;
    struct entry entry;
    for (uint64_t done = 0; done < count; done += WALK_STEP) {
        struct id first = nth_entry(1 + done * 7 % (WALK_ENTRIES - WALK_STEP)).id;
        feed_cursor_init(&cursor, feed, ranges, reverse ? ID_MIN : first, reverse ? first : ID_MAX,
                         reverse);
        for (unsigned i = 0; i < WALK_STEP && feed_cursor_next(&cursor, &entry) == ERR_OK; i++)
            micro_use(entry.id.seq);
        feed_cursor_deinit(&cursor);
    }
}

static void run_walk(uint64_t count)
{
    walk(count, false);
}

static void run_walk_back(uint64_t count)
{
    walk(count, true);
}

/* ---- objects ---- */

#define OBJECTS      100000u
#define OBJECTS_STEP 61803u /* visits them all, in no order */
#define NAME_BYTES   13u
#define SEED         7u

static struct table table;
static char (*names)[NAME_BYTES + 1];

static void table_set_up(void)
{
    table_init(&table);
    names = mem_alloc(OBJECTS * sizeof(*names));
    for (unsigned i = 0; i < OBJECTS; i++) {
        snprintf(names[i], sizeof(names[i]), "feed:%08u", i);
        struct bytes name = bytes_of(names[i], NAME_BYTES);
        table_insert(&table, object_create(1, object_hash(SEED, 1, name), name, 0));
    }
}

static void table_tear_down(void)
{
    table_deinit(&table);
    mem_free(names);
}

static void run_table_find(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct bytes name = bytes_of(names[i * OBJECTS_STEP % OBJECTS], NAME_BYTES);
        CHECK(table_find(&table, 1, object_hash(SEED, 1, name), name) != NULL);
    }
}

static void run_table_miss(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct bytes name = bytes_of(names[i * OBJECTS_STEP % OBJECTS], NAME_BYTES);
        CHECK(table_find(&table, 1, object_hash(SEED + 1, 1, name), name) == NULL);
    }
}

static void run_key_slot(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        micro_use(key_slot(BYTES("feed:00012345")));
}

static void row_set_up(void)
{
    feed_set_up();
    run_feed_append(1000);
    object_row_encode(&bytes, &(struct object_state){.type = OBJECT_FEED, .feed = feed}, 0);
}

static void run_row_encode(uint64_t count)
{
    struct object_state state = {.type = OBJECT_FEED, .feed = feed};
    for (uint64_t i = 0; i < count; i++) {
        bytes.len = 0;
        object_row_encode(&bytes, &state, 0);
        micro_use(bytes.len);
    }
}

static void run_row_decode(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct object *object = object_create(1, i, BYTES("feed:00012345"), 0);
        CHECK(object_row_decode(object, buf_bytes(&bytes)) == ERR_OK);
        object_destroy(object);
    }
}

const struct micro_case micro_storage_cases[] = {
    {"id-to-text", "an id of 15 bytes to text", 100000, 1, nothing, run_id_to_text, nothing},
    {"id-of-text", "an id of 15 bytes from text", 100000, 1, nothing, run_id_of_text, nothing},
    {"entry-write", "an entry of 100 bytes into a chunk", 100000, 1, set_up, run_entry_write,
     tear_down},
    {"chunk-scan", "an entry of a chunk of 32", 320000, CHUNK_ENTRIES, chunk_set_up, run_chunk_scan,
     tear_down},
    {"op-encode", "the op of an append of 100 bytes", 50000, 1, set_up, run_op_encode, tear_down},
    {"op-decode", "the same back", 50000, 1, op_set_up, run_op_decode, tear_down},
    {"log-append", "a record of 16 KiB to a commit log on no disk", 500, 1, log_set_up,
     run_log_append, log_tear_down},
    {"feed-append", "an entry of 100 bytes to a feed", 20000, 1, feed_set_up, run_feed_append,
     feed_tear_down},
    {"feed-walk", "an entry of a range of 100 in memory", 50000, WALK_STEP, walk_set_up, run_walk,
     walk_tear_down},
    {"feed-walk-back", "the same in reverse", 50000, WALK_STEP, walk_set_up, run_walk_back,
     walk_tear_down},
    {"table-find", "hash and look-up of a name among 100,000", 50000, 1, table_set_up,
     run_table_find, table_tear_down},
    {"table-miss", "the same for a name that is not there", 50000, 1, table_set_up, run_table_miss,
     table_tear_down},
    {"key-slot", "the slot of a name of 13 bytes", 50000, 1, nothing, run_key_slot, nothing},
    {"row-encode", "the row of a feed's object", 50000, 1, row_set_up, run_row_encode,
     feed_tear_down},
    {"row-decode", "an object made from its row, and destroyed", 20000, 1, row_set_up,
     run_row_decode, feed_tear_down},
    {.name = NULL},
};
