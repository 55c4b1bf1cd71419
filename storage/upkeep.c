#include "storage/upkeep.h"

#include "base/alloc.h"
#include "base/check.h"
#include "storage/feed.h"

/* An alarm that has passed whatever the time is. */
#define AT_ONCE 1

#define SLACK_MS_MAX 1000

/* What is held is looked at so much later when no group has let go of anything. */
#define HELD_MS_MAX 59000

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
    for (int side = 0; upkeep != NULL && side < 2; side++) {
        policy_unref(upkeep->rows[side].policy);
        ledger_destroy(upkeep->rows[side].ledger);
    }
    mem_free(upkeep);
}

void upkeep_turn(struct upkeep *upkeep, uint8_t side)
{
    if (upkeep == NULL)
        return;
    struct upkeep_row *row = &upkeep->rows[side];
    policy_unref(row->policy);
    ledger_destroy(row->ledger);
    *row = upkeep->rows[upkeep->side];
    (void)policy_ref(row->policy);
    if (row->ledger != NULL)
        row->ledger = ledger_copy(row->ledger);
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
    const struct ledger *ledger = upkeep->rows[upkeep->side].ledger;
    return sizeof(*upkeep) + (schedule != NULL ? schedule_bytes(schedule) : 0) +
           (ledger != NULL ? ledger->cap * sizeof(struct span) : 0);
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

void upkeep_hold(struct feed *feed, uint64_t until_ms)
{
    struct upkeep_row *row = upkeep_row(feed_upkeep(feed));
    row->held_ms = until_ms;
    row->stirred = false;
}

void upkeep_stir(struct feed *feed)
{
    if (feed_upkeep(feed) != NULL)
        upkeep_row(feed_upkeep(feed))->stirred = true;
}

void upkeep_set_policy(struct feed *feed, struct policy *policy)
{
    struct upkeep_row *row = upkeep_row(upkeep_of(feed));
    uint64_t before = row->policy != NULL ? row->policy->maxbytes : 0;
    uint64_t maxbytes = policy != NULL ? policy->maxbytes : 0;
    policy_unref(row->policy);
    row->policy = policy;
    row->held_ms = 0;
    if (maxbytes == before)
        return;
    ledger_destroy(row->ledger);
    row->ledger = NULL;
    bool has_entries = feed_row(feed)->length > 0;
    if (maxbytes > 0)
        row->ledger = ledger_create(maxbytes, has_entries ? feed_row(feed)->last_id : ID_MIN);
}

void upkeep_added(struct upkeep *upkeep, const struct entry *entry)
{
    if (upkeep != NULL && upkeep_row(upkeep)->ledger != NULL)
        ledger_add(upkeep_row(upkeep)->ledger, entry->id, entry->fields.len);
}

enum err upkeep_weighed(struct feed *feed, struct bytes spans)
{
    struct upkeep *upkeep = feed_upkeep(feed);
    if (upkeep == NULL || upkeep_row(upkeep)->ledger == NULL)
        return ERR_CORRUPT;
    return ledger_weighed(upkeep_row(upkeep)->ledger, spans);
}

uint64_t upkeep_slack_ms(uint64_t maxage_ms)
{
    return maxage_ms / 16 < SLACK_MS_MAX ? maxage_ms / 16 : SLACK_MS_MAX;
}

static bool is_over(const struct policy *policy, const struct feed_row *row,
                    const struct ledger *ledger)
{
    if (policy->maxlen > 0 && row->length > policy->maxlen)
        return true;
    return ledger != NULL &&
           (!id_is_zero(ledger->unweighed) || !id_is_zero(ledger_first(ledger, policy->maxbytes)));
}

static uint64_t policy_wants(const struct policy *policy, const struct feed_row *row,
                             const struct ledger *ledger)
{
    if (row->length == 0)
        return 0;
    if (is_over(policy, row, ledger))
        return AT_ONCE;
    uint64_t age_ms = policy->maxage_ms + upkeep_slack_ms(policy->maxage_ms);
    if (policy->maxage_ms == 0 || row->first_id.ms > UINT64_MAX - age_ms)
        return 0;
    return row->first_id.ms + age_ms;
}

/* Before this time nobody looks at what the policy wants. Groups that lag come to be parked without
 * doing anything, a 16th of the limit late. */
static uint64_t held_until(const struct upkeep_row *row)
{
    uint64_t maxlag_ms = row->policy->maxlag_ms;
    if (row->held_ms == 0 || row->stirred)
        return row->held_ms;
    return row->held_ms +
           (maxlag_ms == 0 || maxlag_ms / 16 > HELD_MS_MAX ? HELD_MS_MAX : maxlag_ms / 16);
}

uint64_t upkeep_settle(struct feed *feed)
{
    const struct feed_row *row = feed_row(feed);
    const struct upkeep_row *upkeep = upkeep_row(feed_upkeep(feed));
    if (upkeep->ledger != NULL)
        ledger_forget(upkeep->ledger, row->length > 0 ? row->first_id : ID_MAX);
    if (upkeep->policy == NULL)
        return upkeep->quiet_ms;
    uint64_t wants = policy_wants(upkeep->policy, row, upkeep->ledger);
    if (wants != 0 && wants < held_until(upkeep))
        wants = held_until(upkeep);
    return earlier(upkeep->quiet_ms, wants);
}

void upkeep_encode(struct buf *out, const struct upkeep_row *row)
{
    buf_put_varint(out, row->alarm_ms);
    buf_put_varint(out, row->quiet_ms);
    buf_put_varint(out, row->delayed);
    buf_put_varint(out, row->delayed_last);
    buf_put_varint(out, row->held_ms);
    struct buf text;
    buf_init(&text);
    policy_encode(&text, row->policy);
    buf_put_bytes(out, buf_bytes(&text));
    text.len = 0;
    if (row->ledger != NULL)
        ledger_encode(&text, row->ledger);
    buf_put_bytes(out, buf_bytes(&text));
    buf_deinit(&text);
}

enum err upkeep_decode(struct feed *feed, struct bytes bytes)
{
    struct decoder decoder = decoder_of(bytes);
    struct upkeep_row row = {.alarm_ms = decoder_varint(&decoder), .stirred = true};
    row.quiet_ms = decoder_varint(&decoder);
    row.delayed = decoder_varint(&decoder);
    row.delayed_last = decoder_varint(&decoder);
    row.held_ms = decoder_varint(&decoder);
    struct bytes policy_text = decoder_bytes(&decoder);
    struct bytes ledger_text = decoder_bytes(&decoder);
    struct policy policy = {0};
    if (decoder.failed || decoder_left(&decoder) > 0)
        return ERR_CORRUPT;
    enum err err = policy_decode(policy_text, &policy);
    if (err == ERR_OK && (policy.maxbytes > 0) != (ledger_text.len > 0))
        err = ERR_CORRUPT;
    if (err == ERR_OK && ledger_text.len > 0)
        err = ledger_decode(ledger_text, &row.ledger);
    if (err != ERR_OK)
        return err;
    row.policy = policy_create(&policy);
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
