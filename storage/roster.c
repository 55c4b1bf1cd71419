#include "storage/roster.h"

#include "base/alloc.h"
#include "base/check.h"

void roster_deinit(struct roster *roster)
{
    mem_free(roster->by_name);
    mem_free(roster->by_number);
    *roster = (struct roster){0};
}

/* The first place whose name is not less. */
static uint32_t name_place(const struct roster *roster, struct bytes name)
{
    uint32_t from = 0;
    uint32_t to = roster->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (bytes_compare(roster->by_name[middle]->name, name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static uint32_t number_place(const struct roster *roster, uint64_t number)
{
    uint32_t from = 0;
    uint32_t to = roster->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (roster->by_number[middle]->number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void insert(struct roster_entry **entries, uint32_t count, uint32_t at,
                   struct roster_entry *entry)
{
    memmove(entries + at + 1, entries + at, (count - at) * sizeof(*entries));
    entries[at] = entry;
}

static void take_out(struct roster_entry **entries, uint32_t count, uint32_t at)
{
    memmove(entries + at, entries + at + 1, (count - at - 1) * sizeof(*entries));
}

void roster_add(struct roster *roster, struct roster_entry *entry)
{
    if (roster->count == roster->cap) {
        roster->cap = roster->cap == 0 ? 4 : roster->cap * 2;
        size_t size = roster->cap * sizeof(*roster->by_name);
        roster->by_name = mem_realloc(roster->by_name, size);
        roster->by_number = mem_realloc(roster->by_number, size);
    }
    insert(roster->by_name, roster->count, name_place(roster, entry->name), entry);
    insert(roster->by_number, roster->count, number_place(roster, entry->number), entry);
    roster->count++;
}

void roster_remove(struct roster *roster, struct roster_entry *entry)
{
    uint32_t name_at = name_place(roster, entry->name);
    uint32_t number_at = number_place(roster, entry->number);
    CHECK(roster->by_name[name_at] == entry && roster->by_number[number_at] == entry);
    take_out(roster->by_name, roster->count, name_at);
    take_out(roster->by_number, roster->count, number_at);
    roster->count--;
}

struct roster_entry *roster_find(const struct roster *roster, struct bytes name)
{
    uint32_t at = name_place(roster, name);
    return at < roster->count && bytes_equal(roster->by_name[at]->name, name) ? roster->by_name[at]
                                                                              : NULL;
}

struct roster_entry *roster_at(const struct roster *roster, uint64_t number)
{
    uint32_t at = number_place(roster, number);
    return at < roster->count && roster->by_number[at]->number == number ? roster->by_number[at]
                                                                         : NULL;
}

struct roster_entry *roster_after(const struct roster *roster, uint64_t number)
{
    uint32_t at = number < UINT64_MAX ? number_place(roster, number + 1) : roster->count;
    return at < roster->count ? roster->by_number[at] : NULL;
}
