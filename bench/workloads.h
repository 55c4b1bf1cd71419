/* workloads: what weir-bench can do to a server, a row each.
 *
 * A workload prepares the server, opens its connections, calls load_run once, and checks what the
 * server then has. It returns when all is well and dies otherwise. */
#ifndef WEIR_BENCH_WORKLOADS_H
#define WEIR_BENCH_WORKLOADS_H

#include "bench/load.h"

/*  function     name           operation                                              options */
#define WORKLOAD_TABLE(X)                                                                          \
    X(append, "append", "XADD key * of a payload, until acknowledged", "keys, base")               \
    X(fill, "fill", "XADD with the ids 1-1, 2-1, ... for range, replay, pending",                  \
      "keys, operations; connections 1")                                                           \
    X(set, "set", "SET of what is there", "keys, base")                                            \
    X(get, "get", "GET of what is there", "keys, base, writers")                                   \
    X(set_each, "set-each", "SET of each of the keys, once", "keys, base, operations")             \
    X(zipf, "zipf", "GET by Zipf's law, and SET where there is nothing", "keys; rate 0")           \
    X(range, "range", "XRANGE from a random id of what fill wrote", "keys, entries, count")        \
    X(replay, "replay", "XRANGE after XRANGE from the first entry to the last, again and again",   \
      "entries, count; connections 1, pipeline 1")                                                 \
    X(tail, "tail", "an entry's way from XADD to each of the blocked XREADs",                      \
      "readers, count, window; connections 1")                                                     \
    X(group, "group", "an entry's way from XADD through XREADGROUP to XACK",                       \
      "readers, count, window")                                                                    \
    X(xpending, "xpending", "XPENDING key group id + 10 with `entries` pending", "entries")        \
    X(xclaim, "xclaim", "XCLAIM of 10 of the `entries` pending", "entries")                        \
    X(rooms, "rooms", "a message's way from PUBLISH to each subscriber",                           \
      "keys (rooms), each, readers, patterns, window; connections 1")                              \
    X(room_publish, "room-publish", "a message to the members of all rooms by one ROOM.PUBLISH",   \
      "as rooms")                                                                                  \
    X(publish_each, "publish-each", "the same by a PUBLISH to each room", "as rooms")              \
    X(subscribe, "subscribe", "SUBSCRIBE to one more of the rooms", "keys (rooms), operations")    \
    X(rewrite, "rewrite", "BGREWRITEAOF: Weir folds, Redis writes its file anew", "rate")          \
    X(nats_append, "nats-append", "a JetStream publish, until acknowledged", "keys")               \
    X(nats_tail, "nats-tail", "as tail: publish to push consumers", "as tail")                     \
    X(nats_group, "nats-group", "as group: publish, pull, acknowledge", "as group")                \
    X(nats_rooms, "nats-rooms", "as rooms: NATS's own publish and subscribe", "as rooms")

#define X(function, name, operation, options) void work_##function(struct load *load);
WORKLOAD_TABLE(X)
#undef X

#endif
