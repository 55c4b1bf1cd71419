/* The C API of RocksDB reports a status as words only: "Kind: detail: system's words". The words of
 * the kinds and of the LOCK file are its status.cc's and env's, fixed for years; the tests of
 * ranges_rocks meet each of them. */
#include "storage/ranges_rocks_internal.h"

#include <string.h>

#include <rocksdb/c.h>

#include "base/check.h"
#include "base/logger.h"

static bool starts_with(const char *words, const char *prefix)
{
    return strncmp(words, prefix, strlen(prefix)) == 0;
}

enum err rocks_error_of(const char *words)
{
    static const struct {
        const char *part;
        enum err err;
    } parts[] = {
        {"No space left on device", ERR_NO_SPACE},
        {"Disk quota exceeded", ERR_NO_SPACE},
        {"Space limit reached", ERR_NO_SPACE},
        {"lock hold by current process", ERR_LOCKED},
        {"LOCK: Resource temporarily unavailable", ERR_LOCKED},
        {"Permission denied", ERR_DENIED},
        {"Operation not permitted", ERR_DENIED},
    };
    if (starts_with(words, "Result incomplete"))
        return ERR_COLD;
    if (starts_with(words, "Corruption"))
        return ERR_CORRUPT;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(words, parts[i].part) != NULL)
            return parts[i].err;
    }
    return ERR_IO;
}

enum err rocks_read_error(struct rocks *rocks, char *words)
{
    enum err err = rocks_error_of(words);
    /* A damaged file is met by every read of it: the first says where, INFO counts the rest. */
    if (err != ERR_COLD && !atomic_exchange(&rocks->read_error_logged, true))
        LOG(LOG_WARNING, "ranges read failed", "error=\"%s\"", words);
    rocksdb_free(words);
    return err;
}

enum err rocks_batch_error(char *words)
{
    /* Keys out of order. */
    CHECK(!starts_with(words, "Invalid argument"));
    LOG(LOG_WARNING, "ranges batch failed", "error=\"%s\"", words);
    enum err err = rocks_error_of(words);
    rocksdb_free(words);
    return err;
}
