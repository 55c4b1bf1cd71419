/* The bytes that storage/FORMAT.md promises, written down from its text and not from what the code
 * makes. A test that fails here says that files of older versions cannot be read any more, or that
 * the document is wrong: both want more than another number in this file.
 *
 * Checks were computed apart, with libxxhash. */
#include "storage/catalog.h"
#include "storage/commit_segment.h"
#include "storage/dump.h"
#include "storage/entry.h"
#include "storage/group.h"
#include "storage/group_op.h"
#include "storage/op.h"
#include "storage/upkeep.h"
#include "tests/unit/unit.h"

/* In the example of FORMAT.md. */
#define NONCE UINT64_C(0x0123456789abcdef)
#define SEED  UINT64_C(0xd84c9fd24f281c5e)

static struct buf golden;
static struct buf made;

static int set_up(void **state)
{
    (void)state;
    buf_init(&golden);
    buf_init(&made);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&golden);
    buf_deinit(&made);
    return 0;
}

/* Bytes as FORMAT.md draws them: two digits each, or text in quotes. Valid until the next call. */
static struct bytes drawn(const char *text)
{
    golden.len = 0;
    while (*text != '\0') {
        if (*text == ' ') {
            text++;
        } else if (*text == '\'') {
            const char *end = strchr(text + 1, '\'');
            buf_add(&golden, text + 1, (size_t)(end - text - 1));
            text = end + 1;
        } else {
            const char digits[] = {text[0], text[1], '\0'};
            buf_put_u8(&golden, (uint8_t)strtoul(digits, NULL, 16));
            text += 2;
        }
    }
    return buf_bytes(&golden);
}

/* What was made is what is drawn; then nothing is made. */
static void check_made(const char *text)
{
    struct bytes bytes = drawn(text);
    assert_int_equal(made.len, bytes.len);
    assert_memory_equal(made.data, bytes.data, bytes.len);
    made.len = 0;
}

static void check_id(struct id id, uint64_t ms, uint64_t seq)
{
    assert_int_equal(id.ms, ms);
    assert_int_equal(id.seq, seq);
}

static void a_segment_has_a_name_and_a_header(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_BYTES];
    segment_name(1, name);
    assert_string_equal(name, "log-00000000000000000001");
    segment_free_name(7, name);
    assert_string_equal(name, "free-7");

    static const char zeros[4056];
    char header[SEGMENT_HEADER_BYTES];
    segment_header_encode(1, NONCE, header);
    buf_add(&made, header, 40);
    check_made("'WEIRLOG' 0a  00 00 00 01  00 00 00 00  00 00 00 00 00 00 00 01"
               "01 23 45 67 89 ab cd ef  50 d8 66 0d a0 42 55 c5");
    assert_memory_equal(header + 40, zeros, sizeof(zeros));
}

static void a_record_is_a_header_a_head_and_ops(void **state)
{
    (void)state;
    record_head_encode(&made, &(struct record_head){0, UINT64_C(1795259344978)});
    op_encode(&made, &(struct op){.kind = OP_APPEND,
                                  .key = BYTES("orders"),
                                  .number = 1,
                                  .id = {1000, 0},
                                  .data = BYTES("*2\r\n$4\r\nuser\r\n$1\r\n7\r\n")});
    char header[RECORD_HEADER_BYTES];
    record_header_encode(1, 0, buf_bytes(&made), NONCE, header);
    check_made("01  00 00 00 00  00 00 01 a1 fd cb a8 52"
               "01 00  06 'orders'  01  e8 07 00"
               "15  '*2' 0d 0a '$4' 0d 0a 'user' 0d 0a '$1' 0d 0a '7' 0d 0a");
    buf_add(&made, header, sizeof(header));
    check_made("00 00 00 00 00 00 00 01  00 00 00 00 00 00 00 00"
               "60 37 30 f2 ca cc 02 e2  00 00 00 30  a4 8c 56 b6");
    assert_int_equal(record_bytes(48), 80);
    assert_int_equal(record_bytes(49), 88);
}

/* The table of ops, each in database 3. */
#define KEY    "01 'k' "
#define KEY2   "01 'n' "
#define NUMBER "ac 02 "
#define ID     "05 07 "
#define ID2    "04 01 "
#define DATA   "03 'dat' "

static const struct {
    uint8_t kind;
    const char *fields;
} op_rows[] = {
    {1, KEY NUMBER ID DATA},
    {2, KEY NUMBER ID},
    {3, KEY ID DATA},
    {4, KEY NUMBER ID ID2},
    {5, KEY},
    {6, KEY KEY2},
    {7, KEY NUMBER},
    {8, NUMBER},
    {9, NUMBER},
    {10, KEY NUMBER},
    {20, KEY KEY2 NUMBER ID DATA},
    {21, KEY NUMBER ID DATA},
    {22, KEY NUMBER},
    {23, KEY KEY2 NUMBER DATA},
    {24, KEY NUMBER DATA},
    {25, KEY NUMBER ID DATA},
    {26, KEY NUMBER DATA},
    {27, KEY NUMBER ID DATA},
    {40, KEY NUMBER ID DATA},
    {41, KEY ID ID2 DATA},
    {42, KEY ID},
    {43, KEY NUMBER},
    {44, KEY NUMBER DATA},
    {45, KEY DATA},
    {46, KEY NUMBER},
    {60, KEY NUMBER DATA},
    {61, KEY NUMBER},
    {62, KEY NUMBER DATA},
    {63, KEY DATA},
    {64, KEY DATA},
    {65, KEY DATA},
    {66, DATA},
    {67, NUMBER DATA},
    {68, NUMBER DATA},
    {69, NUMBER},
};

static void every_op_has_its_number_and_its_fields(void **state)
{
    (void)state;
    size_t known = 0;
    for (unsigned kind = 0; kind < 256; kind++) {
        char byte = (char)kind;
        struct decoder decoder = decoder_of(bytes_of(&byte, 1));
        struct op op;
        if (op_decode(&decoder, &op) != ERR_TOO_NEW)
            known++;
    }
    assert_int_equal(known, sizeof(op_rows) / sizeof(*op_rows));
    for (size_t i = 0; i < known; i++) {
        op_encode(&made, &(struct op){.kind = (enum op_kind)op_rows[i].kind,
                                      .db = 3,
                                      .key = BYTES("k"),
                                      .key2 = BYTES("n"),
                                      .number = 300,
                                      .id = {5, 7},
                                      .id2 = {4, 1},
                                      .data = BYTES("dat")});
        char text[200];
        (void)snprintf(text, sizeof(text), "%02x 03 %s", op_rows[i].kind, op_rows[i].fields);
        check_made(text);
    }
}

static void ops_of_groups_have_heads_and_runs_of_changes(void **state)
{
    (void)state;
    const struct id ids[] = {{1000, 1}, {1000, 2}};
    group_op_put(&made,
                 &(struct group_op){
                     .consumer = 1, .now_ms = 2000, .flags = GROUP_OP_ACTIVE, .entries_read = 3});
    group_op_put_ids(&made, ids, 2);
    check_made("01  d0 0f  02  04    00 02  e8 07 01  00 01");

    struct pending_set set = {0};
    bool added;
    *pending_set_put(&set, (struct id){1000, 1}, &added) =
        (struct pending){.id = {1000, 1}, .delivered_ms = 1990, .deliveries = 3, .consumer = 2};
    *pending_set_put(&set, (struct id){1005, 2}, &added) =
        (struct pending){.id = {1005, 2}, .delivered_ms = 2000, .deliveries = 1, .consumer = 1};
    group_op_put_acks(&made, &set);
    check_made("02 01  e8 07 01    01 01  05 02");
    group_op_put_claims(&made, &set, 2000);
    check_made("02 01  e8 07 01  13 03    01 01  05 02  00 01");
    pending_set_deinit(&set);
}

static void rows_have_their_keys(void **state)
{
    (void)state;
    const struct chunk_home home = {1, 105, 258};
    key_system(&made, BYTES("catalog"));
    check_made("00 00 00 00  00 00  00  63 61 74 61 6c 6f 67");
    key_object(&made, 1, key_slot(BYTES("orders")), object_hash(SEED, 1, BYTES("orders")),
               BYTES("orders"));
    check_made("00 00 00 01  00 69  01  f6 a7 b8 89 6c 92  'orders'");
    key_chunk(&made, home, (struct id){1000, 1});
    check_made("00 00 00 01  00 69  02  00 00 00 00 00 00 01 02"
               "00 00 00 00 00 00 03 e8  00 00 00 00 00 00 00 01");
    key_group(&made, home, 3);
    check_made("00 00 00 01  00 69  03  00 00 00 00 00 00 01 02  00 00 00 00 00 00 00 03");
    key_pending(&made, home, 3, (struct id){1000, 1});
    check_made("00 00 00 01  00 69  04  00 00 00 00 00 00 01 02  00 00 00 00 00 00 00 03"
               "00 00 00 00 00 00 03 e8  00 00 00 00 00 00 00 01");
    key_timed(&made, KEY_ALARM, (struct chunk_home){0}, (struct id){1000, 258});
    check_made("00 00 00 00  00 00  10  00 00 00 00 00 00 00 00"
               "00 00 00 00 00 00 03 e8  00 00 00 00 00 00 01 02");
    key_expiry(&made, 1, 1000, BYTES("orders"));
    check_made("00 00 00 01  40 00  12  00 00 00 00 00 00 03 e8  'orders'");
    key_timed(&made, KEY_DELAYED, home, (struct id){1000, 2});
    check_made("00 00 00 01  00 69  11  00 00 00 00 00 00 01 02"
               "00 00 00 00 00 00 03 e8  00 00 00 00 00 00 00 02");
}

static void a_time_of_expiry_counts_in_64ths_up_to_a_bound(void **state)
{
    (void)state;
    assert_int_equal(catalog_expiry(127), 1);
    assert_int_equal(catalog_expiry((UINT64_C(1) << 42) + 1000), UINT64_C(1) << 36);
}

static void the_slot_is_that_of_the_hash_tag(void **state)
{
    (void)state;
    assert_int_equal(key_slot(BYTES("{orders}:1")), 105);
    assert_int_equal(key_slot(BYTES("x{orders}{y}")), 105);
    assert_int_equal(key_slot(BYTES("123456789")), 0x31c3); /* CRC16 XMODEM's own example */
}

/* The next ones read what is drawn, so that a field that changed its place is seen, and write it
 * again. */

static void the_catalog_has_databases_and_rules(void **state)
{
    (void)state;
    static const char row[] = "00 05  00 00 00 00 00 00 00 05  d8 4c 9f d2 4f 28 1c 5e  02 04"
                              "02  01 01 00 00  03 ac 02 02 e8 07"
                              "0a e8 07  01  00  01 00 ac 02 90 4e 14"
                              "03 02 's:' 01 07 e8 07  05"
                              "ff ff ff ff 0f 00 00 00 00  00";
    struct catalog catalog;
    assert_int_equal(catalog_decode(drawn(row), &catalog), ERR_OK);
    assert_int_equal(catalog.fold_lsn, 5);
    assert_int_equal(catalog.hash_seed, SEED);
    assert_int_equal(catalog.next_feed, 2);
    assert_int_equal(catalog.next_space, 4);
    assert_int_equal(catalog.count, 2);
    assert_int_equal(catalog.databases[1].space, 3);
    assert_int_equal(catalog.databases[1].keys, 300);
    assert_int_equal(catalog.databases[1].expires, 2);
    assert_int_equal(catalog.databases[1].expiry_sum, 1000);
    assert_int_equal(catalog.appended, 10);
    assert_int_equal(catalog.appended_bytes, 1000);
    assert_true(catalog.tallied);
    assert_int_equal(catalog.databases[1].tallies[0].keys, 300);
    assert_int_equal(catalog.databases[1].tallies[0].bytes, 10000);
    assert_int_equal(catalog.databases[1].tallies[0].entries, 20);
    assert_int_equal(catalog.ranges.count, 2);
    const struct key_range *rule = key_ranges_with_id(&catalog.ranges, 5);
    assert_int_equal(rule->db, 3);
    assert_true(bytes_equal(key_range_prefix(rule), BYTES("s:")));
    assert_int_equal(rule->store, STORE_MEMORY);
    assert_int_equal(rule->policy, POLICY_VOLATILE_TTL);
    assert_int_equal(rule->bytes_max, 1000);
    assert_int_equal(key_ranges_with_id(&catalog.ranges, 0)->db, KEY_RANGE_ALL);
    catalog_encode(&made, &catalog);
    check_made(row);
    catalog_deinit(&catalog);
}

static void while_keys_move_a_rule_says_when_it_counts(void **state)
{
    (void)state;
    static const char rows[] = "ff ff ff ff 0f 00 00 00 00  00"
                               "03 02 's:' 11 07 e8 07  05"
                               "03 02 's:' 20 07 e8 07  05";
    struct key_ranges ranges;
    assert_int_equal(key_ranges_decode(drawn(rows), &ranges), ERR_OK);
    assert_int_equal(key_ranges_before(&ranges, 3, BYTES("s:1"))->store, STORE_MEMORY);
    assert_int_equal(key_ranges_of(&ranges, 3, BYTES("s:1"))->store, STORE_DURABLE);
    key_ranges_encode(&made, &ranges);
    check_made(rows);
    key_ranges_deinit(&ranges);
}

static struct object *read_object(const char *row)
{
    struct object *object = object_create(1, 0, BYTES("orders"), 0);
    assert_int_equal(object_row_decode(object, drawn(row)), ERR_OK);
    object_row_encode(&made, object_state(object), 0);
    check_made(row);
    return object;
}

static void check_upkeep(const struct upkeep_row *row)
{
    assert_int_equal(row->alarm_ms, 1500);
    assert_int_equal(row->quiet_ms, 1000);
    assert_int_equal(row->delayed, 2);
    assert_int_equal(row->delayed_last, 3);
    assert_int_equal(row->held_ms, 300);
    assert_int_equal(row->policy->maxage_ms, 1000);
    assert_int_equal(row->policy->maxbytes, 6300);
    assert_int_equal(row->policy->maxlen, 7);
    assert_int_equal(row->policy->acked, 1);
    assert_int_equal(row->policy->maxlag_ms, 301);
    assert_int_equal(row->policy->maxdeliveries, 5);
    assert_true(bytes_equal(row->policy->deadletter, BYTES("d")));
    assert_int_equal(row->ledger->span_bytes, 99);
    check_id(row->ledger->unweighed, 5, 1);
    assert_int_equal(row->ledger->count, 2);
    check_id(row->ledger->spans[1].last, 9, 2);
    assert_int_equal(row->ledger->spans[1].bytes, 33);
}

static void a_feed_has_counters_and_extras(void **state)
{
    (void)state;
    struct object *object =
        read_object("81 e8 07  03  ee 07 03  e8 07 01  e9 07 00  02 04  e8 07 00  60  ef 07 00  69"
                    "01 25  dc 0b e8 07 02 03 ac 02"
                    "12 01 e8 07  02 9c 31  03 07  04 01  05 ad 02  06 05  20 01 'd'"
                    "09 63 05 01  08 00 40  09 02 21"
                    "02 02  04 6a");
    struct feed *feed = object_feed(object);
    const struct feed_row *row = feed_row(feed);
    assert_int_equal(object_expiry(object), 1000);
    assert_int_equal(feed->home.feed, 3);
    assert_int_equal(feed->home.slot, 105);
    check_id(row->last_id, 1006, 3);
    check_id(row->first_id, 1000, 1);
    check_id(row->max_deleted_id, 1001, 0);
    assert_int_equal(row->length, 2);
    assert_int_equal(row->entries_added, 4);
    check_id(row->chunk_base, 1000, 0);
    assert_int_equal(row->chunk_bytes, 96);
    check_id(row->stored_id, 1007, 0);
    check_upkeep(upkeep_row(feed_upkeep(feed)));
    assert_int_equal(row->groups, 4);
    assert_int_equal(row->groups_slot, 106);
    object_destroy(object);
}

static void a_string_is_its_bytes_and_a_hash_its_fields(void **state)
{
    (void)state;
    struct object *object = read_object("82 ac 02 'abc'");
    assert_int_equal(object_type(object), OBJECT_STRING);
    assert_int_equal(object_expiry(object), 300);
    dump_encode(&made, object_state(object));
    check_made("02 'abc' 01 3d 43 88 e8 77 9e 3b 8c");
    object_destroy(object);
    object = read_object("03  02 'fa' 01 '1'  02 'fb' 00");
    assert_int_equal(object_type(object), OBJECT_HASH);
    assert_int_equal(object_expiry(object), 0);
    assert_int_equal(object_state(object)->hash->count, 2);
    object_destroy(object);
}

static void an_alarm_says_where_a_feed_is(void **state)
{
    (void)state;
    alarm_encode(&made, 258, BYTES("orders"));
    check_made("00 00 01 02 'orders'");
}

static void entries_of_a_chunk_are_relative_to_its_base(void **state)
{
    (void)state;
    const struct id base = {1000, 1};
    const struct entry entries[] = {{{1000, 3}, BYTES("abcd")}, {{1005, 7}, BYTES("xy")}};
    for (int i = 0; i < 2; i++) {
        char *at = buf_reserve(&made, entry_size(base, &entries[i]));
        made.len += (size_t)(entry_write(at, base, &entries[i]) - at);
    }
    check_made("04 00 02 'abcd'  02 05 07 'xy'");
}

static void a_group_has_its_consumers_in_its_row(void **state)
{
    (void)state;
    static const char row[] = "02 'g1'  e8 07 01  04  02  e9 07 05  03"
                              "02  02 01 'a' e8 07 00 00  01 01 'b' ac 02 ad 02 02";
    struct chunk_home home = {1, 105, 4};
    struct groups *groups = groups_create(home, NULL);
    key_group(&made, home, 9);
    assert_int_equal(groups_load(groups, buf_bytes(&made), drawn(row), 0), ERR_OK);
    made.len = 0;
    struct group *group = groups_find(groups, BYTES("g1"));
    check_id(group_state(group)->last_id, 1000, 1);
    assert_int_equal(group_state(group)->entries_read, 3);
    assert_int_equal(group_state(group)->pending, 2);
    check_id(group_state(group)->stored_last, 1001, 5);
    assert_int_equal(group_state(group)->next_consumer, 3);
    const struct consumer *consumer = group_consumer(group, BYTES("b"));
    assert_int_equal(consumer->entry.number, 1);
    assert_int_equal(consumer->seen_ms, 300);
    assert_int_equal(consumer->active_ms, 301);
    assert_int_equal(consumer->pending, 2);
    group_row_encode(&made, group, 0);
    check_made(row);
    groups_unref(groups);
}

static void pending_entries_are_relative_to_each_other(void **state)
{
    (void)state;
    const struct pending items[] = {
        {.id = {1000, 1}, .consumer = 1, .delivered_ms = 2000, .deliveries = 1},
        {.id = {1000, 4}, .consumer = 2, .delivered_ms = 1999, .deliveries = 3},
        {.id = {1005, 2}, .consumer = 1, .delivered_ms = 2000, .deliveries = 1},
    };
    struct pending last = {.id = {1000, 1}};
    for (int i = 0; i < 3; i++)
        pending_write(&made, &last, &items[i]);
    check_made("00 00 01 a0 1f 01  00 03 02 01 03  05 02 01 02 01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_segment_has_a_name_and_a_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_is_a_header_a_head_and_ops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_op_has_its_number_and_its_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ops_of_groups_have_heads_and_runs_of_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(rows_have_their_keys, set_up, tear_down),
        cmocka_unit_test(a_time_of_expiry_counts_in_64ths_up_to_a_bound),
        cmocka_unit_test(the_slot_is_that_of_the_hash_tag),
        cmocka_unit_test_setup_teardown(the_catalog_has_databases_and_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_keys_move_a_rule_says_when_it_counts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_feed_has_counters_and_extras, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_string_is_its_bytes_and_a_hash_its_fields, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_alarm_says_where_a_feed_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_of_a_chunk_are_relative_to_its_base, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_group_has_its_consumers_in_its_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pending_entries_are_relative_to_each_other, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
