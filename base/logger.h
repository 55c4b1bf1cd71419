/* logger: one line an event, "time level event key=value ...".
 *
 * Thread safe: a line is one write(2). It is cut at 1024 bytes, and control characters
 * become "?", so that no value can forge a line. A client's mistake is never above debug.
 * The level and the sink are process-wide, set once at start. */
#ifndef WEIR_BASE_LOGGER_H
#define WEIR_BASE_LOGGER_H

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING, LOG_NOTHING };

void logger_set_level(enum log_level level);
enum log_level logger_level(void);
/* Where lines go from now on: a file descriptor, borrowed; 2 at start. */
void logger_set_fd(int fd);

/* `event` is a few fixed words; `format` makes the "key=value ..." rest and may be "". */
__attribute__((format(printf, 3, 4))) void logger_line(enum log_level level, const char *event,
                                                       const char *format, ...);

#define LOG(level, ...)                                                                            \
    do {                                                                                           \
        if ((level) >= logger_level())                                                             \
            logger_line((level), __VA_ARGS__);                                                     \
    } while (0)

#endif
