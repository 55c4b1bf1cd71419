/* Commands out of bytes. */
#include "bench/micro/micro.h"

#include "base/check.h"
#include "broker/inline_words.h"
#include "broker/parser.h"
#include "broker/reply.h"

#define PIPELINE 16u

static struct parser parser;
static struct buf input;

static void set_up(void)
{
    struct parser_limits limits = {.bulk_bytes_max = 512 << 20, .input_bytes_max = (size_t)1 << 30};
    parser_init(&parser, limits);
    buf_init(&input);
}

static void tear_down(void)
{
    parser_deinit(&parser);
    buf_deinit(&input);
}

static void xadd_set_up(void)
{
    set_up();
    micro_add_xadd(&input, "feed");
}

static void xadd_pipeline_set_up(void)
{
    set_up();
    for (unsigned i = 0; i < PIPELINE; i++)
        micro_add_xadd(&input, "feed");
}

static void inline_pipeline_set_up(void)
{
    set_up();
    for (unsigned i = 0; i < PIPELINE; i++)
        buf_add_bytes(&input, BYTES("XRANGE feed 1700000012345 + COUNT 100\r\n"));
}

/* As a session does with what a read brought. */
static uint64_t parse_input(void)
{
    uint64_t commands = 0;
    parser_feed(&parser, buf_bytes(&input));
    for (enum err err; (err = parser_next(&parser)) != ERR_END; commands++) {
        CHECK(err == ERR_OK);
        micro_use(parser.argc);
    }
    parser_keep(&parser);
    return commands;
}

static void run_parse(uint64_t count)
{
    for (uint64_t done = 0; done < count;)
        done += parse_input();
}

/* A command in two reads, cut within its value. */
static void run_parse_halves(uint64_t count)
{
    struct bytes whole = buf_bytes(&input);
    size_t cut = whole.len - MICRO_VALUE_BYTES / 2;
    for (uint64_t i = 0; i < count; i++) {
        parser_feed(&parser, bytes_of(whole.data, cut));
        CHECK(parser_next(&parser) == ERR_END);
        parser_keep(&parser);
        parser_feed(&parser, bytes_of(whole.data + cut, whole.len - cut));
        CHECK(parser_next(&parser) == ERR_OK);
        CHECK(parser_next(&parser) == ERR_END);
        parser_keep(&parser);
    }
}

static void run_reply_bulk(uint64_t count)
{
    struct reply reply = {.out = &input, .version = 2};
    for (uint64_t i = 0; i < count; i++) {
        input.len = 0;
        reply_bulk(&reply, BYTES("1700000012345-3"));
        micro_use(input.len);
    }
}

const struct micro_case micro_parser_cases[] = {
    {"parse-xadd", "an XADD of 100 bytes, alone in its read", 10000, 1, xadd_set_up, run_parse,
     tear_down},
    {"parse-xadd-p16", "an XADD of 100 bytes, of 16 in a read", 16000, PIPELINE,
     xadd_pipeline_set_up, run_parse, tear_down},
    {"parse-xadd-halves", "an XADD of 100 bytes in two reads", 10000, 1, xadd_set_up,
     run_parse_halves, tear_down},
    {"parse-inline-p16", "an inline XRANGE, of 16 in a read", 16000, PIPELINE,
     inline_pipeline_set_up, run_parse, tear_down},
    {"reply-bulk", "a reply of an id", 100000, 1, set_up, run_reply_bulk, tear_down},
    {.name = NULL},
};
