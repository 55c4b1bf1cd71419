/* world: a whole broker with clients, without sockets, threads, time or disks.
 *
 * Below the broker lie sim_disk and sim_ranges; above it sessions, whose bytes the world carries;
 * beside it the model (world_model.h), which runs every command in the order in which the broker
 * ran it. One turn of the world is one turn of the loop; the committer, the folder and the readers
 * do their work between turns, when the seed says so (world_doubles.h puts them, the clock and the
 * command table under the world's control). So a seed tells a whole history.
 *
 * Checked all the time:
 *   1. Every reply is the model's, at the moment when the command ran.
 *   2. What is sent to a client depends on no write that is not durable.
 *   3. After a crash or a restart all keys are the model's after some number of the writes, and not
 *      fewer than anything that was sent depended on.
 *
 * One world a process. Threads: one. */
#ifndef WEIR_TESTS_SIM_WORLD_H
#define WEIR_TESTS_SIM_WORLD_H

#include "base/random.h"
#include "broker/broker_internal.h"
#include "broker/options.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_ranges.h"
#include "tests/sim/world_model.h"

#define WORLD_CLIENTS_MAX 4u
/* Commands that a client has sent and that are not answered. */
#define WORLD_STEPS_MAX 64u
#define WORLD_JOBS_MAX  64u

struct world_setup {
    unsigned clients;
    uint64_t fold_bytes;
    uint64_t resident_bytes;
    uint64_t record_bytes;
    unsigned read_percent; /* of the random commands */
    unsigned long_percent; /* of the readers' and the threads' work waits for another turn */
    bool copies;           /* COPY; with cold reads for a single client only: it reads in steps */
    bool blocks;           /* the last client only reads, and may block */
    bool groups;           /* commands about groups, too */
    unsigned keys;         /* so many are used, so that clients meet; 0: all. Not with copies */
    struct sim_ranges_faults faults;
};

/* A command that was sent and not answered. */
struct world_step {
    struct model_command command;
    bool ran;
    bool went_cold;
    uint64_t writes_before; /* when it first ran */
    uint64_t depends_on;    /* the last write that its reply shows */
    bool may_be_refused;    /* in a failed store */
    struct buf reply;
};

struct world_client {
    struct session *session; /* NULL: closed */
    unsigned db;             /* selected by what was sent */
    struct buf input;        /* sent, not yet fed */
    struct buf received;     /* not yet a whole reply */
    struct world_step steps[WORLD_STEPS_MAX];
    uint64_t sent; /* counts of commands */
    uint64_t started;
    uint64_t answered;
    uint64_t refused; /* answered with MISCONF */
};

struct world_write {
    struct model_command command;
    uint64_t lsn;
};

struct world_job {
    struct read_job *job;
    bool ran;
};

struct world {
    struct world_setup setup;
    struct random random;
    uint64_t now_us;
    uint64_t next_token;
    struct options options;
    struct disk *disk;
    struct sim_ranges_disk *ranges_disk;
    struct ranges *ranges;
    struct broker *broker; /* NULL: down */
    uint64_t next_session;

    struct model model;          /* as the broker is */
    struct model base;           /* as it was after the last start */
    struct world_write *journal; /* writes since then, by number - 1 */
    size_t journal_cap;
    uint64_t shown; /* the last write that anything sent depends on */

    struct world_client clients[WORLD_CLIENTS_MAX];
    struct world_job jobs[WORLD_JOBS_MAX];
    unsigned job_count;
    bool woken;
    bool read_asked;  /* by the command that runs */
    bool verifying;   /* replies are noted, not compared */
    bool power_armed; /* the disk will lose its power */
    bool power_lost;  /* nothing but world_crash may follow */

    uint64_t turns, commands, cold_commands, taken_over, crashes, restarts; /* for the curious */
};

extern struct world world;

/* A new world with an empty, open broker; its end, checked for what it must leave. */
void world_begin(uint64_t seed, const struct world_setup *setup);
void world_end(void);

/* Carries bytes, lets threads work, ends the turn. */
void world_turn(void);
/* Has a client send a command. False: it has enough to do, or is closed. */
bool world_send(struct world_client *client, const struct model_command *command);
/* Some clients send some random commands. */
void world_send_some(void);
/* A random command for `client`, of the keys' state as it is. */
struct model_command world_random_command(const struct world_client *client);
/* Turns until every open client has its answers, blocked ones aside. */
void world_settle(void);
/* Folds everything, and turns until nothing in memory differs from the disk. */
void world_fold(void);

/* The power goes during one of the disk's next operations (world.power_lost then). */
void world_arm_power(uint64_t after);
/* The power is cut, now or when it was lost; brings all up again and compares. */
void world_crash_and_restart(void);
/* An orderly stop, with a fold or without, and a start. */
void world_close_and_restart(bool fold);
/* Compares all keys with the model of the writes so far. */
void world_compare_keys(void);
/* A new session for a closed client. */
void world_reconnect(struct world_client *client);

bool world_chance(unsigned percent);

/* For world_doubles.h, which gives world.c the step functions. */
void world_command_found(void);
void world_command_ran(struct session *session, enum flow flow);
MUST_CHECK enum err step_committer(void);
void step_folder(void);

#endif
