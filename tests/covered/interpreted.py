"""Tells which lines of the modules that are not compiled ran, by coverage.py."""

from __future__ import annotations

from pathlib import Path

from coverage import Coverage

SETTINGS = """\
[run]
data_file = {tree}/data/coverage
parallel = True
# not "thread" too: its lock waits for itself when a greenlet that the collector frees runs into the tracer
concurrency = greenlet
patch =
    subprocess
    _exit
    execv
include =
    {tree}/gdns/*
    {tree}/_gdns_*_plugin.py
omit =
    {omitted}
# what was imported before, or by nobody, is no warning of a test's
disable_warnings =
    module-not-imported
    module-not-measured
    no-data-collected
    already-imported
    couldnt-parse
"""


def settings(tree: Path, compiled: list[str]) -> str:
    """The settings of coverage.py for a copy of the tree; the compiled modules are nothing to it."""
    return SETTINGS.format(tree=tree, omitted="\n    ".join(f"{tree}/{module}" for module in compiled))


def interpreted(tree: Path, modules: list[str]) -> dict[str, dict[int, bool]]:
    """By module, and by line that can run: did it?"""
    measured = Coverage(data_file=str(tree / "data/coverage"), config_file=False)
    measured.exclude(r"raise NotImplementedError")
    measured.load()
    lines = {}
    for module in modules:
        _, statements, _, missing, _ = measured.analysis2(str(tree / module))
        lines[module] = {line: line not in missing for line in statements}
    return lines
