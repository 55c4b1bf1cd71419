#include "broker/options.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/logger.h"
#include "storage/committer.h"
#include "tests/unit/unit.h"

/* A directory of its own for each test, options with their defaults, and a text. */
struct fixture {
    struct options options;
    struct buf text;
    char directory[256];
    char file[300];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    const char *temporary = getenv("TMPDIR");

    options_init(&fixture->options);
    buf_init(&fixture->text);
    snprintf(fixture->directory, sizeof fixture->directory, "%s/weir-options-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->file, sizeof fixture->file, "%s/weir.conf", fixture->directory);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->file);
    assert_int_equal(rmdir(fixture->directory), 0); /* nothing else was left there */
    options_deinit(&fixture->options);
    buf_deinit(&fixture->text);
    free(fixture);
    return 0;
}

static void write_file(const struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const struct fixture *fixture, const char *expected)
{
    char text[8192];
    FILE *file = fopen(fixture->file, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    assert_string_equal(text, expected);
}

static const char *text_of(struct fixture *fixture)
{
    buf_add(&fixture->text, "", 1);
    fixture->text.len--;
    return fixture->text.data;
}

/* Loads a command line of at most 8 arguments. */
static enum options_outcome load(struct fixture *fixture, const char *const *arguments)
{
    char *argv[10] = {(char *)(uintptr_t) "weir-server"};
    int argc = 1;
    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    fixture->text.len = 0;
    return options_load(&fixture->options, argc, argv, &fixture->text);
}

#define LOAD(fixture, ...) load((fixture), (const char *const[]){__VA_ARGS__, NULL})

static enum options_outcome load_text(struct fixture *fixture, const char *text)
{
    write_file(fixture, text);
    return LOAD(fixture, fixture->file);
}

static void assert_refused(struct fixture *fixture, const char *file_text, const char *expected)
{
    char whole[1024];
    assert_int_equal(load_text(fixture, file_text), OPTIONS_REFUSE);
    snprintf(whole, sizeof whole, "%s:%s", fixture->file, expected);
    assert_string_equal(text_of(fixture), whole);
}

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < options_count(); i++) {
        if (strcmp(options_name(i), name) == 0)
            return i;
    }
    fail_msg("no option %s", name);
    return 0;
}

static void assert_value(struct fixture *fixture, const char *name, const char *expected)
{
    fixture->text.len = 0;
    options_value(&fixture->options, index_of(name), &fixture->text);
    assert_string_equal(text_of(fixture), expected);
}

static enum err set(struct fixture *fixture, const char *name, const char *value)
{
    struct option_change change = {bytes_of_string(name), bytes_of_string(value)};
    size_t culprit = 77;
    fixture->text.len = 0;
    enum err err = options_set_all(&fixture->options, &change, 1, &culprit, &fixture->text);
    if (err != ERR_OK)
        assert_int_equal(culprit, 0);
    return err;
}

static void assert_set(struct fixture *fixture, const char *name, const char *value,
                       const char *expected)
{
    assert_int_equal(set(fixture, name, value), ERR_OK);
    assert_value(fixture, name, expected);
}

static void assert_not_set(struct fixture *fixture, const char *name, const char *value,
                           const char *why)
{
    assert_int_not_equal(set(fixture, name, value), ERR_OK);
    assert_string_equal(text_of(fixture), why);
}

static void the_defaults_are_the_documented_ones(void **state)
{
    const struct options *options = &((struct fixture *)*state)->options;
    assert_int_equal(options->port, 6379);
    assert_string_equal(options->bind, "127.0.0.1 -::1");
    assert_string_equal(options->dir, "./data");
    assert_int_equal(options->databases, 16);
    assert_int_equal(options->appendfsync, SYNC_ALWAYS);
    assert_int_equal(options->loglevel, LOG_NOTICE);
    assert_int_equal(options->fold_bytes, 64 * 1024 * 1024);
    assert_int_equal(options->resident_bytes, 128 * 1024 * 1024);
    assert_int_equal(options->client_output_buffer_limit.of[OUTPUT_PUBSUB].soft_seconds, 60);
    assert_null(options->file);
}

static void the_words_of_choices_stand_in_the_order_of_their_enums(void **state)
{
    struct fixture *fixture = *state;
    assert_set(fixture, "appendfsync", "everysec", "everysec");
    assert_int_equal(fixture->options.appendfsync, SYNC_EVERYSEC);
    assert_set(fixture, "appendfsync", "NO", "no");
    assert_int_equal(fixture->options.appendfsync, SYNC_NO);
    assert_set(fixture, "loglevel", "nothing", "nothing");
    assert_int_equal(fixture->options.loglevel, LOG_NOTHING);
    assert_set(fixture, "loglevel", "debug", "debug");
    assert_int_equal(fixture->options.loglevel, LOG_DEBUG);
}

/* What every row tells, it takes back: from a file, and told again the same. */
static void every_option_takes_the_value_that_it_tells(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < options_count(); i++) {
        struct buf line, before, after;
        buf_init(&line);
        buf_init(&before);
        buf_init(&after);
        options_value(&fixture->options, i, &before);
        buf_addf(&line, "%s ", options_name(i));
        if (before.len == 0)
            buf_addf(&line, "\"\"");
        buf_add_bytes(&line, buf_bytes(&before));
        buf_add(&line, "\n", 2);
        assert_int_equal(load_text(fixture, line.data), OPTIONS_RUN);
        options_value(&fixture->options, i, &after);
        assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
        buf_deinit(&line);
        buf_deinit(&before);
        buf_deinit(&after);
        options_deinit(&fixture->options);
        options_init(&fixture->options);
    }
}

static void no_two_options_have_the_same_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count(); i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(options_name(i), options_name(j));
    }
}

static void sizes_take_units_as_redis_does(void **state)
{
    struct fixture *fixture = *state;
    assert_set(fixture, "maxmemory", "0", "0");
    assert_set(fixture, "maxmemory", "17", "17");
    assert_set(fixture, "maxmemory", "17b", "17");
    assert_set(fixture, "maxmemory", "1k", "1000");
    assert_set(fixture, "maxmemory", "1kb", "1024");
    assert_set(fixture, "maxmemory", "3m", "3000000");
    assert_set(fixture, "maxmemory", "3MB", "3145728");
    assert_set(fixture, "maxmemory", "2g", "2000000000");
    assert_set(fixture, "maxmemory", "2Gb", "2147483648");
    const char *wrong[] = {"", "mb", "1.5gb", "-1", "1 kb", "1tb", "1kbb"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_not_set(fixture, "maxmemory", wrong[i], "argument must be a memory value");
    assert_int_equal(set(fixture, "maxmemory", "99999999999999999gb"), ERR_RANGE);
    assert_value(fixture, "maxmemory", "2147483648");
}

static void numbers_outside_of_their_range_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_set(fixture, "timeout", "2147483647", "2147483647");
    assert_not_set(fixture, "timeout", "-1", "argument must be between 0 and 2147483647 inclusive");
    assert_not_set(fixture, "timeout", "2147483648",
                   "argument must be between 0 and 2147483647 inclusive");
    assert_not_set(fixture, "timeout", "x", "argument couldn't be parsed into an integer");
    assert_not_set(fixture, "timeout", "", "argument couldn't be parsed into an integer");
    assert_not_set(fixture, "timeout", "99999999999999999999",
                   "argument couldn't be parsed into an integer");
    assert_not_set(fixture, "fold-bytes", "1kb",
                   "argument must be between 1048576 and 17179869184 inclusive");
    assert_value(fixture, "timeout", "2147483647");
}

static void other_values_must_have_their_form(void **state)
{
    struct fixture *fixture = *state;
    assert_set(fixture, "activedefrag", "YES", "yes");
    assert_not_set(fixture, "activedefrag", "maybe", "argument must be 'yes' or 'no'");
    assert_not_set(fixture, "appendfsync", "x",
                   "argument(s) must be one of the following: always, everysec, no");
    assert_not_set(fixture, "appendonly", "no", "argument(s) must be one of the following: yes");
    assert_set(fixture, "save", " 900  1 300 0", "900 1 300 0");
    assert_not_set(fixture, "save", "900", "Invalid save parameters");
    assert_not_set(fixture, "save", "0 1", "Invalid save parameters");
    assert_set(fixture, "save", "", "");
    assert_set(fixture, "notify-keyspace-events", "KEA", "AKE");
    assert_set(fixture, "notify-keyspace-events", "mEg$lshzxetd", "AEm");
    assert_set(fixture, "notify-keyspace-events", "g$nKm", "g$nKm");
    assert_not_set(fixture, "notify-keyspace-events", "K?",
                   "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
}

static void output_limits_change_the_named_classes_only(void **state)
{
    struct fixture *fixture = *state;
    assert_set(fixture, "client-output-buffer-limit", "replica 1kb 2 3 normal 4 5 6",
               "normal 4 5 6 slave 1024 2 3 pubsub 33554432 8388608 60");
    assert_not_set(fixture, "client-output-buffer-limit", "normal 1 1",
                   "Wrong number of arguments in buffer limit configuration.");
    assert_not_set(fixture, "client-output-buffer-limit", "nobody 1 1 1",
                   "Invalid client class specified in buffer limit configuration.");
    assert_not_set(fixture, "client-output-buffer-limit", "normal 7 x 1",
                   "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    assert_int_equal(fixture->options.client_output_buffer_limit.of[OUTPUT_NORMAL].hard_bytes, 4);
}

static void an_old_name_in_any_case_is_the_same_option(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(set(fixture, "Hash-Max-Ziplist-Entries", "5"), ERR_OK);
    assert_value(fixture, "hash-max-listpack-entries", "5");
    struct option_change both[] = {
        {BYTES("hash-max-ziplist-entries"), BYTES("6")},
        {BYTES("hash-max-listpack-entries"), BYTES("7")},
    };
    size_t culprit;
    assert_int_equal(options_set_all(&fixture->options, both, 2, &culprit, &fixture->text), ERR_OK);
    assert_value(fixture, "hash-max-ziplist-entries", "7");
    assert_true(options_is_alias(index_of("hash-max-ziplist-entries")));
    assert_false(options_is_alias(index_of("hash-max-listpack-entries")));
}

static void unknown_and_fixed_options_are_not_set(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(set(fixture, "nonsense", "1"), ERR_NOT_FOUND);
    assert_int_equal(set(fixture, "port", "1"), ERR_DENIED);
    assert_string_equal(text_of(fixture), "can't set immutable config");
    assert_value(fixture, "port", "6379");
}

static void several_changes_are_made_together_or_not_at_all(void **state)
{
    struct fixture *fixture = *state;
    struct option_change changes[] = {
        {BYTES("timeout"), BYTES("5")},
        {BYTES("requirepass"), BYTES("secret")},
        {BYTES("maxclients"), BYTES("0")},
    };
    size_t culprit = 77;

    assert_int_equal(options_set_all(&fixture->options, changes, 3, &culprit, &fixture->text),
                     ERR_RANGE);
    assert_int_equal(culprit, 2);
    assert_value(fixture, "timeout", "0");
    assert_value(fixture, "requirepass", "");
    assert_int_equal(options_set_all(&fixture->options, changes, 2, &culprit, &fixture->text),
                     ERR_OK);
    assert_value(fixture, "timeout", "5");
    assert_value(fixture, "requirepass", "secret");
}

static void the_same_option_twice_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct option_change changes[200];
    size_t culprit = 77;

    for (size_t i = 0; i < 200; i++)
        changes[i] = (struct option_change){BYTES("timeout"), BYTES("5")};
    assert_int_equal(options_set_all(&fixture->options, changes, 200, &culprit, &fixture->text),
                     ERR_INVALID);
    assert_int_equal(culprit, 1);
    assert_string_equal(text_of(fixture), "duplicate parameter");
}

static void related_options_are_checked_together(void **state)
{
    struct fixture *fixture = *state;
    struct option_change changes[] = {
        {BYTES("fold-bytes"), BYTES("1mb")},
        {BYTES("commit-record-bytes"), BYTES("512kb")},
    };
    size_t culprit = 77;

    assert_int_equal(set(fixture, "fold-bytes", "1mb"), ERR_RANGE);
    assert_value(fixture, "fold-bytes", "67108864");
    assert_int_equal(options_set_all(&fixture->options, changes, 2, &culprit, &fixture->text),
                     ERR_OK);
    assert_int_equal(LOAD(fixture, "--commit-record-bytes", "2mb"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture), "commit-record-bytes (2097152) must not be more than "
                                          "fold-bytes (1048576)");
}

static void a_file_is_read_in_the_form_of_redis_conf(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "# a comment\r\n"
                                        "\n"
                                        "  port 7000\r\n"
                                        "bind 127.0.0.1\t-::1\n"
                                        "requirepass \"a \\\"b\\\" \\x41\\n\"\n"
                                        "DIR 'it\\'s here'\n"
                                        "client-output-buffer-limit normal 1 2 3\n"
                                        "client-output-buffer-limit pubsub 4 5 6\n"
                                        "save \"\"\n"
                                        "logfile \"\""),
                     OPTIONS_RUN);
    assert_int_equal(fixture->text.len, 0);
    assert_int_equal(fixture->options.port, 7000);
    assert_string_equal(fixture->options.bind, "127.0.0.1 -::1");
    assert_string_equal(fixture->options.requirepass, "a \"b\" A\n");
    assert_string_equal(fixture->options.dir, "it's here");
    assert_value(fixture, "client-output-buffer-limit",
                 "normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6");
    assert_int_equal(fixture->options.file[0], '/');
}

static void an_error_in_a_file_names_its_line(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture, "\n# x\nport 70000\n", "3: port: 70000 is not between 0 and 65535");
    assert_refused(fixture, "port\n", "1: port: takes one value");
    assert_refused(fixture, "port 1 2\n", "1: port: takes one value");
    assert_refused(fixture, "bind\n", "1: bind: needs a value");
    assert_refused(fixture, "port 1\nfoo bar\n", "2: foo: unknown option");
    assert_refused(fixture, "port \"1\n", "1: quotes that do not match");
    assert_refused(fixture, "port \"1\"2\n", "1: quotes that do not match");
    assert_refused(fixture, "port seven\n", "1: port: seven is not an integer");
    assert_refused(fixture, "fold-bytes 1x\n", "1: fold-bytes: 1x is not a size in bytes");
    assert_refused(fixture, "dir \"\"\n", "1: dir: \"\" is not 1 to 4096 bytes long");
    assert_refused(fixture, "appendfsync never\n",
                   "1: appendfsync: never is not one of always, everysec, no");
    assert_refused(fixture, "tls-port 6380\n", "1: tls-port: 6380 is not between 0 and 0");
    assert_refused(fixture, "replicaof \"h 1\"\n", "1: replicaof: h 1 is not supported, only \"\"");
    assert_refused(fixture, "requirepass \"a\\x00b\"\n", "1: requirepass: a");
}

static void a_missing_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(LOAD(fixture, "/nonexistent/weir.conf"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture), "/nonexistent/weir.conf: not found");
}

static void a_line_with_endless_words_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct buf line;
    buf_init(&line);
    buf_addf(&line, "bind");
    for (int i = 0; i < 300; i++)
        buf_addf(&line, " a");
    buf_add(&line, "\n", 2);
    assert_refused(fixture, line.data, "1: more than 256 words");
    buf_deinit(&line);
}

static void a_file_without_end_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(LOAD(fixture, "/dev/zero"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture), "/dev/zero: limit reached");
}

static void the_command_line_overrides_the_file(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "port 7000\ndatabases 3\n");
    assert_int_equal(
        LOAD(fixture, fixture->file, "--port", "7001", "--bind", "127.0.0.1", "::1", "--save", ""),
        OPTIONS_RUN);
    assert_int_equal(fixture->options.port, 7001);
    assert_int_equal(fixture->options.databases, 3);
    assert_string_equal(fixture->options.bind, "127.0.0.1 ::1");
}

static void a_number_may_be_negative_on_the_command_line(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(LOAD(fixture, "--list-max-listpack-size", "-5"), OPTIONS_RUN);
    assert_int_equal(fixture->options.list_max_listpack_size, -5);
}

static void an_error_in_the_command_line_names_its_option(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(LOAD(fixture, "--port", "70000"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture), "--port: 70000 is not between 0 and 65535");
    assert_int_equal(LOAD(fixture, "--foo", "1"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture), "--foo: unknown option");
    assert_int_equal(LOAD(fixture, "--port"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture), "--port: takes one value");
    assert_int_equal(LOAD(fixture, "-p", "1"), OPTIONS_REFUSE);
    assert_string_equal(text_of(fixture),
                        "-p: neither an option nor, as the first argument, a file");
}

static void help_and_version_are_told(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(LOAD(fixture, "--version"), OPTIONS_TELL);
    assert_string_equal(text_of(fixture), "weir-server 0.1.0\n");
    assert_int_equal(LOAD(fixture, "--help"), OPTIONS_TELL);
    for (size_t i = 0; i < options_count(); i++) {
        if (!options_is_alias(i))
            assert_non_null(strstr(text_of(fixture), options_name(i)));
    }
}

static void a_rewrite_needs_a_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(options_rewrite(&fixture->options), ERR_NOT_FOUND);
}

static void a_rewrite_without_changes_keeps_every_byte(void **state)
{
    struct fixture *fixture = *state;
    const char *text = "# mine\n\nport  7000\nfold-bytes 64mb\nclient-output-buffer-limit normal 1 "
                       "2 3\nclient-output-buffer-limit pubsub 1 2 3\n\ntimeout 3\n";
    assert_int_equal(load_text(fixture, text), OPTIONS_RUN);
    assert_int_equal(options_rewrite(&fixture->options), ERR_OK);
    assert_file(fixture, text);
}

static void a_rewrite_changes_what_changed_and_adds_the_rest(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "timeout 3 \n# between\ntimeout 4\nport 7000\n"
                                        "hash-max-ziplist-entries 7"),
                     OPTIONS_RUN);
    assert_int_equal(set(fixture, "timeout", "5"), ERR_OK);
    assert_int_equal(set(fixture, "hash-max-listpack-entries", "8"), ERR_OK);
    assert_int_equal(set(fixture, "requirepass", "a \"b\"\n"), ERR_OK);
    assert_int_equal(set(fixture, "save", "900 1"), ERR_OK);
    assert_int_equal(options_rewrite(&fixture->options), ERR_OK);
    assert_file(fixture, "timeout 5\n# between\nport 7000\nhash-max-listpack-entries 8\n"
                         "requirepass \"a \\\"b\\\"\\x0a\"\nsave 900 1\n");
}

static void what_a_rewrite_wrote_is_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct options again;
    struct buf text;
    char *argv[] = {(char *)(uintptr_t) "weir-server", fixture->file};

    assert_int_equal(load_text(fixture, "port 7000\n"), OPTIONS_RUN);
    assert_int_equal(set(fixture, "requirepass", "\xc3\xa4 '#\\x\t"), ERR_OK);
    assert_int_equal(set(fixture, "maxmemory", "3gb"), ERR_OK);
    assert_int_equal(set(fixture, "client-output-buffer-limit", "normal 1 2 3"), ERR_OK);
    assert_int_equal(options_rewrite(&fixture->options), ERR_OK);

    options_init(&again);
    buf_init(&text);
    assert_int_equal(options_load(&again, 2, argv, &text), OPTIONS_RUN);
    for (size_t i = 0; i < options_count(); i++) {
        struct buf other;
        buf_init(&other);
        text.len = 0;
        options_value(&fixture->options, i, &text);
        options_value(&again, i, &other);
        assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&other)));
        buf_deinit(&other);
    }
    buf_deinit(&text);
    options_deinit(&again);
}

static void a_rewrite_keeps_the_mode_of_the_file(void **state)
{
    struct fixture *fixture = *state;
    struct stat stats;
    assert_int_equal(load_text(fixture, "port 7000\n"), OPTIONS_RUN);
    assert_int_equal(chmod(fixture->file, 0640), 0);
    assert_int_equal(set(fixture, "timeout", "5"), ERR_OK);
    assert_int_equal(options_rewrite(&fixture->options), ERR_OK);
    assert_int_equal(stat(fixture->file, &stats), 0);
    assert_int_equal(stats.st_mode & 07777, 0640);
}

static void a_file_that_has_become_wrong_is_not_rewritten(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "port 7000\n"), OPTIONS_RUN);
    write_file(fixture, "port 7000\nfoo bar\n");
    assert_int_not_equal(options_rewrite(&fixture->options), ERR_OK);
    assert_file(fixture, "port 7000\nfoo bar\n");
}

static void words_are_taken_one_by_one(void **state)
{
    (void)state;
    struct bytes rest = BYTES("  a bc\t");
    struct bytes word;
    assert_true(options_next_word(&rest, &word));
    assert_true(bytes_equal(word, BYTES("a")));
    assert_true(options_next_word(&rest, &word));
    assert_true(bytes_equal(word, BYTES("bc")));
    assert_false(options_next_word(&rest, &word));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_defaults_are_the_documented_ones),
        TEST(the_words_of_choices_stand_in_the_order_of_their_enums),
        TEST(every_option_takes_the_value_that_it_tells),
        TEST(no_two_options_have_the_same_name),
        TEST(sizes_take_units_as_redis_does),
        TEST(numbers_outside_of_their_range_are_refused),
        TEST(other_values_must_have_their_form),
        TEST(output_limits_change_the_named_classes_only),
        TEST(an_old_name_in_any_case_is_the_same_option),
        TEST(unknown_and_fixed_options_are_not_set),
        TEST(several_changes_are_made_together_or_not_at_all),
        TEST(the_same_option_twice_is_refused),
        TEST(related_options_are_checked_together),
        TEST(a_file_is_read_in_the_form_of_redis_conf),
        TEST(an_error_in_a_file_names_its_line),
        TEST(a_missing_file_is_refused),
        TEST(a_line_with_endless_words_is_refused),
        TEST(a_file_without_end_is_refused),
        TEST(the_command_line_overrides_the_file),
        TEST(a_number_may_be_negative_on_the_command_line),
        TEST(an_error_in_the_command_line_names_its_option),
        TEST(help_and_version_are_told),
        TEST(a_rewrite_needs_a_file),
        TEST(a_rewrite_without_changes_keeps_every_byte),
        TEST(a_rewrite_changes_what_changed_and_adds_the_rest),
        TEST(what_a_rewrite_wrote_is_read_back),
        TEST(a_rewrite_keeps_the_mode_of_the_file),
        TEST(a_file_that_has_become_wrong_is_not_rewritten),
        TEST(words_are_taken_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
