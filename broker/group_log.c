#include "broker/group_log.h"

#include "base/buf.h"
#include "base/logger.h"
#include "storage/group.h"

/* Names are cut after so many bytes. */
#define LOGGED_NAME_MAX 128

static void add_name(struct buf *out, const char *what, struct bytes name)
{
    bool cut = name.len > LOGGED_NAME_MAX;
    buf_addf(out, " %s=", what);
    buf_add_quoted(out, bytes_of(name.data, cut ? LOGGED_NAME_MAX : name.len));
}

void group_log(const char *event, unsigned db, struct bytes key, struct group *group)
{
    struct buf names;
    buf_init(&names);
    add_name(&names, "key", key);
    add_name(&names, "group", group_name(group));
    LOG(LOG_WARNING, event, "db=%u%.*s pending=%llu", db, (int)names.len, names.data,
        (unsigned long long)group_state(group)->pending);
    buf_deinit(&names);
}
