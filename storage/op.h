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
    /* the key is the string `data`; it expires at `number` (0: never), as all below */            \
    X(SET, 40, OP_KEY | OP_NUMBER | OP_DATA)                                                       \
    /* the key expires at `number` */                                                              \
    X(EXPIRE, 41, OP_KEY | OP_NUMBER)                                                              \
    /* `data` is written into the string at `number`; what lies before and is not there: zeros */  \
    X(SPLICE, 42, OP_KEY | OP_NUMBER | OP_DATA)                                                    \
    /* the hash has the fields in `data` (packed, hash.h) with these values */                     \
    X(HASH_SET, 43, OP_KEY | OP_DATA)                                                              \
    /* the fields in `data` (each a varint length and the bytes) are gone; the last: key too */    \
    X(HASH_DELETE, 44, OP_KEY | OP_DATA)                                                           \
    /* the key, which does not exist, becomes what the row in `data` says (object.h; no feed) */   \
    X(PUT, 45, OP_KEY | OP_DATA)                                                                   \
    /* the range rule in `data` (key_ranges.h) is there */                                         \
    X(RANGE_SET, 46, OP_DATA)                                                                      \
    /* the range rule of database `number` (key_ranges.h) and the prefix `data` is not */          \
    X(RANGE_DELETE, 47, OP_NUMBER | OP_DATA)

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
