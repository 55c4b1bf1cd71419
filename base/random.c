#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"
#include "base/clock.h"

/* splitmix64: spreads any seed, 0 too, over a state that must not be all zero. */
static uint64_t spread(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15;
    uint64_t mixed = *seed;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

void random_init(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = spread(&seed);
}

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

uint64_t random_u64(struct random *random)
{
    uint64_t *state = random->state;
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    CHECK(bound > 0);
    /* The 2^64 % bound lowest values would come up once too often. */
    uint64_t uneven = (0 - bound) % bound;
    uint64_t value;
    do
        value = random_u64(random);
    while (value < uneven);
    return value % bound;
}

uint64_t random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
        return seed;
    /* Early in the boot the system has no entropy yet, and nothing here is secret. */
    return clock_wall_us() ^ clock_mono_us() << 32;
}
