"""What the how-to pages say, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "docs" / "how-to"
PROGRAMS = [
    pytest.param(program, id=f"{page.stem} {number}")
    for page in (PAGES / "override.md", PAGES / "ssrf-policy.md", PAGES / "connect.md")
    for number, program in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL), 1)
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_a_page_prints_what_it_says(program):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    promised = re.findall(r"print\(.*\)  # (.+)", program)
    assert promised
    assert [line for line in done.stdout.splitlines() if line in promised] == promised
