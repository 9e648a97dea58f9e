"""Shows on standard error how far a bulk run has come, and sums it up."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import monotonic
from typing import Any

INTERVAL = 0.2  # seconds between two updates

SPARE_STATUS = ("TIMEOUT", "ERROR", "ILLEGAL_INPUT")  # said as they are, where others are rcodes


class Progress:
    """A bar with rich, where that is installed; a line without; nothing where nobody would see it."""

    def __init__(self, total: int | None, is_wanted: bool) -> None:
        """`total` is how many octets of names there are, None where that is not known."""
        self.began = monotonic()
        self._total = total
        self._next_at = self.began + INTERVAL
        self._rich: Any = None
        self._task: Any = None
        self._width = 0
        self.is_shown = is_wanted and sys.stderr.isatty()
        if self.is_shown:
            self._begin()

    def _begin(self) -> None:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar
        except ImportError:
            return
        columns: list[Any] = [TextColumn("{task.fields[done]:,} names, {task.fields[rate]:,.0f}/s")]
        if self._total:
            columns += [BarColumn(), TextColumn("{task.percentage:.1f} %"), TimeRemainingColumn()]
        columns.append(TextColumn("{task.fields[trouble]}"))
        # without its thread: a look-up has none either
        self._rich = Bar(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
        self._task = self._rich.add_task("", total=self._total or None, done=0, rate=0.0, trouble="")
        self._rich.start()

    def is_due(self) -> bool:
        """Whether it is time for `show`; seldom."""
        return self.is_shown and monotonic() >= self._next_at

    def show(self, octets: int, counts: Mapping[str, int]) -> None:
        """Tell of `octets` of names read, and of so many outcomes of each status."""
        now = monotonic()
        self._next_at = now + INTERVAL
        done = sum(counts.values())
        rate = done / (now - self.began)
        trouble = ", ".join(f"{status} {counts[status]:,}" for status in SPARE_STATUS if counts.get(status))
        if self._rich is not None:
            self._rich.update(self._task, completed=octets, done=done, rate=rate, trouble=trouble)
            self._rich.refresh()
            return
        share = f", {100 * octets / self._total:.1f} %" if self._total else ""
        line = f"{done:,} names, {rate:,.0f}/s{share}{', ' if trouble else ''}{trouble}"
        print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def end(self) -> None:
        """Take it from the screen."""
        if self._rich is not None:
            self._rich.stop()
        elif self.is_shown and self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
        self.is_shown = False


def summary(counts: Mapping[str, int], seconds: float, skipped: int) -> str:
    """What came of it, in one line.

    >>> summary({"NOERROR": 1500, "TIMEOUT": 500}, 2.0, 0)
    '2,000 questions in 2.0 s (1,000/s): NOERROR 1,500 (75.0 %), TIMEOUT 500 (25.0 %)'
    """
    total = sum(counts.values())
    shares = [
        f"{status} {count:,} ({100 * count / total:.1f} %)"
        for status, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    before = f"; {skipped:,} were there from before" if skipped else ""
    rate = total / max(seconds, 1e-9)
    head = f"{total:,} question{'' if total == 1 else 's'} in {seconds:.1f} s ({rate:,.0f}/s)"
    return f"{head}{': ' if shares else ''}{', '.join(shares)}{before}"
