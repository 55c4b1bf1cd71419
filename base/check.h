/* check: programmers' errors stop the process.
 *
 * CHECK stays on in release builds and must be cheap. DCHECK guards what costs
 * more than O(1) and is compiled out there. */
#ifndef WEIR_BASE_CHECK_H
#define WEIR_BASE_CHECK_H

#include <stddef.h>

__attribute__((noreturn, cold)) void check_failed(const char *condition, const char *file,
                                                  int line);

#define CHECK(condition)                                                                           \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#ifdef WEIR_DEBUG
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) ((void)0)
#endif

#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

/* The struct that embeds `member` at `pointer`. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#endif
