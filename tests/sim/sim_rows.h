/* sim_rows: the content of sim_ranges: sorted rows in immutable versions.
 *
 * A row is held by the versions that have it, a version by the disk and the iterators on it. Not
 * thread safe but for reading keys and values: sim_ranges locks around counts and warmth. */
#ifndef WEIR_TESTS_SIM_SIM_ROWS_H
#define WEIR_TESTS_SIM_SIM_ROWS_H

#include "base/bytes.h"

struct row {
    unsigned refs; /* versions that hold it */
    bool warm;
    size_t key_len;
    size_t value_len;
    char data[]; /* key, value */
};

/* The last row is an end marker, so that there is always a row beyond. */
struct version {
    unsigned refs;
    size_t count; /* without the end marker */
    struct row *rows[];
};

/* Of a row; valid as long as a version holds it. */
struct bytes row_key(const struct row *row);
struct bytes row_value(const struct row *row);
/* A cold row that nobody holds yet; its value is `before` followed by `value`. */
struct row *row_create(struct bytes key, struct bytes before, struct bytes value);

/* An empty version with one reference: add rows in order, then finish it. */
struct version *version_create(size_t rows_max);
void version_add(struct version *version, struct row *row);
void version_finish(struct version *version);
void version_release(struct version *version);

/* The index of the first row >= key; `count` when there is none. */
size_t version_find(const struct version *version, struct bytes key);
/* Whether the row at `at` has this key. */
bool version_has_at(const struct version *version, size_t at, struct bytes key);

#endif
