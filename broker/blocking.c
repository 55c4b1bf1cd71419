#include "broker/blocking.h"

#include "base/alloc.h"
#include "base/check.h"
#include "broker/broker_internal.h"

void blocking_init(struct blocking *blocking, struct session *session,
                   void (*destroy)(struct work *work))
{
    *blocking = (struct blocking){.work = {destroy}, .session = session};
    list_init(&blocking->link);
    list_init(&blocking->ready_link);
}

static void set_deadline(struct blocking *blocking, uint64_t deadline_us)
{
    struct broker *broker = blocking->session->broker;
    heap_remove(&broker->deadlines, &blocking->deadline);
    if (deadline_us == 0)
        return;
    blocking->deadline.key = deadline_us;
    heap_insert(&broker->deadlines, &blocking->deadline);
}

void blocking_start(struct blocking *blocking, const struct bytes *keys, size_t count,
                    uint64_t deadline_us)
{
    struct broker *broker = blocking->session->broker;
    blocking->end = BLOCKING_WAITS;
    set_deadline(blocking, deadline_us);
    if (!list_empty(&blocking->link))
        return;
    list_push_back(&broker->blocked, &blocking->link);
    blocking->waiters = mem_zalloc(count * sizeof(*blocking->waiters));
    blocking->waiter_count = count;
    for (size_t i = 0; i < count; i++) {
        blocking->waiters[i].blocking = blocking;
        waiters_add(&broker->waiters, blocking->session->db, keys[i], blocking->line,
                    &blocking->waiters[i].waiter);
    }
}

void blocking_stop(struct blocking *blocking)
{
    struct broker *broker = blocking->session->broker;
    for (size_t i = 0; i < blocking->waiter_count; i++)
        waiters_remove(&broker->waiters, &blocking->waiters[i].waiter);
    mem_free(blocking->waiters);
    blocking->waiters = NULL;
    blocking->waiter_count = 0;
    heap_remove(&broker->deadlines, &blocking->deadline);
    list_remove(&blocking->link);
    list_remove(&blocking->ready_link);
}

static void wake(struct broker *broker, struct blocking *blocking, enum blocking_end end)
{
    if (blocking->end != BLOCKING_WAITS)
        return; /* it is woken already, or busy with a reader and will look again */
    blocking->end = end;
    if (list_empty(&blocking->ready_link))
        list_push_back(&broker->ready, &blocking->ready_link);
}

void blocking_signal(struct broker *broker, unsigned db, struct bytes key)
{
    if (waiters_empty(&broker->waiters))
        return;
    struct waiter *waiter = waiters_first(&broker->waiters, db, key);
    for (; waiter != NULL; waiter = waiters_next(waiter))
        wake(broker, container_of(waiter, struct blocking_key, waiter)->blocking,
             BLOCKING_SIGNALLED);
}

void blocking_signal_line(struct broker *broker, unsigned db, struct bytes key, struct bytes line)
{
    struct waiter *waiter = waiters_line_first(&broker->waiters, db, key, line);
    if (waiter != NULL)
        wake(broker, container_of(waiter, struct blocking_key, waiter)->blocking,
             BLOCKING_SIGNALLED);
}

void blocking_signal_whole_line(struct broker *broker, unsigned db, struct bytes key,
                                struct bytes line)
{
    struct waiter *waiter = waiters_line_first(&broker->waiters, db, key, line);
    for (; waiter != NULL; waiter = waiters_line_next(waiter))
        wake(broker, container_of(waiter, struct blocking_key, waiter)->blocking,
             BLOCKING_SIGNALLED);
}

void blocking_signal_all(struct broker *broker, unsigned db)
{
    for (struct list *link = broker->blocked.next; link != &broker->blocked; link = link->next) {
        struct blocking *blocking = container_of(link, struct blocking, link);
        if (blocking->session->db == db)
            wake(broker, blocking, BLOCKING_SIGNALLED);
    }
}

void blocking_serve(struct broker *broker)
{
    if (broker->serving)
        return;
    broker->serving = true;
    while (!list_empty(&broker->ready)) {
        struct blocking *blocking = container_of(broker->ready.next, struct blocking, ready_link);
        list_remove(&blocking->ready_link);
        session_resume(blocking->session);
    }
    broker->serving = false;
}

void blocking_time_out(struct session *session)
{
    container_of(session->work, struct blocking, work)->end = BLOCKING_TIMED_OUT;
}

void blocking_expire(struct broker *broker, uint64_t now_us)
{
    for (;;) {
        struct heap_node *node = heap_first(&broker->deadlines);
        if (node == NULL || node->key > now_us)
            break;
        heap_remove(&broker->deadlines, node);
        wake(broker, container_of(node, struct blocking, deadline), BLOCKING_TIMED_OUT);
    }
    blocking_serve(broker);
}

bool broker_unblock(struct broker *broker, uint64_t id, bool with_error)
{
    for (struct list *link = broker->blocked.next; link != &broker->blocked; link = link->next) {
        struct blocking *blocking = container_of(link, struct blocking, link);
        if (blocking->session->id != id || blocking->end != BLOCKING_WAITS)
            continue;
        wake(broker, blocking, with_error ? BLOCKING_UNBLOCKED : BLOCKING_TIMED_OUT);
        return true;
    }
    return false;
}
