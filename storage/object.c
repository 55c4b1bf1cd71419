#include "storage/object.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/upkeep.h"

/* What a feed may have beside its counters, by the tag in its row. */
enum extra { EXTRA_UPKEEP = 1, EXTRA_GROUPS = 2 };

#include <assert.h>

uint64_t object_hash(uint64_t seed, uint32_t space, struct bytes name)
{
    return hash_bytes(name, seed + space);
}

/* What a row's type byte has when a time of expiry follows. */
#define ROW_EXPIRES 0x80u

static_assert(sizeof(struct object_state) == 16, "small keys are small");
static_assert(OBJECT_SMALL_BYTES == 48, "small keys are small");
static_assert(sizeof(struct object) == 128, "a row\'s time of expiry costs nothing");

static struct object *make(size_t head, uint32_t space, uint64_t hash, struct bytes name)
{
    CHECK(name.len <= UINT32_MAX);
    struct object *object = mem_alloc(head + name.len);
    memset(object, 0, head);
    object->node.hash = hash;
    object->space = space;
    object->name_len = (uint32_t)name.len;
    if (name.len > 0)
        memcpy((char *)object + head, name.data, name.len);
    return object;
}

struct object *object_create(uint32_t space, uint64_t hash, struct bytes name, uint8_t side)
{
    struct object *object = make(sizeof(*object), space, hash, name);
    object->slot = key_slot(name);
    object->side = side & 1u;
    list_init(&object->lru);
    list_init(&object->links[0]);
    list_init(&object->links[1]);
    return object;
}

struct object *object_create_small(uint32_t space, uint64_t hash, struct bytes name, uint16_t range)
{
    struct object *object = make(OBJECT_SMALL_BYTES, space, hash, name);
    object->range = range;
    object->in_memory = true;
    return object;
}

void object_destroy(struct object *object)
{
    object_state_clear(&object->states[0]);
    if (!object->in_memory) {
        CHECK(list_empty(&object->links[0]) && list_empty(&object->links[1]) &&
              list_empty(&object->lru));
        object_state_clear(&object->states[1]);
    }
    mem_free(object);
}

void object_state_clear(struct object_state *state)
{
    switch (state->type) {
    case OBJECT_NONE:
        break;
    case OBJECT_FEED:
        feed_unref(state->feed);
        break;
    case OBJECT_STRING:
        value_unref(state->value);
        break;
    case OBJECT_HASH:
        hash_unref(state->hash);
        break;
    }
    *state = (struct object_state){.type = OBJECT_NONE};
}

size_t object_state_bytes(const struct object_state *state)
{
    switch (state->type) {
    case OBJECT_NONE:
        break;
    case OBJECT_FEED:
        return feed_bytes(state->feed);
    case OBJECT_STRING:
        return value_size(state->value);
    case OBJECT_HASH:
        return hash_size(state->hash);
    }
    return 0;
}

size_t object_bytes(const struct object *object)
{
    return mem_usable(object) + object_state_bytes(&object->states[object->side]);
}

static void put_id(struct buf *out, struct id id)
{
    buf_put_varint(out, id.ms);
    buf_put_varint(out, id.seq);
}

static struct id take_id(struct decoder *decoder)
{
    struct id id = {.ms = decoder_varint(decoder)};
    id.seq = decoder_varint(decoder);
    return id;
}

static void put_extra(struct buf *out, enum extra tag, struct buf *text)
{
    buf_put_u8(out, (uint8_t)tag);
    buf_put_bytes(out, buf_bytes(text));
    text->len = 0;
}

static void put_extras(struct buf *out, const struct feed_row *row, uint8_t side)
{
    struct buf text;
    buf_init(&text);
    if (row->upkeep != NULL) {
        upkeep_encode(&text, &row->upkeep->rows[side]);
        put_extra(out, EXTRA_UPKEEP, &text);
    }
    if (row->groups != 0) {
        buf_put_varint(&text, row->groups);
        buf_put_varint(&text, row->groups_slot);
        put_extra(out, EXTRA_GROUPS, &text);
    }
    buf_deinit(&text);
}

static enum err take_groups(struct feed_row *row, struct bytes text)
{
    struct decoder decoder = decoder_of(text);
    uint64_t groups = decoder_varint(&decoder);
    uint64_t slot = decoder_varint(&decoder);
    if (decoder.failed || decoder_left(&decoder) > 0 || groups == 0 || slot >= KEY_SLOTS)
        return ERR_CORRUPT;
    row->groups = groups;
    row->groups_slot = (uint16_t)slot;
    return ERR_OK;
}

static enum err take_extras(struct decoder *decoder, struct feed *feed)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && decoder_left(decoder) > 0) {
        uint8_t tag = decoder_u8(decoder);
        struct bytes text = decoder_bytes(decoder);
        if (decoder->failed)
            return ERR_CORRUPT;
        if (tag == EXTRA_UPKEEP)
            err = upkeep_decode(feed, text);
        else
            err = tag == EXTRA_GROUPS ? take_groups(feed_row(feed), text) : ERR_CORRUPT;
    }
    return err;
}

static void encode_feed(struct buf *out, const struct feed *feed, uint8_t side)
{
    const struct feed_row *row = &feed->rows[side];
    buf_put_varint(out, feed->home.feed);
    put_id(out, row->last_id);
    put_id(out, row->first_id);
    put_id(out, row->max_deleted_id);
    buf_put_varint(out, row->length);
    buf_put_varint(out, row->entries_added);
    put_id(out, row->chunk_base);
    buf_put_varint(out, row->chunk_bytes);
    put_id(out, row->stored_id);
    buf_put_varint(out, feed->home.slot);
    put_extras(out, row, side);
}

void object_row_encode(struct buf *out, const struct object_state *state, uint8_t side)
{
    buf_put_u8(out, (uint8_t)(state->type | (state->expiry_ms > 0 ? ROW_EXPIRES : 0)));
    if (state->expiry_ms > 0)
        buf_put_varint(out, state->expiry_ms);
    switch (state->type) {
    case OBJECT_NONE:
        CHECK(false);
        break;
    case OBJECT_FEED:
        encode_feed(out, state->feed, side);
        break;
    case OBJECT_STRING:
        buf_add_bytes(out, value_bytes(state->value));
        break;
    case OBJECT_HASH:
        hash_pack(out, state->hash);
        break;
    }
}

static enum err decode_feed(struct decoder *decoder, const struct object *object,
                            struct object_state *out)
{
    struct chunk_home home = {.space = object->space, .feed = decoder_varint(decoder)};
    struct feed_row row = {.last_id = take_id(decoder)};
    row.first_id = take_id(decoder);
    row.max_deleted_id = take_id(decoder);
    row.length = decoder_varint(decoder);
    row.entries_added = decoder_varint(decoder);
    row.chunk_base = take_id(decoder);
    uint64_t chunk_bytes = decoder_varint(decoder);
    row.stored_id = take_id(decoder);
    uint64_t slot = decoder_varint(decoder);
    if (decoder->failed || chunk_bytes > UINT32_MAX || slot >= KEY_SLOTS)
        return ERR_CORRUPT;
    row.chunk_bytes = (uint32_t)chunk_bytes;
    home.slot = (uint16_t)slot;
    struct feed *feed = feed_create(home, object->side);
    feed->on_disk = true;
    feed->rows[feed->side] = row;
    enum err err = take_extras(decoder, feed);
    if (err != ERR_OK) {
        feed_unref(feed);
        return err;
    }
    out->feed = feed;
    return ERR_OK;
}

static enum err decode_hash(struct bytes packed, struct object_state *out)
{
    struct hash *hash = hash_create();
    enum err err = hash_unpack(hash, packed);
    if (err == ERR_OK && hash->count == 0)
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        out->hash = hash;
    else
        hash_unref(hash);
    return err;
}

/* Type and expiry; the decoder stands at what the type has. */
static enum err decode_head(struct decoder *decoder, struct object_state *out)
{
    uint8_t first = decoder_u8(decoder);
    uint64_t expiry_ms = (first & ROW_EXPIRES) != 0 ? decoder_varint(decoder) : 0;
    enum object_type type = object_row_type(first);
    if (decoder->failed || expiry_ms > OBJECT_EXPIRY_MAX || type > OBJECT_HASH)
        return ERR_CORRUPT;
    *out = (struct object_state){.type = type, .expiry_ms = expiry_ms & OBJECT_EXPIRY_MAX};
    return ERR_OK;
}

/* See encode_feed. */
static uint64_t feed_entries(struct decoder *decoder)
{
    decoder_varint(decoder); /* feed id */
    for (int i = 0; i < 3; i++)
        (void)take_id(decoder);
    return decoder_varint(decoder);
}

enum err object_row_size(struct bytes row, struct object_row_size *out)
{
    struct decoder decoder = decoder_of(row);
    struct object_state state;
    enum err err = decode_head(&decoder, &state);
    if (err != ERR_OK)
        return err;
    struct object_row_size size = {0};
    if (state.type == OBJECT_FEED)
        size.entries = feed_entries(&decoder);
    else
        size.value_bytes = decoder_left(&decoder);
    if (decoder.failed)
        return ERR_CORRUPT;
    *out = size;
    return ERR_OK;
}

uint64_t object_row_expiry(struct bytes row)
{
    struct decoder decoder = decoder_of(row);
    struct object_state state;
    return decode_head(&decoder, &state) == ERR_OK ? state.expiry_ms : 0;
}

enum err object_state_decode(struct object_state *state, struct bytes row)
{
    struct decoder decoder = decoder_of(row);
    struct object_state decoded;
    enum err err = decode_head(&decoder, &decoded);
    if (err != ERR_OK)
        return err;
    struct bytes rest = decoder_take(&decoder, decoder_left(&decoder));
    if (decoded.type == OBJECT_STRING && rest.len <= VALUE_BYTES_MAX)
        decoded.value = value_create(rest);
    else if (decoded.type != OBJECT_HASH || decode_hash(rest, &decoded) != ERR_OK)
        return ERR_CORRUPT;
    *state = decoded;
    return ERR_OK;
}

enum err object_row_decode(struct object *object, struct bytes row)
{
    struct decoder decoder = decoder_of(row);
    struct object_state decoded;
    enum err err = decode_head(&decoder, &decoded);
    if (err == ERR_OK && decoded.type == OBJECT_FEED)
        err = decode_feed(&decoder, object, &decoded);
    else if (err == ERR_OK)
        err = object_state_decode(&decoded, row);
    if (err != ERR_OK)
        return err;
    *object_state(object) = decoded;
    object->persisted = true;
    object->row_expiry_ms = decoded.expiry_ms;
    return ERR_OK;
}
