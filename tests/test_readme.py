"""What the README says, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROGRAMS = [example for example in EXAMPLES if "def test_" not in example]
TESTS = [example for example in EXAMPLES if "def test_" in example]


@pytest.mark.parametrize("program", PROGRAMS, ids=["own hub", "gevent"])
def test_a_program_of_the_readme_prints_what_it_says(program):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    promised = re.findall(r"print\(.*\)  # (['\[(\d].*)", program)
    assert promised
    assert [line for line in done.stdout.splitlines() if line in promised] == promised


def test_a_test_of_the_readme_passes(tmp_path):
    (tmp_path / "test_it.py").write_text("\n".join(TESTS))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert TESTS
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_of_the_readme_are_targets_of_the_makefile():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"\bmake (?:\w+=\S+ )?(\w+)", README))
    assert {"run", "test"} <= commands <= targets


def test_the_files_the_readme_points_to_are_there():
    links = re.findall(r"\]\(([\w./-]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
