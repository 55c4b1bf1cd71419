#include "broker/monitor.h"

#include "base/buf.h"
#include "broker/conn.h"
#include "broker/server.h"
#include "broker/session.h"

#include <ctype.h>

/* As redis-cli writes strings: printable as it is, the rest escaped. */
static void add_quoted(struct buf *out, struct bytes text)
{
    static const char named[] = "\n\r\t\a\b";
    static const char letters[] = "nrtab";
    buf_add(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        const char *at = c != '\0' ? strchr(named, c) : NULL;
        if (at != NULL)
            buf_addf(out, "\\%c", letters[at - named]);
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (isprint((unsigned char)c))
            buf_add(out, &c, 1);
        else
            buf_addf(out, "\\x%02x", (unsigned char)c);
    }
    buf_add(out, "\"", 1);
}

static void write_line(struct buf *out, const struct session *session, uint64_t now_ms)
{
    const char *address = session->conn != NULL ? conn_peer_address(session->conn) : "?";
    buf_addf(out, "+%llu.%06llu [%u %s]", (unsigned long long)(now_ms / 1000),
             (unsigned long long)(now_ms % 1000) * 1000, session->db, address);
    for (size_t i = 0; i < session->argc; i++) {
        buf_add(out, " ", 1);
        add_quoted(out, session->argv[i]);
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
