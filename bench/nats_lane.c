#include "bench/nats_lane.h"

#include "base/check.h"
#include "bench/die.h"
#include "bench/keys.h"

/* To the inbox, followed by the operation's number. */
static void on_message(struct nats *nats, const struct nats_message *message)
{
    struct lane *lane = container_of(nats, struct lane, nats);
    struct bytes subject = message->subject, payload = message->payload;
    size_t stem = strlen(nats->inbox);
    uint64_t number;
    if (message->headers.len > 0)
        die("nats: a publish that no stream takes");
    if (memmem(payload.data, payload.len, "\"error\"", 7) != NULL)
        die("nats: %.*s", (int)payload.len, payload.data);
    if (subject.len <= stem ||
        !bytes_to_u64(bytes_of(subject.data + stem, subject.len - stem), &number))
        die("nats: a message to %.*s", (int)subject.len, subject.data);
    source_done(lane, number);
}

void nats_lane_open(struct lane *lane)
{
    nats_init(&lane->nats, &lane->link.out, on_message);
    link_flush(&lane->link);
}

void nats_lane_on_bytes(struct link *link, struct bytes bytes)
{
    struct lane *lane = container_of(link, struct lane, link);
    nats_feed(&lane->nats, bytes);
    source_resume_lane(lane);
    link_flush(link);
}

void nats_lane_add(struct source *source, struct lane *lane, struct payload item)
{
    const struct options *options = source->load->options;
    size_t len = options->payload;
    struct keys feeds = {BYTES("feed"), '.', options->base, options->keys};
    struct key subject = key_of(&feeds, random_below(&source->load->random, feeds.count));
    char reply[NATS_INBOX_MAX + INTEGER_TEXT_MAX];
    size_t reply_len = strlen(lane->nats.inbox);
    memcpy(reply, lane->nats.inbox, reply_len);
    reply_len += u64_to_text(lane->sent, reply + reply_len);
    nats_add_pub(&lane->link.out, key_bytes(&subject), bytes_of(reply, reply_len), len);
    payload_add(&lane->link.out, item, len);
    buf_add_bytes(&lane->link.out, NATS_END);
}
