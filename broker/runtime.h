/* runtime: the broker on libuv: wake-ups, readers, the timer, signals. */
#ifndef WEIR_BROKER_RUNTIME_H
#define WEIR_BROKER_RUNTIME_H

#include "base/err.h"

struct options;

/* Serves until SHUTDOWN, SIGTERM or SIGINT. Blocks. On an error nothing was served, and it was
 * logged why. */
MUST_CHECK enum err runtime_run(struct options *options);

#endif
