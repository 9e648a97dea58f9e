"""Tells which lines of a compiled module ran, from gcc's counters and the C that Cython wrote."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MARK = re.compile(r'\s*/\* "(?P<source>[^"]+)":(?P<line>\d+)$')
EXIT = "/* function exit code */"
LITERALS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
HEAD = re.compile(r"\s*(@|(async\s+)?def\s|class\s|cdef\s+class\s|(cdef|cpdef)\s[^=]*\(.*:$|[\"'])")
ABSTRACT = re.compile(r"\s*raise NotImplementedError\b")
FOR_TYPES = re.compile(r"if TYPE_CHECKING:")

Counts = Mapping[int, int]
Lines = dict[str, dict[int, bool]]


def ran(text: Sequence[str], counts: Counts) -> Lines:
    """By source and line: did the statement that begins there run?

    Cython puts a comment with the source and the line before the C of each statement. `counts` says how often
    each line of that C ran, for those that are code. A statement ran if the first line of its C did, in one
    of the places that it has (a `finally` has several). What belongs to no statement counts for none: the
    wrappers of functions, what is done when one is left, the code after the brace that ends a statement.

    >>> text = ['int f(void) {', '  /* "a.pyx":7', ' * return 1', '*/', '  return 1;', '}']
    >>> ran(text, {1: 0, 5: 0, 6: 0})
    {'a.pyx': {7: False}}
    """
    lines: Lines = {}
    for source, line, first in _statements(text, counts):
        of_source = lines.setdefault(source, {})
        of_source[line] = of_source.get(line, False) or counts[first] > 0
    return lines


def _statements(text: Sequence[str], counts: Counts) -> Iterator[tuple[str, int, int]]:
    """For each mark inside a function: its source and line, and the first line of C that counts."""
    depth = 0
    mark: tuple[str, int] | None = None  # whose C we read, until some of it is code
    outer = 0  # the depth at which it began
    in_comment = False
    for number, row in enumerate(text, 1):
        if in_comment:
            in_comment = not row.rstrip().endswith("*/")
        elif found := MARK.match(row):
            in_comment = True
            mark, outer = (found["source"], int(found["line"])) if depth else None, depth
        else:
            code = LITERALS.sub("", row)
            depth += code.count("{") - code.count("}")
            if EXIT in row or depth < outer:
                mark = None
            elif mark and number in counts:
                yield *mark, number
                mark = None


def folded(lines: Mapping[int, bool], source: str) -> dict[int, bool]:
    """The same by the first line of each statement, without those that are no statements of their own.

    Left out are the heads of functions and classes, decorators, docstrings, what only type checkers see, and
    what raises NotImplementedError.

    >>> folded({1: True, 2: True, 3: False}, "def f():\\n    x = (1,\\n        2)\\n")
    {2: True}
    """
    rows = source.splitlines()
    found: dict[int, bool] = {}
    for_types = -1  # the indent of an `if TYPE_CHECKING:` that we are in
    for first, last in _logical_lines(source):
        row = rows[first - 1]
        indent = len(row) - len(row.lstrip())
        if for_types >= 0 and indent > for_types:
            continue
        for_types = indent if FOR_TYPES.match(row.lstrip()) else -1
        of_statement = [lines[line] for line in range(first, last + 1) if line in lines]
        is_statement = not HEAD.match(" ".join(rows[first - 1 : last])) and not ABSTRACT.match(row)
        if of_statement and for_types < 0 and is_statement:
            found[first] = any(of_statement)
    return found


def _logical_lines(source: str) -> Iterator[tuple[int, int]]:
    """The first and the last line of each statement. Python's tokens do for Cython, but for `except? -1`."""
    first = 0
    for token in tokenize.generate_tokens(io.StringIO(source.replace("?", " ")).readline):
        if token.type == tokenize.NEWLINE:
            yield first, token.start[0]
            first = 0
        elif not first and token.type not in (
            tokenize.NL,
            tokenize.COMMENT,
            tokenize.INDENT,
            tokenize.DEDENT,
        ):
            first = token.start[0]


def counted(notes: Path, tree: Path) -> dict[str, Counts]:
    """By file of C: how often each line of Cython's functions ran, as gcov reads it in notes and counters.

    The functions `__Pyx_...` make constants and the like at import, for statements that may never run.
    """
    command = ["gcov", "--json-format", "--stdout", "--object-directory", notes.parent, notes]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True)
    found: dict[str, dict[int, int]] = {}
    for report in filter(None, done.stdout.splitlines()):
        for file in json.loads(report)["files"]:
            counts = found.setdefault(file["file"], {})
            for line in file["lines"]:
                if line.get("function_name", "").startswith("__pyx_"):
                    number = line["line_number"]
                    counts[number] = counts.get(number, 0) + line["count"]
    return dict(found)


def compiled(tree: Path) -> Lines:
    """By module that was compiled in this tree, and by line that can run: did it?"""
    lines: Lines = {}
    for notes in sorted((tree / "build").glob("temp.*/**/*.gcno")):
        for file, counts in counted(notes, tree).items():
            if not file.startswith("build/cython/"):
                continue
            for source, of_source in ran((tree / file).read_text().splitlines(), counts).items():
                if source.startswith("gdns/"):
                    merged = lines.setdefault(source, {})
                    for line, has_run in of_source.items():
                        merged[line] = merged.get(line, False) or has_run
    return {source: folded(of_source, (tree / source).read_text()) for source, of_source in lines.items()}
