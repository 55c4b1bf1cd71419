/* err: the one table of operating errors.
 *
 * Every function that can fail returns one of these and leaves its outputs
 * untouched unless it returns ERR_OK. Programmers' errors are not here: they stop
 * the process (base/check.h). Text for people is made at the edge: errors for
 * clients in broker/, for start-up in the caller that knows what it was doing. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

/*  name            text                                  when */
#define ERR_TABLE(X)                                                                               \
    X(OK, "ok")                              /* it worked */                                       \
    X(END, "nothing more")                   /* an iteration is over */                            \
    X(NOT_FOUND, "not found")                /* no such key, row, file */                          \
    X(COLD, "not in memory")                 /* a reader must fetch it first */                    \
    X(INVALID, "not valid")                  /* text or value out of its form */                   \
    X(RANGE, "out of range")                 /* well formed, but not allowed */                    \
    X(TOO_NEW, "written by a newer version") /* on-disk format */                                  \
    X(CORRUPT, "damaged data")               /* on disk: checksum, form */                         \
    X(IO, "input/output error")              /* the system said no */                              \
    X(NO_SPACE, "no space left on device")   /* ENOSPC, EDQUOT */                                  \
    X(LOCKED, "in use by another process")   /* data directory */                                  \
    X(IN_USE, "address already in use")      /* port */                                            \
    X(DENIED, "permission denied")           /* EACCES, EPERM */                                   \
    X(FULL, "limit reached")                 /* a bounded thing is full */                         \
    X(FAILED, "the store has failed")        /* after a failed write or sync */

#define X(name, text) ERR_##name,
enum err { ERR_TABLE(X) ERR_COUNT };
#undef X

#define MUST_CHECK __attribute__((warn_unused_result))

/* The text of an error; a static string. */
const char *err_text(enum err err);
/* The nearest error for an errno value; ERR_IO where there is none. */
enum err err_of_errno(int errno_value);

#endif
