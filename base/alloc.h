/* alloc: memory or a stopped process.
 *
 * A server that cannot allocate cannot keep its promises in memory, and its
 * durable promises are on disk already: stopping is the honest answer. These
 * never return NULL. Free with mem_free. */
#ifndef WEIR_BASE_ALLOC_H
#define WEIR_BASE_ALLOC_H

#include <stddef.h>

__attribute__((malloc, returns_nonnull)) void *mem_alloc(size_t size);
/* Zeroed. */
__attribute__((malloc, returns_nonnull)) void *mem_zalloc(size_t size);
__attribute__((returns_nonnull)) void *mem_realloc(void *memory, size_t size);
__attribute__((malloc, returns_nonnull)) void *mem_copy(const void *data, size_t size);
/* NULL is allowed. */
void mem_free(void *memory);

/* The bytes that the allocator really set aside for `memory` (its size class). */
size_t mem_usable(const void *memory);
/* The same of memory yet to be allocated with `size`, without a look at any (sanitizer builds: just
 * the size). */
size_t mem_rounded(size_t size);

/* Bytes in use in the whole process, as the allocator counts them; 0 when it
 * does not (sanitizer builds). Renews the allocator's snapshot, which takes some
 * microseconds: for INFO and timers, not for every command. */
size_t mem_used(void);
/* Name and version of the allocator, for INFO: "jemalloc-5.3.0" or "libc". */
const char *mem_allocator(void);

#endif
