#include "bench/source.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "bench/die.h"

/* An open loop that is a million operations behind will not catch up. */
#define BEHIND_MAX 1000000

/* ---- lanes ---- */

static void grow_starts(struct lane *lane)
{
    size_t cap = lane->cap == 0 ? 64 : lane->cap * 2;
    uint64_t *starts = mem_zalloc(cap * sizeof(starts[0]));
    for (uint64_t i = lane->cap > lane->sent ? 0 : lane->sent - lane->cap; i < lane->sent; i++)
        starts[i & (cap - 1)] = lane->starts[i & (lane->cap - 1)];
    mem_free(lane->starts);
    lane->starts = starts;
    lane->cap = cap;
}

static void lane_add(struct lane *lane, uint64_t start_us)
{
    struct source *source = lane->source;
    while (lane->cap == 0 || lane->starts[lane->sent & (lane->cap - 1)] != 0)
        grow_starts(lane);
    lane->starts[lane->sent & (lane->cap - 1)] = start_us;
    source->verbs->add(source, lane,
                       (struct payload){.number = source->load->sent, .start_us = start_us});
    lane->sent++;
    source->sent++;
    source->load->sent++;
}

static void lane_flush(struct lane *lane)
{
    if (lane->source->verbs->before_flush != NULL)
        lane->source->verbs->before_flush(lane);
    link_flush(&lane->link);
}

void source_done(struct lane *lane, uint64_t number)
{
    struct load *load = lane->source->load;
    uint64_t *start = lane->cap == 0 ? NULL : &lane->starts[number & (lane->cap - 1)];
    if (start == NULL || *start == 0 || number >= lane->sent)
        die("%s: a reply that nobody asked for", load->workload);
    lane->done++;
    load->acknowledged++;
    if (!lane->source->verbs->uncounted)
        load_count(load, *start);
    *start = 0;
}

/* How many operations may be sent now, in a closed loop. */
static uint64_t room_of(const struct source *source)
{
    const struct load *load = source->load;
    const struct options *options = source->options;
    uint64_t room = options->pipeline;
    uint64_t window = options->window > room ? options->window : room;
    if (options->operations > 0 && room > options->operations - load->sent)
        room = options->operations - load->sent;
    if (load->fanout > 0 && load->sent - load->arrived / load->fanout + room > window)
        room = 0;
    return room;
}

void source_resume_lane(struct lane *lane)
{
    struct load *load = lane->source->load;
    if (!lane->source->started || load->stopping || lane->source->options->rate > 0 ||
        lane->done < lane->sent)
        return;
    uint64_t room = room_of(lane->source), now_us = clock_mono_us();
    if (room == 0)
        return;
    for (; room > 0; room--)
        lane_add(lane, now_us);
    lane_flush(lane);
}

/* ---- RESP ---- */

static void on_value(struct resp *resp, const struct resp_value *value)
{
    struct lane *lane = container_of(resp, struct lane, resp);
    const struct source_verbs *verbs = lane->source->verbs;
    if (value->type == RESP_ERROR &&
        (verbs->allowed == NULL ||
         strncmp(value->text.data, verbs->allowed, strlen(verbs->allowed)) != 0))
        die("%s: %.*s", lane->source->load->workload, (int)value->text.len, value->text.data);
    if (verbs->on_value != NULL)
        verbs->on_value(lane->source, lane, value);
}

static void on_reply(struct resp *resp)
{
    struct lane *lane = container_of(resp, struct lane, resp);
    uint64_t replies = lane->source->verbs->replies;
    if (++lane->replies < replies)
        return;
    lane->replies = 0;
    source_done(lane, lane->done);
}

static void on_bytes(struct link *link, struct bytes bytes)
{
    struct lane *lane = container_of(link, struct lane, link);
    resp_feed(&lane->resp, bytes);
    source_resume_lane(lane);
}

/* ---- open loop ---- */

static uint64_t due_us(const struct source *source)
{
    double rate = (double)source->options->rate;
    return source->due_from_us + (uint64_t)((double)source->sent * 1e6 / rate);
}

static void set_alarm(struct source *source)
{
    uint64_t at_us = due_us(source);
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_us / 1000000),
                                           .tv_nsec = (long)(at_us % 1000000) * 1000}};
    CHECK(timerfd_settime(source->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static void flush_all(struct source *source)
{
    for (unsigned i = 0; i < source->lane_count; i++) {
        struct lane *lane = &source->lanes[i];
        if (lane->link.out.len > 0 && !lane->link.blocked)
            lane_flush(lane);
    }
}

static bool is_over(const struct source *source)
{
    return source->load->stopping ||
           (source->options->operations > 0 && source->sent == source->options->operations);
}

static void on_alarm(uv_poll_t *alarm, int status, int events)
{
    struct source *source = container_of(alarm, struct source, alarm);
    struct load *load = source->load;
    uint64_t now_us = clock_mono_us(), expired;
    (void)status;
    (void)events;
    if (read(source->alarm_fd, &expired, sizeof(expired)) < 0 && errno != EAGAIN)
        die("timer: %s", strerror(errno));
    while (!is_over(source) && due_us(source) <= now_us)
        lane_add(&source->lanes[source->sent % source->lane_count], due_us(source));
    flush_all(source);
    if (load->sent - load->acknowledged > BEHIND_MAX)
        die("%s: the server is %d operations behind the rate of %" PRIu64 "/s", load->workload,
            BEHIND_MAX, source->options->rate);
    if (is_over(source))
        uv_poll_stop(alarm);
    else
        set_alarm(source);
}

/* libuv's timers have milliseconds, which are too coarse. */
static void start_alarm(struct source *source)
{
    source->due_from_us = clock_mono_us();
    source->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (source->alarm_fd < 0)
        die("timer: %s", strerror(errno));
    CHECK(uv_poll_init(&source->load->loop, &source->alarm, source->alarm_fd) == 0);
    uv_poll_start(&source->alarm, UV_READABLE, on_alarm);
    set_alarm(source);
}

/* ---- the whole ---- */

void source_open_beside(struct source *source, struct load *load, const struct options *options,
                        const struct source_verbs *verbs)
{
    uint16_t port = (uint16_t)options->port;
    source->load = load;
    source->options = options;
    source->verbs = verbs;
    source->lane_count = (unsigned)options->connections;
    source->lanes = mem_zalloc(source->lane_count * sizeof(source->lanes[0]));
    for (unsigned i = 0; i < source->lane_count; i++) {
        struct lane *lane = &source->lanes[i];
        lane->source = source;
        lane->index = i;
        link_open(&lane->link, &load->loop, port,
                  verbs->on_bytes != NULL ? verbs->on_bytes : on_bytes);
        if (verbs->on_open != NULL)
            verbs->on_open(lane);
        else
            resp_init(&lane->resp, on_value, on_reply);
    }
}

void source_open(struct source *source, struct load *load, const struct source_verbs *verbs)
{
    source_open_beside(source, load, load->options, verbs);
}

void source_add_payload(struct source *source, struct buf *out, struct payload item)
{
    resp_add_head(out, source->options->payload);
    payload_add(out, item, source->options->payload);
    buf_add_bytes(out, RESP_END);
}

void source_start(struct source *source)
{
    source->started = true;
    if (source->options->rate > 0)
        start_alarm(source);
    else
        source_resume(source);
}

void source_resume(struct source *source)
{
    for (unsigned i = 0; i < source->lane_count; i++)
        source_resume_lane(&source->lanes[i]);
}
