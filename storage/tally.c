#include "storage/tally.h"

struct tally tally_of(const struct object *object)
{
    const struct object_state *state = &object->states[object->side];
    struct tally tally = {1, object->name_len, 0};
    switch (state->type) {
    case OBJECT_NONE:
        return (struct tally){0};
    case OBJECT_FEED:
        tally.entries = state->feed->rows[state->feed->side].length;
        break;
    case OBJECT_STRING:
        tally.bytes += state->value->len;
        break;
    case OBJECT_HASH:
        tally.bytes += state->hash->packed_bytes;
        break;
    }
    return tally;
}

enum err tally_of_row(struct bytes name, struct bytes row, struct tally *out)
{
    struct object_row_size size;
    enum err err = object_row_size(row, &size);
    if (err == ERR_OK)
        *out = (struct tally){1, name.len + size.value_bytes, size.entries};
    return err;
}
