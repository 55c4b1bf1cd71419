/* rocks_home: a directory with a RocksDB of ranges, for tests. */
#ifndef WEIR_TESTS_UNIT_ROCKS_HOME_H
#define WEIR_TESTS_UNIT_ROCKS_HOME_H

#include <dirent.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/ranges_rocks.h"
#include "tests/unit/unit.h"

#define ROCKS_PATH_MAX 512

struct rocks_home {
    char root[ROCKS_PATH_MAX / 2]; /* made by mkdtemp */
    char path[ROCKS_PATH_MAX];     /* of the database, in `root` */
    struct ranges_rocks_options options;
};

static void *rocks_home_create(uint64_t seed)
{
    (void)seed;
    struct rocks_home *home = calloc(1, sizeof(*home));
    const char *tmp = getenv("TMPDIR");
    snprintf(home->root, sizeof(home->root), "%s/weir-ranges-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(home->root));
    snprintf(home->path, sizeof(home->path), "%s/ranges", home->root);
    home->options = (struct ranges_rocks_options){
        .path = home->path,
        .block_cache_bytes = 8u << 20,
        .background_threads = 1,
        .open_files_max = 64,
    };
    return home;
}

static struct ranges *rocks_home_open(void *opaque)
{
    struct rocks_home *home = opaque;
    struct ranges *ranges = NULL;
    struct buf reason;
    buf_init(&reason);
    enum err err = ranges_rocks_open(&home->options, &reason, &ranges);
    if (err != ERR_OK)
        print_error("open: %s: %.*s\n", err_text(err), (int)reason.len, reason.data);
    assert_int_equal(err, ERR_OK);
    assert_int_equal(reason.len, 0);
    buf_deinit(&reason);
    return ranges;
}

static int rocks_home_remove(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void rocks_home_destroy(void *opaque)
{
    struct rocks_home *home = opaque;
    nftw(home->root, rocks_home_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(home);
}

#endif
