"""Reads the names to look up, line by line, from a file or from what another program writes."""

from __future__ import annotations

import os
import re
import select
import stat
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from gdns.cli.usage import UsageError

BLOCK = 1 << 16  # octets read at a time
STRAY = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of octets that are no UTF-8
NOT_UTF8 = "this is not UTF-8, in which names are to be written"
LONGEST_LINE = 1 << 16  # octets; what is longer is no name


class Line(NamedTuple):
    """A name as it is written, with the type behind it, if there is one; or `problem`, why it is none.

    `text` is all of the line, with octets that are no UTF-8 as "surrogateescape" has them.
    """

    number: int
    text: str
    name: str
    rdtype: str = ""
    problem: str = ""


class Source:
    """The lines of a file, or of standard input. Empty ones, and those that begin with "#", are passed over.

    A pipe or a terminal is read only when there is something to read, so that nobody waits for it here.
    """

    def __init__(self, path: str, is_numbered: bool = False) -> None:
        """`is_numbered` says that lines with a NUL in front give the number of the line after them.

        Raises UsageError for a file that cannot be read.
        """
        self._is_numbered = is_numbered
        self.name = "standard input" if path == "-" else path
        try:
            self.fd = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            kind = os.fstat(self.fd)
        except OSError as error:
            raise UsageError(f"cannot read {self.name}: {error.strerror}; name a file of names") from None
        if stat.S_ISDIR(kind.st_mode):
            raise UsageError(f"cannot read {self.name}: it is a directory; name a file of names")
        self.size = kind.st_size if stat.S_ISREG(kind.st_mode) else None
        self.octets = 0  # read so far
        self.is_exhausted = False
        self._number = 0
        self._lines: deque[str] = deque()
        self._rest = b""

    def is_same(self, path: str) -> bool:
        """Whether the file at `path` is what is read; False where there is none."""
        try:
            return os.path.samestat(os.fstat(self.fd), os.stat(path))
        except OSError:
            return False

    @property
    def is_over(self) -> bool:
        """Whether every line has been taken."""
        return self.is_exhausted and not self._lines

    def has_line(self) -> bool:
        """Whether there is a line to take; False where one has to be waited for, or none is left."""
        while not self._lines:
            if self.is_exhausted or not self.is_ready():
                return False
            self._read()
        return True

    def is_ready(self) -> bool:
        """Whether reading would not wait."""
        return self.size is not None or bool(select.select([self.fd], [], [], 0)[0])

    def _read(self) -> None:
        try:
            block = os.read(self.fd, BLOCK)
        except OSError as error:
            raise UsageError(f"cannot read {self.name}: {error.strerror}") from None
        self.octets += len(block)
        if not block:
            self.is_exhausted = True
            if not self._rest:
                return
            block = b"\n"  # the last line has no end of its own
        whole, newline, rest = (self._rest + block).rpartition(b"\n")
        self._rest = rest
        if newline:
            self._lines.extend(whole.decode("utf-8", "surrogateescape").split("\n"))
        elif len(rest) > LONGEST_LINE:
            self._rest = rest[:LONGEST_LINE]  # it is no name, whatever follows

    def take(self) -> str:
        """The next line; there must be one (`has_line`)."""
        self._number += 1
        return self._lines.popleft()

    def raw_lines(self, limit: int) -> tuple[int, list[str]]:
        """Take at most so many lines as they are, with their ends; the number of the first comes first."""
        first = self._number + 1
        lines: list[str] = []
        while len(lines) < limit and self.has_line():
            lines.append(self.take() + "\n")
        return first, lines

    def lines(self, limit: int) -> Iterator[Line]:
        """Take at most so many lines as names."""
        while limit > 0 and self.has_line():
            text = self.take().strip()
            if not text or text[0] == "#":
                continue
            if self._is_numbered and text[0] == "\0":
                self._number = int(text[1:]) - 1
                continue
            limit -= 1
            if not text.isascii():
                shown = STRAY.sub(lambda stray: f"\\{ord(stray[0]) - 0xDC00:03d}", text)
                if shown != text:
                    yield Line(self._number, text, shown, problem=NOT_UTF8)
                    continue
            words = text.split()
            if len(words) == 1:
                yield Line(self._number, text, text)
            elif len(words) == 2:
                yield Line(self._number, text, words[0], words[1].upper())
            else:
                yield Line(self._number, text, text, problem="expected a name, or a name and a type")
