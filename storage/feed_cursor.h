/* feed_cursor: walks the live entries of a feed in [from, to], in either direction, on disk and in
 * memory. What it reads from disk stays on the feed's shelf (storage/chunk_cache.h), as far as that
 * has room, and is looked for there first.
 *
 * A cursor may stop in the middle: feed_cursor_next answers ERR_COLD where the block cache does not
 * reach. Then feed_cursor_plan fills a fetch, a reader runs it, feed_cursor_take takes its rows,
 * and feed_cursor_next goes on. Between the calls of one turn of the loop a cursor stands on a
 * frozen feed. Across turns the feed may change: entries trimmed or deleted meanwhile are left out,
 * ones added behind `to` do not show, and a feed that was dropped ends.
 *
 * A cursor that went cold once keeps fetching, a slice ahead at a time, until it reaches memory.
 *
 * Threads: the loop's. */
#ifndef WEIR_STORAGE_FEED_CURSOR_H
#define WEIR_STORAGE_FEED_CURSOR_H

#include "storage/feed.h"
#include "storage/fetch.h"

struct feed_cursor {
    struct feed *feed; /* one reference */
    struct ranges *ranges;
    struct id from; /* what is left to walk, both ends included */
    struct id to;
    bool reverse;
    bool ended;
    uint64_t chunks; /* begun so far: tells when a new one begins */

    /* The chunk that is being walked. */
    struct decoder chunk;
    struct id base;
    bool has_span; /* a tail's piece or one of the shelf: it has all entries in [first, last] */
    struct id first;
    struct id last;
    struct id stop;            /* entries above it are not shown from this chunk */
    bool may_be_deleted;       /* look every entry up */
    struct cached_chunk *held; /* one reference; NULL: the bytes are somebody else's */
    bool held_is_row;          /* read just now: it goes to the shelf */
    struct buf entries;        /* reverse: the chunk's entries in order (struct entry each) */
    size_t entries_left;

    struct ranges_iter *iter; /* TIER_MEMORY; NULL: not open */
    bool iter_placed;
    struct buf rows; /* fetched */
    struct decoder rows_left;
    bool have_rows;
    bool rows_complete;  /* no row beyond them on disk, up to rows_last */
    struct id rows_last; /* of what was on disk when they were asked for */
    struct id row_base;  /* of the last row that was walked */
    bool row_placed;     /* no other one lies between it and the next */
    bool row_ends;       /* nor between it and row_last, if that is the later one */
    struct id row_last;
    size_t slice_bytes; /* of the next fetch */
};

/* Takes a reference of `feed`. `from` <= `to`, or nothing is shown. */
void feed_cursor_init(struct feed_cursor *cursor, struct feed *feed, struct ranges *ranges,
                      struct id from, struct id to, bool reverse);
void feed_cursor_deinit(struct feed_cursor *cursor);

/* The next entry; its fields are valid until the next call on the cursor or the next change of the
 * feed. ERR_END; ERR_COLD; ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err feed_cursor_next(struct feed_cursor *cursor, struct entry *out);

/* After ERR_COLD, or when a command stops in between for another reason: lets go of what points
 * into the block cache. */
void feed_cursor_pause(struct feed_cursor *cursor);
/* After ERR_COLD: what to read. `entries_max` is a hint of how many more entries are wanted. */
void feed_cursor_plan(struct feed_cursor *cursor, struct fetch *fetch, uint64_t entries_max);
/* Takes the rows out of `fetch`. Its error, if it had one. */
MUST_CHECK enum err feed_cursor_take(struct feed_cursor *cursor, struct fetch *fetch);

#endif
