/* world_doubles: what the world (world.h) has instead of clocks, threads and the command table.
 *
 * It defines the functions of base/clock.h, storage/committer.h, storage/folder.h and the look-ups
 * of broker/command.h, so that the linker takes them from here. For one source file of a test. */
#ifndef WEIR_TESTS_SIM_WORLD_DOUBLES_H
#define WEIR_TESTS_SIM_WORLD_DOUBLES_H

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "broker/session_internal.h"
#include "storage/committer.h"
#include "storage/folder.h"
#include "tests/sim/world.h"

/* ---- clock ---- */

uint64_t clock_wall_us(void)
{
    return UINT64_C(1000000000) + world.now_us;
}

uint64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

uint64_t clock_mono_us(void)
{
    return 1 + world.now_us;
}

/* ---- committer ---- */

struct committer {
    struct commit_log *log;
    void (*on_report)(void *context);
    void *context;
    struct buf payload;
    uint64_t lsn;
    bool busy;
    uint64_t release_upto;
    uint64_t reported;
    enum err err;
};

static struct committer *the_committer; /* of the last start; NULL: none runs */

enum err committer_start(struct commit_log *log, enum sync_mode mode,
                         void (*on_report)(void *context), void *context, struct committer **out)
{
    CHECK(mode == SYNC_ALWAYS);
    the_committer = mem_zalloc(sizeof(*the_committer));
    the_committer->log = log;
    the_committer->on_report = on_report;
    the_committer->context = context;
    the_committer->reported = commit_log_next(log) - 1;
    buf_init(&the_committer->payload);
    *out = the_committer;
    return ERR_OK;
}

/* One piece of work: a record, or a release. */
enum err step_committer(void)
{
    struct committer *committer = the_committer;
    enum err err = ERR_OK;
    if (committer == NULL || (!committer->busy && committer->release_upto == 0))
        return ERR_OK;
    if (committer->busy) {
        err = commit_log_append(committer->log, committer->lsn, buf_bytes(&committer->payload),
                                false);
        if (err == ERR_OK)
            err = commit_log_sync(committer->log);
        if (err == ERR_OK)
            committer->reported = committer->lsn;
        committer->payload.len = 0;
        committer->busy = false;
    } else {
        err = commit_log_release(committer->log, committer->release_upto);
        committer->release_upto = 0;
    }
    if (committer->err == ERR_OK)
        committer->err = err;
    committer->on_report(committer->context);
    return err;
}

enum err committer_stop(struct committer *committer)
{
    while (committer->busy || committer->release_upto > 0)
        (void)!step_committer();
    enum err err = committer->err;
    buf_deinit(&committer->payload);
    mem_free(committer);
    the_committer = NULL;
    return err;
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
    *payload = spare;
    committer->lsn = lsn;
    committer->busy = true;
}

void committer_release(struct committer *committer, uint64_t upto)
{
    if (committer->release_upto < upto)
        committer->release_upto = upto;
}

void committer_set_mode(struct committer *committer, enum sync_mode mode)
{
    (void)committer;
    CHECK(mode == SYNC_ALWAYS);
}

enum err committer_report(struct committer *committer, uint64_t *lsn)
{
    *lsn = committer->reported;
    return committer->err;
}

void committer_stats(struct committer *committer, struct committer_stats *out)
{
    *out = (struct committer_stats){.log_bytes = commit_log_bytes(committer->log)};
}

/* ---- folder ---- */

struct folder {
    struct ranges *ranges;
    void (*on_done)(void *context);
    void *context;
    const struct dirty *dirty; /* NULL: idle */
    uint8_t side;
    bool done;
    enum err result;
};

static struct folder *the_folder; /* NULL: none runs */

enum err folder_start(struct ranges *ranges, void (*on_done)(void *context), void *context,
                      struct folder **out)
{
    the_folder = mem_zalloc(sizeof(*the_folder));
    *the_folder = (struct folder){.ranges = ranges, .on_done = on_done, .context = context};
    *out = the_folder;
    return ERR_OK;
}

void step_folder(void)
{
    struct folder *folder = the_folder;
    if (folder == NULL || folder->dirty == NULL)
        return;
    folder->result = fold_write(folder->ranges, folder->dirty, folder->side);
    folder->dirty = NULL;
    folder->done = true;
    folder->on_done(folder->context);
}

void folder_stop(struct folder *folder)
{
    step_folder();
    mem_free(folder);
    the_folder = NULL;
}

void folder_submit(struct folder *folder, const struct dirty *dirty, uint8_t side)
{
    CHECK(folder->dirty == NULL && !folder->done);
    folder->dirty = dirty;
    folder->side = side;
}

bool folder_poll(struct folder *folder, enum err *result)
{
    if (!folder->done)
        return false;
    folder->done = false;
    *result = folder->result;
    return true;
}

/* ---- commands ---- */

#define WATCHED_MAX 256

/* A row of the real table, whose function tells the world what it answered. */
struct watched_row {
    struct command_row row;
    const struct command_row *real;
};

static enum flow run_watched(struct session *session)
{
    const struct watched_row *watched = container_of(session->command, struct watched_row, row);
    world.read_asked = false;
    enum flow flow = watched->real->run(session);
    world_command_ran(session, flow);
    return flow;
}

static const struct command_row *watch(const struct command_row *real)
{
    static struct watched_row rows[WATCHED_MAX];
    static size_t count;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].real == real)
            return &rows[i].row;
    }
    CHECK(count < WATCHED_MAX);
    rows[count] = (struct watched_row){*real, real};
    if (real->run != NULL)
        rows[count].row.run = run_watched;
    return &rows[count++].row;
}

static const struct command_row *find_row(const struct command_row *row, struct bytes name)
{
    for (; row->name != NULL; row++) {
        if (bytes_equal_nocase(bytes_of_string(row->name), name))
            return watch(row);
    }
    return NULL;
}

static const struct command_row *const families[] = {connection_commands, keys_commands,
                                                     server_commands, stream_commands};

const struct command_row *command_find(struct bytes name)
{
    const struct command_row *found = NULL;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && found == NULL; i++)
        found = find_row(families[i], name);
    world_command_found();
    return found;
}

const struct command_row *command_find_sub(const struct command_row *container, struct bytes name)
{
    return find_row(container->subcommands, name);
}

/* The world's clients do not ask what commands there are. */
const struct command_row *command_at(size_t index)
{
    (void)index;
    return NULL;
}

#endif
