#include "broker/tracking.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/command_keys.h"
#include "broker/options.h"
#include "broker/server.h"
#include "broker/session_io.h"
#include "broker/transaction.h"

#include <stdlib.h>

/* Where clients with RESP2 hear of changes. */
#define CHANNEL BYTES("__redis__:invalidate")

/* Buffers keep this much between messages. */
#define KEEP_BYTES ((size_t)64 * 1024)

void tracking_init(struct tracking *tracking)
{
    *tracking = (struct tracking){0};
    membership_init(&tracking->membership);
    list_init(&tracking->clients);
}

void tracking_deinit(struct tracking *tracking)
{
    CHECK(list_empty(&tracking->clients));
    membership_deinit(&tracking->membership);
    buf_deinit(&tracking->pushed);
    buf_deinit(&tracking->redirected);
    buf_deinit(&tracking->numbers);
    buf_deinit(&tracking->scratch);
}

static struct tracking *tracking_of(const struct session *session)
{
    return &session->broker->tracking;
}

static struct tracking_client *client_at(const struct tracking *tracking, uint32_t slot)
{
    return container_of(membership_at(&tracking->membership, slot), struct tracking_client,
                        subscriber);
}

/* ---- telling ---- */

/* A message about one key, or about all of them (NULL). */
static void begin_message(struct tracking *tracking)
{
    buf_reset(&tracking->pushed, KEEP_BYTES);
    buf_reset(&tracking->redirected, KEEP_BYTES);
}

static void add_key(struct reply *reply, const struct bytes *key)
{
    if (key == NULL) {
        reply_null(reply);
        return;
    }
    reply_array(reply, 1);
    reply_bulk(reply, *key);
}

static struct bytes push_message(struct tracking *tracking, const struct bytes *key)
{
    struct reply reply = {&tracking->pushed, 3};
    if (tracking->pushed.len == 0) {
        reply_push(&reply, 2);
        reply_bulk_string(&reply, "invalidate");
        add_key(&reply, key);
    }
    return buf_bytes(&tracking->pushed);
}

static struct bytes channel_message(struct tracking *tracking, const struct bytes *key)
{
    struct reply reply = {&tracking->redirected, 2};
    if (tracking->redirected.len == 0) {
        reply_push(&reply, 3);
        reply_bulk_string(&reply, "message");
        reply_bulk(&reply, CHANNEL);
        add_key(&reply, key);
    }
    return buf_bytes(&tracking->redirected);
}

static void tell_redirect_broken(struct tracking_client *client)
{
    struct session *session = client->session;
    client->redirect_broken = true;
    if (session->reply.version != 3)
        return;
    struct buf wire;
    struct reply reply = {&wire, 3};
    buf_init(&wire);
    reply_push(&reply, 2);
    reply_bulk_string(&reply, "tracking-redir-broken");
    reply_integer(&reply, (int64_t)client->mode.redirect);
    session_push(session, buf_bytes(&wire));
    buf_deinit(&wire);
}

/* A client with RESP2 can be told through another one only, that listens to the channel. */
static void tell(struct tracking_client *client, const struct bytes *key)
{
    struct tracking *tracking = tracking_of(client->session);
    struct session *target = client->session;
    uint64_t redirect = client->mode.redirect;
    if (redirect != 0) {
        struct server *server = broker_server(client->session->broker);
        target = server != NULL ? server_find_session(server, redirect) : NULL;
        if (target == NULL || session_ending(target) != SESSION_OPEN) {
            tell_redirect_broken(client);
            return;
        }
    }
    if (target->reply.version == 3)
        session_push(target, push_message(tracking, key));
    else if (redirect != 0 && target->subscriber.count > 0)
        session_push(target, channel_message(tracking, key));
}

static void tell_of_key(struct tracking_client *client, struct bytes key)
{
    tell(client, &key);
}

static void tell_of_change(struct tracking_client *client, struct bytes key)
{
    const struct broker *broker = client->session->broker;
    if (!client->mode.no_loop || broker->removing || !session_running(client->session))
        tell_of_key(client, key);
}

/* ---- what is remembered ---- */

/* Everybody who has read `key` forgets it and is told, by `tell_one`. */
static void forget_key(struct tracking *tracking, struct bytes key,
                       void (*tell_one)(struct tracking_client *client, struct bytes key))
{
    struct membership *membership = &tracking->membership;
    const struct room *room = membership_find(membership, ROOM_CHANNEL, key);
    if (room == NULL)
        return;
    uint32_t count = room->members.count;
    const uint32_t *slots = number_set_copy(&room->members, &tracking->numbers);
    begin_message(tracking);
    for (uint32_t i = 0; i < count; i++) {
        struct tracking_client *client = client_at(tracking, slots[i]);
        tell_one(client, key);
        membership_leave(membership, &client->subscriber, ROOM_CHANNEL, key);
    }
}

/* One remembered key makes room for another. */
static void forget_some_key(struct tracking *tracking)
{
    const struct rooms *keys = &tracking->membership.rooms[ROOM_CHANNEL];
    const struct room *room = rooms_from(keys, tracking->hand);
    if (room == NULL)
        room = rooms_from(keys, 0);
    tracking->hand = room->number + 1;
    struct bytes name = room_name(room);
    struct buf copy;
    buf_init(&copy);
    buf_add_bytes(&copy, name); /* its last member's leaving frees it */
    forget_key(tracking, buf_bytes(&copy), tell_of_key);
    buf_deinit(&copy);
}

static void remember_key(struct tracking_client *client, struct bytes key)
{
    struct tracking *tracking = tracking_of(client->session);
    struct membership *membership = &tracking->membership;
    uint64_t max = (uint64_t)broker_options(client->session->broker)->tracking_table_max_keys;
    membership_join(membership, &client->subscriber, ROOM_CHANNEL, key);
    while (max > 0 && rooms_count(&membership->rooms[ROOM_CHANNEL]) > max)
        forget_some_key(tracking);
}

static void leave_rooms(struct tracking_client *client, enum room_kind kind)
{
    struct tracking *tracking = tracking_of(client->session);
    struct membership *membership = &tracking->membership;
    uint32_t count = client->subscriber.rooms[kind].count;
    const uint32_t *numbers = number_set_copy(&client->subscriber.rooms[kind], &tracking->numbers);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes name = room_name(membership_room(membership, kind, numbers[i]));
        membership_leave(membership, &client->subscriber, kind, name);
    }
}

/* ---- clients ---- */

/* A prefix as a pattern: what patterns would not take literally is escaped. */
static void add_pattern(struct buf *out, struct bytes prefix)
{
    for (size_t i = 0; i < prefix.len; i++) {
        if (memchr("*?[\\", prefix.data[i], 4) != NULL)
            buf_add(out, "\\", 1);
        buf_add(out, &prefix.data[i], 1);
    }
    buf_add(out, "*", 1);
}

static void add_prefix(struct buf *out, struct bytes pattern)
{
    struct buf prefix;
    buf_init(&prefix);
    for (size_t i = 0; i + 1 < pattern.len; i++) {
        if (pattern.data[i] == '\\')
            i++;
        buf_add(&prefix, &pattern.data[i], 1);
    }
    buf_put_bytes(out, buf_bytes(&prefix));
    buf_deinit(&prefix);
}

static void join_prefix(struct tracking_client *client, struct bytes prefix)
{
    struct buf pattern;
    buf_init(&pattern);
    add_pattern(&pattern, prefix);
    membership_join(&tracking_of(client->session)->membership, &client->subscriber, ROOM_PATTERN,
                    buf_bytes(&pattern));
    buf_deinit(&pattern);
}

void tracking_start(struct session *session, const struct tracking_mode *mode,
                    const struct bytes *prefixes, size_t count)
{
    struct tracking *tracking = tracking_of(session);
    struct tracking_client *client = session->tracking;
    if (client == NULL) {
        client = mem_zalloc(sizeof(*client));
        client->session = session;
        list_push_back(&tracking->clients, &client->link);
        tracking->client_count++;
        session->tracking = client;
    }
    client->mode = *mode;
    client->redirect_broken = false;
    if (mode->broadcast && count == 0)
        join_prefix(client, BYTES(""));
    for (size_t i = 0; i < count; i++)
        join_prefix(client, prefixes[i]);
}

void tracking_stop(struct session *session)
{
    struct tracking_client *client = session->tracking;
    if (client == NULL)
        return;
    leave_rooms(client, ROOM_CHANNEL);
    leave_rooms(client, ROOM_PATTERN);
    number_set_deinit(&client->subscriber.rooms[ROOM_CHANNEL]);
    number_set_deinit(&client->subscriber.rooms[ROOM_PATTERN]);
    list_remove(&client->link);
    tracking_of(session)->client_count--;
    mem_free(client);
    session->tracking = NULL;
}

static int compare_prefixes(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

size_t tracking_prefixes(struct session *session, struct buf *out)
{
    struct tracking *tracking = tracking_of(session);
    const struct number_set *set = &session->tracking->subscriber.rooms[ROOM_PATTERN];
    const uint32_t *numbers = number_set_copy(set, &tracking->numbers);
    struct bytes *patterns = mem_alloc((set->count + 1) * sizeof(*patterns));
    for (uint32_t i = 0; i < set->count; i++)
        patterns[i] = room_name(membership_room(&tracking->membership, ROOM_PATTERN, numbers[i]));
    qsort(patterns, set->count, sizeof(*patterns), compare_prefixes);
    for (uint32_t i = 0; i < set->count; i++)
        add_prefix(out, patterns[i]);
    mem_free(patterns);
    return set->count;
}

/* ---- commands ---- */

void tracking_waits(struct session *session)
{
    struct tracking_client *client = session->tracking;
    if (client->waited)
        return;
    client->waited = true;
    client->waited_lsn = store_last(session->broker->store);
}

static bool wants_reads(const struct tracking_client *client)
{
    unsigned flags = client->session->command->flags;
    if (!(flags & COMMAND_READONLY) || (flags & COMMAND_PUBSUB))
        return false;
    return client->mode.opt_in ? client->caching : !(client->mode.opt_out && client->caching);
}

/* Whether the key may have changed since the command began to wait. */
static bool changed_meanwhile(const struct tracking_client *client, struct bytes key)
{
    struct session *session = client->session;
    struct keyspace *keyspace = &session->broker->keyspace;
    struct object *object;
    if (keyspace_find(keyspace, session->db, key, &object) != ERR_OK)
        return true;
    return object->in_memory || keyspace_gate(keyspace, session->db, object) >= client->waited_lsn;
}

static void remember_reads(struct tracking_client *client)
{
    const struct session *session = client->session;
    struct key_span keys = command_keys(session->command, session->argv, session->argc);
    for (size_t i = 0; i < keys.count; i++) {
        struct bytes key = session->argv[keys.first + i * keys.step];
        if (key.len > KEY_NAME_MAX)
            continue;
        if (!client->mode.broadcast)
            remember_key(client, key);
        if (!client->waited || !changed_meanwhile(client, key))
            continue;
        begin_message(tracking_of(session));
        tell_of_key(client, key);
    }
}

/* CLIENT CACHING is for the next command, or for the transaction that it begins. */
static bool keeps_caching(const struct session *session)
{
    const struct command_row *container = session->container;
    return transaction_is_open(session) ||
           (container != NULL && strcmp(container->name, "client") == 0);
}

void tracking_after_command(struct session *session)
{
    struct tracking_client *client = session->tracking;
    if (wants_reads(client))
        remember_reads(client);
    if (keeps_caching(session))
        return;
    client->caching = false;
    client->waited = false;
}

/* ---- changes ---- */

static void tell_members(struct tracking *tracking, const struct room *room, struct bytes key)
{
    const uint32_t *slots = number_set_read(&room->members, &tracking->scratch);
    for (uint32_t member = 0; member < room->members.count; member++)
        tell_of_change(client_at(tracking, slots[member]), key);
}

/* To those whose prefix the key has. */
static void broadcast(struct tracking *tracking, struct bytes key)
{
    struct membership *membership = &tracking->membership;
    size_t count = membership_match(membership, key, &tracking->numbers, &tracking->scratch);
    const uint32_t *numbers = (const uint32_t *)(const void *)tracking->numbers.data;
    begin_message(tracking);
    for (size_t i = 0; i < count; i++)
        tell_members(tracking, membership_room(membership, ROOM_PATTERN, numbers[i]), key);
    const struct room *all = membership_find(membership, ROOM_PATTERN, BYTES("*"));
    if (key.len == 0 && all != NULL) /* no pattern matches the empty name, but a prefix does */
        tell_members(tracking, all, key);
}

static void change(struct tracking *tracking, struct bytes key)
{
    forget_key(tracking, key, tell_of_change);
    if (rooms_count(&tracking->membership.rooms[ROOM_PATTERN]) > 0)
        broadcast(tracking, key);
}

/* All keys of a database are other ones, and keys are remembered without their databases. */
static void change_all(struct tracking *tracking)
{
    begin_message(tracking);
    struct list *link = tracking->clients.next;
    for (; link != &tracking->clients; link = link->next) {
        struct tracking_client *client = container_of(link, struct tracking_client, link);
        leave_rooms(client, ROOM_CHANNEL);
        tell(client, NULL);
    }
}

void tracking_changed(struct broker *broker, const struct op *op)
{
    struct tracking *tracking = &broker->tracking;
    if (op->kind == OP_FLUSH || op->kind == OP_SWAP) {
        change_all(tracking);
        return;
    }
    if (!op_has_key(op->kind) || op->kind == OP_QUIET || op->kind == OP_WEIGHED ||
        op->kind == OP_HOLD) /* rules, and its own notes */
        return;
    change(tracking, op->key);
    if (op->kind == OP_RENAME)
        change(tracking, op->key2);
}

struct tracking_stats tracking_stats(const struct tracking *tracking)
{
    struct tracking_stats stats = {
        .keys = rooms_count(&tracking->membership.rooms[ROOM_CHANNEL]),
        .items = tracking->membership.subscriptions,
        .prefixes = rooms_count(&tracking->membership.rooms[ROOM_PATTERN]),
    };
    const struct list *link = tracking->clients.next;
    for (; link != &tracking->clients; link = link->next)
        stats.items -=
            container_of(link, struct tracking_client, link)->subscriber.rooms[ROOM_PATTERN].count;
    return stats;
}
