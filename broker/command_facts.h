/* command_facts: what COMMAND tells of some commands that their rows do not say.
 *
 * https://redis.io/docs/latest/develop/reference/key-specs/ and .../command-tips/ have the words.
 * Nothing in the server depends on them: they are for proxies and clients of clusters. */
#ifndef WEIR_BROKER_COMMAND_FACTS_H
#define WEIR_BROKER_COMMAND_FACTS_H

/* Words are separated by one blank. */
struct command_facts {
    const char *name; /* "get", "memory|usage" */
    /* How the command uses its keys, or its first one and its second one. NULL: as the row's flags
     * have it. */
    const char *keys[2];
    const char *tips; /* NULL: none */
};

/* By full name; NULL when there is nothing to add. */
const struct command_facts *command_facts_of(const char *name);

#endif
