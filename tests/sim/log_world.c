#include "tests/sim/log_world.h"

#include "base/check.h"
#include "storage/commit_segment.h"
#include "tests/sim/sim_disk.h"
#include "tests/unit/unit.h"

#include <assert.h>

static_assert(LOG_PAGE_LEN + RECORD_HEADER_BYTES == SEGMENT_PAGE_BYTES, "a record of a page");

const struct commit_log_options log_small = {
    .extend_bytes = 4096,
    .segment_bytes = 16384,
    .recycled_max = 2,
};

uint64_t log_seed;
struct log_world log_world;

static struct bytes payload_bytes(struct payload payload)
{
    struct random random;
    random_init(&random, payload.seed);
    CHECK(payload.len <= sizeof(log_world.bytes));
    for (size_t i = 0; i < payload.len; i += sizeof(uint64_t)) {
        uint64_t word = random_u64(&random);
        size_t len = payload.len - i < sizeof(word) ? payload.len - i : sizeof(word);
        memcpy(log_world.bytes + i, &word, len);
    }
    return bytes_of(log_world.bytes, payload.len);
}

static enum err on_record(void *context, uint64_t lsn, struct bytes payload)
{
    assert_ptr_equal(context, &log_world);
    assert_int_equal(lsn, log_world.last + 1);
    assert_true(lsn <= LOG_WORLD_RECORDS_MAX);
    assert_true(bytes_equal(payload, payload_bytes(log_world.model[lsn])));
    log_world.last = lsn;
    return log_world.answer;
}

enum err log_open(uint64_t first)
{
    log_world.last = first - 1;
    return commit_log_open(log_world.disk, &log_small, first, on_record, &log_world,
                           &log_world.log);
}

void log_close(void)
{
    commit_log_close(log_world.log);
    log_world.log = NULL;
}

void log_open_and_read(uint64_t first, uint64_t last)
{
    assert_int_equal(log_open(first), ERR_OK);
    assert_int_equal(log_world.last, last);
    assert_int_equal(commit_log_next(log_world.log), last + 1);
}

enum err log_append(size_t len, bool sync)
{
    uint64_t lsn = commit_log_next(log_world.log);
    assert_true(lsn <= LOG_WORLD_RECORDS_MAX);
    log_world.model[lsn] = (struct payload){random_u64(&log_world.random), len};
    return commit_log_append(log_world.log, lsn, payload_bytes(log_world.model[lsn]), sync);
}

void log_append_many(unsigned count, size_t len, bool sync)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(log_append(len, sync), ERR_OK);
}

void log_renew(void)
{
    if (log_world.log != NULL)
        log_close();
    disk_close(log_world.disk);
    log_world.disk = sim_disk_open(random_u64(&log_world.random));
    log_open_and_read(1, 0);
}

uint64_t log_record_at(unsigned index, size_t len)
{
    return SEGMENT_HEADER_BYTES + index * record_bytes(len);
}

void log_damage(uint64_t first, uint64_t offset)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(first, name);
    sim_disk_damage(log_world.disk, name, offset, 0x10);
}

bool log_segment_exists(uint64_t first)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(first, name);
    return sim_disk_size(log_world.disk, name) != UINT64_MAX;
}

void log_expect_failed(void)
{
    uint64_t lsn = commit_log_next(log_world.log);
    assert_int_equal(commit_log_append(log_world.log, lsn, BYTES("x"), true), ERR_FAILED);
    assert_int_equal(commit_log_append(log_world.log, lsn + 1, BYTES("x"), false), ERR_FAILED);
    assert_int_equal(commit_log_sync(log_world.log), ERR_FAILED);
    assert_int_equal(commit_log_release(log_world.log, 0), ERR_FAILED);
}

int log_set_up(void **state)
{
    (void)state;
    random_init(&log_world.random, log_seed);
    log_world.disk = sim_disk_open(random_u64(&log_world.random));
    log_world.answer = ERR_OK;
    log_open_and_read(1, 0);
    return 0;
}

int log_tear_down(void **state)
{
    (void)state;
    if (log_world.log != NULL)
        log_close();
    disk_close(log_world.disk);
    return 0;
}
