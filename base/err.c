#include "base/err.h"

#include <errno.h>

#include "base/check.h"

#define X(name, text) text,
static const char *const texts[ERR_COUNT] = {ERR_TABLE(X)};
#undef X

const char *err_text(enum err err)
{
    CHECK((unsigned)err < ERR_COUNT);
    return texts[err];
}

enum err err_of_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return ERR_OK;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EINVAL:
        return ERR_INVALID;
    case ERANGE:
    case EOVERFLOW:
        return ERR_RANGE;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EADDRINUSE:
        return ERR_IN_USE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EMFILE:
    case ENFILE:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}
