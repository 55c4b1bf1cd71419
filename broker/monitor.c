#include "broker/monitor.h"

#include "base/buf.h"
#include "broker/conn.h"
#include "broker/server.h"
#include "broker/session.h"

static void write_line(struct buf *out, const struct session *session, uint64_t now_ms)
{
    const char *address = session->conn != NULL ? conn_peer_address(session->conn) : "?";
    buf_addf(out, "+%llu.%06llu [%u %s]", (unsigned long long)(now_ms / 1000),
             (unsigned long long)(now_ms % 1000) * 1000, session->db, address);
    for (size_t i = 0; i < session->argc; i++) {
        buf_add(out, " ", 1);
        buf_add_quoted(out, session->argv[i]);
    }
    buf_add(out, "\r\n", 2);
}

void monitor_feed(struct server *server, const struct session *session, uint64_t now_ms)
{
    if (server == NULL || (session->command->flags & (COMMAND_SKIP_MONITOR | COMMAND_ADMIN)))
        return;
    struct buf line;
    buf_init(&line);
    write_line(&line, session, now_ms);
    struct session *at = NULL;
    while ((at = server_next_session(server, at)) != NULL) {
        if (at->monitor) /* maybe the session itself, in the middle of its EXEC */
            session_push(at, buf_bytes(&line));
    }
    buf_deinit(&line);
}
