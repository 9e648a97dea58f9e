"""Colours words for a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

WISHES = ("auto", "always", "never")

_CODES = {  # SGR, ECMA-48 section 8.3.117
    "comment": "2",
    "name": "1",
    "type": "36",
    "data": "32",
    "good": "32",
    "note": "33",
    "bad": "1;31",
    "heading": "1",
}


class Paint:
    """Puts text in the colour of what it is, or leaves it as it is."""

    def __init__(self, is_on: bool = False) -> None:
        self.is_on = is_on

    def __call__(self, kind: str, text: str) -> str:
        """The text as one of its kind: "comment", "name", "type", "data", "good", "note", "bad", "heading".

        >>> Paint()("bad", "no"), Paint(True)("bad", "no")
        ('no', '\\x1b[1;31mno\\x1b[0m')
        """
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self.is_on and text else text


def paint_for(wish: str, stream: TextIO, environ: Mapping[str, str] = os.environ) -> Paint:
    """The paint for what is written to a stream, where `wish` is "auto", "always" or "never".

    "auto" is a terminal that can, unless NO_COLOR is set (no-color.org) or TERM is "dumb".
    """
    if wish != "auto":
        return Paint(wish == "always")
    can = stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("NO_COLOR")
    return Paint(can)


def printable(text: str) -> str:
    """Text of strangers without what a terminal would obey.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def printable_lines(text: str) -> str:
    """Lines without what a terminal would obey."""
    return "\n".join(printable(line) for line in text.split("\n"))
