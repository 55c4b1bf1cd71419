/* inline_words: the words of an inline command, as Redis splits them.
 *
 * https://redis.io/docs/latest/develop/reference/protocol-spec/#inline-commands Words are parted
 * by blanks. Inside "double quotes" a backslash makes \n \r \t \b \a and \xHH, and takes any
 * other byte as it is; inside 'single quotes' only \' is special. A quote may open inside of a
 * word, and must close at the end of one. A NUL ends the line. */
#ifndef WEIR_BROKER_INLINE_WORDS_H
#define WEIR_BROKER_INLINE_WORDS_H

#include "base/buf.h"
#include "base/err.h"

/* Takes the next word off the front of `*line` and adds it, unquoted, to `word`.
 * ERR_END: no word is left. ERR_INVALID: a quote is not closed, or not at the end of its word. */
MUST_CHECK enum err inline_next_word(struct bytes *line, struct buf *word);

#endif
