/* number_pool: hands out small numbers and takes them back, so that those in use stay dense and
 * bitmaps of them small. Threads: the loop's. */
#ifndef WEIR_PUBSUB_NUMBER_POOL_H
#define WEIR_PUBSUB_NUMBER_POOL_H

#include "base/buf.h"

struct number_pool {
    uint32_t next; /* no number from here on was ever handed out */
    struct buf returned;
};

void number_pool_init(struct number_pool *pool);
void number_pool_deinit(struct number_pool *pool);

/* The one that came back last, or a new one. */
uint32_t number_pool_take(struct number_pool *pool);
void number_pool_return(struct number_pool *pool, uint32_t number);

#endif
