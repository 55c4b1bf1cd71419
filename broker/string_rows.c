/* The rows of the string family. */
#include "broker/string_commands.h"

#define WRITES (COMMAND_WRITE | COMMAND_DENYOOM)
#define READS  (COMMAND_READONLY | COMMAND_FAST)

#define STRING_ROW(name, run, arity, flags, last, step, since, complexity, summary)                \
    {                                                                                              \
        name, run, arity, flags, 1, last, step, "string", since, complexity, summary, NULL         \
    }
#define BITMAP_ROW(name, run, arity, flags, since, complexity, summary)                            \
    {                                                                                              \
        name, run, arity, flags, 1, 1, 1, "bitmap", since, complexity, summary, NULL               \
    }

const struct command_row string_commands[] = {
    STRING_ROW("append", append_command, 3, WRITES | COMMAND_FAST, 1, 1, "2.0.0", "O(1)",
               "Adds to the end of a string"),
    BITMAP_ROW("bitcount", bitcount_command, -2, COMMAND_READONLY, "2.6.0", "O(N), N bytes",
               "Counts the bits that are set"),
    BITMAP_ROW("bitpos", bitpos_command, -3, COMMAND_READONLY, "2.8.7", "O(N), N bytes",
               "The first bit that is set, or not"),
    STRING_ROW("decr", decr_command, 2, WRITES | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
               "Takes 1 from a number"),
    STRING_ROW("decrby", decrby_command, 3, WRITES | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
               "Takes from a number"),
    STRING_ROW("delex", delex_command, -2, COMMAND_WRITE | COMMAND_FAST, 1, 1, "8.4.0",
               "O(1), O(N) for a digest of N bytes", "Deletes a string if its value compares so"),
    STRING_ROW("digest", digest_command, 2, READS, 1, 1, "8.4.0", "O(N), N bytes",
               "The XXH3 hash of a string"),
    STRING_ROW("get", get_command, 2, READS, 1, 1, "1.0.0", "O(1)", "The value of a string"),
    BITMAP_ROW("getbit", getbit_command, 3, READS, "2.2.0", "O(1)", "One bit of a string"),
    STRING_ROW("getdel", getdel_command, 2, COMMAND_WRITE | COMMAND_FAST, 1, 1, "6.2.0", "O(1)",
               "The value of a string, which is deleted"),
    STRING_ROW("getex", getex_command, -2, COMMAND_WRITE | COMMAND_FAST, 1, 1, "6.2.0", "O(1)",
               "The value of a string, which gets a time of expiry"),
    STRING_ROW("getrange", getrange_command, 4, COMMAND_READONLY, 1, 1, "2.4.0",
               "O(N), N bytes shown", "A part of a string"),
    STRING_ROW("getset", getset_command, 3, WRITES | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
               "Sets a string; its old value"),
    STRING_ROW("incr", incr_command, 2, WRITES | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
               "Adds 1 to a number"),
    STRING_ROW("incrby", incrby_command, 3, WRITES | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
               "Adds to a number"),
    STRING_ROW("incrbyfloat", incrbyfloat_command, 3, WRITES | COMMAND_FAST, 1, 1, "2.6.0", "O(1)",
               "Adds to a number with a fraction"),
    STRING_ROW("lcs", lcs_command, -3, COMMAND_READONLY, 2, 1, "7.0.0",
               "O(N*M), the lengths of both", "Longest common subsequence of two strings"),
    STRING_ROW("mget", mget_command, -2, READS, -1, 1, "1.0.0", "O(N), N keys",
               "The values of several strings"),
    STRING_ROW("mset", mset_command, -3, WRITES, -1, 2, "1.0.1", "O(N), N keys",
               "Sets several strings at once"),
    STRING_ROW("msetnx", msetnx_command, -3, WRITES, -1, 2, "1.0.1", "O(N), N keys",
               "Sets several strings if none of the keys exists"),
    STRING_ROW("psetex", psetex_command, 4, WRITES, 1, 1, "2.6.0", "O(1)",
               "Sets a string that expires after milliseconds"),
    STRING_ROW("set", set_command, -3, WRITES, 1, 1, "1.0.0", "O(1)", "Sets a string"),
    BITMAP_ROW("setbit", setbit_command, 4, WRITES, "2.2.0", "O(1)", "Sets or clears one bit"),
    STRING_ROW("setex", setex_command, 4, WRITES, 1, 1, "2.0.0", "O(1)",
               "Sets a string that expires after seconds"),
    STRING_ROW("setnx", setnx_command, 3, WRITES | COMMAND_FAST, 1, 1, "1.0.0", "O(1)",
               "Sets a string if the key does not exist"),
    STRING_ROW("setrange", setrange_command, 4, WRITES, 1, 1, "2.2.0", "O(1)",
               "Writes over a part of a string"),
    STRING_ROW("strlen", strlen_command, 2, READS, 1, 1, "2.2.0", "O(1)", "Length of a string"),
    STRING_ROW("substr", getrange_command, 4, COMMAND_READONLY, 1, 1, "1.0.0",
               "O(N), N bytes shown", "A part of a string; GETRANGE's old name"),
    {.name = NULL},
};
