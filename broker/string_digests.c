/* DIGEST and DELEX: https://redis.io/docs/latest/commands/digest/ and .../delex/ */
#include "broker/string_commands.h"

#include "broker/keys_commands.h"
#include "broker/string_args.h"

enum flow digest_command(struct session *session)
{
    struct object *object;
    char digest[DIGEST_DIGITS];
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    if (object_type(object) == OBJECT_NONE) {
        reply_null(&session->reply);
        return FLOW_DONE;
    }
    digest_to_text(string_bytes(object), digest);
    reply_bulk(&session->reply, bytes_of(digest, sizeof(digest)));
    return FLOW_DONE;
}

/* False: replied. */
static bool parse_delex(struct session *session, struct comparison *out)
{
    size_t at = 2;
    *out = (struct comparison){.how = COMPARE_NONE};
    if (session->argc != 4) {
        session_wrong_arity(session);
        return false;
    }
    if (comparison_option(session, &at, out))
        return comparison_fits(session, out);
    reply_error(&session->reply, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
    return false;
}

enum flow delex_command(struct session *session)
{
    struct object *object;
    struct comparison comparison;
    if (session->argc == 2)
        return del_command(session);
    if (!parse_delex(session, &comparison))
        return FLOW_DONE;
    enum access access = access_string(session, session->argv[1], &object);
    if (access != ACCESS_READY)
        return access_flow(access);
    struct bytes value = string_bytes(object);
    bool goes = object_type(object) != OBJECT_NONE && comparison_holds(&comparison, &value);
    if (goes) {
        keys_delete(session, session->argv[1], object);
    }
    reply_integer(&session->reply, goes);
    return FLOW_DONE;
}
