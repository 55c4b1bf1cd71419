#include "storage/hash.h"

#include "base/alloc.h"
#include "base/check.h"

/* Fields of hashes never meet fields of other processes or of disks: any seed does. */
#define FIELD_SEED UINT64_C(0x77656972)

struct hash *hash_create(void)
{
    struct hash *hash = mem_zalloc(sizeof(*hash));
    hmap_init(&hash->map);
    hash->refs = 1;
    return hash;
}

void hash_ref(struct hash *hash)
{
    CHECK(hash->refs < UINT16_MAX);
    hash->refs++;
}

void hash_unref(struct hash *hash)
{
    if (--hash->refs > 0)
        return;
    for (uint32_t i = 0; i < hash->count; i++)
        mem_free(hash->fields[i]);
    mem_free(hash->fields);
    hmap_deinit(&hash->map);
    mem_free(hash);
}

struct hash *hash_own(struct hash *hash)
{
    if (hash->refs == 1)
        return hash;
    struct hash *own = hash_create();
    for (uint32_t i = 0; i < hash->count; i++)
        hash_set(own, hash_field_name(hash->fields[i]), hash_field_value(hash->fields[i]));
    hash_unref(hash);
    return own;
}

static struct hash_field *find(const struct hash *hash, struct bytes name, uint64_t code)
{
    for (struct hmap_node *node = hmap_chain(&hash->map, code); node != NULL; node = node->next) {
        struct hash_field *field = container_of(node, struct hash_field, node);
        if (node->hash == code && bytes_equal(hash_field_name(field), name))
            return field;
    }
    return NULL;
}

const struct hash_field *hash_find(const struct hash *hash, struct bytes name)
{
    return find(hash, name, hash_bytes(name, FIELD_SEED));
}

static size_t packed_size(const struct hash_field *field)
{
    return varint_size(field->name_len) + field->name_len + varint_size(field->value_len) +
           field->value_len;
}

static bool is_long(const struct hash_field *field)
{
    return field->name_len > HASH_SMALL_BYTES || field->value_len > HASH_SMALL_BYTES;
}

static void count_in(struct hash *hash, const struct hash_field *field)
{
    hash->packed_bytes += packed_size(field);
    hash->field_bytes += mem_usable(field);
    hash->long_fields += is_long(field);
}

static void count_out(struct hash *hash, const struct hash_field *field)
{
    hash->packed_bytes -= packed_size(field);
    hash->field_bytes -= mem_usable(field);
    hash->long_fields -= is_long(field);
}

static struct hash_field *make_field(struct bytes name, struct bytes value, uint64_t code)
{
    CHECK(name.len <= UINT32_MAX && value.len <= UINT32_MAX);
    struct hash_field *field = mem_alloc(sizeof(*field) + name.len + value.len);
    *field = (struct hash_field){
        .node.hash = code, .name_len = (uint32_t)name.len, .value_len = (uint32_t)value.len};
    if (name.len > 0)
        memcpy(field->data, name.data, name.len);
    if (value.len > 0)
        memcpy(field->data + name.len, value.data, value.len);
    return field;
}

static void place(struct hash *hash, struct hash_field *field, uint32_t at)
{
    field->at = at;
    hash->fields[at] = field;
}

static void append(struct hash *hash, struct hash_field *field)
{
    if (hash->count == hash->cap) {
        hash->cap = hash->cap == 0 ? 4 : hash->cap * 2;
        hash->fields = mem_realloc(hash->fields, hash->cap * sizeof(struct hash_field *));
    }
    place(hash, field, hash->count++);
}

bool hash_set(struct hash *hash, struct bytes name, struct bytes value)
{
    uint64_t code = hash_bytes(name, FIELD_SEED);
    struct hash_field *old = find(hash, name, code);
    struct hash_field *field = make_field(name, value, code);
    if (old == NULL) {
        append(hash, field);
    } else {
        place(hash, field, old->at);
        hmap_remove(&hash->map, &old->node);
        count_out(hash, old);
        mem_free(old);
    }
    hmap_insert(&hash->map, &field->node);
    count_in(hash, field);
    return old == NULL;
}

static void close_gap(struct hash *hash, uint32_t at)
{
    hash->count--;
    if (hash->count > HASH_ORDERED_MAX) {
        if (at < hash->count)
            place(hash, hash->fields[hash->count], at);
        return;
    }
    for (; at < hash->count; at++)
        place(hash, hash->fields[at + 1], at);
}

bool hash_delete(struct hash *hash, struct bytes name)
{
    struct hash_field *field = find(hash, name, hash_bytes(name, FIELD_SEED));
    if (field == NULL)
        return false;
    close_gap(hash, field->at);
    hmap_remove(&hash->map, &field->node);
    count_out(hash, field);
    mem_free(field);
    return true;
}

const struct hash_field *hash_walk(const struct hash *hash, uint64_t *at, bool *last)
{
    struct hmap_node *node = hmap_walk(&hash->map, at, last);
    return node != NULL ? container_of(node, struct hash_field, node) : NULL;
}

void hash_pack(struct buf *out, const struct hash *hash)
{
    for (uint32_t i = 0; i < hash->count; i++) {
        buf_put_bytes(out, hash_field_name(hash->fields[i]));
        buf_put_bytes(out, hash_field_value(hash->fields[i]));
    }
}

enum err hash_unpack(struct hash *hash, struct bytes packed)
{
    struct decoder decoder = decoder_of(packed);
    while (decoder_left(&decoder) > 0) {
        struct bytes name = decoder_bytes(&decoder);
        struct bytes value = decoder_bytes(&decoder);
        if (decoder.failed)
            return ERR_CORRUPT;
        hash_set(hash, name, value);
    }
    return ERR_OK;
}

bool hash_is_small(const struct hash *hash)
{
    return hash->count <= HASH_ORDERED_MAX && hash->long_fields == 0;
}

size_t hash_size(const struct hash *hash)
{
    size_t array = hash->fields != NULL ? mem_usable(hash->fields) : 0;
    return mem_usable(hash) + array + hmap_bytes(&hash->map) + hash->field_bytes;
}
