"""What the how-to pages say, run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent.parent / "docs" / "how-to").glob("*.md"))
PROGRAMS = [
    pytest.param(program, id=f"{page.stem} {number}")
    for page in PAGES
    for number, program in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_a_page_prints_what_it_says(program):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    warnings = [
        line for line in done.stderr.splitlines() if "made the hub wait" not in line
    ]  # they are shown
    assert (done.returncode, warnings) == (0, [])
    promised = re.findall(r"print\(.*\)  # (.+)", program)
    assert promised
    assert [line for line in done.stdout.splitlines() if line in promised] == promised


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_that_a_page_points_to_are_there(page):
    links = re.findall(r"\]\(([\w./-]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
