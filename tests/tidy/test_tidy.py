#!/usr/bin/env python3
"""Each rule of tidy.py finds what it is for, and nothing in a clean tree."""
import pathlib
import tempfile
import unittest

import tidy


def header(path, body=""):
    guard = "WEIR_" + path.upper().replace("/", "_").replace(".", "_")
    return f"/* something: a thing. */\n#ifndef {guard}\n#define {guard}\n{body}\n#endif\n"


def function(lines):
    return "int f(void)\n{\n" + "    g();\n" * (lines - 2) + "}\n"


class TidyTest(unittest.TestCase):
    def findings(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(tidy.check_tree(root))

    def assert_clean(self, files):
        self.assertEqual(self.findings(files), [])

    def assert_finds(self, path, text, message, line=None):
        found = self.findings({path: text})
        self.assertTrue(any(message in f[2] for f in found), f"{message!r} not in {found}")
        if line is not None:
            self.assertIn(line, [f[1] for f in found if message in f[2]])

    def test_a_clean_tree_has_no_findings(self):
        self.assert_clean({
            "base/thing.h": header("base/thing.h"),
            "base/thing.c": '#include "base/thing.h"\n\n#include <time.h>\n\n' + function(70),
            "storage/ranges_rocks.c": '#include <rocksdb/c.h>\n#include "base/thing.h"\n',
            "cache/table.c": '#include "storage/feed.h"\n',
            "broker/parser.c": '#include <hiredis/hiredis.h>\n#include "cache/table.h"\n',
            "pubsub/rooms.c": '#include <roaring/roaring.h>\n',
            "tests/unit/test_thing.c": "int x = malloc(1);\n",
        })

    def test_folders_see_downwards_only(self):
        self.assert_finds("base/a.c", '#include "storage/id.h"\n', "may not include", 1)
        self.assert_finds("storage/a.c", '#include "broker/conn.h"\n', "may not include")
        self.assert_finds("storage/a.c", '#include "cache/table.h"\n', "may not include")
        self.assert_finds("cache/a.c", '#include "pubsub/rooms.h"\n', "may not include")
        self.assert_finds("pubsub/a.c", '#include "broker/conn.h"\n', "may not include")
        self.assert_finds("broker/a.c", '#include "tests/sim/disk.h"\n', "may not include")

    def test_cache_and_pubsub_do_not_see_the_engine(self):
        self.assert_finds("cache/a.c", '#include "storage/committer.h"\n', "values only")
        self.assert_finds("pubsub/a.c", '#include "storage/ranges.h"\n', "values only")

    def test_internal_headers_stay_in_their_folder(self):
        self.assert_finds("broker/a.c", '#include "storage/ranges_internal.h"\n', "private")

    def test_third_parties_stay_in_their_files(self):
        for path, name in [
            ("storage/a.c", "uv.h"),
            ("storage/feed.c", "rocksdb/c.h"),
            ("broker/a.c", "rocksdb/c.h"),
            ("broker/session.c", "hiredis/hiredis.h"),
            ("broker/a.c", "roaring/roaring.h"),
            ("storage/a.c", "xxhash.h"),
            ("base/buf.c", "jemalloc/jemalloc.h"),
            ("base/buf.c", "cmocka.h"),
        ]:
            self.assert_finds(path, f"#include <{name}>\n", "belongs in")

    def test_few_files_know_the_loop(self):
        files = {f"broker/a{i}.c": "#include <uv.h>\n" for i in range(tidy.UV_FILES_MAX)}
        self.assert_clean(files)
        files["broker/b.c"] = "#include <uv.h>\n"
        self.assertEqual(len(self.findings(files)), 1)

    def test_the_own_header_comes_first(self):
        files = {
            "base/a.h": header("base/a.h"),
            "base/a.c": '#include <stdio.h>\n#include "base/a.h"\n',
        }
        self.assertEqual([f[2] for f in self.findings(files)], ["include base/a.h first"])

    def test_banned_calls_are_found_everywhere(self):
        for call in ["strcpy", "strcat", "sprintf", "gets", "strtok", "atoi", "rand"]:
            self.assert_finds("tests/unit/a.c", f"int x;\nint y = {call}(x);\n", "banned", 2)
        for call in ["malloc", "calloc", "realloc", "free", "time", "gettimeofday"]:
            self.assert_finds("broker/a.c", f"int y = {call} (x);\n", "banned", 1)
        self.assert_finds("base/clock.c", "free(x);\n", "banned")
        self.assert_finds("base/alloc.c", "time(x);\n", "banned")

    def test_members_longer_names_comments_and_text_are_not_calls(self):
        self.assert_clean({
            "base/a.c": 'row->free(x);\nrow.time(x);\nmem_free(x);\n/* free(x) */\n'
                        'char *s = "free(x)";\n// time(x)\nsnprintf(x);\n',
        })

    def test_ceilings(self):
        self.assert_finds("base/a.c", function(71), "a function of", 2)
        self.assert_finds("base/a.c", "int x;\n" * 601, "a file of")
        self.assert_finds("base/a.c", "int " + "x" * 96 + ";\n", "columns", 1)

    def test_blanks_and_notes(self):
        self.assert_finds("base/a.c", "int x;\n\tint y;\n", "a tab", 2)
        self.assert_finds("base/a.c", "int x; \n", "blanks", 1)
        self.assert_finds("base/a.c", "int x;", "no end of line")
        self.assert_finds("base/a.c", "/* TODO: y */\n", "note", 1)
        self.assert_finds("tests/unit/a.c", "/* FIXME */\n", "note", 1)

    def test_headers_are_guarded_and_introduced(self):
        self.assert_finds("base/a.h", header("base/b.h"), "guard WEIR_BASE_A_H")
        self.assert_finds("base/a.h", header("base/a.h").split("\n", 1)[1], "comment")

    def test_structs_are_not_hidden_behind_typedefs(self):
        self.assert_finds("base/a.c", "typedef struct a a_t;\n", "typedef")
        self.assert_clean({"base/a.c": "typedef enum err (*callback)(int);\n"})


if __name__ == "__main__":
    unittest.main()
