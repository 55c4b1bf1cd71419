/* log_world: a commit log over sim_disk with a model beside it, for the tests of the log.
 *
 * The model is the list of payloads that were appended, by LSN; every record that an open reads
 * back is compared with it. One world a process. Threads: one. */
#ifndef WEIR_TESTS_SIM_LOG_WORLD_H
#define WEIR_TESTS_SIM_LOG_WORLD_H

#include "base/random.h"
#include "storage/commit_log.h"

#define LOG_WORLD_RECORDS_MAX 4096
#define LOG_WORLD_PAYLOAD_MAX 60000
/* Makes a record that ends where a page does, so that no zeros follow it. */
#define LOG_PAGE_LEN ((size_t)4096 - 32)

/* A payload is told by its seed and its length. */
struct payload {
    uint64_t seed;
    size_t len;
};

struct log_world {
    struct disk *disk;
    struct commit_log *log; /* NULL: closed */
    struct random random;
    struct payload model[LOG_WORLD_RECORDS_MAX + 1]; /* by LSN */
    uint64_t last;                                   /* that the last open read back */
    enum err answer;                                 /* of its callback */
    char bytes[LOG_WORLD_PAYLOAD_MAX];
};

extern struct log_world log_world;
/* Of small segments, so that tests see many. */
extern const struct commit_log_options log_small;
/* Set it before the first set-up. */
extern uint64_t log_seed;

/* For cmocka: an empty, open log; and closing it. */
int log_set_up(void **state);
int log_tear_down(void **state);
/* Goes on with an empty, open log on a new disk. */
void log_renew(void);

MUST_CHECK enum err log_open(uint64_t first);
void log_close(void);
/* Opens a log that must be in order and end with LSN `last`. */
void log_open_and_read(uint64_t first, uint64_t last);
/* Appends a random payload. */
MUST_CHECK enum err log_append(size_t len, bool sync);
void log_append_many(unsigned count, size_t len, bool sync);
/* Every operation must answer ERR_FAILED. */
void log_expect_failed(void);

/* Where record `index` of a segment of records of `len` bytes lies. */
uint64_t log_record_at(unsigned index, size_t len);
/* Changes one byte of the segment that begins with `first`. */
void log_damage(uint64_t first, uint64_t offset);
bool log_segment_exists(uint64_t first);

#endif
