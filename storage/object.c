#include "storage/object.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/upkeep.h"

/* What a feed may have beside its counters, by the tag in its row. */
enum extra { EXTRA_UPKEEP = 1, EXTRA_GROUPS = 2 };

uint64_t object_hash(uint64_t seed, uint32_t space, struct bytes name)
{
    return hash_bytes(name, seed + space);
}

struct object *object_create(uint32_t space, uint64_t hash, struct bytes name, uint8_t side)
{
    CHECK(name.len <= UINT32_MAX);
    struct object *object = mem_zalloc(sizeof(*object) + name.len);
    object->node.hash = hash;
    object->space = space;
    object->slot = key_slot(name);
    object->side = side;
    object->name_len = (uint32_t)name.len;
    if (name.len > 0)
        memcpy(object->name, name.data, name.len);
    list_init(&object->lru);
    list_init(&object->links[0]);
    list_init(&object->links[1]);
    return object;
}

void object_destroy(struct object *object)
{
    CHECK(list_empty(&object->links[0]) && list_empty(&object->links[1]) &&
          list_empty(&object->lru));
    for (int side = 0; side < 2; side++) {
        if (object->states[side].feed != NULL)
            feed_unref(object->states[side].feed);
    }
    mem_free(object);
}

size_t object_bytes(const struct object *object)
{
    const struct feed *feed = object_feed(object);
    return sizeof(*object) + object->name_len + (feed != NULL ? feed_bytes(feed) : 0);
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

void object_row_encode(struct buf *out, const struct object_state *state, uint8_t side)
{
    CHECK(state->type == OBJECT_FEED);
    const struct feed_row *row = &state->feed->rows[side];
    buf_put_u8(out, (uint8_t)state->type);
    buf_put_varint(out, state->feed->home.feed);
    put_id(out, row->last_id);
    put_id(out, row->first_id);
    put_id(out, row->max_deleted_id);
    buf_put_varint(out, row->length);
    buf_put_varint(out, row->entries_added);
    put_id(out, row->chunk_base);
    buf_put_varint(out, row->chunk_bytes);
    put_id(out, row->stored_id);
    buf_put_varint(out, state->feed->home.slot);
    put_extras(out, row, side);
}

enum err object_row_decode(struct object *object, struct bytes bytes)
{
    struct decoder decoder = decoder_of(bytes);
    uint8_t type = decoder_u8(&decoder);
    struct chunk_home home = {.space = object->space, .feed = decoder_varint(&decoder)};
    struct feed_row row = {.last_id = take_id(&decoder)};
    row.first_id = take_id(&decoder);
    row.max_deleted_id = take_id(&decoder);
    row.length = decoder_varint(&decoder);
    row.entries_added = decoder_varint(&decoder);
    row.chunk_base = take_id(&decoder);
    uint64_t chunk_bytes = decoder_varint(&decoder);
    row.stored_id = take_id(&decoder);
    uint64_t slot = decoder_varint(&decoder);
    if (decoder.failed || type != OBJECT_FEED || chunk_bytes > UINT32_MAX || slot >= KEY_SLOTS)
        return ERR_CORRUPT;
    row.chunk_bytes = (uint32_t)chunk_bytes;
    home.slot = (uint16_t)slot;
    struct feed *feed = feed_create(home, object->side);
    feed->on_disk = true;
    feed->rows[feed->side] = row;
    enum err err = take_extras(&decoder, feed);
    if (err != ERR_OK) {
        feed_unref(feed);
        return err;
    }
    *object_state(object) = (struct object_state){OBJECT_FEED, feed};
    object->persisted = true;
    return ERR_OK;
}
