/* op: one effect, with everything in it and nothing left to decide.
 *
 * Commands decide, ops say what was decided; applying an op needs no clock, no randomness and no
 * row from disk but the object's. Ops are what commit records are made of.
 *
 *   record payload = format u8 | epoch u32 | wall clock ms u64 | op...
 *   op             = kind u8 | db varint | the fields of its row in OP_TABLE, in order
 *
 * A key or other text is a varint length and the bytes; an id two varints; a number a varint. */
#ifndef WEIR_STORAGE_OP_H
#define WEIR_STORAGE_OP_H

#include "base/codec.h"
#include "base/err.h"
#include "storage/id.h"

#define RECORD_FORMAT 1u

struct object;

/*  kind, number, fields */
#define OP_TABLE(X)                                                                                \
    /* entry `id` with `data` (wire form) is added; `number` != 0: to a new feed of that id */     \
    X(APPEND, 1, OP_KEY | OP_NUMBER | OP_ID | OP_DATA)                                             \
    /* entries below `id` (all: ID_MAX) are gone, `number` of them */                              \
    X(TRIM, 2, OP_KEY | OP_NUMBER | OP_ID)                                                         \
    /* the entries in `data` (ids, each two varints) are gone; the first live one is `id` */       \
    X(ERASE, 3, OP_KEY | OP_ID | OP_DATA)                                                          \
    /* last id `id`, entries added `number`, greatest deleted id `id2` */                          \
    X(SETID, 4, OP_KEY | OP_NUMBER | OP_ID | OP_ID2)                                               \
    /* the key is gone */                                                                          \
    X(DROP, 5, OP_KEY)                                                                             \
    /* key becomes `key2`, which does not exist */                                                 \
    X(RENAME, 6, OP_KEY | OP_KEY2)                                                                 \
    /* an empty feed of id `number` appears */                                                     \
    X(CREATE, 7, OP_KEY | OP_NUMBER)                                                               \
    /* the database is empty; its namespace is `number` now */                                     \
    X(FLUSH, 8, OP_NUMBER)                                                                         \
    /* databases `db` and `number` change places */                                                \
    X(SWAP, 9, OP_NUMBER)                                                                          \
    /* the feed's groups move to a new feed of id `number`, empty, under the same key */           \
    X(RENEW, 10, OP_KEY | OP_NUMBER)                                                               \
    /* group `key2` of number `number` appears; last id `id`; `data`: see group_op.h, as below */  \
    X(GROUP_CREATE, 20, OP_KEY | OP_KEY2 | OP_NUMBER | OP_ID | OP_DATA)                            \
    /* group `number` goes to last id `id` */                                                      \
    X(GROUP_SETID, 21, OP_KEY | OP_NUMBER | OP_ID | OP_DATA)                                       \
    /* group `number` is gone */                                                                   \
    X(GROUP_DESTROY, 22, OP_KEY | OP_NUMBER)                                                       \
    /* consumer `key2` of group `number` appears */                                                \
    X(CONSUMER_CREATE, 23, OP_KEY | OP_KEY2 | OP_NUMBER | OP_DATA)                                 \
    /* a consumer of group `number` is gone, and what was pending at it */                         \
    X(CONSUMER_DELETE, 24, OP_KEY | OP_NUMBER | OP_DATA)                                           \
    /* group `number` delivers entries for the first time; its last id is `id` */                  \
    X(DELIVER, 25, OP_KEY | OP_NUMBER | OP_ID | OP_DATA)                                           \
    /* entries are pending in group `number` no more */                                            \
    X(ACK, 26, OP_KEY | OP_NUMBER | OP_DATA)                                                       \
    /* entries are pending at a consumer of group `number` anew; its last id is `id` */            \
    X(CLAIM, 27, OP_KEY | OP_NUMBER | OP_ID | OP_DATA)                                             \
    /* an entry with fields `data` will be added at `id`.ms, its handle is `id`; `number` as in    \
     * APPEND */                                                                                   \
    X(SCHEDULE, 40, OP_KEY | OP_NUMBER | OP_ID | OP_DATA)                                          \
    /* the entry of handle `id2` is added as `id` with `data`, and is delayed no more */           \
    X(DUE, 41, OP_KEY | OP_ID | OP_ID2 | OP_DATA)                                                  \
    /* the entry of handle `id` will not be added */                                               \
    X(CANCEL, 42, OP_KEY | OP_ID)                                                                  \
    /* no entry becomes due before `number`, in Unix milliseconds; 0: none ever */                 \
    X(QUIET, 43, OP_KEY | OP_NUMBER)                                                               \
    /* the feed's policy is `data` (storage/policy.h); `number` as in APPEND */                    \
    X(POLICY, 44, OP_KEY | OP_NUMBER | OP_DATA)                                                    \
    /* the entries that the feed's ledger did not know take `data` (storage/ledger.h) */           \
    X(WEIGHED, 45, OP_KEY | OP_DATA)                                                               \
    /* groups hold what the feed's policy would remove: nobody looks before `number` */            \
    X(HOLD, 46, OP_KEY | OP_NUMBER)                                                                \
    /* the key is the string `data`; it expires at `number` (0: never), as all below */            \
    X(SET, 60, OP_KEY | OP_NUMBER | OP_DATA)                                                       \
    /* the key expires at `number` */                                                              \
    X(EXPIRE, 61, OP_KEY | OP_NUMBER)                                                              \
    /* `data` is written into the string at `number`; what lies before and is not there: zeros */  \
    X(SPLICE, 62, OP_KEY | OP_NUMBER | OP_DATA)                                                    \
    /* the hash has the fields in `data` (packed, hash.h) with these values */                     \
    X(HASH_SET, 63, OP_KEY | OP_DATA)                                                              \
    /* the fields in `data` (each a varint length and the bytes) are gone; the last: key too */    \
    X(HASH_DELETE, 64, OP_KEY | OP_DATA)                                                           \
    /* the key, which does not exist, becomes what the row in `data` says (object.h; no feed) */   \
    X(PUT, 65, OP_KEY | OP_DATA)                                                                   \
    /* the range rule in `data` (key_ranges.h) is there */                                         \
    X(RANGE_SET, 66, OP_DATA)                                                                      \
    /* the range rule of database `number` (key_ranges.h) and the prefix `data` is not */          \
    X(RANGE_DELETE, 67, OP_NUMBER | OP_DATA)                                                       \
    /* the range rule in `data` is there, or is not (`number` 1); its keys are still where they    \
     * were before */                                                                              \
    X(RANGE_MOVE, 68, OP_NUMBER | OP_DATA)                                                         \
    /* all keys are where the rules say; 1: they go back where they were, and so do the rules */   \
    X(RANGE_MOVED, 69, OP_NUMBER)

enum op_field {
    OP_KEY = 1 << 0,
    OP_KEY2 = 1 << 1,
    OP_NUMBER = 1 << 2,
    OP_ID = 1 << 3,
    OP_ID2 = 1 << 4,
    OP_DATA = 1 << 5,
};

#define X(name, number, fields) OP_##name = (number),
enum op_kind { OP_TABLE(X) };
#undef X

struct op {
    enum op_kind kind;
    uint32_t db;
    struct bytes key; /* views are borrowed */
    struct bytes key2;
    uint64_t number;
    struct id id;
    struct id id2;
    struct bytes data;
    struct object
        *object; /* what `key` names when the caller has it at hand, else NULL; not stored */
};

/* False: the op is not about one key, and op->key is empty. */
bool op_has_key(enum op_kind kind);

void op_encode(struct buf *out, const struct op *op);
/* The next op; its views point into the record. ERR_END, ERR_TOO_NEW (a kind that this version does
 * not know), ERR_CORRUPT. */
MUST_CHECK enum err op_decode(struct decoder *record, struct op *out);

/* The head of a record's payload. */
struct record_head {
    uint32_t epoch;
    uint64_t wall_ms;
};
void record_head_encode(struct buf *out, const struct record_head *head);
/* ERR_TOO_NEW, ERR_CORRUPT. */
MUST_CHECK enum err record_head_decode(struct decoder *record, struct record_head *out);

#endif
