/* die: the one way in which weir-bench gives up: a line on standard error, exit status 1. The
 * system closes the sockets, and there is nothing else to undo. */
#ifndef WEIR_BENCH_DIE_H
#define WEIR_BENCH_DIE_H

__attribute__((noreturn, cold, format(printf, 1, 2))) void die(const char *format, ...);

#endif
