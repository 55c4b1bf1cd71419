#include "broker/command_keys.h"

#include "tests/unit/unit.h"

#define ARGS_MAX 8

/* The keys of a command line, joined by blanks. */
static void assert_keys(const struct command_row *row, const char *line, const char *expected)
{
    struct bytes argv[ARGS_MAX];
    size_t argc = 0;
    char text[128];
    char found[128] = "";

    snprintf(text, sizeof(text), "%s", line);
    for (char *word = text, *space; word != NULL; word = space) {
        space = strchr(word, ' ');
        if (space != NULL)
            *space++ = '\0';
        argv[argc++] = bytes_of_string(word);
    }
    struct key_span keys = command_keys(row, argv, argc);
    for (size_t i = 0; i < keys.count; i++) {
        struct bytes key = argv[keys.first + i * keys.step];
        size_t len = strlen(found);
        snprintf(found + len, sizeof(found) - len, "%s%.*s", i > 0 ? " " : "", (int)key.len,
                 key.data);
    }
    assert_string_equal(found, expected);
}

static void keys_are_where_the_row_says(void **state)
{
    const struct command_row one = {.first_key = 1, .last_key = 1, .key_step = 1};
    const struct command_row all = {.first_key = 1, .last_key = -1, .key_step = 1};
    const struct command_row pairs = {.first_key = 1, .last_key = -1, .key_step = 2};
    const struct command_row second = {.first_key = 2, .last_key = 2, .key_step = 1};

    (void)state;
    assert_keys(&one, "xlen a b", "a");
    assert_keys(&all, "del a b c", "a b c");
    assert_keys(&pairs, "mset a 1 b 2", "a b");
    assert_keys(&second, "object encoding a", "a");
}

static void a_command_without_keys_has_none(void **state)
{
    const struct command_row none = {.name = "ping"};
    const struct command_row all = {.first_key = 1, .last_key = -1, .key_step = 1};
    const struct command_row channel = {
        .flags = COMMAND_PUBSUB, .first_key = 1, .last_key = 1, .key_step = 1};

    (void)state;
    assert_keys(&none, "ping a", "");
    assert_keys(&all, "del", "");
    assert_keys(&channel, "spublish a b", "");
    assert_false(command_has_keys(&none));
    assert_true(command_has_keys(&all));
    assert_false(command_has_keys(&channel));
}

static void movable_keys_are_behind_streams(void **state)
{
    const struct command_row read = {.flags = COMMAND_MOVABLE_KEYS};

    (void)state;
    assert_keys(&read, "xread count 1 STREAMS a b 0 0", "a b");
    assert_keys(&read, "xread streams a b 0", "");
    assert_keys(&read, "xread streams", "");
    assert_keys(&read, "xread count 1", "");
    assert_keys(&read, "xreadgroup group streams c streams a >", "a");
    assert_keys(&read, "xreadgroup group", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_where_the_row_says),
        cmocka_unit_test(a_command_without_keys_has_none),
        cmocka_unit_test(movable_keys_are_behind_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
