#include "pubsub/patterns.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/glob.h"

struct prefix {
    struct hmap_node node;
    struct number_set patterns;
    size_t len;
    char text[];
};

void patterns_init(struct patterns *patterns, uint64_t seed)
{
    *patterns = (struct patterns){.seed = seed};
    hmap_init(&patterns->prefixes);
}

void patterns_deinit(struct patterns *patterns)
{
    CHECK(patterns->prefixes.count == 0);
    hmap_deinit(&patterns->prefixes);
}

/* What every name that matches begins with. */
static struct bytes prefix_of(const struct room *pattern)
{
    struct bytes text = room_name(pattern);
    size_t len = 0;
    while (len < text.len && len < PATTERN_PREFIX_MAX && memchr("*?[\\", text.data[len], 4) == NULL)
        len++;
    return bytes_of(text.data, len);
}

static struct prefix *find(const struct patterns *patterns, struct bytes text)
{
    uint64_t hash = hash_bytes(text, patterns->seed);
    for (struct hmap_node *node = hmap_chain(&patterns->prefixes, hash); node != NULL;
         node = node->next) {
        struct prefix *prefix = container_of(node, struct prefix, node);
        if (node->hash == hash && bytes_equal(bytes_of(prefix->text, prefix->len), text))
            return prefix;
    }
    return NULL;
}

static struct prefix *make_prefix(struct patterns *patterns, struct bytes text)
{
    struct prefix *prefix = mem_alloc(sizeof(*prefix) + text.len);
    *prefix = (struct prefix){.node = {.hash = hash_bytes(text, patterns->seed)}, .len = text.len};
    if (text.len > 0)
        memcpy(prefix->text, text.data, text.len);
    hmap_insert(&patterns->prefixes, &prefix->node);
    patterns->counts[text.len]++;
    patterns->lengths |= UINT64_C(1) << text.len;
    return prefix;
}

void patterns_add(struct patterns *patterns, const struct room *pattern)
{
    struct bytes text = prefix_of(pattern);
    struct prefix *prefix = find(patterns, text);
    if (prefix == NULL)
        prefix = make_prefix(patterns, text);
    CHECK(number_set_add(&prefix->patterns, pattern->number));
}

void patterns_remove(struct patterns *patterns, const struct room *pattern)
{
    struct prefix *prefix = find(patterns, prefix_of(pattern));
    CHECK(prefix != NULL && number_set_remove(&prefix->patterns, pattern->number));
    if (prefix->patterns.count > 0)
        return;
    if (--patterns->counts[prefix->len] == 0)
        patterns->lengths &= ~(UINT64_C(1) << prefix->len);
    hmap_remove(&patterns->prefixes, &prefix->node);
    mem_free(prefix);
}

static void match_all(const struct rooms *rooms, const struct number_set *set, struct bytes name,
                      struct buf *out, struct buf *scratch)
{
    const uint32_t *numbers = number_set_read(set, scratch);
    for (uint32_t i = 0; i < set->count; i++) {
        if (glob_match(room_name(rooms_at(rooms, numbers[i])), name, false))
            buf_add(out, &numbers[i], sizeof(numbers[i]));
    }
}

size_t patterns_match(const struct patterns *patterns, const struct rooms *rooms, struct bytes name,
                      struct buf *out, struct buf *scratch)
{
    out->len = 0;
    for (uint64_t left = patterns->lengths; left != 0; left &= left - 1) {
        size_t len = (size_t)__builtin_ctzll(left);
        if (len > name.len)
            break;
        const struct prefix *prefix = find(patterns, bytes_of(name.data, len));
        if (prefix != NULL)
            match_all(rooms, &prefix->patterns, name, out, scratch);
    }
    return out->len / sizeof(uint32_t);
}
