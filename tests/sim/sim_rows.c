#include "tests/sim/sim_rows.h"

#include <string.h>

#include "base/alloc.h"

struct bytes row_key(const struct row *row)
{
    return (struct bytes){row->data, row->key_len};
}

struct bytes row_value(const struct row *row)
{
    return (struct bytes){row->data + row->key_len, row->value_len};
}

struct row *row_create(struct bytes key, struct bytes before, struct bytes value)
{
    struct row *row = mem_zalloc(sizeof(*row) + key.len + before.len + value.len);
    row->key_len = key.len;
    row->value_len = before.len + value.len;
    char *at = row->data;
    const struct bytes parts[] = {key, before, value};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len > 0)
            memcpy(at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return row;
}

struct version *version_create(size_t rows_max)
{
    struct version *version = mem_zalloc(sizeof(*version) + (rows_max + 1) * sizeof(struct row *));
    version->refs = 1;
    return version;
}

void version_add(struct version *version, struct row *row)
{
    row->refs++;
    version->rows[version->count++] = row;
}

void version_finish(struct version *version)
{
    version_add(version, row_create(BYTES(""), BYTES(""), BYTES("")));
    version->count--;
}

void version_release(struct version *version)
{
    if (--version->refs > 0)
        return;
    for (size_t i = 0; i <= version->count; i++) {
        if (--version->rows[i]->refs == 0)
            mem_free(version->rows[i]);
    }
    mem_free(version);
}

size_t version_find(const struct version *version, struct bytes key)
{
    size_t low = 0;
    size_t high = version->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(row_key(version->rows[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool version_has_at(const struct version *version, size_t at, struct bytes key)
{
    return at < version->count && bytes_equal(row_key(version->rows[at]), key);
}
