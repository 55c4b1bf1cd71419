/* roster: few things that have a name and a number each, found by either: the groups of a feed, the
 * consumers of a group.
 *
 * Two arrays of pointers, one in the order of names and one in that of numbers. Finding is a binary
 * search; adding and removing move what lies behind. A roster does not own its entries, which are
 * embedded in what they stand for. */
#ifndef WEIR_STORAGE_ROSTER_H
#define WEIR_STORAGE_ROSTER_H

#include "base/bytes.h"

struct roster_entry {
    uint64_t number;
    struct bytes name; /* in the owner's memory */
};

struct roster {
    struct roster_entry **by_name;
    struct roster_entry **by_number;
    uint32_t count;
    uint32_t cap;
};

/* Frees the arrays, not the entries; leaves an empty roster. */
void roster_deinit(struct roster *roster);

/* Name and number are in it once at most. */
void roster_add(struct roster *roster, struct roster_entry *entry);
void roster_remove(struct roster *roster, struct roster_entry *entry);

/* NULL: there is none. */
struct roster_entry *roster_find(const struct roster *roster, struct bytes name);
struct roster_entry *roster_at(const struct roster *roster, uint64_t number);
/* The one with the next number. */
struct roster_entry *roster_after(const struct roster *roster, uint64_t number);

/* Bytes of the arrays. */
static inline size_t roster_bytes(const struct roster *roster)
{
    return 2 * roster->cap * sizeof(*roster->by_name);
}

#endif
