/* group_log: lines of the log about a consumer group. Threads: the loop's. */
#ifndef WEIR_BROKER_GROUP_LOG_H
#define WEIR_BROKER_GROUP_LOG_H

#include "base/bytes.h"

struct group;

/* A warning: where the group is, and how many entries are pending in it. */
void group_log(const char *event, unsigned db, struct bytes key, struct group *group);

#endif
