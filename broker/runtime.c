#include "broker/runtime.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/logger.h"
#include "broker/access.h"
#include "broker/broker_internal.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/version.h"
#include "storage/disk_posix.h"
#include "storage/ranges_rocks.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <uv.h>

/* Open table files that RocksDB keeps; above it the least recently used are closed. */
#define OPEN_FILES_MAX 512

/* Other open files: the log's segments, RocksDB's own, listeners, pipes of threads. */
#define OPEN_FILES_BESIDE 64

/* A stop waits this long for clients to take their last replies. */
#define STOP_PATIENCE_MS 2000

struct runtime {
    struct options *options;
    struct disk *disk;
    struct ranges *ranges;
    struct broker *broker;
    struct server *server;
    atomic_bool awake; /* the async handle may be used */
    uv_async_t wake;
    uv_timer_t timer;
    uint64_t timer_deadline; /* for which it is set; 0: not set */
    uv_signal_t signals[2];
};

/* ---- hooks ---- */

static void hook_wake(void *context)
{
    struct runtime *runtime = context;
    if (atomic_load_explicit(&runtime->awake, memory_order_acquire))
        uv_async_send(&runtime->wake);
}

struct reader {
    uv_work_t work;
    struct read_job *job;
};

static void reader_work(uv_work_t *work)
{
    read_job_run(container_of(work, struct reader, work)->job);
}

static void reader_done(uv_work_t *work, int status)
{
    struct reader *reader = container_of(work, struct reader, work);
    CHECK(status == 0); /* never cancelled */
    read_job_done(reader->job);
    mem_free(reader);
}

static void hook_read(void *context, struct read_job *job)
{
    struct runtime *runtime = context;
    struct reader *reader = mem_zalloc(sizeof(*reader));
    reader->job = job;
    CHECK(uv_queue_work(server_loop(runtime->server), &reader->work, reader_work, reader_done) ==
          0);
}

static void hook_durable_moved(void *context)
{
    struct runtime *runtime = context;
    server_durable_moved(runtime->server);
}

static void hook_stop(void *context)
{
    struct runtime *runtime = context;
    server_stop(runtime->server, STOP_PATIENCE_MS);
}

/* ---- the loop ---- */

static void on_wake(uv_async_t *async)
{
    struct runtime *runtime = async->data;
    broker_poll(runtime->broker);
}

static void on_timer(uv_timer_t *timer)
{
    struct runtime *runtime = timer->data;
    runtime->timer_deadline = 0; /* the end of this turn does the rest */
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct runtime *runtime = signal->data;
    LOG(LOG_NOTICE, "signal", "number=%d", number);
    broker_shutdown(runtime->broker, true);
}

static void set_timer(struct runtime *runtime, uint64_t deadline_us)
{
    if (deadline_us == runtime->timer_deadline)
        return;
    runtime->timer_deadline = deadline_us;
    uv_timer_stop(&runtime->timer);
    if (deadline_us == 0)
        return;
    uint64_t now_us = clock_mono_us();
    uint64_t wait_ms = deadline_us > now_us ? (deadline_us - now_us + 999) / 1000 : 0;
    uv_update_time(runtime->timer.loop);
    CHECK(uv_timer_start(&runtime->timer, on_timer, wait_ms, 0) == 0);
}

static void on_turn_end(void *context)
{
    struct runtime *runtime = context;
    if (broker_growing(runtime->broker)) {
        uv_async_send(&runtime->wake);
        return;
    }
    if (broker_turn_end(runtime->broker))
        uv_async_send(&runtime->wake);
    set_timer(runtime, broker_deadline(runtime->broker));
}

static void start_handles(struct runtime *runtime)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    uv_loop_t *loop = server_loop(runtime->server);
    CHECK(uv_async_init(loop, &runtime->wake, on_wake) == 0);
    CHECK(uv_timer_init(loop, &runtime->timer) == 0);
    runtime->wake.data = runtime;
    runtime->timer.data = runtime;
    for (int i = 0; i < 2; i++) {
        CHECK(uv_signal_init(loop, &runtime->signals[i]) == 0);
        runtime->signals[i].data = runtime;
        CHECK(uv_signal_start(&runtime->signals[i], on_signal, numbers[i]) == 0);
    }
    server_on_turn_end(runtime->server, on_turn_end, runtime);
    atomic_store_explicit(&runtime->awake, true, memory_order_release);
    uv_async_send(&runtime->wake); /* what happened before anybody listened */
}

static void stop_handles(struct runtime *runtime)
{
    atomic_store_explicit(&runtime->awake, false, memory_order_release);
    uv_close((uv_handle_t *)&runtime->timer, NULL);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&runtime->signals[i], NULL);
}

/* ---- start and stop ---- */

static enum err refuse(enum err err, const char *what, struct bytes detail)
{
    LOG(LOG_WARNING, "cannot start", "what=\"%s\" error=\"%s\"%s%.*s", what, err_text(err),
        detail.len > 0 ? " detail=" : "", (int)detail.len, detail.data);
    return err;
}

/* Raises the process's limit as far as `maxclients` needs, or the system lets it. */
static void allow_open_files(uint64_t maxclients)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)maxclients + OPEN_FILES_MAX + OPEN_FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        LOG(LOG_WARNING, "few open files", "allowed=%llu wanted=%llu maxclients=%llu",
            (unsigned long long)limit.rlim_cur, (unsigned long long)wanted,
            (unsigned long long)maxclients);
}

static enum err open_ranges(struct runtime *runtime)
{
    const struct options *options = runtime->options;
    struct buf path, reason, what;
    buf_init(&path);
    buf_init(&reason);
    buf_init(&what);
    buf_addf(&path, "%s/ranges%c", options->dir, '\0');
    struct ranges_rocks_options rocks = {
        .path = path.data,
        .block_cache_bytes = options->block_cache_bytes,
        .write_bytes_per_second = options->fold_write_rate,
        .background_threads = (unsigned)options->background_threads,
        .open_files_max = OPEN_FILES_MAX,
    };
    enum err err = ranges_rocks_open(&rocks, &reason, &runtime->ranges);
    if (err != ERR_OK) {
        buf_addf(&what, "open %s%c", options->dir, '\0');
        refuse(err, what.data, buf_bytes(&reason));
    }
    buf_deinit(&path);
    buf_deinit(&reason);
    buf_deinit(&what);
    return err;
}

static enum err open_disk(struct runtime *runtime)
{
    struct buf path;
    buf_init(&path);
    buf_addf(&path, "%s/log%c", runtime->options->dir, '\0');
    enum err err = disk_posix_open(path.data, &runtime->disk);
    if (err != ERR_OK)
        refuse(err, path.data, BYTES(""));
    buf_deinit(&path);
    return err;
}

static enum err open_data(struct runtime *runtime)
{
    const char *dir = runtime->options->dir;
    if (mkdir(dir, 0750) != 0 && errno != EEXIST)
        return refuse(err_of_errno(errno), dir, BYTES(""));
    enum err err = open_ranges(runtime);
    if (err == ERR_OK)
        err = open_disk(runtime);
    return err;
}

static enum err open_broker(struct runtime *runtime)
{
    struct broker_hooks hooks = {runtime, hook_wake, hook_read, hook_durable_moved, hook_stop};
    struct buf reason;
    buf_init(&reason);
    enum err err = broker_open(runtime->options, &hooks, runtime->disk, runtime->ranges, &reason,
                               &runtime->broker);
    if (err != ERR_OK)
        refuse(err, runtime->options->dir, buf_bytes(&reason));
    buf_deinit(&reason);
    return err;
}

static enum err listen_and_serve(struct runtime *runtime)
{
    char what[256];
    enum err err =
        server_create(runtime->broker, runtime->options, what, sizeof(what), &runtime->server);
    if (err != ERR_OK)
        return refuse(err, what, BYTES(""));
    broker_set_server(runtime->broker, runtime->server);
    start_handles(runtime);
    LOG(LOG_NOTICE, "ready", "version=%s port=%d dir=%s", WEIR_VERSION, (int)runtime->options->port,
        runtime->options->dir);
    server_run(runtime->server);
    stop_handles(runtime);
    return ERR_OK;
}

enum err runtime_run(struct options *options)
{
    struct runtime runtime = {.options = options};
    allow_open_files((uint64_t)options->maxclients);
    enum err err = open_data(&runtime);
    if (err == ERR_OK)
        err = open_broker(&runtime);
    if (err == ERR_OK)
        err = listen_and_serve(&runtime);
    if (runtime.broker != NULL) {
        enum err closed =
            broker_close(runtime.broker, err == ERR_OK && runtime.broker->stop_with_fold);
        err = err != ERR_OK ? err : closed;
    }
    if (runtime.server != NULL) {
        uv_close((uv_handle_t *)&runtime.wake, NULL); /* nobody is left to use it */
        server_destroy(runtime.server);
    }
    if (runtime.disk != NULL)
        disk_close(runtime.disk);
    if (runtime.ranges != NULL)
        ranges_close(runtime.ranges);
    if (err == ERR_OK)
        LOG(LOG_NOTICE, "stopped", "");
    return err;
}
