#include "broker/key_watch.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"
#include "broker/transaction.h"

struct key_watch {
    struct waiter waiter;
    struct list link;     /* of the transaction's watches */
    struct list all_link; /* of the broker's */
    struct session *session;
    bool existed;
    uint64_t expiry_ms; /* when the key goes by itself; 0: never */
};

void key_watches_init(struct key_watches *watches)
{
    waiters_init(&watches->keys);
    list_init(&watches->all);
}

void key_watches_deinit(struct key_watches *watches)
{
    CHECK(list_empty(&watches->all));
    waiters_deinit(&watches->keys);
}

static struct key_watch *watch_of(struct waiter *waiter)
{
    return container_of(waiter, struct key_watch, waiter);
}

static bool is_watched(const struct session *session, struct bytes key)
{
    const struct waiters *keys = &session->broker->watches.keys;
    struct waiter *waiter = waiters_first(keys, session->db, key);
    for (; waiter != NULL; waiter = waiters_next(waiter)) {
        if (watch_of(waiter)->session == session)
            return true;
    }
    return false;
}

static size_t watch_bytes(struct bytes key)
{
    return sizeof(struct key_watch) + key.len;
}

bool key_watch_add(struct session *session, struct bytes key, const struct object *object)
{
    struct key_watches *watches = &session->broker->watches;
    struct transaction *transaction = session->transaction;
    if (is_watched(session, key))
        return true;
    if (!transaction_has_room(session, watch_bytes(key)))
        return false;
    struct key_watch *watch = mem_alloc(sizeof(*watch));
    watch->session = session;
    watch->existed = object_type(object) != OBJECT_NONE;
    watch->expiry_ms = object_expiry(object);
    waiters_add(&watches->keys, session->db, key, NULL, &watch->waiter);
    list_push_back(&watches->all, &watch->all_link);
    list_push_back(&transaction->watches, &watch->link);
    watches->sessions += transaction->watch_count++ == 0;
    transaction->bytes += watch_bytes(key);
    return true;
}

void key_watch_end(struct session *session)
{
    struct key_watches *watches = &session->broker->watches;
    struct transaction *transaction = session->transaction;
    if (transaction == NULL)
        return;
    watches->sessions -= transaction->watch_count > 0;
    while (!list_empty(&transaction->watches)) {
        struct key_watch *watch = container_of(transaction->watches.next, struct key_watch, link);
        transaction->bytes -= watch_bytes(waiter_name(&watch->waiter));
        waiters_remove(&watches->keys, &watch->waiter);
        list_remove(&watch->link);
        list_remove(&watch->all_link);
        mem_free(watch);
    }
    transaction->watch_count = 0;
    transaction->touched = false;
}

static void touch(const struct key_watch *watch, uint64_t lsn)
{
    struct transaction *transaction = watch->session->transaction;
    if (transaction->touched)
        return;
    transaction->touched = true;
    transaction->touched_lsn = lsn;
}

void key_watch_expire(struct session *session)
{
    const struct transaction *transaction = session->transaction;
    uint64_t now_ms = broker_now_ms(session->broker);
    const struct list *link = transaction->watches.next;
    for (; link != &transaction->watches; link = link->next) {
        const struct key_watch *watch = container_of(link, struct key_watch, link);
        if (watch->expiry_ms > 0 && watch->expiry_ms <= now_ms)
            touch(watch, 0);
    }
}

static void touch_key(struct broker *broker, unsigned db, struct bytes key, uint64_t lsn)
{
    struct waiter *waiter = waiters_first(&broker->watches.keys, db, key);
    for (; waiter != NULL; waiter = waiters_next(waiter))
        touch(watch_of(waiter), lsn);
}

/* True when the watched name stands for something, or may; `swapped` databases only. */
static bool exists_now(struct broker *broker, const struct key_watch *watch)
{
    struct object *object;
    unsigned db = waiter_scope(&watch->waiter);
    enum err err = keyspace_find(&broker->keyspace, db, waiter_name(&watch->waiter), &object);
    return err != ERR_OK || object_type(object) != OBJECT_NONE;
}

/* All keys of a database are other ones now. */
static void touch_database(struct broker *broker, unsigned db, bool swapped, uint64_t lsn)
{
    const struct list *all = &broker->watches.all;
    for (struct list *link = all->next; link != all; link = link->next) {
        const struct key_watch *watch = container_of(link, struct key_watch, all_link);
        if (waiter_scope(&watch->waiter) != db || watch->session->transaction->touched)
            continue;
        if (watch->existed || (swapped && exists_now(broker, watch)))
            touch(watch, lsn);
    }
}

void key_watch_changed(struct broker *broker, const struct op *op, uint64_t lsn)
{
    switch (op->kind) {
    case OP_FLUSH:
        touch_database(broker, op->db, false, lsn);
        break;
    case OP_SWAP:
        touch_database(broker, op->db, true, lsn);
        touch_database(broker, (unsigned)op->number, true, lsn);
        break;
    case OP_SETID: /* what no reader of entries can see does not count, as in Redis */
    case OP_RENEW:
    case OP_GROUP_CREATE:
    case OP_GROUP_SETID:
    case OP_GROUP_DESTROY:
    case OP_CONSUMER_CREATE:
    case OP_CONSUMER_DELETE:
    case OP_DELIVER:
    case OP_ACK:
    case OP_CLAIM:
    case OP_QUIET: /* and the server's own notes count for nobody */
    case OP_WEIGHED:
    case OP_HOLD:
    case OP_RANGE_SET:
    case OP_RANGE_DELETE:
    case OP_RANGE_MOVE:
    case OP_RANGE_MOVED:
        break;
    default:
        touch_key(broker, op->db, op->key, lsn);
        if (op->kind == OP_RENAME)
            touch_key(broker, op->db, op->key2, lsn);
        break;
    }
}
