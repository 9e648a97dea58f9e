"""What a comparison found, counted and told."""

from __future__ import annotations

import collections
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.parity.cases import Comparison
from tests.parity.differences import DIFFERENCES, Difference, explain

PREFACE = """\
# The same answer as the system

A drop-in is safe where no program can tell it from `socket.getaddrinfo`. So every case here was made twice,
in a network and a mount namespace made for it: by CPython's `socket` over the system's C library, in a
process that had looked nothing up before, and by gdns. Compared are results in their order, canonical names
and aliases, the type, number and text of exceptions, and the questions that the name server saw, as a set
of names and types.

This page is written by `python -m tests.parity --write docs/parity.md`; a smaller run of it is part of the
tests.
"""
NOT_COMPARED = """\
## What is not compared

What the C library does not decide by its input: the server that `rotate` begins with, an empty `hosts:`
line (an old errno, or a crash), `sortlist` with a carriage return (it never ends), `use-vc` to a server
that is silent on TCP, an address without a prefix length in gai.conf. And what takes effect when: gdns
looks at all its files once a second, gai.conf and host.conf among them, which glibc reads once; the others
glibc looks at with every call.

Modules of nsswitch.conf that gdns does not know, results to be merged, and names that only such a module
can know are answered by the system's own resolver, in a thread; so are AI_CANONIDN, NI_IDN and AI_IDN where
there is something to convert. They are among the cases.
"""


@dataclass
class Report:
    """Counts of what was compared, with the first example of each difference."""

    cases: int = 0
    by_function: collections.Counter[str] = field(default_factory=collections.Counter)
    by_ending: collections.Counter[str] = field(default_factory=collections.Counter)
    by_difference: collections.Counter[Difference | None] = field(default_factory=collections.Counter)
    examples: dict[Difference | None, Comparison] = field(default_factory=dict)

    def add(self, comparison: Comparison) -> Difference | None:
        """Count a comparison; the meant difference that it shows, None if it shows none or one not meant."""
        self.cases += 1
        self.by_function[comparison.call.function] += 1
        self.by_ending[comparison.theirs.kind or "a result"] += 1
        if comparison.is_same:
            return None
        difference = explain(comparison)
        self.by_difference[difference] += 1
        self.examples.setdefault(difference, comparison)
        return difference

    @property
    def unexplained(self) -> int:
        """How many differences nobody meant."""
        return self.by_difference[None]

    def summary(self) -> str:
        """The counts, a line each."""
        rows = [
            (count, kind.title if kind else "UNEXPLAINED") for kind, count in self.by_difference.most_common()
        ]
        return "\n".join(f"{count:7} {title}" for count, title in [(self.cases, "cases"), *rows])

    def page(self, seeds: Iterable[str]) -> str:
        """The report as a page of the documentation."""
        library, version = platform.libc_ver()
        differing = sum(self.by_difference.values())
        lines = [
            PREFACE,
            "## What was compared",
            "",
            f"CPython {platform.python_version()} over {library} {version}: {self.cases:,} cases, of which "
            f"{self.cases - differing:,} came out the same, {differing - self.unexplained:,} differ as "
            f"meant, and {self.unexplained:,} differ without a reason. They are {' and '.join(seeds)}.",
            "",
            "| function | cases |",
            "|---|---|",
            *(f"| `{name}` | {count:,} |" for name, count in self.by_function.most_common()),
            "",
            "| glibc's ending | cases |",
            "|---|---|",
            *(
                f"| {name if ' ' in name else f'`{name}`'} | {count:,} |"
                for name, count in self.by_ending.most_common()
            ),
            "",
            "## What differs, and why",
            "",
        ]
        for difference in DIFFERENCES:
            lines += [f"### {difference.title}", "", difference.reason, ""]
            if example := self.examples.get(difference):
                lines += [
                    f"{self.by_difference[difference]:,} cases, such as",
                    "",
                    "```",
                    _told(example),
                    "```",
                    "",
                ]
        return "\n".join([*lines, NOT_COMPARED])


def _told(comparison: Comparison) -> str:
    return f"{comparison.call}\n  glibc: {comparison.theirs}\n  gdns:  {comparison.ours}"


def reproduction(comparison: Comparison, difference: Difference | None) -> str:
    """All that is needed to see a difference again."""
    title = f"({difference.title})\n" if difference else ""
    return f"{title}{_told(comparison)}\n  in {comparison.setting}\n"
