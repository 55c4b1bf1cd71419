/* tail: the entries of a feed that no fold has written yet.
 *
 * A tail is a row of pieces, ascending. A piece becomes one chunk row of the next fold, or, when
 * `merge` is set, the continuation of the chunk row with the same base that is on disk (or sealed)
 * already. With the entries goes what was deleted among older ones, which the fold takes out of
 * their chunks.
 *
 *   disk:  [chunk base=1-0 .... ] [chunk base=90-0 ...
 *   tail:                          ... merge piece base=90-0] [piece base=130-0 ....] [piece
 * base=170-0 ..
 *
 * A writable tail is changed by the loop; a sealed one by nobody, and read by loop and folder. */
#ifndef WEIR_STORAGE_TAIL_H
#define WEIR_STORAGE_TAIL_H

#include "storage/entry.h"
#include "storage/id_set.h"

/* A chunk takes entries until it has this many bytes; measured in bench/RESULTS.md. */
#define CHUNK_BYTES 4096u

struct piece {
    struct id base;  /* of the chunk */
    struct id first; /* entry in this piece */
    struct id last;
    char *data; /* entries, relative to base */
    uint32_t len;
    uint32_t cap;
    bool merge;
};

struct tail {
    struct piece *pieces;
    uint32_t count;
    uint32_t cap;
    uint32_t from;         /* pieces before this one are gone, trimmed away */
    struct id after;       /* while there are pieces: the greatest id that may be older */
    bool trimmed;          /* first_id moved: older chunks can be dropped by the fold */
    struct id_set deleted; /* entries older than this tail's pieces */
};

void tail_deinit(struct tail *tail); /* leaves an empty one */

static inline bool tail_empty(const struct tail *tail)
{
    return tail->from == tail->count;
}

/* Adds an entry newer than all others. `chunk_base` and `chunk_bytes` tell the feed's last chunk,
 * wherever it is, and are brought up to date; chunk_bytes 0: there is none. Returns the bytes that
 * the entry takes. */
size_t tail_append(struct tail *tail, const struct entry *entry, struct id *chunk_base,
                   uint32_t *chunk_bytes);

/* Index of the piece whose entries may include `id`: the last with first <= id, or `from` when
 * there is none. The tail is not empty. */
uint32_t tail_find(const struct tail *tail, struct id id);

/* Frees all pieces. */
void tail_clear(struct tail *tail);
/* Frees pieces of which no entry is >= first. */
void tail_trim(struct tail *tail, struct id first);

/* Takes an entry out of a writable tail. False when it is not there. */
bool tail_erase(struct tail *tail, struct id id);

#endif
