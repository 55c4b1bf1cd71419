#include "storage/key_ranges.h"

#include "base/alloc.h"
#include "base/check.h"

#include <stdlib.h>

/* Beside a rule's store, while keys move. */
#define STORE_BEFORE 0x10u
#define STORE_AFTER  0x20u

static const char *const store_names[] = {"durable", "memory"};

#define X(name, number, word) [number] = (word),
static const char *const policy_names[] = {KEY_POLICY_TABLE(X)};
#undef X

/* Longer prefixes first, then those that name a database. */
static int compare_rules(const void *a, const void *b)
{
    const struct key_range *x = a;
    const struct key_range *y = b;
    if (x->prefix_len != y->prefix_len)
        return x->prefix_len > y->prefix_len ? -1 : 1;
    int order = bytes_compare(key_range_prefix(x), key_range_prefix(y));
    if (order != 0)
        return order;
    return x->db < y->db ? -1 : x->db > y->db;
}

static void add(struct key_ranges *ranges, const struct key_range *rule, uint16_t id)
{
    ranges->rules = mem_realloc(ranges->rules, (ranges->count + 1) * sizeof(*rule));
    struct key_range *added = &ranges->rules[ranges->count++];
    *added = *rule;
    added->id = id;
    added->prefix = mem_copy(rule->prefix, rule->prefix_len);
    qsort(ranges->rules, ranges->count, sizeof(*rule), compare_rules);
}

void key_ranges_init(struct key_ranges *ranges)
{
    static char cache[] = "cache:";
    const struct key_range durable = {.db = KEY_RANGE_ALL, .store = STORE_DURABLE, .prefix = cache};
    const struct key_range memory = {.db = KEY_RANGE_ALL,
                                     .store = STORE_MEMORY,
                                     .policy = POLICY_ALLKEYS_LRU,
                                     .bytes_max = KEY_RANGE_CACHE_BYTES,
                                     .prefix = cache,
                                     .prefix_len = sizeof(cache) - 1};
    *ranges = (struct key_ranges){0};
    add(ranges, &durable, 0);
    add(ranges, &memory, 1);
}

static void forget_before(struct key_ranges *ranges)
{
    if (ranges->before == NULL)
        return;
    key_ranges_deinit(ranges->before);
    mem_free(ranges->before);
    ranges->before = NULL;
}

void key_ranges_deinit(struct key_ranges *ranges)
{
    forget_before(ranges);
    for (uint32_t i = 0; i < ranges->count; i++)
        mem_free(ranges->rules[i].prefix);
    mem_free(ranges->rules);
    *ranges = (struct key_ranges){0};
}

void key_ranges_copy(struct key_ranges *to, const struct key_ranges *from)
{
    *to = (struct key_ranges){0};
    for (uint32_t i = 0; i < from->count; i++)
        add(to, &from->rules[i], from->rules[i].id);
    if (from->before == NULL)
        return;
    to->before = mem_alloc(sizeof(*to->before));
    key_ranges_copy(to->before, from->before);
}

static bool fits(const struct key_range *rule, uint32_t db, struct bytes key)
{
    return rule->prefix_len <= key.len && (rule->db == db || rule->db == KEY_RANGE_ALL) &&
           memcmp(rule->prefix, key.data, rule->prefix_len) == 0;
}

const struct key_range *key_ranges_of(const struct key_ranges *ranges, uint32_t db,
                                      struct bytes key)
{
    const struct key_range *rule = ranges->rules;
    const struct key_range *last = &ranges->rules[ranges->count - 1];
    while (rule < last && !fits(rule, db, key))
        rule++;
    return rule;
}

struct key_range *key_ranges_find(const struct key_ranges *ranges, uint32_t db, struct bytes prefix)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        struct key_range *rule = &ranges->rules[i];
        if (rule->db == db && bytes_equal(key_range_prefix(rule), prefix))
            return rule;
    }
    return NULL;
}

struct key_range *key_ranges_with_id(const struct key_ranges *ranges, uint16_t id)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        if (ranges->rules[i].id == id)
            return &ranges->rules[i];
    }
    return NULL;
}

enum err key_ranges_set(struct key_ranges *ranges, const struct key_range *rule)
{
    struct key_range *there = key_ranges_find(ranges, rule->db, key_range_prefix(rule));
    ranges->changes++;
    if (there != NULL) {
        there->store = rule->store;
        there->policy = rule->policy;
        there->bytes_max = rule->bytes_max;
        return ERR_OK;
    }
    if (rule->prefix_len > KEY_RANGE_PREFIX_MAX)
        return ERR_RANGE;
    if (ranges->count == KEY_RANGES_MAX)
        return ERR_FULL;
    uint16_t id = 0;
    while (key_ranges_with_id(ranges, id) != NULL)
        id++;
    add(ranges, rule, id);
    return ERR_OK;
}

enum err key_ranges_delete(struct key_ranges *ranges, uint32_t db, struct bytes prefix)
{
    struct key_range *rule = key_ranges_find(ranges, db, prefix);
    if (rule == NULL)
        return ERR_NOT_FOUND;
    if (rule->db == KEY_RANGE_ALL && rule->prefix_len == 0)
        return ERR_RANGE;
    ranges->changes++;
    mem_free(rule->prefix);
    size_t after = (size_t)(&ranges->rules[ranges->count] - (rule + 1));
    memmove(rule, rule + 1, after * sizeof(*rule));
    ranges->count--;
    return ERR_OK;
}

enum err key_ranges_move(struct key_ranges *ranges, const struct key_range *rule, bool deletes)
{
    struct key_ranges before;
    CHECK(ranges->before == NULL);
    key_ranges_copy(&before, ranges);
    enum err err = deletes ? key_ranges_delete(ranges, rule->db, key_range_prefix(rule))
                           : key_ranges_set(ranges, rule);
    if (err == ERR_OK)
        ranges->before = mem_copy(&before, sizeof(before));
    else
        key_ranges_deinit(&before);
    return err;
}

void key_ranges_turn_back(struct key_ranges *ranges)
{
    struct key_ranges *after = ranges->before;
    struct key_ranges now = *ranges;
    CHECK(after != NULL);
    *ranges = *after;
    ranges->changes = now.changes + 1;
    ranges->before = after;
    *after = now;
    after->before = NULL;
}

void key_ranges_moved(struct key_ranges *ranges)
{
    ranges->changes++;
    forget_before(ranges);
}

const struct key_range *key_ranges_before(const struct key_ranges *ranges, uint32_t db,
                                          struct bytes key)
{
    const struct key_range *now = key_ranges_of(ranges, db, key);
    if (ranges->before == NULL)
        return now;
    const struct key_range *before = key_ranges_of(ranges->before, db, key);
    return key_range_same_place(before, now) ? now : before;
}

static bool is_in(const struct key_ranges *ranges, const struct key_range *rule)
{
    const struct key_range *there = key_ranges_find(ranges, rule->db, key_range_prefix(rule));
    return there != NULL && there->id == rule->id && there->store == rule->store &&
           there->policy == rule->policy && there->bytes_max == rule->bytes_max;
}

static const struct key_range *first_without(const struct key_ranges *ranges,
                                             const struct key_ranges *others)
{
    uint32_t i = 0;
    while (i < ranges->count && is_in(others, &ranges->rules[i]))
        i++;
    return i < ranges->count ? &ranges->rules[i] : NULL;
}

const struct key_range *key_ranges_changed(const struct key_ranges *ranges)
{
    const struct key_range *changed = first_without(ranges, ranges->before);
    if (changed == NULL)
        changed = first_without(ranges->before, ranges);
    CHECK(changed != NULL);
    return changed;
}

void key_ranges_swap(struct key_ranges *ranges, uint32_t a, uint32_t b)
{
    ranges->changes++;
    for (uint32_t i = 0; i < ranges->count; i++) {
        struct key_range *rule = &ranges->rules[i];
        if (rule->db == a || rule->db == b)
            rule->db = rule->db == a ? b : a;
    }
    qsort(ranges->rules, ranges->count, sizeof(struct key_range), compare_rules);
    if (ranges->before != NULL)
        key_ranges_swap(ranges->before, a, b);
}

static void encode_rule(struct buf *out, const struct key_range *rule, unsigned when)
{
    buf_put_varint(out, rule->db);
    buf_put_bytes(out, key_range_prefix(rule));
    buf_put_u8(out, (uint8_t)(rule->store | when));
    buf_put_u8(out, (uint8_t)rule->policy);
    buf_put_varint(out, rule->bytes_max);
}

void key_range_encode(struct buf *out, const struct key_range *rule)
{
    encode_rule(out, rule, 0);
}

/* The rules, but for those that are in `with` too, or only those. */
static void encode_rules(struct buf *out, const struct key_ranges *ranges,
                         const struct key_ranges *with, bool both, unsigned when)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        const struct key_range *rule = &ranges->rules[i];
        if ((with == NULL || is_in(with, rule)) != both)
            continue;
        encode_rule(out, rule, when);
        buf_put_varint(out, rule->id);
    }
}

void key_ranges_encode(struct buf *out, const struct key_ranges *ranges)
{
    encode_rules(out, ranges, ranges->before, true, 0);
    if (ranges->before == NULL)
        return;
    encode_rules(out, ranges->before, ranges, false, STORE_BEFORE);
    encode_rules(out, ranges, ranges->before, false, STORE_AFTER);
}

static enum err decode_rule(struct decoder *decoder, char *text, struct key_range *out,
                            unsigned *when)
{
    uint64_t db = decoder_varint(decoder);
    struct bytes prefix = decoder_bytes(decoder);
    unsigned store = decoder_u8(decoder);
    uint8_t policy = decoder_u8(decoder);
    uint64_t bytes_max = decoder_varint(decoder);
    *when = store & (STORE_BEFORE | STORE_AFTER);
    store &= ~(STORE_BEFORE | STORE_AFTER);
    if (decoder->failed || db > UINT32_MAX || prefix.len > KEY_RANGE_PREFIX_MAX ||
        store > STORE_MEMORY || policy >= POLICY_COUNT || *when == (STORE_BEFORE | STORE_AFTER))
        return ERR_CORRUPT;
    if (prefix.len > 0)
        memcpy(text, prefix.data, prefix.len);
    *out = (struct key_range){.db = (uint32_t)db,
                              .store = (enum key_store)store,
                              .policy = (enum key_policy)policy,
                              .bytes_max = bytes_max,
                              .prefix = text,
                              .prefix_len = (uint32_t)prefix.len};
    return ERR_OK;
}

enum err key_range_decode(struct bytes bytes, char *prefix, struct key_range *out)
{
    struct decoder decoder = decoder_of(bytes);
    struct key_range rule;
    unsigned when;
    enum err err = decode_rule(&decoder, prefix, &rule, &when);
    if (err != ERR_OK || when != 0 || decoder_left(&decoder) > 0)
        return ERR_CORRUPT;
    *out = rule;
    return ERR_OK;
}

static enum err add_new(struct key_ranges *ranges, const struct key_range *rule, uint64_t id)
{
    if (id >= KEY_RANGES_MAX || key_ranges_with_id(ranges, (uint16_t)id) != NULL ||
        key_ranges_find(ranges, rule->db, key_range_prefix(rule)) != NULL)
        return ERR_CORRUPT;
    add(ranges, rule, (uint16_t)id);
    return ERR_OK;
}

/* *moving: the two differ. */
static enum err take_rule(struct decoder *decoder, struct key_ranges *ranges,
                          struct key_ranges *before, bool *moving)
{
    char prefix[KEY_RANGE_PREFIX_MAX];
    struct key_range rule;
    unsigned when;
    enum err err = decode_rule(decoder, prefix, &rule, &when);
    if (err != ERR_OK)
        return err;
    uint64_t id = decoder_varint(decoder);
    if (decoder->failed)
        return ERR_CORRUPT;
    *moving |= when != 0;
    if (when != STORE_BEFORE)
        err = add_new(ranges, &rule, id);
    if (when != STORE_AFTER && err == ERR_OK)
        err = add_new(before, &rule, id);
    return err;
}

static bool has_all(const struct key_ranges *ranges)
{
    return key_ranges_find(ranges, KEY_RANGE_ALL, BYTES("")) != NULL;
}

enum err key_ranges_decode(struct bytes rules, struct key_ranges *out)
{
    struct decoder decoder = decoder_of(rules);
    struct key_ranges ranges = {0};
    struct key_ranges before = {0};
    bool moving = false;
    enum err err = ERR_OK;
    while (err == ERR_OK && decoder_left(&decoder) > 0)
        err = take_rule(&decoder, &ranges, &before, &moving);
    if (err == ERR_OK && (!has_all(&ranges) || !has_all(&before)))
        err = ERR_CORRUPT;
    if (err == ERR_OK && moving)
        ranges.before = mem_copy(&before, sizeof(before));
    else
        key_ranges_deinit(&before);
    if (err != ERR_OK) {
        key_ranges_deinit(&ranges);
        return err;
    }
    *out = ranges;
    return ERR_OK;
}

const char *key_store_name(enum key_store store)
{
    return store_names[store];
}

const char *key_policy_name(enum key_policy policy)
{
    return policy_names[policy];
}

bool key_store_of(struct bytes word, enum key_store *out)
{
    for (unsigned i = 0; i <= STORE_MEMORY; i++) {
        if (bytes_equal_nocase(word, bytes_of_string(store_names[i]))) {
            *out = (enum key_store)i;
            return true;
        }
    }
    return false;
}

bool key_policy_of(struct bytes word, enum key_policy *out)
{
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        if (bytes_equal_nocase(word, bytes_of_string(policy_names[i]))) {
            *out = (enum key_policy)i;
            return true;
        }
    }
    return false;
}
