#include "base/logger.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Longer lines are cut: the kernel keeps lines apart that are written at once, and pipes
 * promise that up to 4096 bytes. */
#define LOG_LINE_MAX 1024

static atomic_int current_level = LOG_NOTICE;
static atomic_int sink = STDERR_FILENO;

void logger_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level logger_level(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

void logger_set_fd(int fd)
{
    atomic_store_explicit(&sink, fd, memory_order_relaxed);
}

static const char *level_text(enum log_level level)
{
    static const char *const texts[] = {"debug", "verbose", "notice", "warning", "nothing"};
    return texts[level];
}

/* Where the text of `wrote` bytes ends when only `room` (its NUL included) were there. */
static size_t end_of(int wrote, size_t room)
{
    if (wrote < 0)
        return 0;
    return (size_t)wrote < room ? (size_t)wrote : room - 1;
}

static size_t print_prefix(char *line, size_t room, enum log_level level, const char *event)
{
    uint64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    int wrote = snprintf(line, room, "%s.%03uZ %s %s", date, (unsigned)(now_ms % 1000),
                         level_text(level), event);
    return end_of(wrote, room);
}

/* A key or a client's name may hold line ends, which would forge a line. */
static void blank_controls(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
}

void logger_line(enum log_level level, const char *event, const char *format, ...)
{
    int errno_before = errno;
    char line[LOG_LINE_MAX];
    size_t room = sizeof line - 1;
    size_t len = print_prefix(line, room, level, event);
    if (format[0] != '\0' && len + 2 < room) {
        line[len++] = ' ';
        va_list args;
        va_start(args, format);
        len += end_of(vsnprintf(line + len, room - len, format, args), room - len);
        va_end(args);
    }
    blank_controls(line, len);
    line[len++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    ssize_t wrote = write(atomic_load_explicit(&sink, memory_order_relaxed), line, len);
    (void)wrote;
    errno = errno_before;
}
