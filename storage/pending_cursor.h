/* pending_cursor: walks what is pending in a group within [from, to], in either direction, on disk
 * and in memory. Blocks that it reads stay on the group's shelf.
 *
 * It may stop in the middle as a feed_cursor does: on ERR_COLD, pending_cursor_plan fills a fetch,
 * a reader runs it, pending_cursor_take takes its rows, and pending_cursor_next goes on. Between
 * the calls of one turn the group must not change; call pending_cursor_pause before it does, and
 * before the turn ends. Across turns it may: what is pending when the walk comes by is shown.
 *
 * A walk says ERR_COLD after some blocks even where all is in memory, so that a long one is no long
 * turn of the loop.
 *
 * Threads: the loop's. */
#ifndef WEIR_STORAGE_PENDING_CURSOR_H
#define WEIR_STORAGE_PENDING_CURSOR_H

#include "storage/fetch.h"
#include "storage/group.h"

/* A place in a pending set. */
struct pending_peek {
    const struct pending *item; /* NULL: none left */
    struct pending_place place;
};

struct pending_cursor {
    struct group *group; /* one reference */
    struct ranges *ranges;
    struct id from; /* what is left to walk, both ends included */
    struct id to;
    bool reverse;
    bool ended;
    bool placed; /* the peeks are */
    struct pending_peek sealed;
    struct pending_peek writable;

    /* The block at hand: all there is on disk in [first, last]. */
    bool has_block;
    struct id first;
    struct id last;
    struct cached_chunk *held; /* NULL: nothing is on disk there */
    struct decoder block;
    struct pending item; /* upwards: the next one, if has_item */
    bool has_item;
    struct buf items; /* downwards: those of the block */
    size_t items_left;

    struct ranges_iter *iter; /* TIER_MEMORY; NULL: not open */
    bool iter_placed;         /* upwards: on the row behind the block */
    unsigned blocks;          /* taken from memory since the last pause */
    struct buf rows;          /* fetched */
    struct decoder rows_left;
    bool have_rows;
    bool rows_complete;
    size_t slice_bytes; /* of the next fetch */
    uint32_t alive;     /* a consumer that is there */
};

/* Takes a reference of `group`. */
void pending_cursor_init(struct pending_cursor *cursor, struct group *group, struct ranges *ranges,
                         struct id from, struct id to, bool reverse);
void pending_cursor_deinit(struct pending_cursor *cursor);

/* The next entry that is pending. ERR_END: none, or the group is gone; ERR_COLD; ERR_IO,
 * ERR_CORRUPT. */
MUST_CHECK enum err pending_cursor_next(struct pending_cursor *cursor, struct pending *out);
void pending_cursor_pause(struct pending_cursor *cursor);

/* After ERR_COLD: what to read. */
void pending_cursor_plan(struct pending_cursor *cursor, struct fetch *fetch);
/* Takes the rows out of `fetch`, which must be of the present view. Its error, if it had one. */
MUST_CHECK enum err pending_cursor_take(struct pending_cursor *cursor, struct fetch *fetch);

/* What is pending under this id, where memory says so. ERR_NOT_FOUND, ERR_COLD: a cursor must look;
 * ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err pending_find(struct group *group, struct ranges *ranges, struct id id,
                                 struct pending *out);

/* Brings what was found in the same view of ranges up to date; with consumer 0 it was not pending.
 * False: it is pending no more, or still not. */
bool pending_recheck(struct group *group, struct pending *item);
/* True when it is not pending as it was found, in the same view of ranges. */
bool pending_changed(struct group *group, const struct pending *item);

#endif
