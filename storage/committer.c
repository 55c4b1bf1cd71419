#include "storage/committer.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define SYNC_INTERVAL_US 1000000
/* What a returned buffer keeps: many turns' worth of ops, and no more than that after a burst. */
#define PAYLOAD_KEEP_BYTES ((size_t)4 << 20)
/* No sync is due. */
#define NEVER UINT64_MAX

struct committer {
    struct commit_log *log;
    void (*on_report)(void *context);
    void *context;
    pthread_t thread;

    /* What the loop asks for, guarded by `mutex`. */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool submitted;
    uint64_t release_upto; /* 0: nothing to let go of */
    bool stopping;
    enum sync_mode mode;

    /* The record in flight: the loop's while not busy, the thread's while busy. */
    struct buf payload;
    uint64_t lsn;

    /* What the thread tells; it alone writes them, except that submitting sets `busy`. */
    atomic_bool busy;
    atomic_int err;
    _Atomic uint64_t reported;
    _Atomic uint64_t records;
    _Atomic uint64_t bytes;
    _Atomic uint64_t syncs;
    _Atomic uint64_t sync_us;
    _Atomic uint64_t sync_us_max;
    _Atomic uint64_t log_bytes;

    /* The thread's own. */
    uint64_t unsynced_since_us; /* NEVER: all is synced */
};

/* What the thread is to do, taken from the loop's wishes at one moment. */
struct work {
    bool record;
    bool sync;
    bool stop;
    uint64_t release_upto;
    enum sync_mode mode;
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t counted(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void fail(struct committer *committer, enum err err)
{
    int none = ERR_OK;
    if (err != ERR_OK)
        atomic_compare_exchange_strong(&committer->err, &none, (int)err);
}

static enum err sync_log(struct committer *committer)
{
    uint64_t start = clock_mono_us();
    enum err err = commit_log_sync(committer->log);
    uint64_t took = clock_mono_us() - start;
    count(&committer->syncs, 1);
    count(&committer->sync_us, took);
    if (took > counted(&committer->sync_us_max))
        atomic_store_explicit(&committer->sync_us_max, took, memory_order_relaxed);
    committer->unsynced_since_us = NEVER;
    return err;
}

static enum err append_record(struct committer *committer, enum sync_mode mode)
{
    struct bytes payload = buf_bytes(&committer->payload);
    enum err err = commit_log_append(committer->log, committer->lsn, payload, false);
    if (err != ERR_OK)
        return err;
    count(&committer->records, 1);
    count(&committer->bytes, payload.len);
    if (mode == SYNC_ALWAYS)
        return sync_log(committer);
    if (committer->unsynced_since_us == NEVER)
        committer->unsynced_since_us = clock_mono_us();
    return ERR_OK;
}

static void commit(struct committer *committer, enum sync_mode mode)
{
    uint64_t lsn = committer->lsn;
    enum err err = append_record(committer, mode);
    if (err == ERR_OK)
        atomic_store_explicit(&committer->reported, lsn, memory_order_release);
    fail(committer, err);
    buf_reset(&committer->payload, PAYLOAD_KEEP_BYTES);
    atomic_store_explicit(&committer->busy, false, memory_order_release);
}

/* When what is not synced must be. */
static uint64_t sync_due_us(const struct committer *committer)
{
    if (committer->mode == SYNC_NO || committer->unsynced_since_us == NEVER)
        return NEVER;
    return committer->unsynced_since_us + SYNC_INTERVAL_US;
}

static void wait_until(struct committer *committer, uint64_t due_us)
{
    if (due_us == NEVER) {
        pthread_cond_wait(&committer->wake, &committer->mutex);
        return;
    }
    /* clock_mono_us reads the clock that the condition was set to. */
    struct timespec due = {
        .tv_sec = (time_t)(due_us / 1000000),
        .tv_nsec = (long)(due_us % 1000000) * 1000,
    };
    int result = pthread_cond_timedwait(&committer->wake, &committer->mutex, &due);
    CHECK(result == 0 || result == ETIMEDOUT);
}

/* Waits for something to do. */
static struct work next_work(struct committer *committer)
{
    pthread_mutex_lock(&committer->mutex);
    for (;;) {
        uint64_t due_us = sync_due_us(committer);
        struct work work = {
            .record = committer->submitted,
            .sync = due_us != NEVER && clock_mono_us() >= due_us,
            .stop = committer->stopping,
            .release_upto = committer->release_upto,
            .mode = committer->mode,
        };
        if (work.record || work.sync || work.stop || work.release_upto > 0) {
            committer->submitted = false;
            committer->release_upto = 0;
            pthread_mutex_unlock(&committer->mutex);
            return work;
        }
        wait_until(committer, due_us);
    }
}

static void report(struct committer *committer)
{
    atomic_store_explicit(&committer->log_bytes, commit_log_bytes(committer->log),
                          memory_order_relaxed);
    committer->on_report(committer->context);
}

static void do_work(struct committer *committer, const struct work *work)
{
    if (work->record) {
        commit(committer, work->mode);
        report(committer);
    }
    if (work->release_upto > 0) {
        fail(committer, commit_log_release(committer->log, work->release_upto));
        report(committer);
    }
    /* The record's own sync may have been the one that was due. */
    if ((work->sync || work->stop) && committer->unsynced_since_us != NEVER) {
        fail(committer, sync_log(committer));
        report(committer);
    }
}

static void *run(void *argument)
{
    struct committer *committer = argument;
    struct work work;
    do {
        work = next_work(committer);
        do_work(committer, &work);
    } while (!work.stop);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct committer *committer)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&committer->thread, NULL, run, committer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_setname_np(committer->thread, "weir-committer");
    return result;
}

static void init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void destroy(struct committer *committer)
{
    pthread_cond_destroy(&committer->wake);
    pthread_mutex_destroy(&committer->mutex);
    buf_deinit(&committer->payload);
    mem_free(committer);
}

enum err committer_start(struct commit_log *log, enum sync_mode mode,
                         void (*on_report)(void *context), void *context, struct committer **out)
{
    struct committer *committer = mem_zalloc(sizeof(*committer));
    committer->log = log;
    committer->on_report = on_report;
    committer->context = context;
    committer->mode = mode;
    committer->unsynced_since_us = NEVER;
    pthread_mutex_init(&committer->mutex, NULL);
    init_wake(&committer->wake);
    buf_init(&committer->payload);
    atomic_init(&committer->reported, commit_log_next(log) - 1);
    atomic_init(&committer->log_bytes, commit_log_bytes(log));
    int result = start_thread(committer);
    if (result != 0) {
        destroy(committer);
        /* EAGAIN is the limit of threads. */
        return result == EAGAIN ? ERR_FULL : err_of_errno(result);
    }
    *out = committer;
    return ERR_OK;
}

/* In this order: else the thread would wake up to wait for the mutex. */
static void unlock_and_wake(struct committer *committer)
{
    pthread_mutex_unlock(&committer->mutex);
    pthread_cond_signal(&committer->wake);
}

enum err committer_stop(struct committer *committer)
{
    pthread_mutex_lock(&committer->mutex);
    committer->stopping = true;
    unlock_and_wake(committer);
    pthread_join(committer->thread, NULL);
    enum err err = (enum err)atomic_load(&committer->err);
    destroy(committer);
    return err;
}

bool committer_busy(struct committer *committer)
{
    return atomic_load_explicit(&committer->busy, memory_order_acquire);
}

void committer_submit(struct committer *committer, uint64_t lsn, struct buf *payload)
{
    CHECK(!committer_busy(committer));
    struct buf spare = committer->payload;
    committer->payload = *payload;
    *payload = spare;
    committer->lsn = lsn;
    atomic_store_explicit(&committer->busy, true, memory_order_relaxed);
    pthread_mutex_lock(&committer->mutex);
    committer->submitted = true;
    unlock_and_wake(committer);
}

void committer_release(struct committer *committer, uint64_t upto)
{
    pthread_mutex_lock(&committer->mutex);
    if (upto > committer->release_upto)
        committer->release_upto = upto;
    unlock_and_wake(committer);
}

void committer_set_mode(struct committer *committer, enum sync_mode mode)
{
    pthread_mutex_lock(&committer->mutex);
    committer->mode = mode;
    unlock_and_wake(committer);
}

enum err committer_report(struct committer *committer, uint64_t *lsn)
{
    enum err err = (enum err)atomic_load_explicit(&committer->err, memory_order_acquire);
    *lsn = atomic_load_explicit(&committer->reported, memory_order_acquire);
    return err;
}

void committer_stats(struct committer *committer, struct committer_stats *out)
{
    *out = (struct committer_stats){
        .records = counted(&committer->records),
        .bytes = counted(&committer->bytes),
        .syncs = counted(&committer->syncs),
        .sync_us = counted(&committer->sync_us),
        .sync_us_max = counted(&committer->sync_us_max),
        .log_bytes = counted(&committer->log_bytes),
    };
}
