#include "storage/catalog.h"

#include "base/alloc.h"
#include "base/codec.h"
#include "storage/key_scan.h"

/* The first one that counts expiring keys and has range rules. */
#define FORMAT_WITH_RULES 3u
/* The first one that has tallies. */
#define FORMAT_WITH_TALLIES 5u

/* From so many appended entries on both numbers are halved: new ones count for more. */
#define APPENDED_MAX (UINT64_C(1) << 40)

void catalog_init(struct catalog *catalog, uint32_t count, uint64_t hash_seed)
{
    *catalog = (struct catalog){
        .hash_seed = hash_seed, .next_feed = 1, .next_space = 1, .format = CATALOG_FORMAT};
    catalog->tallied = true;
    catalog_grow(catalog, count);
    key_ranges_init(&catalog->ranges);
}

void catalog_deinit(struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->count; i++)
        mem_free(catalog->databases[i].tallies);
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
        catalog->databases[catalog->count++] =
            (struct database){.space = catalog->next_space++, .tallied = KEY_PLACE_END};
}

void catalog_empty(struct database *database, uint32_t space)
{
    mem_free(database->tallies);
    *database = (struct database){.space = space, .tallied = KEY_PLACE_END};
}

void catalog_copy(struct catalog *to, const struct catalog *from)
{
    *to = *from;
    to->databases = mem_copy(from->databases, from->count * sizeof(struct database));
    for (uint32_t i = 0; i < from->count; i++) {
        if (from->databases[i].tallies != NULL)
            to->databases[i].tallies =
                mem_copy(from->databases[i].tallies, KEY_RANGES_MAX * sizeof(struct tally));
    }
    key_ranges_copy(&to->ranges, &from->ranges);
}

struct tally *catalog_tally(struct database *database, unsigned rule)
{
    if (database->tallies == NULL)
        database->tallies = mem_zalloc(KEY_RANGES_MAX * sizeof(struct tally));
    return &database->tallies[rule];
}

struct tally catalog_tally_sum(const struct catalog *catalog, unsigned rule)
{
    struct tally sum = {0};
    for (uint32_t i = 0; i < catalog->count; i++) {
        if (catalog->databases[i].tallies != NULL)
            tally_add(&sum, &catalog->databases[i].tallies[rule]);
    }
    return sum;
}

void catalog_tally_anew(struct catalog *catalog)
{
    catalog->tallied = false;
    for (uint32_t i = 0; i < catalog->count; i++) {
        struct database *database = &catalog->databases[i];
        mem_free(database->tallies);
        database->tallies = NULL;
        database->tallied = database->keys == 0 ? KEY_PLACE_END : 0;
    }
}

void catalog_appended(struct catalog *catalog, size_t bytes)
{
    catalog->appended++;
    catalog->appended_bytes += bytes;
    if (catalog->appended < APPENDED_MAX)
        return;
    catalog->appended /= 2;
    catalog->appended_bytes /= 2;
}

bool catalog_expires(const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->count; i++) {
        if (catalog->databases[i].expires > 0)
            return true;
    }
    return false;
}

static void encode_tallies(struct buf *out, const struct database *database)
{
    static const struct tally nothing[KEY_RANGES_MAX];
    const struct tally *tallies = database->tallies != NULL ? database->tallies : nothing;
    unsigned count = 0;
    for (unsigned rule = 0; rule < KEY_RANGES_MAX; rule++)
        count += tallies[rule].keys > 0;
    buf_put_varint(out, count);
    for (unsigned rule = 0; rule < KEY_RANGES_MAX; rule++) {
        if (tallies[rule].keys == 0)
            continue;
        buf_put_varint(out, rule);
        buf_put_varint(out, tallies[rule].keys);
        buf_put_varint(out, tallies[rule].bytes);
        buf_put_varint(out, tallies[rule].entries);
    }
}

static enum err decode_tally(struct decoder *decoder, struct database *database)
{
    uint64_t rule = decoder_varint(decoder);
    struct tally tally = {.keys = decoder_varint(decoder)};
    tally.bytes = decoder_varint(decoder);
    tally.entries = decoder_varint(decoder);
    if (decoder->failed || rule >= KEY_RANGES_MAX)
        return ERR_CORRUPT;
    *catalog_tally(database, (unsigned)rule) = tally;
    return ERR_OK;
}

static enum err decode_tallies(struct decoder *decoder, struct catalog *catalog)
{
    enum err err = ERR_OK;
    catalog->appended = decoder_varint(decoder);
    catalog->appended_bytes = decoder_varint(decoder);
    uint8_t whole = decoder_u8(decoder);
    if (decoder->failed || whole > 1)
        return ERR_CORRUPT;
    catalog->tallied = whole == 1;
    for (uint32_t i = 0; i < catalog->count && catalog->tallied; i++) {
        uint64_t count = decoder_varint(decoder);
        for (; count > 0 && err == ERR_OK; count--)
            err = decode_tally(decoder, &catalog->databases[i]);
    }
    return decoder->failed ? ERR_CORRUPT : err;
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
    buf_put_varint(out, catalog->appended);
    buf_put_varint(out, catalog->appended_bytes);
    buf_put_u8(out, catalog->tallied);
    for (uint32_t i = 0; i < catalog->count && catalog->tallied; i++)
        encode_tallies(out, &catalog->databases[i]);
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
        catalog->databases[i].tallied = KEY_PLACE_END;
    }
    enum err err = ERR_OK;
    if (format >= FORMAT_WITH_TALLIES)
        err = decode_tallies(decoder, catalog);
    if (err != ERR_OK)
        return err;
    if (!catalog->tallied)
        catalog_tally_anew(catalog);
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
