/* parser: commands out of the bytes that a client sends; the only user of hiredis.
 *
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 * A command is a multibulk ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") or an inline line ("GET k\r\n").
 * Empty ones are skipped. The rules, limits and error texts are Redis's.
 *
 *     input ──> a command that is whole ────────> wire: $3\r\nGET\r\n$1\r\nk\r\n
 *     (borrowed, or kept)                       ^         argv[0]^     argv[1]^
 *           └─> slices ──> hiredis reader ──────┘
 *                          (unparsed rest)
 *
 * The arguments of a command are copied, in canonical wire form, into one buffer: any run of
 * them is one contiguous span. A command that lies in the input as a whole and plainly
 * (wire_scan.h) is copied from there. One that comes in pieces, and one that may be wrong, is
 * hiredis's. It gets its bytes in slices of a few KB.
 *
 * Invariants
 *   1. The reader holds bytes within a command only, whose header is whole. What follows becomes
 *      input again, and what begins there (inline lines, empty commands, half a header) is looked
 *      at in the input.
 *   2. What is buffered is at most the limits' `input_bytes_max` plus one slice.
 *   3. The commands, and the error that ends them, do not depend on how the input was split. */
#ifndef WEIR_BROKER_PARSER_H
#define WEIR_BROKER_PARSER_H

#include "base/buf.h"
#include "base/err.h"

/* Arguments of one command. */
#define PARSER_ARGS_MAX (1024 * 1024)
/* An inline line, and a length's line. */
#define PARSER_LINE_MAX (64 * 1024)
/* Before authentication: enough for AUTH and HELLO. */
#define PARSER_UNAUTHENTICATED_ARGS_MAX 10
#define PARSER_UNAUTHENTICATED_BULK_MAX 16384

struct parser_limits {
    size_t bulk_bytes_max;  /* of one argument */
    size_t input_bytes_max; /* of a command that is not whole yet */
    bool unauthenticated;   /* the tighter limits hold too */
};

struct redisReader;

struct parser {
    struct parser_limits limits; /* may be changed between calls */
    const char *error;           /* NULL, or what ended the input for good */

    struct bytes input; /* not yet given to the reader: in the caller's memory, or in `kept` */
    struct buf kept;

    struct redisReader *reader; /* NULL until it is needed */
    size_t unparsed;            /* bytes in the reader behind the last whole argument */
    size_t slice;               /* size of the last slice that the reader got */
    size_t reader_len_max;      /* what its buffer has held */

    bool in_command; /* its header is parsed, its arguments are not all there */
    bool done;       /* the arguments are those of a whole command, handed out */
    struct bytes *argv;
    size_t argc;
    size_t argv_cap;
    struct buf wire;
    char error_text[64]; /* an error that quotes the input */
};

void parser_init(struct parser *parser, struct parser_limits limits);
void parser_deinit(struct parser *parser);

/* More input, behind what is there. Borrows it until parser_keep, or until parser_next has
 * answered ERR_END and then parser_keep. */
void parser_feed(struct parser *parser, struct bytes input);

/* Copies what was fed and is not parsed. Must follow every parser_feed before its memory
 * changes. */
void parser_keep(struct parser *parser);

/* The next command: parser->argv and argc, valid until the next call.
 * ERR_END: the rest is not a whole command. ERR_INVALID: a protocol error, parser->error says
 * which; nothing more will come. ERR_FULL: the command is larger than limits.input_bytes_max. */
MUST_CHECK enum err parser_next(struct parser *parser);

/* The wire form of arguments [first, first + count) of a command that parser_next handed out, or of
 * a copy whose arguments lie as it had them. */
struct bytes parser_wire(const struct bytes *argv, size_t first, size_t count);

/* What is there behind the command that parser_next handed out; the same validity. */
struct bytes parser_ahead(const struct parser *parser);

/* Input that is kept or in the reader, not yet parsed. */
static inline size_t parser_unparsed(const struct parser *parser)
{
    return parser->input.len + parser->unparsed;
}

/* Capacities of everything. */
size_t parser_memory(const struct parser *parser);

/* Gives back all memory that holds nothing. */
void parser_shrink(struct parser *parser);

#endif
