/* weir-server: options in, runtime out. */
#include "base/buf.h"
#include "base/logger.h"
#include "broker/options.h"
#include "broker/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool open_log(const struct options *options)
{
    logger_set_level((enum log_level)options->loglevel);
    if (options->logfile[0] == '\0')
        return true;
    int fd = open(options->logfile, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        fprintf(stderr, "weir-server: open %s: %s\n", options->logfile, strerror(errno));
        return false;
    }
    logger_set_fd(fd);
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    struct buf text;
    options_init(&options);
    buf_init(&text);
    enum options_outcome outcome = options_load(&options, argc, argv, &text);
    int status = EXIT_SUCCESS;
    if (outcome == OPTIONS_TELL) {
        fwrite(text.data, 1, text.len, stdout);
    } else if (outcome == OPTIONS_REFUSE) {
        fprintf(stderr, "%.*s\n", (int)text.len, text.data);
        status = EXIT_FAILURE;
    } else if (!open_log(&options) || runtime_run(&options) != ERR_OK) {
        status = EXIT_FAILURE;
    }
    buf_deinit(&text);
    options_deinit(&options);
    return status;
}
