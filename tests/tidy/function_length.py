#!/usr/bin/python3
"""function_length.py ROOT: fails on every function below ROOT that takes more than 70 lines, braces included.

A function is what stands between braces and follows a closing parenthesis, so lambdas and long blocks count too.
"""

import pathlib
import re
import sys

LINES_MAX = 70
FOLDERS = ("paxos", "kv", "rpc", "bench", "tests")

# What may hold braces that mean nothing, and lines to be counted all the same.
OPAQUE = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.DOTALL)


def without_opaque(text):
    """The text with its literals and comments emptied, line for line."""
    return OPAQUE.sub(lambda found: "\n" * found.group().count("\n"), text)


def long_functions(text):
    """Yields line and length of each function that is too long."""
    line = 1
    statement = ""  # since the last brace or semicolon
    begin = 1  # where that begins
    blocks = []  # of each open brace: where its statement begins, and whether it is a function's
    closed = (1, False)  # the same of the last one that was closed
    for c in without_opaque(text):
        if c == "\n":
            line += 1
        if c == "{":
            # A constructor's body comes after braces that initialise members.
            goes_on = not statement or statement.startswith(",")
            blocks.append(closed if goes_on else (begin, ")" in statement))
        elif c == "}" and blocks:
            closed = first, is_function = blocks.pop()
            if is_function and line - first + 1 > LINES_MAX:
                yield first, line - first + 1
        if c in "{};":
            statement = ""
            if c != "}":
                closed = (line, False)
        elif not c.isspace():
            if not statement:
                begin = line
            statement += c


def main(root):
    found = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            for line, length in long_functions(path.read_text()):
                found.append(f"{path.relative_to(root)}:{line}: {length} lines")
    if found:
        print(f"A function has {LINES_MAX} lines at most; these have more:", *found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
