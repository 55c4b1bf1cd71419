/* lookahead: the keys of the commands that a client has sent but that have not run yet.
 *
 * Looking a key up is a row of cache misses, each of which waits for the one before. Where a
 * pipeline has many commands their keys are known before the first of them runs, and so the memory
 * behind them can be fetched side by side (keyspace_prefetch).
 *
 * All of this is a hint: it says nothing of whether a command is valid or will run, and the first
 * argument is taken for a key. */
#ifndef WEIR_BROKER_LOOKAHEAD_H
#define WEIR_BROKER_LOOKAHEAD_H

#include "base/bytes.h"

/* Commands at a time: more than processors fetch lines at once, few enough that what they need
 * fits into a first level cache. */
#define LOOKAHEAD_MAX 16

/* The first arguments of the commands at the start of `input`, at most `max` of them. Points into
 * `input`; returns how many there are. Ends at what is no multibulk command with arguments, and at
 * a command that is not there as far as its first argument. */
unsigned lookahead_keys(struct bytes input, struct bytes *keys, unsigned max);

#endif
