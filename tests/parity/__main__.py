"""Makes the comparison, and prints or writes what it found."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.parity import world
from tests.parity.cases import Call, Comparison, Setting
from tests.parity.children import ask, of_gdns, of_glibc
from tests.parity.differences import Difference, explain
from tests.parity.generate import generate
from tests.parity.reduce import reduce
from tests.parity.report import Report, reproduction
from tests.parity.table import TABLE


def main(arguments: list[str]) -> int:
    chosen = _parse(arguments)
    if not world.is_inside():
        return world.reenter("tests.parity", arguments)
    report = Report()
    with world.World() as here:
        for setting, calls in _batches(chosen):
            for comparison in compare(here, setting, calls):
                difference = report.add(comparison)
                most = chosen.explained if difference else chosen.show
                if not comparison.is_same and report.by_difference[difference] <= most:
                    print(reproduction(_smallest(here, comparison, difference), difference), flush=True)
    print(report.summary())
    if chosen.write:
        seeds = ["those picked by hand"] * (not chosen.no_table) + [
            f"{chosen.cases:,} made by chance from seed {chosen.seed}"
        ]
        chosen.write.write_text(report.page(seeds))
    return 1 if report.unexplained else 0


def compare(here: world.World, setting: Setting, calls: list[Call]) -> list[Comparison]:
    """Make the calls both ways."""
    here.become(setting)
    theirs = ask(here, setting, calls, of_glibc, is_alone=setting.is_slow)
    ours = ask(here, setting, calls, of_gdns, is_alone=False)
    return [Comparison(setting, *row) for row in zip(calls, theirs, ours, strict=True)]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the generated cases")
    parser.add_argument("--cases", type=int, default=10_000, help="how many to generate (default: 10000)")
    parser.add_argument("--no-table", action="store_true", help="leave out the cases picked by hand")
    parser.add_argument("--quick", action="store_true", help="leave out settings with a server to wait for")
    parser.add_argument("--show", type=int, default=20, help="how many unexplained differences to print")
    parser.add_argument("--explained", type=int, default=0, help="how many of each meant kind to print")
    parser.add_argument("--write", type=Path, help="the page to write, docs/parity.md")
    return parser.parse_args(arguments)


def _batches(chosen: argparse.Namespace) -> Iterator[tuple[Setting, list[Call]]]:
    table = [] if chosen.no_table else TABLE
    for setting, calls in itertools.chain(table, generate(chosen.seed, chosen.cases)):
        if not (chosen.quick and setting.is_slow):
            yield setting, calls


def _smallest(here: world.World, comparison: Comparison, difference: Difference | None) -> Comparison:
    """A difference in as small a setting as shows it."""

    def differs(setting: Setting) -> bool:
        again = compare(here, setting, [comparison.call])[0]
        return not again.is_same and explain(again) is difference

    if not differs(comparison.setting):
        return comparison  # it takes the calls before it, too
    return compare(here, reduce(comparison.setting, differs), [comparison.call])[0]


sys.exit(main(sys.argv[1:]))
