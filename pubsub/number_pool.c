#include "pubsub/number_pool.h"

void number_pool_init(struct number_pool *pool)
{
    pool->next = 0;
    buf_init(&pool->returned);
}

void number_pool_deinit(struct number_pool *pool)
{
    buf_deinit(&pool->returned);
}

uint32_t number_pool_take(struct number_pool *pool)
{
    uint32_t number = pool->next;
    if (pool->returned.len == 0) {
        pool->next++;
        return number;
    }
    pool->returned.len -= sizeof(number);
    memcpy(&number, pool->returned.data + pool->returned.len, sizeof(number));
    return number;
}

void number_pool_return(struct number_pool *pool, uint32_t number)
{
    buf_add(&pool->returned, &number, sizeof(number));
}
