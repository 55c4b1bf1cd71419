#include "tests/sim/world.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/logger.h"
#include "broker/access.h"
#include "broker/session_internal.h"
#include "storage/dirty.h"
#include "storage/fold.h"
#include "tests/sim/world_internal.h"

/* No history takes this many turns to come to rest. */
#define SETTLE_TURNS_MAX 20000

struct world world;

bool world_chance(unsigned percent)
{
    return random_below(&world.random, 100) < percent;
}

/* ---- hooks ---- */

static void on_wake(void *context)
{
    (void)context;
    world.woken = true;
}

static void on_read(void *context, struct read_job *job)
{
    (void)context;
    CHECK(world.job_count < WORLD_JOBS_MAX);
    world.jobs[world.job_count++] = (struct world_job){.job = job};
    world.read_asked = true;
}

static void on_durable_moved(void *context)
{
    (void)context;
}

static void on_stop(void *context)
{
    (void)context;
    fail_msg("nobody asked for a shutdown");
}

static const struct broker_hooks hooks = {NULL, on_wake, on_read, on_durable_moved, on_stop};

/* ---- up and down ---- */

static void connect_client(struct world_client *client)
{
    CHECK(client->session == NULL);
    for (unsigned i = 0; i < WORLD_STEPS_MAX; i++)
        buf_deinit(&client->steps[i].reply);
    buf_deinit(&client->input);
    buf_deinit(&client->received);
    *client = (struct world_client){0};
    client->session = session_create(world.broker, NULL, ++world.next_session);
}

void world_reconnect(struct world_client *client)
{
    connect_client(client);
}

static void close_client(struct world_client *client)
{
    if (client->session != NULL)
        session_close(client->session);
    client->session = NULL;
}

static bool try_open(void)
{
    struct buf reason;
    buf_init(&reason);
    assert_int_equal(sim_ranges_open(world.ranges_disk, &world.ranges), ERR_OK);
    enum err err =
        broker_open(&world.options, &hooks, world.disk, world.ranges, &reason, &world.broker);
    if (err != ERR_OK && !world.power_armed)
        fail_msg("broker_open: %.*s: %s", (int)reason.len, reason.data, err_text(err));
    buf_deinit(&reason);
    if (err == ERR_OK)
        return true;
    ranges_close(world.ranges);
    world.broker = NULL;
    return false;
}

/* Starts, maybe with a power cut in the middle of it. */
static void open_broker(bool cut)
{
    if (cut)
        world_arm_power(random_below(&world.random, 12));
    bool opened = try_open();
    if (!opened) {
        sim_disk_crash(world.disk);
        world.power_armed = false;
        assert_true(try_open());
    } else if (cut) {
        (void)sim_disk_heal(world.disk);
        world.power_armed = false;
    }
    for (unsigned i = 0; i < world.setup.clients; i++)
        connect_client(&world.clients[i]);
}

/* Its seed decides where keys lie, so it must not come from the system. */
static void write_catalog(uint64_t seed)
{
    struct dirty dirty;
    dirty_init(&dirty);
    catalog_init(&dirty.catalog, MODEL_DBS, seed);
    assert_int_equal(sim_ranges_open(world.ranges_disk, &world.ranges), ERR_OK);
    assert_int_equal(fold_write(world.ranges, &dirty, 0), ERR_OK);
    ranges_close(world.ranges);
    dirty_deinit(&dirty);
}

void world_begin(uint64_t seed, const struct world_setup *setup)
{
    CHECK(setup->clients <= WORLD_CLIENTS_MAX);
    logger_set_level(LOG_NOTHING);
    world = (struct world){.setup = *setup};
    random_init(&world.random, seed);
    options_init(&world.options);
    world.options.databases = MODEL_DBS;
    world.options.fold_bytes = setup->fold_bytes;
    world.options.resident_bytes = setup->resident_bytes;
    world.options.commit_record_bytes = setup->record_bytes;
    world.disk = sim_disk_open(random_u64(&world.random));
    world.ranges_disk = sim_ranges_disk_create(random_u64(&world.random));
    write_catalog(random_u64(&world.random));
    sim_ranges_disk_set_faults(world.ranges_disk, &setup->faults);
    open_broker(false);
}

static void finish_jobs(void)
{
    for (unsigned i = 0; i < world.job_count; i++) {
        if (!world.jobs[i].ran)
            read_job_run(world.jobs[i].job);
        read_job_done(world.jobs[i].job);
    }
    world.job_count = 0;
}

static void close_broker(bool fold)
{
    for (unsigned i = 0; i < world.setup.clients; i++)
        close_client(&world.clients[i]);
    finish_jobs();
    (void)broker_close(world.broker, fold);
    ranges_close(world.ranges);
    world.broker = NULL;
}

void world_end(void)
{
    if (world.broker != NULL)
        close_broker(false);
    for (unsigned i = 0; i < WORLD_CLIENTS_MAX; i++) {
        for (unsigned j = 0; j < WORLD_STEPS_MAX; j++)
            buf_deinit(&world.clients[i].steps[j].reply);
        buf_deinit(&world.clients[i].input);
        buf_deinit(&world.clients[i].received);
    }
    model_deinit(&world.model);
    model_deinit(&world.base);
    mem_free(world.journal);
    options_deinit(&world.options);
    disk_close(world.disk);
    sim_ranges_disk_destroy(world.ranges_disk);
}

/* ---- a turn ---- */

static void feed_client(struct world_client *client)
{
    if (client->session == NULL || client->input.len == 0 || world_chance(30) ||
        !session_wants_input(client->session))
        return;
    size_t len = client->input.len;
    if (world_chance(30))
        len = 1 + random_below(&world.random, len);
    session_feed(client->session, bytes_of(client->input.data, len));
    buf_consume(&client->input, len);
}

/* Sends what is ready, as broker/conn.c does. */
static void serve_client(struct world_client *client)
{
    struct session *session = client->session;
    if (session == NULL)
        return;
    assert_int_equal(session_ending(session), SESSION_OPEN);
    size_t ready = session_output_ready(session, broker_durable(world.broker));
    if (ready > 0) {
        struct bytes spans[2];
        size_t size = world_chance(80) ? ready : 1 + random_below(&world.random, ready);
        unsigned count = session_output_spans(session, size, spans);
        for (unsigned i = 0; i < count; i++)
            buf_add_bytes(&client->received, spans[i]);
        session_output_sent(session, size);
        world_take_replies(client);
    }
    if (session_has_commands(session))
        session_feed(session, (struct bytes){0});
    else if (ready == 0 && session_output_size(session) > 0 && broker_failed(world.broker))
        close_client(client);
}

static void work_as_readers(void)
{
    unsigned left = 0;
    for (unsigned i = 0; i < world.job_count; i++) {
        struct world_job *job = &world.jobs[i];
        if (!job->ran && !world_chance(world.setup.long_percent)) {
            read_job_run(job->job);
            job->ran = true;
        }
    }
    for (unsigned i = 0; i < world.job_count; i++) {
        struct world_job job = world.jobs[i];
        if (!job.ran || world_chance(world.setup.long_percent)) {
            world.jobs[left++] = job;
            continue;
        }
        /* It may ask for another read, which belongs behind those that are left. */
        memmove(&world.jobs[i], &world.jobs[i + 1],
                (world.job_count - i - 1) * sizeof(world.jobs[0]));
        world.job_count--;
        i--;
        read_job_done(job.job);
    }
    world.job_count = left;
}

static void work_as_threads(void)
{
    if (!world_chance(world.setup.long_percent)) {
        enum err err = step_committer();
        world.power_lost = err != ERR_OK && world.power_armed;
    }
    if (!world.power_lost && !world_chance(world.setup.long_percent))
        step_folder();
}

void world_turn(void)
{
    CHECK(!world.power_lost);
    world.turns++;
    for (unsigned i = 0; i < world.setup.clients; i++)
        feed_client(&world.clients[i]);
    work_as_readers();
    work_as_threads();
    if (world.power_lost)
        return;
    if (world.woken && !world_chance(20)) {
        world.woken = false;
        broker_poll(world.broker);
    }
    (void)broker_turn_end(world.broker);
    for (unsigned i = 0; i < world.setup.clients; i++)
        serve_client(&world.clients[i]);
    world.now_us += random_below(&world.random, 3000);
}

static bool is_blocked(const struct world_client *client)
{
    return client->started > client->answered &&
           client->steps[(client->started - 1) % WORLD_STEPS_MAX].command.block &&
           session_waiting(client->session);
}

static bool at_rest(void)
{
    for (unsigned i = 0; i < world.setup.clients; i++) {
        const struct world_client *client = &world.clients[i];
        if (client->session != NULL && client->answered < client->sent && !is_blocked(client))
            return false;
    }
    return world.job_count == 0;
}

void world_settle(void)
{
    for (unsigned i = 0; !at_rest() && !world.power_lost; i++) {
        if (i > SETTLE_TURNS_MAX)
            fail_msg("a command is never answered");
        world_turn();
    }
}

void world_fold(void)
{
    uint64_t ticket = store_fold(world.broker->store);
    for (unsigned i = 0; !store_folded(world.broker->store, ticket) && !world.power_lost; i++) {
        if (i > SETTLE_TURNS_MAX || broker_failed(world.broker))
            fail_msg("a fold never ends");
        world_turn();
    }
}

/* ---- crashes ---- */

void world_arm_power(uint64_t after)
{
    sim_disk_fail(world.disk, SIM_POWER_FAILS, after);
    world.power_armed = true;
}

void world_crash_and_restart(void)
{
    sim_ranges_disk_cut(world.ranges_disk);
    if (!world.power_armed)
        world_arm_power(random_below(&world.random, 4)); /* a record in flight may get through */
    close_broker(false);
    sim_disk_crash(world.disk);
    world.power_armed = false;
    world.power_lost = false;
    world.crashes++;
    open_broker(world_chance(20));
    world_compare_with_history();
}

void world_close_and_restart(bool fold)
{
    (void)sim_disk_heal(world.disk);
    world.power_armed = false;
    if (fold)
        world_fold();
    close_broker(false);
    world.restarts++;
    open_broker(false);
    world_compare_with_history();
}
