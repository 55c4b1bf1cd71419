/* broker_fixture: a whole broker on simulated disks with one client and a clock that stands still,
 * for one source file of a test. Commands are the real ones, threads too. */
#ifndef WEIR_TESTS_UNIT_BROKER_FIXTURE_H
#define WEIR_TESTS_UNIT_BROKER_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/options.h"
#include "broker/session_io.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_ranges.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdarg.h>
#include <time.h>

#define JOBS_MAX 16

/* Turns of a tenth of a millisecond that are left for what other threads do. */
#define PATIENCE_TURNS 200000

static atomic_uint_fast64_t clock_us;
static struct options options;
static struct disk *disk;
static struct sim_ranges_disk *rows;
static struct ranges *ranges;
static struct broker *broker;
static struct session *client;
static struct read_job *jobs[JOBS_MAX];
static unsigned job_count;
static struct buf reply;

uint64_t clock_wall_us(void)
{
    return atomic_load(&clock_us);
}

uint64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

uint64_t clock_mono_us(void)
{
    return clock_wall_us();
}

static inline void pass_ms(uint64_t ms)
{
    atomic_fetch_add(&clock_us, ms * 1000);
}

static void on_wake(void *context)
{
    (void)context;
}

static void on_read(void *context, struct read_job *job)
{
    (void)context;
    CHECK(job_count < JOBS_MAX);
    jobs[job_count++] = job;
}

static void on_durable_moved(void *context)
{
    (void)context;
}

static inline void open_broker(void)
{
    static const struct broker_hooks hooks = {NULL, on_wake, on_read, on_durable_moved, on_wake};
    struct buf reason;
    buf_init(&reason);
    assert_int_equal(sim_ranges_open(rows, &ranges), ERR_OK);
    assert_int_equal(broker_open(&options, &hooks, disk, ranges, &reason, &broker), ERR_OK);
    buf_deinit(&reason);
    client = session_create(broker, NULL, 1);
}

static inline void finish_jobs(void)
{
    while (job_count > 0) {
        struct read_job *job = jobs[0];
        memmove(jobs, jobs + 1, --job_count * sizeof(struct read_job *));
        read_job_run(job);
        read_job_done(job);
    }
}

static inline void close_broker(void)
{
    session_close(client);
    finish_jobs();
    (void)broker_close(broker, false);
    ranges_close(ranges);
}

/* Starts again from the log and the rows. */
static inline void restart(void)
{
    close_broker();
    open_broker();
}

static inline int set_up_broker(uint64_t seed)
{
    logger_set_level(LOG_NOTHING);
    atomic_store(&clock_us, UINT64_C(1000000000));
    options_init(&options);
    disk = sim_disk_open(seed);
    rows = sim_ranges_disk_create(seed);
    buf_init(&reply);
    open_broker();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    close_broker();
    options_deinit(&options);
    disk_close(disk);
    sim_ranges_disk_destroy(rows);
    buf_deinit(&reply);
    return 0;
}

static inline void turn(void)
{
    finish_jobs();
    broker_poll(broker);
    if (!broker_turn_end(broker))
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

static inline void take_output(struct session *session, struct buf *out)
{
    struct bytes spans[2];
    size_t ready = session_output_ready(session, broker_durable(broker));
    unsigned count = ready > 0 ? session_output_spans(session, ready, spans) : 0;
    for (unsigned i = 0; i < count; i++)
        buf_add_bytes(out, spans[i]);
    session_output_sent(session, ready);
}

/* Sends a line, and turns until it is answered; the reply is valid until the next one. */
__attribute__((format(printf, 1, 2))) static inline const char *ask(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof(line) - 2, format, arguments);
    va_end(arguments);
    assert_in_range(len, 1, sizeof(line) - 3);
    memcpy(line + len, "\r\n", 2);
    session_feed(client, bytes_of(line, (size_t)len + 2));
    reply.len = 0;
    for (unsigned i = 0; reply.len == 0; i++) {
        assert_true(i < PATIENCE_TURNS);
        turn();
        take_output(client, &reply);
    }
    buf_add(&reply, "", 1);
    return reply.data;
}

/* Turns until the broker wants nothing at this time. */
static inline void settle(void)
{
    for (unsigned i = 0; i < PATIENCE_TURNS; i++) {
        turn();
        uint64_t deadline = broker_deadline(broker);
        bool quiet = deadline == 0 || deadline > clock_mono_us();
        if (quiet && job_count == 0 && broker->caretaker.errand == NULL &&
            broker_durable(broker) == store_last(broker->store))
            return;
    }
    fail_msg("it never comes to rest");
}

static inline void fold(void)
{
    assert_string_equal(ask("SAVE"), "+OK\r\n");
}

#endif
