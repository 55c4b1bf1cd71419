#include "base/check.h"

#include <stdlib.h>

#include "base/logger.h"

void check_failed(const char *condition, const char *file, int line)
{
    logger_line(LOG_WARNING, "check failed", "at=%s:%d condition=\"%s\"", file, line, condition);
    abort();
}
