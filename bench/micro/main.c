/* weir-micro: runs one case of the micro-benchmarks.
 *
 *   weir-micro list          names, counts for bench/micro/run, and what an operation is
 *   weir-micro compiler      what the figures depend on
 *   weir-micro CASE [N]      runs N operations, or as many as take a while; prints how
 *                            many a second
 */
#include "bench/micro/micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Without N a run has to take this long to be believed. */
#define RUN_SECONDS 0.2

static const struct micro_case *const tables[] = {
    micro_base_cases,   micro_storage_cases, micro_fold_cases,
    micro_pubsub_cases, micro_parser_cases,  micro_broker_cases,
};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static volatile uint64_t used;

void micro_use(uint64_t result)
{
    used = result;
}

void micro_add_fields(struct buf *out)
{
    buf_addf(out, "*2\r\n$1\r\nf\r\n$%d\r\n", MICRO_VALUE_BYTES);
    memset(buf_reserve(out, MICRO_VALUE_BYTES), 'x', MICRO_VALUE_BYTES);
    out->len += MICRO_VALUE_BYTES;
    buf_add_bytes(out, BYTES("\r\n"));
}

void micro_add_xadd(struct buf *out, const char *key)
{
    struct buf fields;
    buf_init(&fields);
    micro_add_fields(&fields);
    struct bytes wire = buf_bytes(&fields);
    buf_addf(out, "*5\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n", strlen(key), key);
    buf_add(out, wire.data + strlen("*2\r\n"), wire.len - strlen("*2\r\n"));
    buf_deinit(&fields);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds_of(const struct micro_case *row, uint64_t count)
{
    row->set_up();
    double start = now();
    row->run(count);
    double seconds = now() - start;
    row->tear_down();
    return seconds;
}

static void measure(const struct micro_case *row, uint64_t count)
{
    double seconds = seconds_of(row, count);
    printf("%s\t%llu\t%.0f\n", row->name, (unsigned long long)count, (double)count / seconds);
}

static void measure_for_a_while(const struct micro_case *row)
{
    uint64_t count = row->count;
    while (seconds_of(row, count) < RUN_SECONDS)
        count *= 2;
    measure(row, count);
}

static const struct micro_case *find(const char *name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct micro_case *row = tables[i]; row->name != NULL; row++) {
            if (strcmp(row->name, name) == 0)
                return row;
        }
    }
    return NULL;
}

static void list(void)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct micro_case *row = tables[i]; row->name != NULL; row++)
            printf("%s\t%llu\t%s\n", row->name, (unsigned long long)row->count, row->operation);
    }
}

static void print_compiler(void)
{
#ifdef __clang__
    printf("%s\n", __VERSION__);
#else
    printf("gcc %s\n", __VERSION__);
#endif
}

static int usage(void)
{
    fprintf(stderr, "usage: weir-micro list | compiler | CASE [N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t count = 0;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        list();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "compiler") == 0) {
        print_compiler();
        return 0;
    }
    const struct micro_case *row = argc > 1 ? find(argv[1]) : NULL;
    if (row == NULL || argc > 3)
        return usage();
    if (argc == 2)
        measure_for_a_while(row);
    else if (bytes_to_u64(bytes_of_string(argv[2]), &count) && count > 0 && count % row->step == 0)
        measure(row, count);
    else
        return usage();
    return 0;
}
