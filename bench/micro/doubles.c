/* What weir-micro has instead of time and threads: it defines the functions of base/clock.h,
 * storage/committer.h and storage/folder.h, so that the linker takes them from here. Records are
 * durable as soon as they are handed over, folds are over when they are asked for, and time goes on
 * with every turn of the client (client.c). */
#include "bench/micro/doubles.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "storage/committer.h"
#include "storage/folder.h"

/* ---- clock ---- */

static uint64_t now_us = DOUBLES_FIRST_MS * 1000;

void doubles_clock_reset(void)
{
    now_us = DOUBLES_FIRST_MS * 1000;
}

void doubles_clock_pass(uint64_t us)
{
    now_us += us;
}

uint64_t clock_wall_us(void)
{
    return now_us;
}

uint64_t clock_wall_ms(void)
{
    return now_us / 1000;
}

uint64_t clock_mono_us(void)
{
    return now_us;
}

/* ---- committer ---- */

struct committer {
    struct buf payload;
    uint64_t lsn;
    bool busy; /* until somebody asks what became of the record */
    void (*on_report)(void *context);
    void *context;
};

enum err committer_start(struct commit_log *log, enum sync_mode mode,
                         void (*on_report)(void *context), void *context, struct committer **out)
{
    (void)mode;
    *out = mem_zalloc(sizeof(**out));
    buf_init(&(*out)->payload);
    (*out)->lsn = commit_log_next(log) - 1;
    (*out)->on_report = on_report;
    (*out)->context = context;
    return ERR_OK;
}

enum err committer_stop(struct committer *committer)
{
    buf_deinit(&committer->payload);
    mem_free(committer);
    return ERR_OK;
}

bool committer_busy(struct committer *committer)
{
    return committer->busy;
}

void committer_submit(struct committer *committer, uint64_t lsn, struct buf *payload)
{
    CHECK(!committer->busy);
    struct buf spare = committer->payload;
    committer->payload = *payload;
    committer->payload.len = 0;
    *payload = spare;
    committer->lsn = lsn;
    committer->busy = true;
    committer->on_report(committer->context);
}

void committer_release(struct committer *committer, uint64_t upto)
{
    (void)committer;
    (void)upto;
}

void committer_set_mode(struct committer *committer, enum sync_mode mode)
{
    (void)committer;
    (void)mode;
}

enum err committer_report(struct committer *committer, uint64_t *lsn)
{
    committer->busy = false;
    *lsn = committer->lsn;
    return ERR_OK;
}

void committer_stats(struct committer *committer, struct committer_stats *out)
{
    (void)committer;
    *out = (struct committer_stats){0};
}

/* ---- folder ---- */

struct folder {
    struct ranges *ranges;
    void (*on_done)(void *context);
    void *context;
    bool done;
    enum err result;
};

enum err folder_start(struct ranges *ranges, void (*on_done)(void *context), void *context,
                      struct folder **out)
{
    *out = mem_alloc(sizeof(**out));
    **out = (struct folder){.ranges = ranges, .on_done = on_done, .context = context};
    return ERR_OK;
}

void folder_stop(struct folder *folder)
{
    mem_free(folder);
}

void folder_submit(struct folder *folder, const struct dirty *dirty, uint8_t side)
{
    folder->result = fold_write(folder->ranges, dirty, side);
    folder->done = true;
    folder->on_done(folder->context);
}

bool folder_poll(struct folder *folder, enum err *result)
{
    bool done = folder->done;
    folder->done = false;
    *result = folder->result;
    return done;
}
