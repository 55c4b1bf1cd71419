/* range_rules: range rules (storage/key_ranges.h) as words, in the configuration and in RANGE.SET.
 *
 *   rule  = DB PREFIX durable|memory [maxmemory BYTES] [policy NAME]
 *   rules = rule, rule, ...
 *
 * DB is a number or "*" for all; "" is the empty prefix. */
#ifndef WEIR_BROKER_RANGE_RULES_H
#define WEIR_BROKER_RANGE_RULES_H

#include "base/buf.h"
#include "storage/key_ranges.h"

/* Reads a rule; its prefix points into the words, its policy is `policy` where none is named. On an
 * error `why` gets what is wrong. ERR_INVALID, ERR_RANGE. */
MUST_CHECK enum err range_rule_parse(const struct bytes *words, size_t count,
                                     enum key_policy policy, struct key_range *out,
                                     struct buf *why);

/* Adds the rules in `words` to `text`, which holds rules already or nothing. Prefixes in the
 * configuration are printable and have no blanks, quotes or commas. */
MUST_CHECK enum err range_rules_add(struct buf *text, const struct bytes *words, size_t count,
                                    struct buf *why);
/* Takes the next rule off the front of `*rest`, as range_rules_add wrote it. False: none is left.
 */
bool range_rules_next(struct bytes *rest, enum key_policy policy, struct key_range *out);

/* What the option maxmemory-policy names. */
enum key_policy range_rules_policy(int option);

#endif
