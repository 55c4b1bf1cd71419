#include "pubsub/number_set.h"

#include "base/alloc.h"
#include "base/check.h"

#include <roaring/roaring.h>

#define CAP_BITMAP UINT32_MAX

/* A bitmap that shrinks becomes an array well below where an array would become a bitmap, so that
 * one member who comes and goes does not convert it each time. */
#define BITMAP_COUNT_MIN (NUMBER_SET_ARRAY_MAX / 2)

static bool is_inline(const struct number_set *set)
{
    return set->cap == 0;
}

static bool is_bitmap(const struct number_set *set)
{
    return set->cap == CAP_BITMAP;
}

/* The sorted numbers of a set that is no bitmap. */
static const uint32_t *numbers_of(const struct number_set *set)
{
    return is_inline(set) ? set->few : set->array;
}

/* The index of the first number that is not less. */
static uint32_t lower_bound(const uint32_t *numbers, uint32_t count, uint32_t number)
{
    uint32_t from = 0;
    while (count > 0) {
        uint32_t half = count / 2;
        if (numbers[from + half] < number) {
            from += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return from;
}

void number_set_deinit(struct number_set *set)
{
    if (is_bitmap(set))
        roaring_bitmap_free(set->bitmap);
    else if (!is_inline(set))
        mem_free(set->array);
    *set = (struct number_set){0};
}

/* ---- from one form to another ---- */

static void to_array(struct number_set *set, uint32_t cap)
{
    uint32_t *array = mem_alloc(cap * sizeof(*array));
    if (is_bitmap(set)) {
        roaring_bitmap_to_uint32_array(set->bitmap, array);
        roaring_bitmap_free(set->bitmap);
    } else {
        memcpy(array, numbers_of(set), set->count * sizeof(*array));
        if (!is_inline(set))
            mem_free(set->array);
    }
    set->array = array;
    set->cap = cap;
}

static void to_inline(struct number_set *set)
{
    uint32_t *array = set->array;
    memcpy(set->few, array, set->count * sizeof(*array));
    set->cap = 0;
    mem_free(array);
}

static roaring_bitmap_t *bitmap_of(const uint32_t *numbers, uint32_t count)
{
    roaring_bitmap_t *bitmap = roaring_bitmap_of_ptr(count, numbers);
    CHECK(bitmap != NULL);
    return bitmap;
}

static void to_bitmap(struct number_set *set)
{
    roaring_bitmap_t *bitmap = bitmap_of(numbers_of(set), set->count);
    if (!is_inline(set))
        mem_free(set->array);
    set->bitmap = bitmap;
    set->cap = CAP_BITMAP;
}

/* ---- one number ---- */

/* Room for one number more in a set that is no bitmap, which it may become. */
static void make_room(struct number_set *set)
{
    if (set->count == NUMBER_SET_ARRAY_MAX)
        to_bitmap(set);
    else if (set->count == (is_inline(set) ? NUMBER_SET_INLINE : set->cap))
        to_array(set, set->count < 4 ? 4 : set->count + set->count / 2);
}

bool number_set_add(struct number_set *set, uint32_t number)
{
    if (!is_bitmap(set)) {
        uint32_t at = lower_bound(numbers_of(set), set->count, number);
        if (at < set->count && numbers_of(set)[at] == number)
            return false;
        make_room(set);
        if (!is_bitmap(set)) {
            uint32_t *numbers = is_inline(set) ? set->few : set->array;
            memmove(numbers + at + 1, numbers + at, (set->count - at) * sizeof(*numbers));
            numbers[at] = number;
            set->count++;
            return true;
        }
    }
    bool added = roaring_bitmap_add_checked(set->bitmap, number);
    set->count += added;
    return added;
}

static void give_room_back(struct number_set *set)
{
    if (is_bitmap(set) && set->count <= BITMAP_COUNT_MIN)
        to_array(set, BITMAP_COUNT_MIN);
    if (is_bitmap(set) || is_inline(set))
        return;
    if (set->count <= NUMBER_SET_INLINE)
        to_inline(set);
    else if (set->count <= set->cap / 4)
        to_array(set, set->cap / 2);
}

bool number_set_remove(struct number_set *set, uint32_t number)
{
    if (is_bitmap(set)) {
        if (!roaring_bitmap_remove_checked(set->bitmap, number))
            return false;
    } else {
        uint32_t *numbers = is_inline(set) ? set->few : set->array;
        uint32_t at = lower_bound(numbers, set->count, number);
        if (at == set->count || numbers[at] != number)
            return false;
        memmove(numbers + at, numbers + at + 1, (set->count - at - 1) * sizeof(*numbers));
    }
    set->count--;
    give_room_back(set);
    return true;
}

bool number_set_has(const struct number_set *set, uint32_t number)
{
    if (is_bitmap(set))
        return roaring_bitmap_contains(set->bitmap, number);
    const uint32_t *numbers = numbers_of(set);
    uint32_t at = lower_bound(numbers, set->count, number);
    return at < set->count && numbers[at] == number;
}

const uint32_t *number_set_copy(const struct number_set *set, struct buf *out)
{
    out->len = 0;
    uint32_t *numbers = (uint32_t *)(void *)buf_reserve(out, set->count * sizeof(*numbers));
    if (is_bitmap(set))
        roaring_bitmap_to_uint32_array(set->bitmap, numbers);
    else if (set->count > 0)
        memcpy(numbers, numbers_of(set), set->count * sizeof(*numbers));
    return numbers;
}

const uint32_t *number_set_read(const struct number_set *set, struct buf *scratch)
{
    return is_bitmap(set) ? number_set_copy(set, scratch) : numbers_of(set);
}

/* ---- several sets ---- */

static roaring_bitmap_t *bitmap_copy(const struct number_set *set)
{
    if (!is_bitmap(set))
        return bitmap_of(numbers_of(set), set->count);
    roaring_bitmap_t *bitmap = roaring_bitmap_copy(set->bitmap);
    CHECK(bitmap != NULL);
    return bitmap;
}

static void combine_one(roaring_bitmap_t *bitmap, enum number_rule rule,
                        const roaring_bitmap_t *other)
{
    switch (rule) {
    case NUMBER_UNION:
        roaring_bitmap_or_inplace(bitmap, other);
        return;
    case NUMBER_INTER:
        roaring_bitmap_and_inplace(bitmap, other);
        return;
    case NUMBER_DIFF:
        roaring_bitmap_andnot_inplace(bitmap, other);
        return;
    }
    UNREACHABLE();
}

/* Takes the bitmap over. */
static void settle(struct number_set *out, roaring_bitmap_t *bitmap)
{
    out->bitmap = bitmap;
    out->cap = CAP_BITMAP;
    out->count = (uint32_t)roaring_bitmap_get_cardinality(bitmap);
    give_room_back(out);
}

void number_set_combine(struct number_set *out, enum number_rule rule,
                        const struct number_set *const *sets, size_t count)
{
    CHECK(count > 0 && out->count == 0);
    roaring_bitmap_t *bitmap = bitmap_copy(sets[0]);
    for (size_t i = 1; i < count; i++) {
        if (is_bitmap(sets[i])) {
            combine_one(bitmap, rule, sets[i]->bitmap);
            continue;
        }
        roaring_bitmap_t *other = bitmap_of(numbers_of(sets[i]), sets[i]->count);
        combine_one(bitmap, rule, other);
        roaring_bitmap_free(other);
    }
    settle(out, bitmap);
}
