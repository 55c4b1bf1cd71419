/* id: the id of a feed's entry, as Redis Streams have it
 * (https://redis.io/docs/latest/develop/data-types/streams/): milliseconds and a sequence number,
 * ordered by both. */
#ifndef WEIR_STORAGE_ID_H
#define WEIR_STORAGE_ID_H

#include "base/bytes.h"

struct id {
    uint64_t ms;
    uint64_t seq;
};

#define ID_MIN ((struct id){0, 0})
#define ID_MAX ((struct id){UINT64_MAX, UINT64_MAX})

/* "18446744073709551615-18446744073709551615" */
#define ID_TEXT_MAX (2 * INTEGER_TEXT_MAX + 1)

static inline int id_compare(struct id a, struct id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}

static inline bool id_less(struct id a, struct id b)
{
    return a.ms < b.ms || (a.ms == b.ms && a.seq < b.seq);
}

static inline bool id_equal(struct id a, struct id b)
{
    return a.ms == b.ms && a.seq == b.seq;
}

static inline struct id id_max(struct id a, struct id b)
{
    return id_less(a, b) ? b : a;
}

static inline struct id id_min(struct id a, struct id b)
{
    return id_less(a, b) ? a : b;
}

static inline bool id_is_zero(struct id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* The neighbour in order. False at the end of the range; *id is untouched then. */
static inline bool id_next(struct id *id)
{
    if (id->seq == UINT64_MAX && id->ms == UINT64_MAX)
        return false;
    id->seq++;
    id->ms += id->seq == 0;
    return true;
}

static inline bool id_prev(struct id *id)
{
    if (id_is_zero(*id))
        return false;
    id->ms -= id->seq == 0;
    id->seq--;
    return true;
}

/* Writes "ms-seq" to `out` (ID_TEXT_MAX bytes of room) and returns its length. */
size_t id_to_text(struct id id, char *out);

/* Reads "ms-seq", or "ms" with `missing_seq` for the sequence. False leaves *out untouched. */
bool id_from_text(struct bytes text, uint64_t missing_seq, struct id *out);

#endif
