/* A sealed set into a batch that keeps nothing: what is left is the folding itself. */
#include "bench/micro/micro.h"

#include "base/check.h"
#include "bench/micro/nothing.h"
#include "storage/fold.h"

#include <stdio.h>

#define ENTRIES  1000u /* of a set */
#define SIDE     0
#define FIRST_MS UINT64_C(1700000000000)

static struct dirty dirty;
static struct ranges *ranges;

static void add_feed(unsigned number, unsigned entries)
{
    char name[16];
    struct buf fields;
    int len = snprintf(name, sizeof(name), "feed:%08u", number);
    struct bytes key = bytes_of(name, (size_t)len);
    struct object *object = object_create(1, object_hash(1, 1, key), key, SIDE);
    struct chunk_home home = {.space = 1, .slot = object->slot, .feed = number + 1};
    *object_state(object) =
        (struct object_state){.type = OBJECT_FEED, .feed = feed_create(home, SIDE)};
    dirty_touch(&dirty, object, SIDE);
    buf_init(&fields);
    micro_add_fields(&fields);
    for (unsigned i = 0; i < entries; i++) {
        struct entry entry = {{FIRST_MS + i / 16, i % 16 + 1}, buf_bytes(&fields)};
        dirty.bytes += feed_append(object_feed(object), &entry);
    }
    buf_deinit(&fields);
}

static void set_up(unsigned feeds)
{
    dirty_init(&dirty);
    catalog_init(&dirty.catalog, 16, 1);
    ranges = nothing_ranges();
    for (unsigned i = 0; i < feeds; i++)
        add_feed(i, ENTRIES / feeds);
}

static void one_feed_set_up(void)
{
    set_up(1);
}

static void many_feeds_set_up(void)
{
    set_up(ENTRIES);
}

static void tear_down(void)
{
    while (!list_empty(&dirty.objects)) {
        struct object *object = container_of(dirty.objects.next, struct object, links[SIDE]);
        list_remove(&object->links[SIDE]);
        object_destroy(object);
    }
    dirty_deinit(&dirty);
    ranges_close(ranges);
}

static void run_fold(uint64_t count)
{
    for (uint64_t done = 0; done < count; done += ENTRIES)
        CHECK(fold_write(ranges, &dirty, SIDE) == ERR_OK);
}

const struct micro_case micro_fold_cases[] = {
    {"fold-one-feed", "an entry, of 1,000 in a feed", 1000000, ENTRIES, one_feed_set_up, run_fold,
     tear_down},
    {"fold-many-feeds", "an entry and its feed, of 1,000", 10000, ENTRIES, many_feeds_set_up,
     run_fold, tear_down},
    {.name = NULL},
};
