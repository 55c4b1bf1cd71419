#include "base/alloc.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/logger.h"

#ifdef WEIR_JEMALLOC
#include <jemalloc/jemalloc.h>

/* jemalloc reads this when it starts. A fold frees tens of megabytes at once, which become few
 * large extents; by default (6) an extent is not split for a request of less than a 64th of it, so
 * that what is appended next would get fresh pages, a fault for each, while those wait to be given
 * back. */
const char *malloc_conf = "lg_extent_max_active_fit:16";
#endif

__attribute__((noreturn, cold)) static void out_of_memory(size_t size)
{
    logger_line(LOG_WARNING, "out of memory", "wanted=%zu", size);
    abort();
}

/* malloc(0) may answer NULL, which must not look like a failure. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *mem_alloc(size_t size)
{
    void *memory = malloc(at_least_one(size));
    if (memory == NULL)
        out_of_memory(size);
    return memory;
}

void *mem_zalloc(size_t size)
{
    void *memory = calloc(1, at_least_one(size));
    if (memory == NULL)
        out_of_memory(size);
    return memory;
}

void *mem_realloc(void *memory, size_t size)
{
    void *moved = realloc(memory, at_least_one(size));
    if (moved == NULL)
        out_of_memory(size);
    return moved;
}

void *mem_copy(const void *data, size_t size)
{
    void *copy = mem_alloc(size);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void mem_free(void *memory)
{
    free(memory);
}

size_t mem_usable(const void *memory)
{
    /* It only reads, but its oldest declaration lacks the const. */
    return malloc_usable_size((void *)(uintptr_t)memory);
}

#ifdef WEIR_JEMALLOC

size_t mem_rounded(size_t size)
{
    return nallocx(at_least_one(size), 0);
}

size_t mem_used(void)
{
    /* The counters are a snapshot, which writing to "epoch" renews. */
    uint64_t epoch = 1;
    if (mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) != 0)
        return 0;
    size_t used = 0;
    size_t used_size = sizeof used;
    if (mallctl("stats.allocated", &used, &used_size, NULL, 0) != 0)
        return 0;
    return used;
}

#define TEXT(x)        #x
#define TEXT_OF(macro) TEXT(macro)

const char *mem_allocator(void)
{
    return "jemalloc-" TEXT_OF(JEMALLOC_VERSION_MAJOR) "." TEXT_OF(
        JEMALLOC_VERSION_MINOR) "." TEXT_OF(JEMALLOC_VERSION_BUGFIX);
}

#else

size_t mem_rounded(size_t size)
{
    return at_least_one(size);
}

size_t mem_used(void)
{
    return 0;
}

const char *mem_allocator(void)
{
    return "libc";
}

#endif
