"""What an examination found, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line for people, `text`, with the same in plain values, `facts`.

    A problem says in `todo` what to do next; a note may.
    """

    level: Level
    text: str
    todo: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain values, ready for JSON."""
        return {"level": self.level.value, "text": self.text, "todo": self.todo, **self.facts}


def ok(text: str, **facts: Any) -> Finding:
    """All is well with this."""
    return Finding(Level.OK, text, "", facts)


def note(text: str, todo: str = "", **facts: Any) -> Finding:
    """Worth knowing, and no fault."""
    return Finding(Level.NOTE, text, todo, facts)


def problem(text: str, todo: str, **facts: Any) -> Finding:
    """A fault, with what to do about it."""
    return Finding(Level.PROBLEM, text, todo, facts)
