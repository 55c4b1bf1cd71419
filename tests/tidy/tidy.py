#!/usr/bin/env python3
"""tidy: the style that a machine can see, so that no reviewer has to.

Prints "path:line: what is wrong" for every finding in the tree (its only argument, or the
repository that this file is in) and exits with 1 when there was one. test_tidy.py shows for each
rule that it can fail.
"""
import pathlib
import re
import sys

FOLDERS = ["base", "storage", "cache", "pubsub", "broker", "tests", "bench"]
PRODUCT = ["base", "storage", "cache", "pubsub", "broker"]

# Who may see whom. cache and pubsub may see storage's values, not its engine.
MAY_SEE = {
    "base": ["base"],
    "storage": ["base", "storage"],
    "cache": ["base", "storage", "cache"],
    "pubsub": ["base", "storage", "pubsub"],
    "broker": PRODUCT,
}
VALUES_ONLY = ["cache", "pubsub"]
STORAGE_VALUES = ["entry", "feed", "group", "hash", "id", "id_set", "key", "key_ranges", "object",
                  "op", "tail", "value"]

# Third parties, and the files that may know them.
THIRD_PARTIES = [
    (r"uv\.h", r"(broker|bench)/.*"),
    (r"rocksdb/.*", r"storage/ranges_rocks\w*\.c"),
    (r"hiredis.*", r"broker/parser\.c|bench/.*"),
    (r"roaring.*", r"pubsub/.*"),
    (r"xxhash\.h", r"base/.*\.c"),
    (r"jemalloc/.*", r"base/alloc\.c"),
    (r"cmocka\.h", r"tests/.*"),
]
UV_FILES_MAX = 8

# Calls, where they are allowed nevertheless, and what to do instead. Tests may allocate and
# read clocks as they like.
ANYWHERE_BUT_TESTS = r"(tests|bench)/.*"
BANNED = [
    (r"strcpy|strcat|sprintf|vsprintf|gets|strncpy|strncat", None, "use struct buf or snprintf"),
    (r"strtok|strtok_r", None, "walk a struct bytes"),
    (r"atoi|atol|atoll|atof", None, "they hide errors; use bytes_to_i64"),
    (r"malloc|calloc|realloc|free|strdup|strndup", r"base/alloc\.c|" + ANYWHERE_BUT_TESTS,
     "use base/alloc.h"),
    (r"time|gettimeofday|clock_gettime", r"base/clock\.c|" + ANYWHERE_BUT_TESTS,
     "use base/clock.h"),
    (r"rand|srand|random|srandom|rand_r|drand48", None, "use base/random.h"),
]

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_COLUMNS_MAX = 100

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
COMMENT_OR_LITERAL = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


class Source:
    """A C file: its lines, and the same lines with comments and literals blanked."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.folder = path.split("/")[0]
        self.is_header = path.endswith(".h")
        self.lines = text.split("\n")
        blank = COMMENT_OR_LITERAL.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
        self.code = blank.split("\n")

    def includes(self):
        """(line number, '"' or '<', what) of each include."""
        for number, line in enumerate(self.lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1), match.group(2)


def check_folders(source):
    allowed = MAY_SEE.get(source.folder)
    if allowed is None:
        return
    for number, mark, name in source.includes():
        if mark == "<":
            continue
        folder, _, file = name.partition("/")
        stem = file.removesuffix(".h")
        if folder not in allowed:
            yield number, f"{source.folder}/ may not include {name}"
        elif stem.endswith("_internal") and folder != source.folder:
            yield number, f"{name} is private to {folder}/"
        elif (folder == "storage" and source.folder in VALUES_ONLY
              and stem not in STORAGE_VALUES):
            yield number, f"{source.folder}/ may see storage's values only, not {name}"


def check_third_parties(source):
    for number, _, name in source.includes():
        for header, files in THIRD_PARTIES:
            if re.fullmatch(header, name) and not re.fullmatch(files, source.path):
                yield number, f"<{name}> belongs in {files} only"


def check_own_header_first(source):
    if source.is_header or not source.own_header:
        return
    for number, _, name in source.includes():
        if name.replace("_internal.h", ".h") != source.own_header:
            yield number, f"include {source.own_header} first"
        return


def check_banned_calls(source):
    for calls, allowed, instead in BANNED:
        if allowed and re.fullmatch(allowed, source.path):
            continue
        call = re.compile(rf"(?<![\w.])(?<!->)(?:{calls})\s*\(")
        for number, line in enumerate(source.code, 1):
            match = call.search(line)
            if match:
                yield number, f"{match.group().rstrip('( ')}() is banned: {instead}"


def check_function_length(source):
    start = None
    for number, line in enumerate(source.code, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_LINES_MAX:
                yield start, f"a function of {number - start + 1} lines (at most 70)"
            start = None


def check_file_length(source):
    count = source.text.count("\n")
    if count > FILE_LINES_MAX:
        yield FILE_LINES_MAX, f"a file of {count} lines (at most {FILE_LINES_MAX})"


def check_lines(source):
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"a line of {len(line)} columns (at most {LINE_COLUMNS_MAX})"
        if "\t" in line:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "blanks at the end of a line"
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield number, "a note to oneself"
    if source.text and not source.text.endswith("\n"):
        yield len(source.lines), "no end of line at the end"


def check_header(source):
    if not source.is_header:
        return
    if not source.text.startswith("/*"):
        yield 1, "a header begins with a comment that says what it is"
    guard = "WEIR_" + re.sub(r"\W", "_", source.path).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in source.text:
        yield 1, f"no include guard {guard}"


def check_typedefs(source):
    for number, line in enumerate(source.code, 1):
        if re.search(r"\btypedef\s+(struct|union|enum)\b[^(]*$", line):
            yield number, "structs, unions and enums are named without typedef"


RULES = [
    check_folders,
    check_third_parties,
    check_own_header_first,
    check_banned_calls,
    check_function_length,
    check_file_length,
    check_lines,
    check_header,
    check_typedefs,
]


def check_uv_files(sources):
    """One rule looks at all files together."""
    users = [s.path for s in sources
             if s.folder in PRODUCT and any(name == "uv.h" for _, _, name in s.includes())]
    if len(users) > UV_FILES_MAX:
        yield users[-1], 1, f"uv.h is included by {len(users)} files (at most {UV_FILES_MAX})"


def read_sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.[ch]")):
            name = path.relative_to(root).as_posix()
            if "node_modules" in name:
                continue
            source = Source(name, path.read_text())
            header = path.with_suffix(".h")
            source.own_header = header.relative_to(root).as_posix() if header.exists() else None
            yield source


def check_tree(root):
    """Yields (path, line number, message)."""
    sources = list(read_sources(pathlib.Path(root)))
    for source in sources:
        for rule in RULES:
            for number, message in rule(source):
                yield source.path, number, message
    yield from check_uv_files(sources)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    findings = list(check_tree(root))
    for path, number, message in findings:
        print(f"{path}:{number}: {message}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
