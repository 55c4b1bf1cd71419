/* stream_args: what the stream commands' arguments have in common. Each function that can fail has
 * replied with Redis's error text when it answers false. */
#ifndef WEIR_BROKER_STREAM_ARGS_H
#define WEIR_BROKER_STREAM_ARGS_H

#include "broker/session.h"
#include "storage/feed_plan.h"

/* True when argument `index` is `word`, in any case. */
bool stream_word(const struct session *session, size_t index, const char *word);

/* Argument `index` as an integer. */
bool stream_integer(struct session *session, size_t index, int64_t *out);

/* "ms-seq", or "ms" with `missing_seq`. Numbers are read as Redis's string2ull reads them: leading
 * zeros and the like are let through. */
bool stream_id(struct session *session, size_t index, uint64_t missing_seq, struct id *out);

/* True when argument `index` is one of those. */
bool stream_is_id(const struct session *session, size_t index);

/* `count` ids from argument `first` on, as struct id each. */
bool stream_ids(struct session *session, size_t first, size_t count, struct buf *out);

/* Argument `index` as the time for which a command blocks. */
bool stream_timeout(struct session *session, size_t index, int64_t *out);

/* The lower end of an interval alone. */
bool stream_from(struct session *session, size_t index, struct id *from);

/* KEEPREF, DELREF or ACKED. False: argument `index` is none of them. */
bool stream_ref_rule(const struct session *session, size_t index, enum ref_rule *out);

/* An end of an interval: "-", "+", an id, or "(" and an id, which is not part of it. */
bool stream_interval(struct session *session, size_t start, size_t end, struct id *from,
                     struct id *to);

/* The options of XADD and XTRIM up to what is not one of them. */
struct stream_add {
    struct trim trim;
    bool no_create;   /* NOMKSTREAM */
    bool delayed;     /* DELAY or AT: */
    int64_t delay_ms; /* from now, or, */
    bool at;          /* in Unix time */
    bool has_id;      /* not "*" */
    bool has_seq;     /* not "ms-*" */
    struct id id;
    size_t fields; /* index of the first field */
};
/* XADD: fills *out. `fields` is one past the id. */
bool stream_parse_add(struct session *session, struct stream_add *out);
/* XTRIM. */
bool stream_parse_trim(struct session *session, struct trim *out);

struct stream_read {
    int64_t count;        /* entries of each feed, 0: all */
    int64_t timeout_ms;   /* -1: does not block, 0: for ever */
    uint64_t deadline_us; /* of the monotonic clock; 0: none */
    size_t first;         /* argument: the first key; the ids follow the keys */
    size_t streams;
    /* XREADGROUP */
    struct bytes group;
    struct bytes consumer;
    bool no_ack;
    bool claims;       /* CLAIM: pending entries first that were delivered so long ago: */
    uint64_t min_idle; /* milliseconds */
};
/* XREAD, or XREADGROUP. Ids are not looked at. */
bool stream_parse_read(struct session *session, bool in_group, struct stream_read *out);

#endif
