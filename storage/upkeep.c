#include "storage/upkeep.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/feed.h"

struct upkeep *upkeep_of(struct feed *feed)
{
    struct feed_row *row = feed_row(feed);
    if (row->upkeep == NULL) {
        row->upkeep = mem_zalloc(sizeof(*row->upkeep));
        row->upkeep->side = feed->side;
    }
    return row->upkeep;
}

void upkeep_destroy(struct upkeep *upkeep)
{
    struct schedule *schedule = upkeep_delayed(upkeep);
    if (schedule != NULL)
        schedule_deinit(schedule);
    mem_free(schedule);
    mem_free(upkeep);
}

void upkeep_turn(struct upkeep *upkeep, uint8_t side)
{
    if (upkeep == NULL)
        return;
    upkeep->rows[side] = upkeep->rows[upkeep->side];
    upkeep->side = side;
}

bool upkeep_folded(struct upkeep *upkeep, uint8_t side, size_t count)
{
    struct schedule *schedule = upkeep_delayed(upkeep);
    if (schedule == NULL)
        return true;
    schedule_folded(schedule, side);
    return schedule_sweep(schedule, count);
}

size_t upkeep_bytes(const struct upkeep *upkeep)
{
    const struct schedule *schedule = upkeep_delayed(upkeep);
    if (upkeep == NULL)
        return 0;
    return sizeof(*upkeep) + (schedule != NULL ? schedule_bytes(schedule) : 0);
}

static struct schedule *schedule_of(struct feed *feed, bool on_disk)
{
    struct upkeep_row *row = upkeep_row(upkeep_of(feed));
    if (row->schedule == NULL) {
        row->schedule = mem_alloc(sizeof(*row->schedule));
        schedule_init(row->schedule, KEY_DELAYED, feed->home, on_disk);
    }
    return row->schedule;
}

/* The earlier of two times, of which 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

size_t upkeep_delay(struct feed *feed, struct id handle, struct bytes fields)
{
    size_t size = schedule_add(schedule_of(feed, false), feed->side, handle, fields);
    struct upkeep_row *row = upkeep_row(feed_upkeep(feed));
    row->delayed++;
    row->delayed_last = handle.seq;
    row->quiet_ms = earlier(row->quiet_ms, handle.ms);
    return size;
}

size_t upkeep_end_delay(struct feed *feed, struct id handle)
{
    struct upkeep_row *row = upkeep_row(feed_upkeep(feed));
    CHECK(row->delayed > 0);
    if (--row->delayed == 0)
        row->quiet_ms = 0;
    return schedule_remove(row->schedule, feed->side, handle);
}

void upkeep_quiet(struct feed *feed, uint64_t until_ms)
{
    upkeep_row(feed_upkeep(feed))->quiet_ms = until_ms;
}

uint64_t upkeep_wants(const struct feed *feed)
{
    return upkeep_row(feed_upkeep(feed))->quiet_ms;
}

void upkeep_encode(struct buf *out, const struct upkeep_row *row)
{
    buf_put_varint(out, row->alarm_ms);
    buf_put_varint(out, row->quiet_ms);
    buf_put_varint(out, row->delayed);
    buf_put_varint(out, row->delayed_last);
}

enum err upkeep_decode(struct feed *feed, struct bytes bytes)
{
    struct decoder decoder = decoder_of(bytes);
    struct upkeep_row row = {.alarm_ms = decoder_varint(&decoder)};
    row.quiet_ms = decoder_varint(&decoder);
    row.delayed = decoder_varint(&decoder);
    row.delayed_last = decoder_varint(&decoder);
    if (decoder.failed || decoder_left(&decoder) > 0)
        return ERR_CORRUPT;
    *upkeep_row(upkeep_of(feed)) = row;
    if (row.delayed_last > 0)
        (void)schedule_of(feed, row.delayed > 0);
    return ERR_OK;
}

void alarm_encode(struct buf *out, uint32_t space, struct bytes key)
{
    buf_put_u32(out, space);
    buf_add_bytes(out, key);
}

enum err alarm_decode(struct bytes value, struct alarm *out)
{
    struct decoder decoder = decoder_of(value);
    struct alarm alarm = {.space = decoder_u32(&decoder)};
    if (decoder.failed)
        return ERR_CORRUPT;
    alarm.key = bytes_of(decoder.at, decoder_left(&decoder));
    *out = alarm;
    return ERR_OK;
}
