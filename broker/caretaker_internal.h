/* caretaker_internal: what the caretaker's parts share: errands, and the look at one feed. */
#ifndef WEIR_BROKER_CARETAKER_INTERNAL_H
#define WEIR_BROKER_CARETAKER_INTERNAL_H

#include "broker/broker_internal.h"
#include "storage/upkeep.h"

/* A read for the caretaker. It outlives a caretaker that goes away meanwhile. */
struct errand {
    struct caretaker *caretaker; /* NULL: gone */
    struct fetch fetch;
    /* Takes what was read, on the loop. Its error, ERR_COLD aside, makes the caretaker wait. */
    enum err (*take)(struct errand *errand, struct broker *broker);
    struct feed *feed; /* one reference; NULL: it is about none */
    unsigned db;       /* of an object */
    struct buf key;
};

struct looking {
    struct caretaker *caretaker;
    struct broker *broker;
    uint64_t now_ms;
    struct id alarm;
    unsigned db;
    struct bytes key;
    struct object *object;
    struct feed *feed;
};

/* An errand about `feed`, NULL: none. The caller fills its fetch. */
struct errand *errand_begin(struct caretaker *caretaker, struct feed *feed,
                            enum err (*take)(struct errand *errand, struct broker *broker));
enum look errand_send(struct errand *errand, struct broker *broker);

/* A read failed: nothing is looked at for a while. */
enum look caretaker_failed(struct caretaker *caretaker, enum err err);

struct op looking_op(const struct looking *looking, enum op_kind kind);

#endif
