/* string_args: the arguments that commands on strings and on times of expiry share. */
#ifndef WEIR_BROKER_STRING_ARGS_H
#define WEIR_BROKER_STRING_ARGS_H

#include "broker/session.h"
#include "storage/object.h"

/* How a time of expiry is given: in seconds or milliseconds, from now or from 1970. */
enum time_form { TIME_EX, TIME_PX, TIME_EXAT, TIME_PXAT };

/* "EX", "PX", "EXAT", "PXAT"; false: none of them. */
bool time_form_of(struct bytes word, enum time_form *out);

/* An option EX, PX, EXAT or PXAT with its time, not yet read. */
struct time_option {
    bool given;
    enum time_form form;
    size_t at; /* argument */
};

/* Takes the option at argument *at, and moves there to its time. It may be said again, in the same
 * form. False: it is none, or of another form than before. */
bool time_option(struct session *session, size_t *at, struct time_option *option);

/* What a string is compared with: IFEQ, IFNE, IFDEQ, IFDNE. A digest is the XXH3 hash of the string
 * in 16 hexadecimal digits: https://redis.io/docs/latest/commands/digest/ */
enum compare { COMPARE_NONE, COMPARE_SAME, COMPARE_OTHER, COMPARE_DIGEST, COMPARE_OTHER_DIGEST };
struct comparison {
    enum compare how;
    struct bytes with;
};
#define DIGEST_DIGITS 16

/* As time_option: the option at argument *at with its value. */
bool comparison_option(struct session *session, size_t *at, struct comparison *comparison);
/* False: replied that it is with no digest. */
bool comparison_fits(struct session *session, const struct comparison *comparison);
/* Whether it holds for a key; one that does not exist (`value` is NULL) is like nothing. */
bool comparison_holds(const struct comparison *comparison, const struct bytes *value);

/* `out` has room for DIGEST_DIGITS. */
void digest_to_text(struct bytes value, char *out);

/* Reads argument `index` as a time of expiry in Unix milliseconds, at most OBJECT_EXPIRY_MAX; it
 * may have passed, and with `any` be below 0. False: replied. */
bool expiry_argument(struct session *session, size_t index, enum time_form form, bool any,
                     int64_t *out);

/* [*start, *end] as Redis reads them, both inclusive and negative from the end, becomes what of it
 * lies within `len`. False: nothing does. */
bool range_within(int64_t len, int64_t *start, int64_t *end);

/* False: replied that the value would be too long. */
bool value_fits(struct session *session, uint64_t len);

/* Redis's reading of a number with a fraction, and its text of it: no exponent, no zeros at the
 * end. `out` has room for FLOAT_TEXT_MAX bytes; returns the length. */
#define FLOAT_TEXT_MAX 5120
bool float_of_text(struct bytes text, long double *out);
size_t float_to_text(long double value, char *out);

#endif
