/* How far a group is behind its feed, by Redis's rules: counters where no deletion can have made
 * them wrong, NULL elsewhere. https://redis.io/docs/latest/commands/xinfo-groups/ */
#include "broker/group_commands.h"

/* Entries at or after `from` may have been deleted from the middle. */
static bool has_gaps(const struct feed_row *row, struct id from)
{
    if (row->length == 0 || id_is_zero(row->max_deleted_id))
        return false;
    if (id_less(row->max_deleted_id, row->first_id))
        return false;
    return !id_less(row->max_deleted_id, from);
}

uint64_t group_entries_read_at(const struct feed_row *row, struct id id)
{
    if (row->entries_added == 0)
        return 0;
    if (row->length == 0 && !id_less(row->last_id, id))
        return row->entries_added;
    if (!id_is_zero(id) && id_less(id, row->max_deleted_id))
        return ENTRIES_READ_UNKNOWN;
    if (id_equal(id, row->last_id))
        return row->entries_added;
    if (id_less(row->last_id, id))
        return ENTRIES_READ_UNKNOWN;
    if (id_is_zero(row->max_deleted_id) || id_less(row->max_deleted_id, row->first_id)) {
        if (id_less(id, row->first_id))
            return row->entries_added - row->length;
        if (id_equal(id, row->first_id))
            return row->entries_added - row->length + 1;
    }
    return ENTRIES_READ_UNKNOWN;
}

bool group_lag(const struct feed_row *row, const struct group_state *state, uint64_t *lag)
{
    uint64_t read;
    if (row->entries_added == 0 || row->length == 0) {
        *lag = 0;
        return true;
    }
    if (id_less(state->last_id, row->first_id) && id_less(row->max_deleted_id, row->first_id)) {
        *lag = row->length;
        return true;
    }
    if (state->entries_read != ENTRIES_READ_UNKNOWN && !has_gaps(row, state->last_id))
        read = state->entries_read;
    else
        read = group_entries_read_at(row, state->last_id);
    if (read == ENTRIES_READ_UNKNOWN)
        return false;
    *lag = row->entries_added - read;
    return true;
}

void group_advance(const struct feed_row *row, struct id id, struct id *last_id,
                   uint64_t *entries_read)
{
    if (!id_less(*last_id, id))
        return;
    if (*entries_read != ENTRIES_READ_UNKNOWN && !id_less(*last_id, row->first_id) &&
        !has_gaps(row, id))
        ++*entries_read;
    else if (row->entries_added > 0)
        *entries_read = group_entries_read_at(row, id);
    *last_id = id;
}
