"""What the pages in docs/ say, run: the tutorial, the how-to guides and the reference."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parity.world import is_permitted

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = [page for room in ("tutorial", "how-to", "reference") for page in sorted((DOCS / room).glob("*.md"))]
PAGES = sorted(DOCS.rglob("*.md"))
PROGRAMS = [
    pytest.param(program, id=f"{guide.stem} {number}")
    for guide in GUIDES
    for number, program in enumerate(
        re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL), start=1
    )
]


def imports():
    """Which modules of gdns each module imports."""
    spec = importlib.util.spec_from_file_location("draw_imports", DOCS / "draw_imports.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.imports()


def promised(program: str) -> list[str]:
    """What a program says that it prints: behind a call of print, or in comments of their own below it."""
    lines: list[str] = []
    after_print = False
    for line in program.splitlines():
        beside = re.search(r"print\(.*\)  # (.*)$", line)
        below = re.fullmatch(r"\s*# (.*)", line)
        if beside:
            lines.append(beside[1])
        elif below and after_print:
            lines.append(below[1])
        after_print = "print(" in line or (after_print and below is not None)
    return lines


def test_there_are_guides_with_programs():
    assert GUIDES
    assert PROGRAMS


NEEDED = ("aiodns", "requests")  # of what guides import, what is not there in every environment
INSIDE = ["unshare", "-rmn", "sh", "-c", 'ip link set lo up && exec "$0" "$@"']


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_a_guide_prints_what_it_says(program, tmp_path):
    for module in NEEDED:
        if f"import {module}\n" in program:
            pytest.importorskip(module)
    if re.search(r"^def test_", program, re.MULTILINE):
        run_as_tests(program, tmp_path)
        return
    around = []
    if "server.command(" in program:
        if not is_permitted() or not Path("/etc/resolv.conf").exists():
            pytest.skip("namespaces cannot be made here")
        around = INSIDE
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
    environ["EVENTLET_TESTS"] = "1"  # else eventlet warns of its own age
    done = subprocess.run(
        [*around, sys.executable, "-W", "error", "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    # what `watch_blocking` has to say is shown there
    warnings = [line for line in done.stderr.splitlines() if "made the hub wait" not in line]
    assert (done.returncode, warnings) == (0, [])
    said = promised(program)
    assert said
    assert [line for line in done.stdout.splitlines() if line in said] == said


def run_as_tests(program, folder):
    """Run what a guide shows as a file of tests, with gdns' plugin."""
    (folder / "test_guide.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "_gdns_pytest_plugin", "-p", "no:cacheprovider"],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(DOCS.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert f"{program.count('def test_')} passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_files_a_page_points_to_are_there(page):
    links = re.findall(r"\]\(([\w./-]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_tests_that_a_page_names_are_there(page):
    tests = DOCS.parent / "tests"
    named = re.findall(r"`((?:\w+/)?test_\w+\.py)::(test_\w+)`", page.read_text())
    assert [(file, name) for file, name in named if f"def {name}(" not in (tests / file).read_text()] == []


def drawn():
    """The arrows of the drawings, but those that are dashed, between modules of gdns: (page, from, to)."""
    modules = imports()
    for page in PAGES:
        for block in re.findall(r"```{graphviz}\n(.*?)```", page.read_text(), re.DOTALL):
            for start, end, _, style in re.findall(r"(\w+) -> (\w+)( \[([^]]*)\])?;", block):
                if start in modules and end in modules and "dashed" not in style and "invis" not in style:
                    yield page.stem, start, end


def test_the_arrows_of_the_drawings_are_imports():
    arrows = list(drawn())
    modules = imports()
    assert {"one-lookup", "two-lanes"} <= {page for page, _, _ in arrows}
    assert [arrow for arrow in arrows if arrow[2] not in modules[arrow[1]]] == []
