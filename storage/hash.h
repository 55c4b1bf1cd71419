/* hash: fields with values, in the order in which they came.
 *
 * The fields are an array, for order and for a random one in O(1), and a hash table by name. While
 * there are few (HASH_ORDERED_MAX), deleting one keeps the order of the rest; with more the last
 * field takes the place. A hash is shared by an object's two sides like a value
 * (storage/value.h): who writes has it alone.
 *
 *   packed = (name | value)..., each a varint length and the bytes */
#ifndef WEIR_STORAGE_HASH_H
#define WEIR_STORAGE_HASH_H

#include "base/codec.h"
#include "base/err.h"
#include "base/hmap.h"

/* Redis keeps the order of as many (hash-max-listpack-entries). */
#define HASH_ORDERED_MAX 512u
/* The longest name or value of a hash that Redis calls small (hash-max-listpack-value). */
#define HASH_SMALL_BYTES 64u

/* Bytes of all fields together, packed: the whole hash is one row, and may be one op. */
#define HASH_BYTES_MAX ((size_t)64 << 20)

struct hash_field {
    struct hmap_node node;
    uint32_t at; /* in `fields` */
    uint32_t name_len;
    uint32_t value_len;
    char data[]; /* name, value */
};

struct hash {
    struct hmap map;
    struct hash_field **fields;
    uint32_t count;
    uint32_t cap;
    uint32_t long_fields; /* with a name or value above HASH_SMALL_BYTES */
    uint16_t refs;        /* object states that point here */
    size_t packed_bytes;  /* of its packed form */
    size_t field_bytes;   /* of memory that the fields take */
};

/* Empty, with one reference. */
struct hash *hash_create(void);
void hash_ref(struct hash *hash);
/* The last one frees it. */
void hash_unref(struct hash *hash);
/* Takes the caller's reference and returns one to a hash that nobody shares: the same or a copy. */
struct hash *hash_own(struct hash *hash);

/* NULL: no such field. Valid until the hash changes. */
const struct hash_field *hash_find(const struct hash *hash, struct bytes name);
/* True: the field is new. Copies both. */
bool hash_set(struct hash *hash, struct bytes name, struct bytes value);
/* False: no such field. */
bool hash_delete(struct hash *hash, struct bytes name);

static inline struct bytes hash_field_name(const struct hash_field *field)
{
    return bytes_of(field->data, field->name_len);
}

static inline struct bytes hash_field_value(const struct hash_field *field)
{
    return bytes_of(field->data + field->name_len, field->value_len);
}

/* Walks the fields in hash order from *hash (0 first) as hmap_walk does. */
const struct hash_field *hash_walk(const struct hash *hash, uint64_t *at, bool *last);

void hash_pack(struct buf *out, const struct hash *hash);
/* Sets the fields in `packed`. ERR_CORRUPT: those before the damage are set. */
MUST_CHECK enum err hash_unpack(struct hash *hash, struct bytes packed);

/* True: few fields, and short ones. */
bool hash_is_small(const struct hash *hash);

/* Bytes of memory that it takes. */
size_t hash_size(const struct hash *hash);

#endif
