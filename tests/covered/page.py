"""Writes docs/coverage.md from page.md.in, and the lines that never ran with their text."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from tests.covered.functions import never_entered

Lines = Mapping[str, Mapping[int, bool]]

TEMPLATE = Path(__file__).with_name("page.md.in")
FOLDERS = ("gdns", "gdns/hubs", "gdns/cli", "gdns/testing", "gdns/contrib", ".")


def written(lines: Lines, compiled: frozenset[str], tree: Path) -> str:
    """The page. `lines` says by module of the tree, and by line that can run, whether it did."""
    python = {module: lines[module] for module in lines if module not in compiled}
    code = {module: lines[module] for module in lines if module in compiled and module.endswith(".py")}
    cython = {module: lines[module] for module in lines if not module.endswith(".py")}
    kinds = (("Cython", cython), ("Python, compiled", code), ("Python", python), ("together", lines))
    texts = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": _versions(),
        "kinds": "\n".join(
            ["| | modules | lines | ran | never | |", "|---|---:|---:|---:|---:|---:|"]
            + [f"| {kind} | {len(some)} | {_figures(some)} |" for kind, some in kinds]
        ),
        "idle": _idle(lines, tree),
        "modules": "\n\n".join(_table(folder, lines, compiled) for folder in FOLDERS),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: texts[found[1]], TEMPLATE.read_text())


def never(lines: Lines, tree: Path) -> str:
    """The lines that never ran, as text; those that follow each other stand together."""
    parts = []
    for module in sorted(lines):
        text = (tree / module).read_text().splitlines()
        can_run = sorted(lines[module])
        for has_run, group in groupby(can_run, key=lambda line: lines[module][line]):
            if not has_run:
                parts.append("".join(f"{module}:{line}: {text[line - 1]}\n" for line in group))
    return "\n".join(parts)


def _table(folder: str, lines: Lines, compiled: frozenset[str]) -> str:
    chosen = {module: lines[module] for module in sorted(lines) if str(Path(module).parent) == folder}
    title = "Beside the package" if folder == "." else f"`{folder.replace('/', '.')}`"
    rows = [
        f"| `{module}` | {'yes' if module in compiled else ''} | {_figures({module: chosen[module]})} |"
        for module in chosen
    ]
    heads = ["| file | compiled | lines | ran | never | |", "|---|---|---:|---:|---:|---:|"]
    return "\n".join([f"### {title}", "", *heads, *rows, f"| together | | {_figures(chosen)} |"])


def _idle(lines: Lines, tree: Path) -> str:
    """The functions that nothing entered, by module."""
    found = {
        module: [name for _, name in never_entered(lines[module], (tree / module).read_text())]
        for module in sorted(lines)
    }
    rows = [
        f"| `{module}` | {', '.join(f'`{name}`' for name in names)} |"
        for module, names in found.items()
        if names
    ]
    return (
        "\n".join(["| in | functions that no test entered |", "|---|---|", *rows])
        if rows
        else "No function is without."
    )


def _figures(lines: Lines) -> str:
    every = [has_run for of_module in lines.values() for has_run in of_module.values()]
    share = f"{100 * sum(every) / len(every):.1f} %" if every else ""
    return f"{len(every):,} | {sum(every):,} | {len(every) - sum(every):,} | {share}"


def _versions() -> str:
    gcc = subprocess.run(
        ["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True
    ).stdout.strip()
    named = ("Cython", "coverage", "greenlet", "gevent", "eventlet", "dnspython", "pycares")
    parts = [
        f"CPython {platform.python_version()}",
        f"gcc {gcc}",
        *(f"{name} {version(name)}" for name in named),
    ]
    return ", ".join(parts)
