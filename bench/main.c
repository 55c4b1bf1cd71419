/* weir-bench: one workload against one server on 127.0.0.1, one line of JSON. */
#include <stdio.h>
#include <string.h>

#include "bench/die.h"
#include "bench/payload.h"
#include "bench/workloads.h"

struct row {
    const char *name;
    void (*run)(struct load *load);
    const char *operation;
    const char *options;
};

#define X(function, name, operation, options) {name, work_##function, operation, options},
static const struct row rows[] = {WORKLOAD_TABLE(X)};
#undef X

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_help(void)
{
    printf("Usage: weir-bench WORKLOAD --port PORT [--NAME NUMBER]...\n\nWorkloads:\n");
    for (size_t i = 0; i < ROWS; i++)
        printf("  %-14s %s\n  %-14s   (%s)\n", rows[i].name, rows[i].operation, "",
               rows[i].options);
    printf("\nOptions:\n");
    options_print();
}

static const struct row *row_of(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(name, rows[i].name) == 0)
            return &rows[i];
    }
    die("unknown workload %s (see weir-bench --help)", name);
}

int main(int argc, char **argv)
{
    static struct load load;
    struct options options;
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        print_help();
        return argc < 2;
    }
    const struct row *row = row_of(argv[1]);
    options_read(&options, argc - 2, argv + 2);
    payload_init();
    load_init(&load, &options, row->name);
    row->run(&load);
    load_report(&load);
    return 0;
}
