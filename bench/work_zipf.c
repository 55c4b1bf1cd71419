/* A cache as applications use it: GET, and where there is nothing SET. Keys are asked for by Zipf's
 * law: the second one half as often as the first, the third a third as often. */
#include "base/alloc.h"
#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"
#include "bench/source.h"
#include "bench/workloads.h"

struct cache_lane {
    uint64_t *asked;  /* by operation modulo the pipeline: rank of a GET's key, 0: a SET */
    uint64_t *missed; /* ranks that are to be set, at most as many as the pipeline is long */
    size_t misses;
};

struct cache {
    struct source source;
    struct cache_lane *lanes;
    double *sums; /* by rank, from 1: of the weights up to it */
};

static struct cache *cache_of(struct source *source)
{
    return container_of(source, struct cache, source);
}

static double *sums_of(uint64_t keys)
{
    double *sums = mem_zalloc((keys + 1) * sizeof(double));
    for (uint64_t rank = 1; rank <= keys; rank++)
        sums[rank] = sums[rank - 1] + 1 / (double)rank;
    return sums;
}

static uint64_t random_rank(struct cache *cache)
{
    struct load *load = cache->source.load;
    uint64_t low = 1, high = load->options->keys;
    double fraction = (double)(random_u64(&load->random) >> 11) * 0x1p-53;
    double at = fraction * cache->sums[high];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (cache->sums[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_call(struct source *source, struct lane *lane, struct payload item)
{
    struct cache *cache = cache_of(source);
    struct cache_lane *mine = &cache->lanes[lane->index];
    struct keys keys = {BYTES("cache"), ':', 0, source->load->options->keys};
    bool sets = mine->misses > 0;
    uint64_t rank = sets ? mine->missed[--mine->misses] : random_rank(cache);
    struct key key = key_of(&keys, rank - 1);
    mine->asked[lane->sent % source->load->options->pipeline] = sets ? 0 : rank;
    resp_add_count(&lane->link.out, sets ? 3 : 2);
    resp_add_word(&lane->link.out, sets ? BYTES("SET") : BYTES("GET"));
    resp_add_word(&lane->link.out, key_bytes(&key));
    if (sets)
        source_add_payload(source, &lane->link.out, item);
}

static void check_call(struct source *source, struct lane *lane, const struct resp_value *value)
{
    struct load *load = source->load;
    struct cache_lane *mine = &cache_of(source)->lanes[lane->index];
    uint64_t rank = mine->asked[lane->done % load->options->pipeline];
    struct payload payload;
    if (rank == 0) {
        if (value->type != RESP_STATUS)
            die("zipf: an unexpected reply");
        return;
    }
    load->lookups++;
    if (value->type == RESP_NIL) {
        CHECK(mine->misses < load->options->pipeline);
        mine->missed[mine->misses++] = rank;
        return;
    }
    if (value->type != RESP_STRING || value->text.len != load->options->payload ||
        !payload_read(value->text, &payload))
        die("zipf: a value that was not set");
    load->hits++;
}

void work_zipf(struct load *load)
{
    static const struct source_verbs verbs = {.add = add_call, .on_value = check_call};
    const struct options *options = load->options;
    static struct cache cache;
    if (options->rate > 0)
        die("zipf wants a closed loop");
    cache.sums = sums_of(options->keys);
    cache.lanes = mem_zalloc(options->connections * sizeof(struct cache_lane));
    for (uint64_t i = 0; i < options->connections; i++) {
        cache.lanes[i].asked = mem_zalloc(options->pipeline * sizeof(uint64_t));
        cache.lanes[i].missed = mem_zalloc(options->pipeline * sizeof(uint64_t));
    }
    source_open(&cache.source, load, &verbs);
    source_start(&cache.source);
    load_run(load);
    for (uint64_t i = 0; i < options->connections; i++) {
        mem_free(cache.lanes[i].asked);
        mem_free(cache.lanes[i].missed);
    }
    mem_free(cache.lanes);
    mem_free(cache.sums);
}
