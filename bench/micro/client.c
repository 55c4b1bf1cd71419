#include "bench/micro/client.h"

#include "base/check.h"
#include "base/logger.h"
#include "bench/micro/doubles.h"
#include "bench/micro/nothing.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/options.h"
#include "broker/session_io.h"

/* Nothing takes this many: a fold of 100,000 objects is released in 200. */
#define TURNS_MAX 1000

static struct options options;
static struct disk *disk;
static struct ranges *ranges;
static struct broker *broker;
static struct session *session;
static struct read_job *job; /* that a reader would run */

static void on_event(void *context)
{
    (void)context;
}

static void on_read(void *context, struct read_job *asked)
{
    (void)context;
    CHECK(job == NULL);
    job = asked;
}

void client_open(struct ranges *on)
{
    static const struct broker_hooks hooks = {NULL, on_event, on_read, on_event, on_event};
    struct buf reason;
    doubles_clock_reset();
    logger_set_level(LOG_NOTHING);
    options_init(&options);
    options.fold_bytes = UINT64_C(1) << 34; /* folds are asked for */
    disk = nothing_disk();
    ranges = on;
    buf_init(&reason);
    CHECK(broker_open(&options, &hooks, disk, ranges, &reason, &broker) == ERR_OK);
    buf_deinit(&reason);
    session = session_create(broker, NULL, 1);
}

void client_close(void)
{
    session_close(session);
    CHECK(broker_close(broker, false) == ERR_OK);
    ranges_close(ranges);
    disk_close(disk);
    options_deinit(&options);
}

static void read_cold_rows(void)
{
    struct read_job *asked = job;
    if (asked == NULL)
        return;
    job = NULL;
    read_job_run(asked);
    read_job_done(asked);
}

static size_t take_replies(void)
{
    struct bytes spans[2];
    size_t ready = session_output_ready(session, broker_durable(broker));
    if (ready == 0)
        return 0;
    session_output_spans(session, ready, spans);
    CHECK(spans[0].data[0] != '-');
    session_output_sent(session, ready);
    return ready;
}

static size_t turn(void)
{
    read_cold_rows();
    broker_turn_end(broker);
    broker_poll(broker);
    doubles_clock_pass(CLIENT_TURN_US);
    return take_replies();
}

size_t client_send(struct bytes commands)
{
    session_feed(session, commands);
    size_t received = turn();
    for (unsigned i = 0; session_waiting(session) || session_output_size(session) > 0; i++) {
        CHECK(i < TURNS_MAX);
        received += turn();
    }
    return received;
}
