/* nats_lane: a source's lane that publishes to JetStream. Every publish asks for an acknowledgement
 * at an inbox of its own; they may come in any order. */
#ifndef WEIR_BENCH_NATS_LANE_H
#define WEIR_BENCH_NATS_LANE_H

#include "bench/source.h"

void nats_lane_open(struct lane *lane);
void nats_lane_on_bytes(struct link *link, struct bytes bytes);
/* A publish to a feed at random. */
void nats_lane_add(struct source *source, struct lane *lane, struct payload item);

#endif
