#include "storage/tail.h"

#include "base/alloc.h"
#include "base/check.h"

/* A feed that gets few entries between two folds should not pay for a whole chunk. */
#define PIECE_BYTES_FIRST 192u

void tail_clear(struct tail *tail)
{
    for (uint32_t i = tail->from; i < tail->count; i++)
        mem_free(tail->pieces[i].data);
    tail->from = 0;
    tail->count = 0;
}

void tail_deinit(struct tail *tail)
{
    tail_clear(tail);
    mem_free(tail->pieces);
    id_set_deinit(&tail->deleted);
    *tail = (struct tail){0};
}

static struct piece *add_piece(struct tail *tail, struct id base, struct id first, bool merge)
{
    if (tail->count == tail->cap) {
        tail->cap = tail->cap == 0 ? 1 : tail->cap * 2;
        tail->pieces = mem_realloc(tail->pieces, tail->cap * sizeof(struct piece));
    }
    struct piece *piece = &tail->pieces[tail->count++];
    *piece = (struct piece){.base = base, .first = first, .last = first, .merge = merge};
    return piece;
}

static void piece_reserve(struct piece *piece, size_t size)
{
    size_t need = piece->len + size;
    if (need <= piece->cap)
        return;
    size_t cap = piece->cap == 0 ? PIECE_BYTES_FIRST : piece->cap * (size_t)2;
    if (cap > CHUNK_BYTES + CHUNK_BYTES / 4)
        cap = CHUNK_BYTES + CHUNK_BYTES / 4;
    if (cap < need)
        cap = need;
    CHECK(cap <= UINT32_MAX);
    piece->data = mem_realloc(piece->data, cap);
    piece->cap = (uint32_t)cap;
}

size_t tail_append(struct tail *tail, const struct entry *entry, struct id *chunk_base,
                   uint32_t *chunk_bytes)
{
    struct piece *piece = tail_empty(tail) ? NULL : &tail->pieces[tail->count - 1];
    if (*chunk_bytes == 0 || *chunk_bytes >= CHUNK_BYTES) {
        piece = add_piece(tail, entry->id, entry->id, false);
        *chunk_base = entry->id;
        *chunk_bytes = 0;
    } else if (piece == NULL || !id_equal(piece->base, *chunk_base)) {
        piece = add_piece(tail, *chunk_base, entry->id, true);
    }
    size_t size = entry_size(piece->base, entry);
    piece_reserve(piece, size);
    entry_write(piece->data + piece->len, piece->base, entry);
    piece->len += (uint32_t)size;
    piece->last = entry->id;
    *chunk_bytes += (uint32_t)size;
    return size;
}

uint32_t tail_find(const struct tail *tail, struct id id)
{
    CHECK(!tail_empty(tail));
    uint32_t low = tail->from; /* pieces before low begin at or before id */
    uint32_t high = tail->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (id_less(id, tail->pieces[middle].first))
            high = middle;
        else
            low = middle + 1;
    }
    return low > tail->from ? low - 1 : low;
}

void tail_trim(struct tail *tail, struct id first)
{
    while (tail->from < tail->count && id_less(tail->pieces[tail->from].last, first)) {
        mem_free(tail->pieces[tail->from].data);
        tail->from++;
    }
    if (tail_empty(tail))
        tail_clear(tail);
}

static void remove_piece(struct tail *tail, uint32_t index)
{
    mem_free(tail->pieces[index].data);
    memmove(&tail->pieces[index], &tail->pieces[index + 1],
            (tail->count - index - 1) * sizeof(struct piece));
    tail->count--;
}

/* first and last follow from what is left. */
static void piece_bounds(struct piece *piece)
{
    struct decoder decoder = decoder_of(bytes_of(piece->data, piece->len));
    struct entry entry;
    bool first = true;
    while (entry_read(&decoder, piece->base, &entry) == ERR_OK) {
        if (first)
            piece->first = entry.id;
        first = false;
        piece->last = entry.id;
    }
}

bool tail_erase(struct tail *tail, struct id id)
{
    if (tail_empty(tail))
        return false;
    uint32_t index = tail_find(tail, id);
    struct piece *piece = &tail->pieces[index];
    struct decoder decoder = decoder_of(bytes_of(piece->data, piece->len));
    const char *start = decoder.at;
    struct entry entry = {0};
    while (entry_read(&decoder, piece->base, &entry) == ERR_OK && id_less(entry.id, id))
        start = decoder.at;
    if (decoder.at == start || !id_equal(entry.id, id))
        return false;
    size_t at = (size_t)(start - piece->data);
    size_t size = (size_t)(decoder.at - start);
    memmove(piece->data + at, decoder.at, piece->len - at - size);
    piece->len -= (uint32_t)size;
    if (piece->len == 0)
        remove_piece(tail, index);
    else
        piece_bounds(piece);
    return true;
}
