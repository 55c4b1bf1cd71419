/* load: one run: warming up, measuring, and waiting for what is still due.
 *
 *   0 -- warm-ms -- from -- ms -- until -- drain -- end
 *
 * Sources (source.h) send operations, readers take what comes of them. An operation counts for the
 * rate when it ends between `from` and `until`, and for the latencies when it began there. In an
 * open loop it begins when it is due, not when it could be sent: a server that stalls is charged
 * for everything that should have been sent meanwhile. With --operations there is no warming up,
 * and `until` is when the last operation has ended.
 *
 * The run dies, naming what is missing, when something is due and nothing comes for --drain-ms. */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H

#include <stdbool.h>

#include <uv.h>

#include "base/random.h"
#include "bench/histogram.h"
#include "bench/options.h"

struct load {
    const struct options *options;
    const char *workload;
    uv_loop_t loop;
    uv_timer_t tick;
    struct random random;

    bool measuring;
    bool stopping; /* nothing new is sent */
    uint64_t from_us;
    uint64_t until_us;
    uint64_t cpu_us; /* of the server, from `from` to `until` */

    uint64_t sent;
    uint64_t acknowledged;
    uint64_t fanout; /* arrivals that each operation leads to; 0: there are no readers */
    uint64_t arrived;
    uint64_t progress; /* sum of the above when it was last looked at, and when it last moved */
    uint64_t progress_us;

    uint64_t lookups; /* of a workload that may find nothing; 0: there are none */
    uint64_t hits;

    uint64_t counted;
    struct histogram latency;
};

void load_init(struct load *load, const struct options *options, const char *workload);
/* An operation that began at `start_us` has ended. */
void load_count(struct load *load, uint64_t start_us);
/* Turns the loop until *value is `goal`. `what` is named when it does not come. */
void load_await(struct load *load, const uint64_t *value, uint64_t goal, const char *what);
/* Returns when everything sent was acknowledged and has arrived. */
void load_run(struct load *load);
/* Prints one line of JSON. */
void load_report(const struct load *load);

#endif
