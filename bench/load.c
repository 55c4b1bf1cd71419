#include "bench/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/die.h"

#define TICK_MS 2

void load_init(struct load *load, const struct options *options, const char *workload)
{
    memset(load, 0, sizeof(*load));
    load->options = options;
    load->workload = workload;
    load->until_us = UINT64_MAX;
    random_init(&load->random, options->seed);
    if (uv_loop_init(&load->loop) != 0 || uv_timer_init(&load->loop, &load->tick) != 0)
        die("no event loop");
}

void load_count(struct load *load, uint64_t start_us)
{
    uint64_t now_us = clock_mono_us();
    if (load->measuring)
        load->counted++;
    if (load->from_us > 0 && start_us >= load->from_us && start_us <= load->until_us)
        histogram_add(&load->latency, now_us > start_us ? now_us - start_us : 0);
}

/* User and system time of the server, all its threads and the children it has waited for. */
static uint64_t cpu_us_of(uint64_t pid)
{
    unsigned long long user, system, child_user, child_system;
    char path[64], line[1024];
    if (pid == 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL)
        die("cannot read %s", path);
    fclose(file);
    const char *after_name = strrchr(line, ')');
    if (after_name == NULL ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
               &user, &system, &child_user, &child_system) != 4)
        die("cannot read %s", path);
    return (user + system + child_user + child_system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void begin_measuring(struct load *load, uint64_t now_us)
{
    load->measuring = true;
    load->from_us = now_us;
    load->cpu_us = cpu_us_of(load->options->pid);
}

static void end_measuring(struct load *load, uint64_t now_us)
{
    load->measuring = false;
    load->until_us = now_us;
    load->cpu_us = cpu_us_of(load->options->pid) - load->cpu_us;
}

static bool is_drained(const struct load *load)
{
    return load->acknowledged == load->sent &&
           (load->fanout == 0 || load->arrived == load->acknowledged * load->fanout);
}

static void watch_progress(struct load *load, uint64_t now_us)
{
    uint64_t progress = load->sent + load->acknowledged + load->arrived;
    if (progress != load->progress || is_drained(load)) {
        load->progress = progress;
        load->progress_us = now_us;
    } else if (now_us - load->progress_us > load->options->drain_ms * 1000) {
        die("%s: sent %" PRIu64 ", acknowledged %" PRIu64 ", arrived %" PRIu64 " of %" PRIu64
            ", and then nothing for %" PRIu64 " ms",
            load->workload, load->sent, load->acknowledged, load->arrived,
            load->acknowledged * load->fanout, load->options->drain_ms);
    }
}

static void on_tick(uv_timer_t *tick)
{
    struct load *load = tick->data;
    const struct options *options = load->options;
    uint64_t now_us = clock_mono_us();
    watch_progress(load, now_us);
    if (!load->measuring && !load->stopping && now_us >= load->from_us)
        begin_measuring(load, now_us);
    if (options->operations > 0)
        load->stopping = load->sent >= options->operations;
    else if (load->measuring && now_us >= load->from_us + options->ms * 1000)
        load->stopping = true;
    if (load->stopping && load->measuring && (options->operations == 0 || is_drained(load)))
        end_measuring(load, now_us);
    if (load->stopping && !load->measuring && is_drained(load))
        uv_stop(&load->loop);
}

static void on_patience_over(uv_timer_t *tick)
{
    (void)tick;
    uv_stop(uv_handle_get_loop((uv_handle_t *)tick));
}

void load_await(struct load *load, const uint64_t *value, uint64_t goal, const char *what)
{
    uv_timer_start(&load->tick, on_patience_over, load->options->drain_ms, 0);
    while (*value < goal && uv_is_active((uv_handle_t *)&load->tick))
        uv_run(&load->loop, UV_RUN_ONCE);
    uv_timer_stop(&load->tick);
    if (*value < goal)
        die("%s: %" PRIu64 " of %" PRIu64 " %s came", load->workload, *value, goal, what);
}

void load_run(struct load *load)
{
    uint64_t now_us = clock_mono_us();
    load->progress_us = now_us;
    load->from_us = now_us;
    if (load->options->operations > 0)
        begin_measuring(load, now_us);
    else
        load->from_us += load->options->warm_ms * 1000;
    load->tick.data = load;
    uv_timer_start(&load->tick, on_tick, 0, TICK_MS);
    uv_run(&load->loop, UV_RUN_DEFAULT);
}

void load_report(const struct load *load)
{
    const struct histogram *latency = &load->latency;
    double seconds = (double)(load->until_us - load->from_us) / 1e6;
    double per_operation = load->counted == 0 ? 0 : 1 / (double)load->counted;
    printf("{\"workload\":\"%s\",\"operations\":%" PRIu64 ",\"seconds\":%.3f,\"rate\":%.1f,"
           "\"asked_rate\":%" PRIu64 ",",
           load->workload, load->counted, seconds, (double)load->counted / seconds,
           load->options->rate);
    printf("\"p50_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 ",\"p999_us\":%" PRIu64
           ",\"max_us\":%" PRIu64 ",",
           histogram_quantile(latency, 0.5), histogram_quantile(latency, 0.99),
           histogram_quantile(latency, 0.999), latency->max);
    if (load->options->pid != 0)
        printf("\"cpu_us\":%.4f,", (double)load->cpu_us * per_operation);
    if (load->lookups > 0)
        printf("\"hit_rate\":%.4f,", (double)load->hits / (double)load->lookups);
    printf("\"acknowledged\":%" PRIu64 ",\"arrived\":%" PRIu64 ",\"payload_bytes\":%" PRIu64 "}\n",
           load->acknowledged, load->arrived, load->acknowledged * load->options->payload);
}
