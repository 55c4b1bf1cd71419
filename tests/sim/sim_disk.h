/* sim_disk: a disk in memory that fails and crashes on demand.
 *
 * Every file has two contents: what programs see, and what is durable. A sync copies the sectors
 * that were written since the last one from the first to the second; now and then, as a kernel
 * does, a write does so with some of them unasked. Names are the same: what programs see, and
 * durable names with a list of operations to come. A crash makes a random subset of what was not
 * synced durable, sector by sector and operation by operation, forgets the rest, and shows what is
 * durable.
 *
 * A failed sync is the worst that systems do: programs go on seeing the bytes, but later syncs no
 * longer know of a random part of them (https://wiki.postgresql.org/wiki/Fsync_Errors).
 *
 * All randomness comes from the seed. Threads: one at a time. */
#ifndef WEIR_TESTS_SIM_SIM_DISK_H
#define WEIR_TESTS_SIM_SIM_DISK_H

#include "storage/disk.h"

enum sim_fault {
    SIM_WRITE_FAILS, /* ERR_IO, nothing is written */
    SIM_WRITE_SHORT, /* ERR_IO, the beginning is written */
    SIM_WRITE_TORN,  /* ERR_IO, some of the sectors are written */
    SIM_SYNC_FAILS,  /* ERR_IO, of a file or of the names */
    SIM_POWER_FAILS, /* a change or sync is done in part; all is ERR_IO until sim_disk_crash */
};

struct disk *sim_disk_open(uint64_t seed);

/* The `after`-th (0: the next) operation that `fault` can hit gets it, once. Replaces a fault
 * that has not come yet. */
void sim_disk_fail(struct disk *disk, enum sim_fault fault, uint64_t after);
/* Takes back what sim_disk_fail asked for; true when it had come. */
bool sim_disk_heal(struct disk *disk);
/* Bytes that all files together may have; more is ERR_NO_SPACE. No limit at first. */
void sim_disk_limit(struct disk *disk, uint64_t bytes);

/* Loses a random part of what is not durable, and heals. Open files must be closed afterwards, and
 * nothing else be done with them. */
void sim_disk_crash(struct disk *disk);

/* Adds `mask` by exclusive or to one byte of a file, durably. The byte must exist. */
void sim_disk_damage(struct disk *disk, const char *name, uint64_t offset, unsigned char mask);
/* The size of a file as programs see it; UINT64_MAX when there is none. */
uint64_t sim_disk_size(struct disk *disk, const char *name);
/* How many files there are. */
size_t sim_disk_files(struct disk *disk);
/* Syncs so far, of files and of the names. */
uint64_t sim_disk_syncs(struct disk *disk);

#endif
