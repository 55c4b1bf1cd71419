#include "broker/fanout.h"

#include "base/check.h"
#include "broker/options.h"
#include "broker/session.h"

/* Buffers keep this much between messages. */
#define KEEP_BYTES ((size_t)64 * 1024)

#define PARTS_MAX 5

/* A message under way: an array of bulk strings, in RESP3 a push. */
struct frame {
    struct fanout *fanout;
    struct bytes parts[PARTS_MAX];
    size_t count;
    bool encoded[2];
};

static struct frame frame_of(struct fanout *fanout, const struct bytes *parts, size_t count)
{
    struct frame frame = {.fanout = fanout, .count = count};
    memcpy(frame.parts, parts, count * sizeof(*parts));
    return frame;
}

static struct bytes frame_wire(struct frame *frame, int version)
{
    int index = version - 2;
    struct buf *wire = &frame->fanout->wire[index];
    if (frame->encoded[index])
        return buf_bytes(wire);
    frame->encoded[index] = true;
    buf_reset(wire, KEEP_BYTES);
    struct reply reply = {wire, version};
    reply_push(&reply, frame->count);
    for (size_t i = 0; i < frame->count; i++)
        reply_bulk(&reply, frame->parts[i]);
    return buf_bytes(wire);
}

struct session *fanout_session(const struct fanout *fanout, uint32_t slot)
{
    return container_of(membership_at(&fanout->membership, slot), struct session, subscriber);
}

static bool send_to(struct frame *frame, uint32_t slot)
{
    struct session *session = fanout_session(frame->fanout, slot);
    if (session_push(session, frame_wire(frame, session->reply.version)))
        return true;
    frame->fanout->drops++;
    return false;
}

static uint64_t send_to_members(struct frame *frame, const struct room *room)
{
    const uint32_t *slots = number_set_read(&room->members, &frame->fanout->members);
    uint32_t count = room->members.count;
    uint64_t sent = 0;
    for (uint32_t i = 0; i < count; i++)
        sent += send_to(frame, slots[i]);
    frame->fanout->deliveries += sent;
    return sent;
}

void fanout_init(struct fanout *fanout)
{
    *fanout = (struct fanout){0};
    membership_init(&fanout->membership);
}

void fanout_deinit(struct fanout *fanout)
{
    membership_deinit(&fanout->membership);
    buf_deinit(&fanout->wire[0]);
    buf_deinit(&fanout->wire[1]);
    buf_deinit(&fanout->members);
    buf_deinit(&fanout->patterns);
    buf_deinit(&fanout->scratch);
    buf_deinit(&fanout->marks);
}

/* ---- to one room ---- */

static uint64_t publish_to_patterns(struct fanout *fanout, struct bytes name, struct bytes message)
{
    const struct membership *membership = &fanout->membership;
    size_t count = membership_match(membership, name, &fanout->patterns, &fanout->scratch);
    const uint32_t *numbers = (const uint32_t *)(const void *)fanout->patterns.data;
    uint64_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        const struct room *pattern = membership_room(membership, ROOM_PATTERN, numbers[i]);
        struct bytes parts[] = {BYTES("pmessage"), room_name(pattern), name, message};
        struct frame frame = frame_of(fanout, parts, 4);
        sent += send_to_members(&frame, pattern);
    }
    return sent;
}

uint64_t fanout_publish(struct fanout *fanout, enum room_kind kind, struct bytes name,
                        struct bytes message)
{
    const struct room *room = membership_find(&fanout->membership, kind, name);
    uint64_t sent = 0;
    fanout->published++;
    if (room != NULL) {
        struct bytes title = kind == ROOM_SHARD ? BYTES("smessage") : BYTES("message");
        struct bytes parts[] = {title, name, message};
        struct frame frame = frame_of(fanout, parts, 3);
        sent = send_to_members(&frame, room);
    }
    if (kind == ROOM_CHANNEL)
        sent += publish_to_patterns(fanout, name, message);
    return sent;
}

/* ---- to several rooms ---- */

static bool mark(struct fanout *fanout, uint32_t slot)
{
    uint8_t *byte = (uint8_t *)&fanout->marks.data[slot / 8];
    uint8_t bit = (uint8_t)(1 << slot % 8);
    bool fresh = !(*byte & bit);
    *byte |= bit;
    return fresh;
}

static void clear_marks(struct fanout *fanout)
{
    size_t size = fanout->membership.slot_cap / 8 + 1;
    fanout->marks.len = 0;
    memset(buf_reserve(&fanout->marks, size), 0, size);
}

/* Marks those who must not get the message, and those who have got it. */
static void mark_excluded(struct fanout *fanout, const struct fanout_choice *choice)
{
    clear_marks(fanout);
    for (size_t i = 0; i < choice->not_to_count; i++) {
        if (choice->not_to[i]->subscriber.count > 0)
            mark(fanout, choice->not_to[i]->subscriber.slot);
    }
    for (size_t i = 0; i < choice->except_count; i++) {
        const struct room *room =
            membership_find(&fanout->membership, ROOM_CHANNEL, choice->except[i]);
        if (room == NULL)
            continue;
        const uint32_t *slots = number_set_read(&room->members, &fanout->members);
        for (uint32_t member = 0; member < room->members.count; member++)
            mark(fanout, slots[member]);
    }
}

static uint64_t send_to_unmarked(struct frame *frame, const struct room *room)
{
    struct fanout *fanout = frame->fanout;
    const uint32_t *slots = number_set_read(&room->members, &fanout->members);
    uint64_t sent = 0;
    for (uint32_t i = 0; i < room->members.count; i++) {
        if (mark(fanout, slots[i]))
            sent += send_to(frame, slots[i]);
    }
    fanout->deliveries += sent;
    return sent;
}

uint64_t fanout_publish_chosen(struct fanout *fanout, const struct fanout_choice *choice,
                               struct bytes message)
{
    uint64_t sent = 0;
    fanout->published++;
    mark_excluded(fanout, choice);
    for (size_t i = 0; i < choice->to_count; i++) {
        const struct room *room = membership_find(&fanout->membership, ROOM_CHANNEL, choice->to[i]);
        if (room == NULL)
            continue;
        struct bytes parts[] = {BYTES("message"), room_name(room), message};
        struct frame frame = frame_of(fanout, parts, 3);
        sent += send_to_unmarked(&frame, room);
    }
    return sent;
}

/* ---- membership ---- */

static void tell_watchers(struct fanout *fanout, const struct session *session, struct bytes name,
                          const char *what)
{
    const struct room *watched = membership_find(&fanout->membership, ROOM_WATCH, name);
    char id[INTEGER_TEXT_MAX];
    if (watched == NULL)
        return;
    struct bytes parts[] = {BYTES("presence"), name, bytes_of_string(what),
                            bytes_of(id, u64_to_text(session->id, id)), buf_bytes(&session->name)};
    struct frame frame = frame_of(fanout, parts, 5);
    send_to_members(&frame, watched);
}

static void choose_output_class(struct session *session)
{
    session->output_class = session->subscriber.count > 0 ? OUTPUT_PUBSUB : OUTPUT_NORMAL;
}

bool fanout_join(struct fanout *fanout, struct session *session, enum room_kind kind,
                 struct bytes name)
{
    if (!membership_join(&fanout->membership, &session->subscriber, kind, name))
        return false;
    choose_output_class(session);
    if (kind == ROOM_CHANNEL)
        tell_watchers(fanout, session, name, "join");
    return true;
}

bool fanout_leave(struct fanout *fanout, struct session *session, enum room_kind kind,
                  struct bytes name)
{
    if (kind == ROOM_CHANNEL &&
        membership_has(&fanout->membership, &session->subscriber, kind, name))
        tell_watchers(fanout, session, name, "leave");
    if (!membership_leave(&fanout->membership, &session->subscriber, kind, name))
        return false;
    choose_output_class(session);
    return true;
}

/* What it watches goes first: nobody is told of its own end. */
void fanout_leave_all(struct fanout *fanout, struct session *session)
{
    struct buf copy;
    buf_init(&copy);
    for (int kind = ROOM_KIND_COUNT - 1; kind >= 0; kind--) {
        uint32_t count = session->subscriber.rooms[kind].count;
        const uint32_t *numbers = number_set_copy(&session->subscriber.rooms[kind], &copy);
        for (uint32_t i = 0; i < count; i++) {
            const struct room *room =
                membership_room(&fanout->membership, (enum room_kind)kind, numbers[i]);
            fanout_leave(fanout, session, (enum room_kind)kind, room_name(room));
        }
    }
    buf_deinit(&copy);
}
