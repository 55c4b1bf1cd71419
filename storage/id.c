#include "storage/id.h"

size_t id_to_text(struct id id, char *out)
{
    size_t len = u64_to_text(id.ms, out);
    out[len++] = '-';
    return len + u64_to_text(id.seq, out + len);
}

bool id_from_text(struct bytes text, uint64_t missing_seq, struct id *out)
{
    struct id id = {0, missing_seq};
    const char *dash = text.len > 0 ? memchr(text.data, '-', text.len) : NULL;
    size_t ms_len = dash != NULL ? (size_t)(dash - text.data) : text.len;
    if (!bytes_to_u64(bytes_of(text.data, ms_len), &id.ms))
        return false;
    if (dash != NULL && !bytes_to_u64(bytes_of(dash + 1, text.len - ms_len - 1), &id.seq))
        return false;
    *out = id;
    return true;
}
