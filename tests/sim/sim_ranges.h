/* sim_ranges: ranges in memory, with faults, for tests.
 *
 * A `struct sim_ranges_disk` owns the content and outlives the ranges opened on it, so that a test
 * can close (or cut the power of) a store and start again on what was durable. A committed batch is
 * durable; an uncommitted one never was there. The content is a sorted array in immutable versions:
 * a batch makes a new one, an iterator holds on to the one it began with.
 *
 * Every row is warm or cold. A batch's rows are cold, a TIER_DISK read warms what it touches, and
 * the faults say how often a TIER_MEMORY read of a cold row is ERR_COLD and how often a warm row
 * turns cold first. "Nothing there" is as warm as the row beyond it, as it is with blocks on a
 * disk.
 *
 * Threads: everything may be called from any thread; one mutex a disk. */
#ifndef WEIR_TESTS_SIM_SIM_RANGES_H
#define WEIR_TESTS_SIM_SIM_RANGES_H

#include "storage/ranges.h"

struct sim_ranges_disk;

struct sim_ranges_faults {
    unsigned cold_per_mille;         /* a memory read of a cold row answers ERR_COLD */
    unsigned cool_per_mille;         /* a warm row turns cold before a memory read; below 1000, or a
                                     * caller that fetches and tries again never gets through */
    unsigned read_fails_per_mille;   /* a TIER_DISK read answers ERR_IO */
    unsigned commit_fails_per_mille; /* a commit answers `commit_err` */
    enum err commit_err;             /* ERR_OK counts as ERR_IO */
};

/* An empty disk without faults. */
struct sim_ranges_disk *sim_ranges_disk_create(uint64_t seed);
/* Nothing may be open on it. */
void sim_ranges_disk_destroy(struct sim_ranges_disk *disk);

/* From now on; what it was before is forgotten. */
void sim_ranges_disk_set_faults(struct sim_ranges_disk *disk,
                                const struct sim_ranges_faults *faults);
/* The `nth` commit from now (1: the next) answers `err`, those before and after it do not. */
void sim_ranges_disk_fail_commit(struct sim_ranges_disk *disk, unsigned nth, enum err err);
/* As if the power were cut: until the next open no commit reaches the disk (ERR_IO), so that the
 * ordinary way of closing a store cannot save what a crash would have lost. Reads go on. */
void sim_ranges_disk_cut(struct sim_ranges_disk *disk);
/* All rows turn cold, as after a restart. sim_ranges_open does so too. */
void sim_ranges_disk_cool(struct sim_ranges_disk *disk);

size_t sim_ranges_disk_row_count(struct sim_ranges_disk *disk);

/* Borrows `disk` until ranges_close. ERR_LOCKED when it is open already. */
MUST_CHECK enum err sim_ranges_open(struct sim_ranges_disk *disk, struct ranges **out);

#endif
