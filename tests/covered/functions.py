"""Names the functions that no test entered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

HEAD = re.compile(r"(?P<indent>\s*)(async def|def|cdef|cpdef)\s(?P<before>[^=(]*?)(?P<name>\w+)\(")
CLASS = re.compile(r"(?P<indent>\s*)(cdef )?class (?P<name>\w+)")


def never_entered(lines: Mapping[int, bool], source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each function that has lines that can run, none of which did.

    A function ends where a line stands that is not indented more than its head. What belongs to a function
    inside belongs to both.

    >>> source = "def f():\\n    1\\nclass C:\\n    def g(self):\\n        1\\n"
    >>> list(never_entered({2: True, 5: False}, source))
    [(4, 'C.g')]
    """
    rows = source.splitlines()
    outer: list[tuple[int, str]] = []  # the indents and names of what we are in
    for first, row in enumerate(rows, 1):
        indent = len(row) - len(row.lstrip())
        if not row.strip() or row.lstrip().startswith(("#", ")")):
            continue
        while outer and indent <= outer[-1][0]:
            outer.pop()
        found = HEAD.match(row) or CLASS.match(row)
        if found is None:
            continue
        outer.append((indent, found["name"]))
        if found.re is HEAD:
            inside = [lines[line] for line in range(first + 1, _end(rows, first, indent)) if line in lines]
            if inside and not any(inside):
                yield first, ".".join(name for _, name in outer)


def _end(rows: list[str], first: int, indent: int) -> int:
    """The number of the first line behind a function that begins in line `first`."""
    for number in range(first + 1, len(rows) + 1):
        row = rows[number - 1]
        if row.strip() and len(row) - len(row.lstrip()) <= indent and not row.lstrip().startswith(("#", ")")):
            return number
    return len(rows) + 1
