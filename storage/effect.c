#include "storage/effect.h"

bool effect_is_of_values(enum op_kind kind)
{
    return kind >= OP_SET && kind <= OP_PUT;
}

static enum err set(struct object_state *state, const struct op *op)
{
    if (op->data.len > VALUE_BYTES_MAX || op->number > OBJECT_EXPIRY_MAX)
        return ERR_CORRUPT;
    if (state->type == OBJECT_STRING) {
        state->value = value_replace(state->value, op->data);
    } else {
        object_state_clear(state);
        *state = (struct object_state){.type = OBJECT_STRING, .value = value_create(op->data)};
    }
    state->expiry_ms = op->number & OBJECT_EXPIRY_MAX;
    return ERR_OK;
}

static enum err expire(struct object_state *state, const struct op *op)
{
    if (state->type == OBJECT_NONE || op->number > OBJECT_EXPIRY_MAX)
        return ERR_CORRUPT;
    state->expiry_ms = op->number & OBJECT_EXPIRY_MAX;
    return ERR_OK;
}

static enum err splice(struct object_state *state, const struct op *op)
{
    bool fits = state->type == OBJECT_NONE || state->type == OBJECT_STRING;
    if (!fits || op->number > VALUE_BYTES_MAX || op->data.len > VALUE_BYTES_MAX - op->number)
        return ERR_CORRUPT;
    if (state->type == OBJECT_NONE)
        *state = (struct object_state){.type = OBJECT_STRING, .value = value_create(BYTES(""))};
    state->value = value_splice(state->value, op->number, op->data);
    return ERR_OK;
}

static enum err set_fields(struct object_state *state, const struct op *op)
{
    if (state->type != OBJECT_NONE && state->type != OBJECT_HASH)
        return ERR_CORRUPT;
    if (state->type == OBJECT_NONE)
        *state = (struct object_state){.type = OBJECT_HASH, .hash = hash_create()};
    state->hash = hash_own(state->hash);
    return hash_unpack(state->hash, op->data);
}

static enum err delete_fields(struct object_state *state, const struct op *op)
{
    if (state->type != OBJECT_HASH)
        return ERR_CORRUPT;
    state->hash = hash_own(state->hash);
    struct decoder decoder = decoder_of(op->data);
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        if (decoder.failed)
            return ERR_CORRUPT;
        hash_delete(state->hash, name);
    }
    if (state->hash->count == 0)
        object_state_clear(state);
    return ERR_OK;
}

enum err effect_apply(struct object_state *state, const struct op *op)
{
    switch (op->kind) {
    case OP_SET:
        return set(state, op);
    case OP_EXPIRE:
        return expire(state, op);
    case OP_SPLICE:
        return splice(state, op);
    case OP_HASH_SET:
        return set_fields(state, op);
    case OP_HASH_DELETE:
        return delete_fields(state, op);
    case OP_PUT:
        return state->type == OBJECT_NONE ? object_state_decode(state, op->data) : ERR_CORRUPT;
    default:
        return ERR_CORRUPT;
    }
}
