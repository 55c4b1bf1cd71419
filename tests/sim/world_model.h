/* world_model: what a server with a few databases and keys must answer, told by arrays.
 *
 * The dumb truth beside the real broker: a stream is a sorted array, so is what is pending in a
 * group, a key is a place in a table.
 * A command is run on the model in the order in which the broker ran it; the model answers the
 * reply that must have been given, byte for byte. What a reply decides (the id that XADD chose, how
 * many entries `XTRIM ~` removed) is taken over from the real one and kept in the command, so that
 * commands can be run again on an older model and give the same state.
 *
 * Writes are numbered from 1. Each key remembers the last write that touched it, each database the
 * last one that changed which keys there are: what a reply shows depends on no later write. */
#ifndef WEIR_TESTS_SIM_WORLD_MODEL_H
#define WEIR_TESTS_SIM_WORLD_MODEL_H

#include "base/buf.h"
#include "storage/id.h"

#define MODEL_DBS     2u
#define MODEL_KEYS    5u
#define MODEL_IDS_MAX 8u

#define MODEL_GROUPS    2u
#define MODEL_CONSUMERS 3u
/* Entries that a command about a group shows, and that it finds to be gone. */
#define MODEL_SHOWN_MAX 12u
#define MODEL_GONE_MAX  256u

/* An entry's fields are told by its token. */
struct model_entry {
    struct id id;
    uint64_t token;
};

struct model_pending {
    struct id id;
    unsigned consumer;
    uint64_t deliveries;
};

/* Consumers without pending entries are not told apart from those that are not there. */
struct model_group {
    bool exists;
    struct id last;
    struct model_pending *pending;
    size_t count;
    size_t cap;
};

struct model_stream {
    bool exists;
    struct model_entry *entries;
    size_t count;
    size_t cap;
    struct id last;
    struct id max_deleted;
    struct id
        stored; /* greatest ever appended, which XSETID cannot go below while there are entries */
    uint64_t added;
    struct model_group groups[MODEL_GROUPS];
};

struct model {
    struct model_stream streams[MODEL_DBS][MODEL_KEYS];
    uint64_t touched[MODEL_DBS][MODEL_KEYS];
    uint64_t keys_touched[MODEL_DBS];
    uint64_t writes; /* number of the last one */
};

enum model_kind {
    MODEL_XADD,
    MODEL_XDEL,
    MODEL_XTRIM,
    MODEL_XSETID,
    MODEL_DEL,
    MODEL_RENAME,
    MODEL_RENAMENX,
    MODEL_COPY,
    MODEL_FLUSHDB,
    MODEL_FLUSHALL,
    MODEL_SWAPDB,
    MODEL_XGROUP_CREATE, /* from here on: about groups */
    MODEL_XGROUP_SETID,
    MODEL_XGROUP_DESTROY,
    MODEL_XGROUP_DELCONSUMER,
    MODEL_XREADGROUP, /* the first that takes entries */
    MODEL_XACK,
    MODEL_XCLAIM,
    MODEL_XAUTOCLAIM,
    MODEL_SELECT, /* the first that writes nothing */
    MODEL_XRANGE,
    MODEL_XREVRANGE,
    MODEL_XLEN,
    MODEL_XREAD,
    MODEL_XINFO,
    MODEL_DBSIZE,
    MODEL_KEYS_ALL,
    MODEL_EXISTS,
    MODEL_TYPE,
    MODEL_XPENDING, /* from here on: about groups */
    MODEL_XPENDING_ALL,
    MODEL_XINFO_GROUPS,
};

enum model_trim { MODEL_TRIM_NONE, MODEL_TRIM_MAXLEN, MODEL_TRIM_MINID };

/* What a command about a group does to its pending entries. */
struct model_taking {
    struct id shown[MODEL_SHOWN_MAX]; /* claimed, or delivered anew; or of the history */
    unsigned shown_count;
    unsigned claimed;               /* XREADGROUP: so many of them, the first ones */
    struct id gone[MODEL_GONE_MAX]; /* pending no more */
    unsigned gone_count;
};

struct model_command {
    enum model_kind kind;
    unsigned db; /* selected when it ran */
    unsigned key;
    unsigned key2; /* also of DEL, EXISTS and XREAD, when two_keys */
    bool two_keys;
    unsigned db2;     /* SELECT, SWAPDB, COPY */
    bool replace;     /* COPY */
    bool no_create;   /* XADD NOMKSTREAM */
    bool auto_id;     /* XADD *: `id` is taken from the reply */
    bool auto_seq;    /* XADD ms-*: the same */
    bool approximate; /* XTRIM ~: `removed` is taken from the reply */
    bool block;       /* XREAD BLOCK 0 */
    enum model_trim trim;
    struct id id;                 /* XADD, XSETID; from; minid is `id2` */
    struct id id2;                /* to; XSETID MAXDELETEDID, 0-0: not given */
    struct id ids[MODEL_IDS_MAX]; /* XDEL; XREAD: after */
    unsigned id_count;
    uint64_t number; /* MAXLEN; COUNT, 0: not given; ENTRIESADDED + 1, 0: not given */
    uint64_t token;  /* XADD */
    uint64_t removed;
    bool resolved; /* ran before: what the reply decided is known */

    unsigned group;
    unsigned consumer;
    bool make_stream; /* XGROUP CREATE MKSTREAM */
    bool history;     /* XREADGROUP with an id, ids[0], instead of ">" */
    bool claims;      /* XREADGROUP CLAIM 0 */
    bool no_ack;      /* XREADGROUP */
    bool just_id;     /* XCLAIM, XAUTOCLAIM */
    bool force;       /* XCLAIM */
    bool taken;       /* in several steps, while others wrote: what it did is `taking` */
    struct model_taking taking;
};

static inline bool model_writes(enum model_kind kind)
{
    return kind < MODEL_SELECT;
}

/* Of the writes: it reads in steps, and says what it takes. */
static inline bool model_takes(enum model_kind kind)
{
    return kind >= MODEL_XREADGROUP && kind <= MODEL_XAUTOCLAIM;
}

void model_deinit(struct model *model);
/* `to` is initialized (zeroes are an empty model). */
void model_copy(struct model *to, const struct model *from);

/* The wire form of a command. */
void model_encode(const struct model_command *command, struct buf *out);
/* The wire form of the fields that `token` stands for. */
void model_fields(uint64_t token, struct buf *out);

/* Runs `command`, whose real reply was `actual` (used where the reply decides, and until the
 * command is resolved), and adds the reply to `expected`. False: `actual` is none that could be. */
bool model_run(struct model *model, struct model_command *command, struct bytes actual,
               struct buf *expected);

/* The last write that the reply of `command` depends on, which ran just now. */
uint64_t model_depends_on(const struct model *model, const struct model_command *command);

/* A reply as it is compared: names in order, without what the model does not know: times, numbers
 * of consumers, counters of entries. */
void model_comparable(const struct model_command *command, struct bytes reply, struct buf *out);

#endif
