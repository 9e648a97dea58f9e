"""No program can tell gdns from CPython's socket over glibc: a small run of `python -m tests.parity`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.parity import world  # noqa: E402

pytestmark = [
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the comparison is with glibc"),
    pytest.mark.skipif(not world.is_permitted(), reason="network and mount namespaces cannot be made here"),
]


def compare(*arguments: str) -> None:
    command = [sys.executable, "-m", "tests.parity", "--quick", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cases_picked_by_hand_differ_only_as_meant():
    compare("--cases", "0")


def test_cases_made_by_chance_differ_only_as_meant():
    compare("--no-table", "--cases", "2000")
