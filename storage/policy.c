#include "storage/policy.h"

#include "base/alloc.h"
#include "base/check.h"

static bool is_set(const struct policy *policy)
{
#define X(field, number, word, max) policy->field != 0 ||
    return POLICY_LIMITS(X) false;
#undef X
}

struct policy *policy_create(const struct policy *values)
{
    if (!is_set(values))
        return NULL;
    struct bytes key = values->deadletter;
    struct policy *policy = mem_alloc(sizeof(*policy) + key.len);
    *policy = *values;
    policy->refs = 1;
    policy->deadletter = bytes_of((char *)(policy + 1), key.len);
    if (key.len > 0)
        memcpy(policy + 1, key.data, key.len);
    return policy;
}

struct policy *policy_ref(struct policy *policy)
{
    if (policy != NULL)
        policy->refs++;
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (policy == NULL)
        return;
    CHECK(policy->refs > 0);
    if (--policy->refs == 0)
        mem_free(policy);
}

static void put_limit(struct buf *out, uint8_t number, uint64_t value)
{
    if (value == 0)
        return;
    buf_put_u8(out, number);
    buf_put_varint(out, value);
}

void policy_encode(struct buf *out, const struct policy *policy)
{
    if (policy == NULL)
        return;
#define X(field, number, word, max) put_limit(out, number, policy->field);
    POLICY_LIMITS(X)
#undef X
    if (policy->deadletter.len > 0) {
        buf_put_u8(out, POLICY_DEADLETTER);
        buf_put_bytes(out, policy->deadletter);
    }
}

enum err policy_decode(struct bytes bytes, struct policy *out)
{
    struct decoder decoder = decoder_of(bytes);
    struct policy policy = {0};
    while (decoder_left(&decoder) > 0) {
        uint8_t tag = decoder_u8(&decoder);
        if (tag == POLICY_DEADLETTER) {
            policy.deadletter = decoder_bytes(&decoder);
            continue;
        }
        uint64_t value = decoder_varint(&decoder);
        bool fits = false;
        switch (tag) {
#define X(field, number, word, max)                                                                \
    case number:                                                                                   \
        policy.field = value;                                                                      \
        fits = value <= (max);                                                                     \
        break;
            POLICY_LIMITS(X)
#undef X
        }
        if (decoder.failed || !fits || value == 0)
            return ERR_CORRUPT;
    }
    if (decoder.failed)
        return ERR_CORRUPT;
    *out = policy;
    return ERR_OK;
}
