#include "storage/catalog.h"

#include "base/alloc.h"
#include "base/codec.h"

/* The first one that counts expiring keys and has range rules. */
#define FORMAT_WITH_RULES 3u

void catalog_init(struct catalog *catalog, uint32_t count, uint64_t hash_seed)
{
    *catalog = (struct catalog){
        .hash_seed = hash_seed, .next_feed = 1, .next_space = 1, .format = CATALOG_FORMAT};
    catalog_grow(catalog, count);
    key_ranges_init(&catalog->ranges);
}

void catalog_deinit(struct catalog *catalog)
{
    mem_free(catalog->databases);
    key_ranges_deinit(&catalog->ranges);
    *catalog = (struct catalog){0};
}

void catalog_grow(struct catalog *catalog, uint32_t count)
{
    if (count <= catalog->count)
        return;
    catalog->databases = mem_realloc(catalog->databases, count * sizeof(struct database));
    while (catalog->count < count)
        catalog->databases[catalog->count++] = (struct database){.space = catalog->next_space++};
}

void catalog_copy(struct catalog *to, const struct catalog *from)
{
    *to = *from;
    to->databases = mem_copy(from->databases, from->count * sizeof(struct database));
    key_ranges_copy(&to->ranges, &from->ranges);
}

bool catalog_expires(const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->count; i++) {
        if (catalog->databases[i].expires > 0)
            return true;
    }
    return false;
}

void catalog_encode(struct buf *out, const struct catalog *catalog)
{
    buf_put_u16(out, CATALOG_FORMAT);
    buf_put_u64(out, catalog->fold_lsn);
    buf_put_u64(out, catalog->hash_seed);
    buf_put_varint(out, catalog->next_feed);
    buf_put_varint(out, catalog->next_space);
    buf_put_varint(out, catalog->count);
    for (uint32_t i = 0; i < catalog->count; i++) {
        buf_put_varint(out, catalog->databases[i].space);
        buf_put_varint(out, catalog->databases[i].keys);
        buf_put_varint(out, catalog->databases[i].expires);
        buf_put_varint(out, catalog->databases[i].expiry_sum);
    }
    key_ranges_encode(out, &catalog->ranges);
}

static enum err decode_databases(struct decoder *decoder, struct catalog *catalog)
{
    const uint16_t format = catalog->format;
    uint64_t count = decoder_varint(decoder);
    if (decoder->failed || count > CATALOG_DATABASES_MAX)
        return ERR_CORRUPT;
    uint32_t next_space = catalog->next_space;
    catalog_grow(catalog, (uint32_t)count);
    catalog->next_space = next_space;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t space = decoder_varint(decoder);
        uint64_t keys = decoder_varint(decoder);
        uint64_t expires = format >= FORMAT_WITH_RULES ? decoder_varint(decoder) : 0;
        uint64_t expiry_sum = format >= CATALOG_FORMAT_WITH_EXPIRY ? decoder_varint(decoder) : 0;
        if (decoder->failed || space == 0 || space >= next_space || expires > keys)
            return ERR_CORRUPT;
        catalog->databases[i] = (struct database){
            .space = (uint32_t)space, .keys = keys, .expires = expires, .expiry_sum = expiry_sum};
    }
    if (format < FORMAT_WITH_RULES) {
        key_ranges_init(&catalog->ranges);
        return decoder_left(decoder) == 0 ? ERR_OK : ERR_CORRUPT;
    }
    return key_ranges_decode(decoder_take(decoder, decoder_left(decoder)), &catalog->ranges);
}

enum err catalog_decode(struct bytes row, struct catalog *out)
{
    struct decoder decoder = decoder_of(row);
    uint16_t format = decoder_u16(&decoder);
    if (!decoder.failed && format > CATALOG_FORMAT)
        return ERR_TOO_NEW;
    struct catalog catalog = {.fold_lsn = decoder_u64(&decoder), .format = format};
    catalog.hash_seed = decoder_u64(&decoder);
    catalog.next_feed = decoder_varint(&decoder);
    uint64_t next_space = decoder_varint(&decoder);
    if (decoder.failed || format == 0 || next_space > UINT32_MAX)
        return ERR_CORRUPT;
    catalog.next_space = (uint32_t)next_space;
    enum err err = decode_databases(&decoder, &catalog);
    if (err != ERR_OK) {
        catalog_deinit(&catalog);
        return err;
    }
    *out = catalog;
    return ERR_OK;
}
