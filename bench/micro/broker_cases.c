/* Whole commands, from the bytes of a read to the bytes of the replies. */
#include "bench/micro/micro.h"

#include "base/check.h"
#include "bench/micro/client.h"
#include "bench/micro/doubles.h"
#include "bench/micro/nothing.h"
#include "storage/ranges_rocks.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPELINE 16u
/* Entries that the reading cases find: some chunks' worth a range, little to set up. */
#define ENTRIES 16000u
#define FEEDS   1000u
#define KEYS    2000u /* a multiple of PIPELINE; enough for what looks ahead to take place */

static struct buf requests;   /* a pipeline of them, or several */
static size_t pipeline_bytes; /* of one; all have as many */

/* ---- writing ---- */

static void set_up_requests(void (*add)(unsigned index), unsigned count)
{
    buf_init(&requests);
    for (unsigned i = 0; i < count; i++)
        add(i);
    CHECK(requests.len % count == 0);
    pipeline_bytes = requests.len / count * PIPELINE;
}

static void add_xadd(unsigned index)
{
    (void)index;
    micro_add_xadd(&requests, "feed");
}

/* Each feed once, in no order. */
static void add_xadd_of_feeds(unsigned index)
{
    char key[16];
    snprintf(key, sizeof(key), "feed:%08u", index * 617 % FEEDS);
    micro_add_xadd(&requests, key);
}

static void add_ping(unsigned index)
{
    (void)index;
    buf_add_bytes(&requests, BYTES("*1\r\n$4\r\nPING\r\n"));
}

static void add_xlen(unsigned index)
{
    (void)index;
    buf_add_bytes(&requests, BYTES("*2\r\n$4\r\nXLEN\r\n$4\r\nfeed\r\n"));
}

static void add_xadd_maxlen(unsigned index)
{
    struct buf plain;
    (void)index;
    buf_init(&plain);
    micro_add_xadd(&plain, "feed");
    struct bytes head = BYTES("*5\r\n$4\r\nXADD\r\n$4\r\nfeed\r\n");
    buf_add_bytes(&requests, BYTES("*8\r\n$4\r\nXADD\r\n$4\r\nfeed\r\n"
                                   "$6\r\nMAXLEN\r\n$1\r\n~\r\n$4\r\n1000\r\n"));
    buf_add(&requests, plain.data + head.len, plain.len - head.len);
    buf_deinit(&plain);
}

static void ping_set_up(void)
{
    set_up_requests(add_ping, PIPELINE);
    client_open(nothing_ranges());
}

static void xadd_set_up(void)
{
    set_up_requests(add_xadd, PIPELINE);
    client_open(nothing_ranges());
}

static void xadd_feeds_set_up(void)
{
    set_up_requests(add_xadd_of_feeds, FEEDS / PIPELINE * PIPELINE);
    client_open(nothing_ranges());
    client_send(buf_bytes(&requests));
}

static void tear_down(void)
{
    client_close();
    buf_deinit(&requests);
}

static void run_pipelines(uint64_t count)
{
    size_t at = 0;
    for (uint64_t done = 0; done < count; done += PIPELINE) {
        micro_use(client_send(bytes_of(requests.data + at, pipeline_bytes)));
        at += pipeline_bytes;
        if (at == requests.len)
            at = 0;
    }
}

static void run_singles(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        micro_use(client_send(bytes_of(requests.data, pipeline_bytes / PIPELINE)));
}

static void fill(void)
{
    run_pipelines(ENTRIES);
    buf_deinit(&requests);
}

static void xadd_maxlen_set_up(void)
{
    xadd_set_up();
    fill();
    set_up_requests(add_xadd_maxlen, PIPELINE);
    run_pipelines(2 * PIPELINE);
}

static void xlen_set_up(void)
{
    xadd_set_up();
    fill();
    set_up_requests(add_xlen, PIPELINE);
}

/* ---- single keys ---- */

static void add_set(unsigned index)
{
    buf_addf(&requests, "*3\r\n$3\r\nSET\r\n$12\r\nkey:%08u\r\n$%d\r\n", index * 617 % KEYS,
             MICRO_VALUE_BYTES);
    memset(buf_reserve(&requests, MICRO_VALUE_BYTES), 'x', MICRO_VALUE_BYTES);
    requests.len += MICRO_VALUE_BYTES;
    buf_add_bytes(&requests, BYTES("\r\n"));
}

static void add_get(unsigned index)
{
    buf_addf(&requests, "*2\r\n$3\r\nGET\r\n$12\r\nkey:%08u\r\n", index * 617 % KEYS);
}

static void set_set_up(void)
{
    set_up_requests(add_set, KEYS);
    client_open(nothing_ranges());
    client_send(buf_bytes(&requests));
}

static void set_memory_set_up(void)
{
    set_up_requests(add_set, KEYS);
    client_open(nothing_ranges());
    client_send(BYTES("RANGE.SET * key: MEMORY\r\n"));
    client_send(buf_bytes(&requests));
}

static void get_memory_set_up(void)
{
    set_memory_set_up();
    buf_deinit(&requests);
    set_up_requests(add_get, KEYS);
    CHECK(client_send(buf_bytes(&requests)) > KEYS * MICRO_VALUE_BYTES);
}

/* ---- publishing ---- */

#define PATTERNS 10000u

static void add_publish(unsigned index)
{
    (void)index;
    buf_addf(&requests, "*3\r\n$7\r\nPUBLISH\r\n$17\r\nroom:000000000000\r\n$%d\r\n",
             MICRO_VALUE_BYTES);
    memset(buf_reserve(&requests, MICRO_VALUE_BYTES), 'x', MICRO_VALUE_BYTES);
    requests.len += MICRO_VALUE_BYTES;
    buf_add_bytes(&requests, BYTES("\r\n"));
}

/* The client is in the room itself. */
static void publish_set_up(void)
{
    set_up_requests(add_publish, PIPELINE);
    client_open(nothing_ranges());
    client_send(BYTES("HELLO 3\r\nSUBSCRIBE room:000000000000\r\n"));
}

/* The patterns begin with as many letters as the room's name has. */
static void publish_patterns_set_up(void)
{
    char command[64];
    publish_set_up();
    for (unsigned i = 0; i < PATTERNS; i++) {
        int len = snprintf(command, sizeof(command), "PSUBSCRIBE else:%012u*\r\n", i);
        client_send(bytes_of(command, (size_t)len));
    }
}

/* ---- reading ---- */

#define ENTRIES_MS (ENTRIES / PIPELINE * CLIENT_TURN_US / 1000)

/* A request with an id in its middle, of which no end of the feed is near. */
static void add_range(struct bytes before, unsigned index, struct bytes after)
{
    char ms[INTEGER_TEXT_MAX];
    size_t len = u64_to_text(DOUBLES_FIRST_MS + 20 + index * 41 % (ENTRIES_MS - 40), ms);
    buf_add_bytes(&requests, before);
    buf_addf(&requests, "$%zu\r\n", len);
    buf_add(&requests, ms, len);
    buf_add_bytes(&requests, BYTES("\r\n"));
    buf_add_bytes(&requests, after);
}

static void add_xrange(unsigned index)
{
    add_range(BYTES("*6\r\n$6\r\nXRANGE\r\n$4\r\nfeed\r\n"), index,
              BYTES("$1\r\n+\r\n$5\r\nCOUNT\r\n$3\r\n100\r\n"));
}

static void add_xrange_one(unsigned index)
{
    add_range(BYTES("*6\r\n$6\r\nXRANGE\r\n$4\r\nfeed\r\n"), index,
              BYTES("$1\r\n+\r\n$5\r\nCOUNT\r\n$1\r\n1\r\n"));
}

static void add_xrevrange(unsigned index)
{
    add_range(BYTES("*6\r\n$9\r\nXREVRANGE\r\n$4\r\nfeed\r\n"), index,
              BYTES("$1\r\n-\r\n$5\r\nCOUNT\r\n$3\r\n100\r\n"));
}

static void add_xread(unsigned index)
{
    add_range(BYTES("*6\r\n$5\r\nXREAD\r\n$5\r\nCOUNT\r\n$3\r\n100\r\n"
                    "$7\r\nSTREAMS\r\n$4\r\nfeed\r\n"),
              index, BYTES(""));
}

/* Each request gets `count` entries. */
static void read_set_up(struct ranges *ranges, void (*add)(unsigned index), unsigned count)
{
    set_up_requests(add_xadd, PIPELINE);
    client_open(ranges);
    fill();
    set_up_requests(add, PIPELINE);
    CHECK(client_send(buf_bytes(&requests)) > PIPELINE * count * MICRO_VALUE_BYTES);
}

static void xrange_set_up(void)
{
    read_set_up(nothing_ranges(), add_xrange, 100);
}

static void xrange_one_set_up(void)
{
    read_set_up(nothing_ranges(), add_xrange_one, 1);
}

static void xrevrange_set_up(void)
{
    read_set_up(nothing_ranges(), add_xrevrange, 100);
}

static void xread_set_up(void)
{
    read_set_up(nothing_ranges(), add_xread, 100);
}

/* ---- reading from the block cache ---- */

static char directory[4096];

static void make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    int len = snprintf(directory, sizeof(directory), "%s/weir-micro-XXXXXX",
                       parent != NULL ? parent : "/tmp");
    CHECK(len > 0 && (size_t)len < sizeof(directory));
    CHECK(mkdtemp(directory) != NULL);
}

static struct ranges *rocks_ranges(void)
{
    struct ranges_rocks_options options = {.path = directory,
                                           .block_cache_bytes = 64 << 20,
                                           .background_threads = 1,
                                           .open_files_max = 20};
    struct ranges *ranges;
    struct buf reason;
    make_directory();
    buf_init(&reason);
    CHECK(ranges_rocks_open(&options, &reason, &ranges) == ERR_OK);
    buf_deinit(&reason);
    return ranges;
}

/* Folds everything, and reads once what will be read again. */
static void cached_set_up(void (*add)(unsigned index), unsigned count)
{
    read_set_up(rocks_ranges(), add, count);
    client_send(BYTES("SAVE\r\n"));
    run_pipelines(PIPELINE);
}

static void xrange_cached_set_up(void)
{
    cached_set_up(add_xrange, 100);
}

static void xrange_one_cached_set_up(void)
{
    cached_set_up(add_xrange_one, 1);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

static void cached_tear_down(void)
{
    tear_down();
    CHECK(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

const struct micro_case micro_broker_cases[] = {
    {"ping-p16", "PING, of 16 in a read", 32000, PIPELINE, ping_set_up, run_pipelines, tear_down},
    {"xadd", "XADD of 100 bytes, alone in its turn", 8000, 1, xadd_set_up, run_singles, tear_down},
    {"xadd-p16", "XADD of 100 bytes, of 16 in a turn", 16000, PIPELINE, xadd_set_up, run_pipelines,
     tear_down},
    {"xadd-p16-1000-feeds", "the same to 1,000 feeds in turns", 16000, PIPELINE, xadd_feeds_set_up,
     run_pipelines, tear_down},
    {"xadd-p16-maxlen", "XADD MAXLEN ~ 1000, of 16 in a turn", 16000, PIPELINE, xadd_maxlen_set_up,
     run_pipelines, tear_down},
    {"set-p16", "SET of 100 bytes to 2,000 durable keys, of 16 in a turn", 16000, PIPELINE,
     set_set_up, run_pipelines, tear_down},
    {"set-memory-p16", "the same to keys of a memory range", 16000, PIPELINE, set_memory_set_up,
     run_pipelines, tear_down},
    {"get-memory-p16", "GET of them", 16000, PIPELINE, get_memory_set_up, run_pipelines, tear_down},
    {"publish-p16", "PUBLISH of 100 bytes to 1 member, of 16 in a turn", 16000, PIPELINE,
     publish_set_up, run_pipelines, tear_down},
    {"publish-p16-patterns", "the same beside 10,000 patterns of which none matches", 16000,
     PIPELINE, publish_patterns_set_up, run_pipelines, tear_down},
    {"xlen-p16", "XLEN, of 16 in a turn", 16000, PIPELINE, xlen_set_up, run_pipelines, tear_down},
    {"xrange-1-p16", "XRANGE of 1 entry, of 16 in a turn", 8000, PIPELINE, xrange_one_set_up,
     run_pipelines, tear_down},
    {"xrange-100-p16", "XRANGE of 100 entries, of 16 in a turn", 800, PIPELINE, xrange_set_up,
     run_pipelines, tear_down},
    {"xrevrange-100-p16", "XREVRANGE of 100 entries, of 16 in a turn", 800, PIPELINE,
     xrevrange_set_up, run_pipelines, tear_down},
    {"xread-100-p16", "XREAD of 100 entries, of 16 in a turn", 800, PIPELINE, xread_set_up,
     run_pipelines, tear_down},
    {"xrange-1-cached-p16", "XRANGE of 1 entry from the block cache", 800, PIPELINE,
     xrange_one_cached_set_up, run_pipelines, cached_tear_down},
    {"xrange-100-cached-p16", "XRANGE of 100 entries from the block cache", 800, PIPELINE,
     xrange_cached_set_up, run_pipelines, cached_tear_down},
    {.name = NULL},
};
