#include "broker/range_rules.h"

#include "base/check.h"
#include "broker/options.h"

#include <ctype.h>

/* DB, prefix, store, two options of two words. */
#define RULE_WORDS_MAX 7

static bool parse_db(struct bytes word, uint32_t *out)
{
    uint64_t db;
    if (bytes_equal(word, BYTES("*"))) {
        *out = KEY_RANGE_ALL;
        return true;
    }
    if (!bytes_to_u64(word, &db) || db >= KEY_RANGE_ALL)
        return false;
    *out = (uint32_t)db;
    return true;
}

static enum err parse_limits(const struct bytes *words, size_t count, struct key_range *rule,
                             struct buf *why)
{
    for (size_t i = 0; i < count; i += 2) {
        bool more = i + 1 < count;
        if (more && bytes_equal_nocase(words[i], BYTES("maxmemory"))) {
            if (options_parse_bytes(words[i + 1], &rule->bytes_max) != ERR_OK ||
                rule->bytes_max > INT64_MAX) { /* RANGE.LIST could not tell it */
                buf_addf(why, "MAXMEMORY is not a size in bytes");
                return ERR_INVALID;
            }
        } else if (more && bytes_equal_nocase(words[i], BYTES("policy"))) {
            if (!key_policy_of(words[i + 1], &rule->policy)) {
                buf_addf(why, "no such policy");
                return ERR_INVALID;
            }
        } else {
            buf_addf(why, "syntax error");
            return ERR_INVALID;
        }
    }
    if (count > 0 && rule->store == STORE_DURABLE) {
        buf_addf(why, "MAXMEMORY and POLICY are for memory ranges");
        return ERR_INVALID;
    }
    return ERR_OK;
}

enum err range_rule_parse(const struct bytes *words, size_t count, enum key_policy policy,
                          struct key_range *out, struct buf *why)
{
    struct key_range rule = {.policy = policy};
    if (count < 3) {
        buf_addf(why, "a range rule needs a database, a prefix and a store");
        return ERR_INVALID;
    }
    if (!parse_db(words[0], &rule.db)) {
        buf_addf(why, "invalid DB index");
        return ERR_INVALID;
    }
    if (words[1].len > KEY_RANGE_PREFIX_MAX) {
        buf_addf(why, "the prefix is longer than %u bytes", KEY_RANGE_PREFIX_MAX);
        return ERR_RANGE;
    }
    if (!key_store_of(words[2], &rule.store)) {
        buf_addf(why, "the store is DURABLE or MEMORY");
        return ERR_INVALID;
    }
    rule.prefix = (char *)(uintptr_t)words[1].data;
    rule.prefix_len = (uint32_t)words[1].len;
    enum err err = parse_limits(words + 3, count - 3, &rule, why);
    if (err == ERR_OK)
        *out = rule;
    return err;
}

static bool plain(struct bytes prefix)
{
    for (size_t i = 0; i < prefix.len; i++) {
        if (!isgraph((unsigned char)prefix.data[i]) || strchr("\"',", prefix.data[i]) != NULL)
            return false;
    }
    return true;
}

static enum err add_rule(struct buf *text, const struct bytes *words, size_t count, struct buf *why)
{
    struct key_range rule;
    enum err err = range_rule_parse(words, count, POLICY_NO_EVICTION, &rule, why);
    if (err != ERR_OK)
        return err;
    if (!plain(key_range_prefix(&rule))) {
        buf_addf(why, "a prefix in the configuration has no blanks, quotes or commas");
        return ERR_INVALID;
    }
    buf_addf(text, text->len > 0 ? ", " : "");
    for (size_t i = 0; i < count; i++) {
        buf_addf(text, i > 0 ? " " : "");
        buf_add_bytes(text, words[i].len > 0 ? words[i] : BYTES("\"\""));
    }
    return ERR_OK;
}

/* A rule's words: up to the one that ends with a comma, which is taken off. */
static size_t rule_words(const struct bytes *words, size_t count, struct bytes *out)
{
    size_t n = 0;
    while (n < count && n < RULE_WORDS_MAX) {
        out[n] = words[n];
        bool ends = out[n].len > 0 && out[n].data[out[n].len - 1] == ',';
        out[n].len -= ends;
        n++;
        if (ends)
            break;
    }
    return n;
}

enum err range_rules_add(struct buf *text, const struct bytes *words, size_t count, struct buf *why)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < count && err == ERR_OK;) {
        struct bytes rule[RULE_WORDS_MAX];
        size_t n = rule_words(words + at, count - at, rule);
        err = add_rule(text, rule, n, why);
        at += n;
    }
    return err;
}

bool range_rules_next(struct bytes *rest, enum key_policy policy, struct key_range *out)
{
    struct bytes words[RULE_WORDS_MAX];
    struct buf why;
    size_t count = 0;
    bool ends = false;
    while (!ends && count < RULE_WORDS_MAX && options_next_word(rest, &words[count])) {
        ends = words[count].data[words[count].len - 1] == ',';
        words[count].len -= ends;
        if (bytes_equal(words[count], BYTES("\"\"")))
            words[count].len = 0;
        count++;
    }
    if (count == 0)
        return false;
    buf_init(&why);
    CHECK(range_rule_parse(words, count, policy, out, &why) == ERR_OK); /* it was, when added */
    buf_deinit(&why);
    return true;
}

enum key_policy range_rules_policy(int option)
{
    struct bytes rest = BYTES(EVICTION_POLICIES);
    struct bytes word = BYTES("");
    enum key_policy policy = POLICY_NO_EVICTION;
    for (int i = 0; i <= option; i++)
        CHECK(options_next_word(&rest, &word));
    CHECK(key_policy_of(word, &policy));
    return policy;
}
