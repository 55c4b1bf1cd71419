#include "broker/stream_reading.h"

#include "broker/access.h"
#include "broker/broker_internal.h"

/* The buffer that is kept for the next reading. */
#define KEEP_BYTES ((size_t)256 << 10)

void reading_begin(struct reading *reading, struct session *session, struct feed *feed,
                   struct id from, struct id to, bool reverse, uint64_t limit)
{
    struct broker *broker = session->broker;
    *reading = (struct reading){.limit = limit == 0 ? UINT64_MAX : limit};
    feed_cursor_init(&reading->cursor, feed, store_ranges(broker->store), from, to, reverse);
    reading->entries = broker->entries;
    reading->entries.len = 0;
    buf_init(&broker->entries);
}

void reading_end(struct reading *reading, struct session *session)
{
    struct broker *broker = session->broker;
    feed_cursor_deinit(&reading->cursor);
    if (reading->fetch.ranges != NULL)
        fetch_deinit(&reading->fetch);
    buf_reset(&reading->entries, KEEP_BYTES);
    buf_deinit(&broker->entries);
    broker->entries = reading->entries;
}

/* "*2\r\n$<len>\r\n<id>\r\n<fields>". The length of nearly all ids has two digits. */
static void add_entry(struct buf *out, const struct entry *entry)
{
    static const char head[] = "*2\r\n$00\r\n";
    const size_t head_len = sizeof(head) - 1;
    char *start = buf_reserve(out, head_len + ID_TEXT_MAX + 2 + entry->fields.len);
    char *at = start;
    memcpy(at, head, head_len);
    size_t id_len = id_to_text(entry->id, at + head_len);
    if (id_len >= 10) {
        at[5] = (char)('0' + id_len / 10);
        at[6] = (char)('0' + id_len % 10);
        at += head_len + id_len;
    } else {
        at[5] = (char)('0' + id_len);
        memmove(at + 6, at + 7, 2 + id_len);
        at += head_len - 1 + id_len;
    }
    memcpy(at, "\r\n", 2);
    memcpy(at + 2, entry->fields.data, entry->fields.len);
    out->len += (size_t)(at + 2 - start) + entry->fields.len;
}

void reading_tell_deliveries(struct buf *entries, size_t at, uint64_t idle_ms, uint64_t deliveries)
{
    entries->data[at + 1] = '4'; /* it was "*2" */
    buf_addf(entries, ":%llu\r\n:%llu\r\n", (unsigned long long)idle_ms,
             (unsigned long long)deliveries);
}

static enum err take_fetched(struct reading *reading, struct session *session)
{
    if (!reading->fetching)
        return ERR_OK;
    reading->fetching = false;
    session_gate(session, store_last(session->broker->store)); /* it goes on in a later state */
    if (reading->fetch.view != store_view(session->broker->store))
        return ERR_OK; /* what was read may be out of date: it asks again */
    return feed_cursor_take(&reading->cursor, &reading->fetch);
}

enum err reading_step(struct reading *reading, struct session *session)
{
    size_t limit = session_reply_max(session);
    enum err err = take_fetched(reading, session);
    while (err == ERR_OK && reading->count < reading->limit) {
        struct entry entry;
        err = feed_cursor_next(&reading->cursor, &entry);
        if (err != ERR_OK)
            break;
        size_t start = reading->entries.len;
        add_entry(&reading->entries, &entry);
        if (reading->tells_deliveries)
            reading_tell_deliveries(&reading->entries, start, 0, 0);
        if (reading->entries.len > limit) {
            feed_cursor_pause(&reading->cursor);
            return ERR_FULL;
        }
        reading->last = entry.id;
        if (reading->ids != NULL)
            buf_add(reading->ids, &entry.id, sizeof(entry.id));
        reading->count++;
    }
    feed_cursor_pause(&reading->cursor);
    return err == ERR_END ? ERR_OK : err;
}

void reading_wait(struct reading *reading, struct session *session)
{
    if (reading->fetch.ranges == NULL)
        fetch_init(&reading->fetch);
    feed_cursor_plan(&reading->cursor, &reading->fetch, reading->limit - reading->count);
    reading->fetching = true;
    access_read(session, &reading->fetch);
}

void reading_reply(const struct reading *reading, struct reply *reply)
{
    reply_array(reply, reading->count);
    buf_add_bytes(reply->out, buf_bytes(&reading->entries));
}
