/* number_set: a set of small numbers (slots of connections, numbers of rooms), cheap when it is
 * small and when it is large.
 *
 *     count <= 2                    in the struct itself
 *     up to NUMBER_SET_ARRAY_MAX    a sorted array
 *     above                         a CRoaring bitmap (https://roaringbitmap.org)
 *
 * Most rooms have few members and most connections are in few rooms; some of both have very many.
 * A struct of zeros is an empty set. Threads: the loop's. */
#ifndef WEIR_PUBSUB_NUMBER_SET_H
#define WEIR_PUBSUB_NUMBER_SET_H

#include "base/buf.h"

/* From about here on a bitmap is smaller: it takes two bytes a number, and some hundred besides. */
#define NUMBER_SET_ARRAY_MAX 64

#define NUMBER_SET_INLINE 2

struct number_set {
    uint32_t count;
    uint32_t cap; /* of `array`; 0: `few`; UINT32_MAX: `bitmap` */
    union {
        uint32_t few[NUMBER_SET_INLINE];
        uint32_t *array;
        struct roaring_bitmap_s *bitmap;
    };
};

/* Empties the set and frees what it has. */
void number_set_deinit(struct number_set *set);

/* False: it is in the set already. */
bool number_set_add(struct number_set *set, uint32_t number);
/* False: it is not in the set. */
bool number_set_remove(struct number_set *set, uint32_t number);
bool number_set_has(const struct number_set *set, uint32_t number);

/* All `set->count` numbers, ascending. In the set itself or in `scratch`: valid until either
 * changes. */
const uint32_t *number_set_read(const struct number_set *set, struct buf *scratch);

/* The same for whoever changes the set on the way: always in `out`, valid until that changes. */
const uint32_t *number_set_copy(const struct number_set *set, struct buf *out);

enum number_rule {
    NUMBER_UNION, /* in any of the sets */
    NUMBER_INTER, /* in all of them */
    NUMBER_DIFF,  /* in the first one and no other */
};

/* Puts the numbers that several sets give by a rule into `out`, which is empty and none of them.
 * At least one set. */
void number_set_combine(struct number_set *out, enum number_rule rule,
                        const struct number_set *const *sets, size_t count);

#endif
