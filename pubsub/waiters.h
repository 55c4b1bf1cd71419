/* waiters: who waits for which key.
 *
 * A blocked reader waits for one key or several with one `struct waiter` each. Those of one key
 * stand in the order in which they came. A key nobody waits for costs nothing.
 *
 * Readers of whom one is enough stand in a line of the key: only the first of a line is met by
 * whoever walks the key's waiters, and when it goes the next one takes its place.
 *
 * Threads: the loop's. */
#ifndef WEIR_PUBSUB_WAITERS_H
#define WEIR_PUBSUB_WAITERS_H

#include "base/hmap.h"
#include "base/list.h"

struct waiters {
    struct hmap keys;
};

/* Embedded by whoever waits, who owns it. */
struct waiter {
    struct list link;          /* among those of the key that are met; empty when it is not */
    struct waiters_key *key;   /* NULL: it does not wait */
    struct waiters_line *line; /* NULL: it stands in none */
    struct list line_link;
};

void waiters_init(struct waiters *waiters);
/* Nobody may wait any more. */
void waiters_deinit(struct waiters *waiters);

/* `scope` tells equal names apart: the number of a database. `line`: the name of the line to stand
 * in, NULL: in none. Copies the names. */
void waiters_add(struct waiters *waiters, uint32_t scope, struct bytes name,
                 const struct bytes *line, struct waiter *waiter);
/* Nothing when it does not wait. */
void waiters_remove(struct waiters *waiters, struct waiter *waiter);

static inline bool waiters_empty(const struct waiters *waiters)
{
    return waiters->keys.count == 0;
}

/* The scope and the name of what a waiter waits for. */
uint32_t waiter_scope(const struct waiter *waiter);
struct bytes waiter_name(const struct waiter *waiter);

/* The one who has waited longest for this key, NULL when nobody does; and who came after `waiter`.
 */
struct waiter *waiters_first(const struct waiters *waiters, uint32_t scope, struct bytes name);
struct waiter *waiters_next(const struct waiter *waiter);
/* The first of a line, NULL when nobody stands in it. */
struct waiter *waiters_line_first(const struct waiters *waiters, uint32_t scope, struct bytes name,
                                  struct bytes line);
/* Who came to the same line after `waiter`, NULL: nobody. */
struct waiter *waiters_line_next(const struct waiter *waiter);

#endif
